"""Accounts of peers: kept while there is room, never without bound."""

from __future__ import annotations

from quire.net.exchange.ledger import ACCOUNTS_MAX, Ledger


def test_an_account_is_kept() -> None:
    ledger = Ledger()
    ledger.of("a").received_bytes += 5
    assert ledger.of("a").received_bytes == 5
    assert list(ledger.all()) == ["a"]


def test_the_oldest_account_gives_way_to_the_newest() -> None:
    ledger = Ledger()
    for number in range(ACCOUNTS_MAX + 1):
        ledger.of(str(number))
    assert len(ledger.all()) == ACCOUNTS_MAX
    assert "0" not in ledger.all()
    assert str(ACCOUNTS_MAX) in ledger.all()

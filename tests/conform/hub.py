"""What every `Hub` must do. Subclass and give a `harbour` fixture: a new hub, and accounts.

Vouchers are made with the accounts' own keys; the conforming hub checks them as the contract does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import pytest

from quire.base.errors import InsufficientFunds, QuireError, Reverted
from quire.chain.hub import CHALLENGE_SECONDS, Claim, Hub, HubChannel
from quire.channels.voucher import domain_separator, sign_voucher
from quire.kernels.signing import HALF_ORDER, address_of

ORDER = 2 * HALF_ORDER + 1
MOST = (1 << 128) - 1
STRANGER_KEY = bytes([0x5A]) * 32
HOT_KEY, COLD_KEY = bytes([0x0A]) * 32, bytes([0x0B]) * 32
HOT, COLD = address_of(HOT_KEY), address_of(COLD_KEY)


class Harbour(Protocol):
    """One hub, and accounts at it that each have gas and the same number of tokens."""

    payer: Hub
    payee: Hub
    other: Hub

    def key_of(self, hub: Hub) -> bytes: ...

    async def now(self) -> int:
        """Time of the newest block."""

    async def warp(self, timestamp: int) -> None:
        """Mine a block of this time, which is to come."""


def promise(
    harbour: Harbour,
    cumulative: int,
    *,
    payer: Hub | None = None,
    payee: Hub | None = None,
    key: bytes | None = None,
) -> Claim:
    """A voucher of the payer for the payee, as a claim."""
    giver, taker = payer or harbour.payer, payee or harbour.payee
    made = sign_voucher(
        key or harbour.key_of(giver),
        domain_separator(giver.domain),
        giver.account,
        taker.account,
        cumulative,
    )
    return Claim(giver.account, cumulative, made.signature)


async def channel(harbour: Harbour, payer: Hub | None = None) -> HubChannel:
    pair = ((payer or harbour.payer).account, harbour.payee.account)
    return (await harbour.other.channels([pair]))[0]


async def opened(harbour: Harbour, amount: int = 1000) -> None:
    """The payer's channel to the payee."""
    await harbour.payer.deposit(amount)
    await harbour.payer.allocate([(harbour.payee.account, amount)])


class HubConformance:
    """The suite; pytest collects it through its subclasses."""

    async def test_a_channel_is_funded_claimed_closed_and_its_rest_comes_back(
        self, harbour: Harbour
    ) -> None:
        payer, payee = harbour.payer, harbour.payee
        tokens = await payer.tokens()
        assert (await payer.deposit(1500)).gas_used > 0
        assert await payer.tokens() == tokens - 1500
        assert await payer.balance() == 1500
        await payer.allocate([(payee.account, 1000), (harbour.other.account, 100)])
        assert await payer.balance() == 400
        assert await channel(harbour) == HubChannel(1000, 0, 0)
        await payee.claim([promise(harbour, 300)])
        assert await payee.balance() == 300
        assert await channel(harbour) == HubChannel(1000, 300, 0)
        assert (await channel(harbour)).free == 700
        receipt = await payer.request_close(payee.account)
        assert receipt.block > 0
        close_at = await harbour.now() + CHALLENGE_SECONDS
        assert await channel(harbour) == HubChannel(1000, 300, close_at)
        await harbour.warp(close_at - 10)
        with pytest.raises(Reverted, match="Hub_TooEarly"):
            await payer.release(payee.account)
        await payee.claim([promise(harbour, 450)])  # the challenge is for this
        await harbour.warp(close_at)
        await payer.release(payee.account)
        assert await channel(harbour) == HubChannel(450, 450, 0)
        assert await payer.balance() == 400 + 550
        await payer.withdraw(950)
        await payee.withdraw(450)
        assert await payer.tokens() == tokens - 450 - 100
        assert await payee.tokens() == tokens + 450
        assert await payer.balance(payee.account) == 0

    async def test_sums_go_on_after_a_release_and_what_was_owed_counts_again(
        self, harbour: Harbour
    ) -> None:
        payer, payee = harbour.payer, harbour.payee
        await opened(harbour)
        first, second = promise(harbour, 200), promise(harbour, 350)
        await payee.claim([first])
        await payer.request_close(payee.account)
        await harbour.warp(await harbour.now() + CHALLENGE_SECONDS + 1)
        await payer.release(payee.account)
        with pytest.raises(Reverted, match="Hub_AboveDeposit"):
            await payee.claim([second])
        await payer.allocate([(payee.account, 150)])
        with pytest.raises(Reverted, match="Hub_NothingToClaim"):
            await payee.claim([first])
        await payee.claim([second])
        assert await channel(harbour) == HubChannel(350, 350, 0)

    async def test_a_new_allocation_ends_a_pending_close(self, harbour: Harbour) -> None:
        payer, payee = harbour.payer, harbour.payee
        await opened(harbour)
        await payer.request_close(payee.account)
        with pytest.raises(Reverted, match="Hub_AlreadyClosing"):
            await payer.request_close(payee.account)
        await payer.allocate([(payee.account, 0)])
        assert await channel(harbour) == HubChannel(1000, 0, 0)
        with pytest.raises(Reverted, match="Hub_NotClosing"):
            await payer.release(payee.account)

    async def test_after_the_challenge_a_claim_still_counts_until_the_release(
        self, harbour: Harbour
    ) -> None:
        await opened(harbour)
        await harbour.payer.request_close(harbour.payee.account)
        await harbour.warp(await harbour.now() + CHALLENGE_SECONDS + 100)
        await harbour.payee.claim([promise(harbour, 600)])
        await harbour.payer.release(harbour.payee.account)
        assert await harbour.payer.balance() == 400

    async def test_many_payers_are_claimed_at_once_all_or_none(self, harbour: Harbour) -> None:
        payee = harbour.payee
        await opened(harbour)
        await harbour.other.deposit(50)
        await harbour.other.allocate([(payee.account, 50)])
        good = promise(harbour, 10)
        with pytest.raises(Reverted, match="Hub_AboveDeposit"):
            await payee.claim([good, promise(harbour, 51, payer=harbour.other)])
        assert await payee.balance() == 0
        await payee.claim([good, promise(harbour, 50, payer=harbour.other)])
        assert await payee.balance() == 60
        pairs = [(each.account, payee.account) for each in (harbour.payer, harbour.other)]
        assert await payee.channels(pairs) == [HubChannel(1000, 10, 0), HubChannel(50, 50, 0)]
        assert await payee.channels([]) == []
        await payee.claim([promise(harbour, 20), promise(harbour, 30)])  # of one payer: in a row
        assert await payee.balance() == 80

    async def test_a_voucher_that_does_not_count_is_refused(self, harbour: Harbour) -> None:
        await opened(harbour)
        for name, spoil, error in SPOILT:
            with pytest.raises(Reverted) as refused:
                await harbour.payee.claim([spoil(harbour)])
            assert refused.value.facts["name"] == error, name
        assert await harbour.payee.balance() == 0

    async def test_a_claimed_voucher_counts_once_and_an_older_one_not_any_more(
        self, harbour: Harbour
    ) -> None:
        await opened(harbour)
        older, newer = promise(harbour, 5), promise(harbour, 7)
        await harbour.payee.claim([newer])
        for each in (newer, older):
            with pytest.raises(Reverted, match="Hub_NothingToClaim"):
                await harbour.payee.claim([each])
        with pytest.raises(Reverted, match="Hub_AboveDeposit"):  # others have another channel
            await harbour.other.claim([newer])

    async def test_what_the_balances_do_not_have_is_refused_with_the_numbers(
        self, harbour: Harbour
    ) -> None:
        payer, payee = harbour.payer, harbour.payee
        tokens = await payer.tokens()
        with pytest.raises(InsufficientFunds):
            await payer.deposit(tokens + 1)
        await payer.deposit(10)
        for refused in (payer.withdraw(11), payer.allocate([(payee.account, 11)])):
            with pytest.raises(InsufficientFunds, match=r"11 tokens .* which has 10: deposit 1"):
                await refused
        assert await payer.balance() == 10

    async def test_a_channel_takes_no_more_than_128_bits_and_nobody_has_the_address_0(
        self, harbour: Harbour
    ) -> None:
        await opened(harbour)
        with pytest.raises(QuireError):  # more tokens than there are, and more than a channel has
            await harbour.payer.allocate([(harbour.payee.account, MOST)])
        with pytest.raises(Reverted, match="Hub_ZeroAddress"):
            await harbour.payer.allocate([(bytes(20), 0)])
        assert await channel(harbour) == HubChannel(1000, 0, 0)

    async def test_a_delegate_signs_and_goes_on_for_the_challenge_after_its_end(
        self, harbour: Harbour
    ) -> None:
        payer, payee = harbour.payer, harbour.payee
        await opened(harbour)
        with pytest.raises(Reverted, match="Hub_BadSignature"):
            await payee.claim([promise(harbour, 1, key=HOT_KEY)])
        await payer.set_delegate(HOT)
        people = [payer.account, payee.account]
        assert await payee.delegates(people) == [HOT, None]
        assert await payee.delegates([]) == []
        await payee.claim([promise(harbour, 1, key=HOT_KEY)])
        await payee.claim([promise(harbour, 2)])  # the payer itself goes on
        await payer.set_delegate(COLD)
        ends = await harbour.now() + CHALLENGE_SECONDS
        assert await payee.delegates(people) == [COLD, None]
        with pytest.raises(Reverted, match="Hub_DelegateInNotice"):
            await payer.set_delegate(address_of(STRANGER_KEY))
        await payee.claim([promise(harbour, 3, key=HOT_KEY)])
        await payee.claim([promise(harbour, 4, key=COLD_KEY)])
        await harbour.warp(ends)
        with pytest.raises(Reverted, match="Hub_BadSignature"):
            await payee.claim([promise(harbour, 5, key=HOT_KEY)])
        await payer.set_delegate(None)
        assert await payee.delegates(people) == [None, None]
        await payee.claim([promise(harbour, 6, key=COLD_KEY)])
        await harbour.warp(ends + 2 * CHALLENGE_SECONDS)
        with pytest.raises(Reverted, match="Hub_BadSignature"):
            await payee.claim([promise(harbour, 7, key=COLD_KEY)])

    async def test_a_delegate_may_change_back_and_come_again_during_its_notice(
        self, harbour: Harbour
    ) -> None:
        payer = harbour.payer
        await opened(harbour)
        for signer in (HOT, None, HOT, None, HOT, HOT, COLD, HOT):
            await payer.set_delegate(signer)
        await harbour.payee.claim([promise(harbour, 3, key=HOT_KEY)])

    async def test_calls_at_the_same_time_all_come_through(self, harbour: Harbour) -> None:
        payer, payee, other = harbour.payer, harbour.payee, harbour.other
        tokens = await payer.tokens()
        await asyncio.gather(*(payer.deposit(amount) for amount in (100, 20, 3)))
        assert await payer.balance() == 123
        assert await payer.tokens() == tokens - 123
        await asyncio.gather(
            payer.allocate([(payee.account, 100)]),
            payer.allocate([(other.account, 20)]),
            payer.withdraw(3),
        )
        assert await payer.balance() == 0


def changed(
    claim: Claim, *, cumulative: int | None = None, cut: int = 65, more: bytes = b""
) -> Claim:
    signature = claim.signature[:cut] + more
    return Claim(claim.payer, claim.cumulative if cumulative is None else cumulative, signature)


def high_s(claim: Claim) -> Claim:
    """The same signature in its other form, which anybody can compute."""
    r, s, v = claim.signature[:32], claim.signature[32:64], claim.signature[64]
    other = ORDER - int.from_bytes(s, "big")
    return Claim(
        claim.payer, claim.cumulative, r + other.to_bytes(32, "big") + bytes([27 + 28 - v])
    )


SPOILT: list[tuple[str, Callable[[Harbour], Claim], str]] = [
    ("above the deposit", lambda h: promise(h, 1001), "Hub_AboveDeposit"),
    ("of nothing", lambda h: promise(h, 0), "Hub_NothingToClaim"),
    ("of a stranger", lambda h: promise(h, 5, key=STRANGER_KEY), "Hub_BadSignature"),
    ("for another payee", lambda h: promise(h, 5, payee=h.other), "Hub_BadSignature"),
    ("of another payer", lambda h: promise(h, 5, payer=h.other), "Hub_AboveDeposit"),
    ("another sum", lambda h: changed(promise(h, 5), cumulative=6), "Hub_BadSignature"),
    ("64 bytes", lambda h: changed(promise(h, 5), cut=64), "Hub_BadSignature"),
    ("66 bytes", lambda h: changed(promise(h, 5), more=b"\0"), "Hub_BadSignature"),
    ("no bytes", lambda h: changed(promise(h, 5), cut=0), "Hub_BadSignature"),
    ("v 0", lambda h: changed(promise(h, 5), cut=64, more=b"\0"), "Hub_BadSignature"),
    ("v 29", lambda h: changed(promise(h, 5), cut=64, more=b"\x1d"), "Hub_BadSignature"),
    ("high s", lambda h: high_s(promise(h, 5)), "Hub_BadSignature"),
    ("of nobody", lambda h: Claim(bytes(20), 5, bytes(65)), "Hub_ZeroAddress"),
]

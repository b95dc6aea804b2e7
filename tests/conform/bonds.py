"""What every `Bonds` must do. Subclass and give a `town` fixture: new contracts, and accounts with
known keys.

The host of the town makes the aggregator its delegate; then a slot of it misses a proof.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import pytest

from conform.market_kit import Town, asked, fill, into_marking, next_period
from quire.base.errors import InsufficientFunds, Reverted
from quire.chain.bonds import (
    CLAIM_SECONDS,
    NOTICE_PERIODS,
    Bond,
    Bonds,
    Promise,
    promise_digest,
)
from quire.chain.port import Market
from quire.kernels.signing import HALF_ORDER, sign_recoverable
from support.memory_world import PROOF

ORDER = 2 * HALF_ORDER + 1
STRANGER_KEY = bytes([0x5A]) * 32


class BondTown(Town, Protocol):
    """A town whose account `other` is the aggregator."""

    aggregator: Bonds  # of `other`
    hosts: Bonds  # of `host`
    strangers: Bonds  # of `validator`
    key: bytes  # of the aggregator

    async def now(self) -> int:
        """Time of the newest block."""


def signed(town: BondTown, promise: Promise, key: bytes | None = None) -> bytes:
    return sign_recoverable(key or town.key, promise_digest(town.aggregator.domain, promise))


async def appointed(town: BondTown) -> None:
    await town.host.set_proof_delegate(town.aggregator.account, True)


async def held(town: BondTown, slots: int = 2) -> list[bytes]:
    """Slots of the host; proofs are asked for from now on."""
    _, rid, ids = await asked(town, slots=slots)
    await fill(town.host, rid, range(slots))
    await next_period(town)
    return ids


async def missed(town: BondTown, ids: list[bytes]) -> int:
    """The period of now passes and their proofs of it are marked as missing."""
    period = await into_marking(town)
    await town.validator.mark_missing([(each, period) for each in ids])
    return period


def promised(town: BondTown, slot: bytes, period: int, amount: int) -> Promise:
    return Promise(town.aggregator.account, town.hosts.account, slot, period, amount)


async def refused(town: BondTown, promise: Promise, signature: bytes | None = None) -> str:
    """With which error a claim of the host is refused."""
    with pytest.raises(Reverted) as error:
        await town.hosts.claim(promise, signed(town, promise) if signature is None else signature)
    return str(error.value.facts["name"])


class BondsConformance:
    """The suite; pytest collects it through its subclasses."""

    async def test_a_missed_proof_is_made_good_once(self, town: BondTown) -> None:
        aggregator, market = town.aggregator, town.host
        assert (await aggregator.deposit(1000)).gas_used > 0
        assert await town.hosts.bond(aggregator.account) == Bond(1000)
        await appointed(town)
        slot, other = await held(town)
        period = await missed(town, [slot])
        promise = promised(town, slot, period, 300)
        assert not await town.hosts.is_claimed(promise)
        tokens = await market.balance()
        await town.hosts.claim(promise, signed(town, promise))
        assert await market.balance() == tokens + 300
        assert await aggregator.bond() == Bond(700)
        assert await aggregator.is_claimed(promise)
        assert await refused(town, promise) == "Bonds_AlreadyClaimed"
        again = replace(promise, amount=200)
        assert await aggregator.is_claimed(again)
        assert await refused(town, again) == "Bonds_AlreadyClaimed"
        assert not await aggregator.is_claimed(replace(promise, slot_id=other))
        for unpaid in (promised(town, other, period, 1), promised(town, slot, period + 1, 1)):
            assert await refused(town, unpaid) == "Bonds_ProofNotMissing"

    async def test_no_more_is_paid_than_the_miss_has_cost(self, town: BondTown) -> None:
        aggregator, terms = town.aggregator, town.host.terms
        await aggregator.deposit(1_000_000)
        await appointed(town)
        (slot, _) = await held(town)
        collateral = await town.host.current_collateral(slot)
        promise = promised(town, slot, await missed(town, [slot]), 500_000)
        await town.hosts.claim(promise, signed(town, promise))
        cost = collateral * terms.slash_percentage // 100
        assert await aggregator.bond() == Bond(1_000_000 - cost)

    async def test_an_empty_bond_pays_what_it_has_and_a_promise_waits_for_more(
        self, town: BondTown
    ) -> None:
        aggregator, market = town.aggregator, town.host
        await aggregator.deposit(100)
        await appointed(town)
        slots = await held(town)
        period = await missed(town, slots)
        first, second = (promised(town, slot, period, 80) for slot in slots)
        tokens = await market.balance()
        await town.hosts.claim(first, signed(town, first))
        await town.hosts.claim(second, signed(town, second))
        assert await market.balance() == tokens + 100
        assert await refused(town, second) == "Bonds_AlreadyClaimed"  # for the rest of it
        third_period = await missed(town, slots[:1])
        third = promised(town, slots[0], third_period, 80)
        assert await refused(town, third) == "Bonds_NothingLeft"
        await aggregator.deposit(500)
        await town.hosts.claim(third, signed(town, third))
        assert await aggregator.bond() == Bond(420)

    async def test_a_promise_that_does_not_count_is_refused(self, town: BondTown) -> None:
        await town.aggregator.deposit(1000)
        await appointed(town)
        (slot, _) = await held(town)
        good = promised(town, slot, await missed(town, [slot]), 5)
        right = signed(town, good)
        r, s, v = right[:32], right[32:64], right[64]
        high_s = r + (ORDER - int.from_bytes(s)).to_bytes(32) + bytes([55 - v])
        signatures = (
            *(b"", right[:64], right + b"\0", high_s, right[:64] + b"\0", right[:64] + b"\x1d"),
            signed(town, good, STRANGER_KEY),
            signed(town, replace(good, amount=4)),
            signed(town, replace(good, host=town.client.account)),
            signed(town, replace(good, slot_id=bytes(32))),
            signed(town, replace(good, period=good.period - 1)),
            signed(town, replace(good, aggregator=town.client.account)),
        )
        for number, signature in enumerate(signatures):
            assert await refused(town, good, signature) == "Bonds_BadSignature", number
        assert await refused(town, replace(good, amount=0)) == "Bonds_NothingPromised"
        with pytest.raises(Reverted, match="Bonds_BadSignature"):
            await town.strangers.claim(good, right)
        await town.hosts.claim(good, right)

    async def test_it_can_be_claimed_for_a_day_and_whatever_became_of_the_slot(
        self, town: BondTown
    ) -> None:
        await town.aggregator.deposit(1000)
        await appointed(town)
        slots = await held(town)
        period = await missed(town, slots)
        last = town.host.terms.period_end(period) + CLAIM_SECONDS - 1
        later = await missed(town, slots)  # the second: the host loses both
        assert await town.host.host(slots[0]) is None
        first, second = (promised(town, slot, period, 5) for slot in slots)
        await town.warp(last - 10)
        await town.hosts.claim(first, signed(town, first))
        await town.warp(last + 1)
        assert await refused(town, second) == "Bonds_TooLate"
        still = promised(town, slots[0], later, 5)
        await town.hosts.claim(still, signed(town, still))

    async def test_who_forbids_to_submit_has_no_claim(self, town: BondTown) -> None:
        await town.aggregator.deposit(1000)
        slots = await held(town)
        before = promised(town, slots[0], await missed(town, slots[:1]), 5)
        assert await refused(town, before) == "Bonds_NotDelegate"
        await appointed(town)
        await town.hosts.claim(before, signed(town, before))
        await town.host.set_proof_delegate(town.aggregator.account, False)
        during = promised(town, slots[1], await missed(town, slots[1:]), 5)
        assert await refused(town, during) == "Bonds_NotDelegate"
        await appointed(town)
        assert await refused(town, during) == "Bonds_NotDelegate"
        after = promised(town, slots[1], await missed(town, slots[1:]), 5)
        await town.hosts.claim(after, signed(town, after))

    async def test_a_part_leaves_after_its_notice_and_covers_claims_until_then(
        self, town: BondTown
    ) -> None:
        aggregator = town.aggregator
        notice = CLAIM_SECONDS + NOTICE_PERIODS * town.host.terms.period
        await aggregator.deposit(1000)
        await appointed(town)
        (slot, _) = await held(town)
        with pytest.raises(Reverted, match="Bonds_NothingAnnounced"):
            await aggregator.withdraw()
        with pytest.raises(Reverted, match="Bonds_AboveBond"):
            await aggregator.announce(1001)
        tokens = await town.other.balance()
        await aggregator.announce(600)
        leaves_at = await town.now() + notice
        assert await aggregator.bond() == Bond(1000, 600, leaves_at)
        promise = promised(town, slot, await missed(town, [slot]), 100)
        await town.hosts.claim(promise, signed(town, promise))
        assert await aggregator.bond() == Bond(900, 500, leaves_at)
        await town.warp(leaves_at - 10)
        with pytest.raises(Reverted, match="Bonds_TooEarly"):
            await aggregator.withdraw()
        await town.warp(leaves_at)
        await aggregator.withdraw()
        assert await town.other.balance() == tokens + 500
        assert await aggregator.bond() == Bond(400)

    async def test_an_announcement_takes_the_place_of_the_one_before(self, town: BondTown) -> None:
        aggregator = town.aggregator
        await aggregator.deposit(1000)
        await aggregator.announce(600)
        first = (await aggregator.bond()).leaves_at
        await town.warp(first)
        await aggregator.announce(700)
        bond = await aggregator.bond()
        assert (bond.leaving, bond.leaves_at > first) == (700, True)
        with pytest.raises(Reverted, match="Bonds_TooEarly"):
            await aggregator.withdraw()
        await aggregator.announce(0)
        assert await aggregator.bond() == Bond(1000)

    async def test_a_claim_may_take_all_that_was_to_leave(self, town: BondTown) -> None:
        await town.aggregator.deposit(1000)
        await town.aggregator.announce(200)
        await appointed(town)
        (slot, _) = await held(town)
        promise = promised(town, slot, await missed(town, [slot]), 300)
        await town.hosts.claim(promise, signed(town, promise))
        assert await town.aggregator.bond() == Bond(700)
        with pytest.raises(Reverted, match="Bonds_NothingAnnounced"):
            await town.aggregator.withdraw()

    async def test_more_tokens_than_there_are_is_told_before_anything_is_sent(
        self, town: BondTown
    ) -> None:
        tokens, number = await town.other.balance(), (await town.other.head()).number
        with pytest.raises(InsufficientFunds):
            await town.aggregator.deposit(tokens + 1)
        assert (await town.other.head()).number == number
        assert await town.aggregator.bond() == Bond()

    async def test_what_a_delegate_submits_in_time_leaves_no_claim(self, town: BondTown) -> None:
        await town.aggregator.deposit(1000)
        await appointed(town)
        slots = await held(town)
        market: Market = town.other
        await market.submit_proofs([(slot, PROOF) for slot in slots])
        promise = promised(town, slots[0], await missed(town, slots), 5)
        assert await refused(town, promise) == "Bonds_ProofNotMissing"

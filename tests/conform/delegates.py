"""What every `Market` must do for delegates, who submit proofs for other hosts' slots."""

from __future__ import annotations

import pytest

from conform.market_kit import Heard, Town, asked, fill, into_marking, next_period
from quire.base.errors import Reverted
from quire.chain.events import ProofDelegateSet, ProofSubmitted
from quire.chain.port import Market
from support.memory_world import PROOF

ZEROS = bytes(256)


async def refused(market: Market, *slots: bytes, proof: bytes = PROOF) -> str:
    """With which error its proofs are refused."""
    with pytest.raises(Reverted) as error:
        await market.submit_proofs([*((slot, PROOF) for slot in slots[:-1]), (slots[-1], proof)])
    return str(error.value.facts["name"])


class DelegatesConformance:
    """The suite; pytest collects it through its subclasses, beside `MarketConformance`."""

    async def test_a_delegate_submits_for_hosts_one_proof_or_many(self, town: Town) -> None:
        delegate, account = town.validator, town.validator.account
        _, rid, slots = await asked(town)
        await fill(town.host, rid, [0, 1])
        await fill(town.other, rid, [2])
        await next_period(town)
        assert not await delegate.is_proof_delegate(town.host.account, account)
        assert await refused(delegate, slots[0]) == "Marketplace_ProofNotSubmittedByHost"
        async with Heard(delegate) as heard:
            await town.host.set_proof_delegate(account, True)
            await heard.until(
                lambda: ProofDelegateSet(town.host.account, account, True) in heard.events
            )
        assert await town.client.is_proof_delegate(town.host.account, account)
        assert not await town.client.is_proof_delegate(account, town.host.account)
        assert await refused(delegate, slots[0], proof=ZEROS) == "Proofs_InvalidProof"
        async with Heard(town.client) as heard:
            await delegate.submit_proofs([(slots[0], PROOF)])
            await heard.until(lambda: ProofSubmitted(slots[0]) in heard.events)
        assert await refused(delegate, slots[0]) == "Proofs_ProofAlreadySubmitted"
        await next_period(town)
        assert await refused(delegate, *slots) == "Marketplace_ProofNotSubmittedByHost"
        await town.other.set_proof_delegate(account, True)
        assert await refused(delegate, *slots, proof=ZEROS) == "Proofs_InvalidProof"
        await delegate.submit_proofs([(slot, PROOF) for slot in slots])
        period = await into_marking(town)
        assert await town.client.can_mark_missing([(slot, period) for slot in slots]) == [False] * 3

    async def test_a_dismissed_delegate_submits_nothing_and_the_host_goes_on(
        self, town: Town
    ) -> None:
        host, delegate = town.host, town.other
        _, rid, slots = await asked(town, slots=2)
        await fill(host, rid, [0, 1])
        await host.set_proof_delegate(delegate.account, True)
        await host.set_proof_delegate(delegate.account, False)
        assert not await host.is_proof_delegate(host.account, delegate.account)
        await next_period(town)
        for some in (slots[:1], slots):
            assert await refused(delegate, *some) == "Marketplace_ProofNotSubmittedByHost"
        await host.submit_proofs([(slots[0], PROOF)])
        await host.set_proof_delegate(delegate.account, True)
        assert await refused(delegate, *slots) == "Proofs_ProofAlreadySubmitted"
        await delegate.submit_proofs([(slots[1], PROOF)])

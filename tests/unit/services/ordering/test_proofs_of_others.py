"""Proofs ordered of aggregators: made of the sampled cells, verified, raced, and paid once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from quire.base.errors import Busy, DeadlineExceeded, InputError
from quire.dataset.proof_input import ProofInput
from quire.formats.aggregator_asking import AcceptProve, Cancel, Dispute
from quire.formats.aggregator_codes import Reason
from quire.sim.prover import SimProver, proof_of_public
from support.proof_evidence import every_cell, evidence
from support.proof_town import (
    PERIOD,
    PRICE,
    SECONDS,
    Maker,
    ProofHost,
    TimedWorkers,
    Town,
    play,
    public_of,
)
from support.prove_kit import SMALL


def bodies(maker: Maker, kind: type) -> list[Any]:
    return [each.body for each in maker.requests if isinstance(each.body, kind)]


def ends(host: ProofHost) -> list[str]:
    return [str(each.at) for each in host.orders.all()]


def test_a_proof_is_ordered_made_verified_and_paid():
    async def scene(town: Town) -> None:
        maker = await town.maker()
        host = await town.host()
        await host.prove()
        (order,) = await host.settled()
        assert (order.at, order.cost, order.checked) == ("settled", PRICE, "the proof holds")
        assert maker.earned == PRICE
        assert maker.workers.begun == 1
        assert host.prover.counts.ordered == 1

    play(scene)


def test_only_the_cells_that_were_drawn_leave_the_host():
    every = every_cell()

    async def scene(town: Town) -> None:
        maker = await town.maker()
        host = await town.host()
        await host.prove()
        _, made = evidence()
        drawn = {sample.cell for sample in made.samples}
        told = b"".join(maker.bytes)
        assert 0 < len(drawn & set(every)) < len(set(every)) == 10  # five blocks of two cells
        assert all(cell in told for cell in drawn)
        for cell in set(every) - drawn:
            assert all(cell[at : at + 32] not in told for at in range(0, len(cell), 32))

    play(scene)


# ---- who is asked when ----


def test_the_cheapest_is_asked_alone_while_it_is_in_time():
    async def scene(town: Town) -> None:
        dear, cheap = await town.maker(2 * PRICE), await town.maker(PRICE)
        host = await town.host()
        for number in range(3):
            await host.prove(entropy=bytes([number]) + bytes(31))
        await host.settled()
        assert (dear.earned, cheap.earned) == (0, 3 * PRICE)
        assert bodies(dear, AcceptProve) == []

    play(scene)


def test_the_next_is_asked_when_the_first_is_slow_and_the_slow_one_is_not_paid():
    async def scene(town: Town) -> None:
        slow, quick = await town.maker(1, seconds=PERIOD), await town.maker(PRICE)
        host = await town.host()
        began = town.clock.monotonic()
        await host.prove()
        assert town.clock.monotonic() - began < PERIOD / 4 + 2 * SECONDS
        await host.settled()
        assert ends(host) == ["cancelled", "settled"]
        assert (slow.earned, quick.earned) == (0, PRICE)
        assert len(bodies(slow, Cancel)) == 1
        assert (slow.workers.made, slow.workers.cancelled) == (0, 1)  # it proves no more

    play(scene)


def test_an_aggregator_that_is_killed_while_it_proves_costs_a_moment_and_nothing_else():
    async def scene(town: Town) -> None:
        doomed, next_one = await town.maker(1), await town.maker(PRICE)
        host = await town.host()
        proving = asyncio.ensure_future(host.prove())
        while not doomed.workers.begun:
            await asyncio.sleep(0.1)
        await doomed.close()
        await proving
        await host.settled()
        assert (doomed.earned, next_one.earned) == (0, PRICE)
        assert ends(host)[1] == "settled"

    play(scene)


def test_who_has_another_key_or_asks_too_much_is_not_asked():
    async def scene(town: Town) -> None:
        dear = await town.maker(2 * PRICE)
        usual, town.prover = town.prover, SimProver(SMALL)
        town.prover.key_hash = b"\1" * 32
        foreign = await town.maker(1)
        town.prover = usual
        host = await town.host(max_price=PRICE)
        with pytest.raises(Busy, match="there is nobody to ask"):
            await host.prove()
        assert host.orders.all() == []
        assert bodies(dear, AcceptProve) == bodies(foreign, AcceptProve) == []

    play(scene)


def test_who_does_not_promise_to_be_in_time_is_asked_last():
    async def scene(town: Town) -> None:
        slow = await town.maker(1, seconds=50)
        host = await town.host()
        await host.prove()
        await host.settled()
        await host.close()
        await asyncio.sleep(600)  # its offers of then are over; new ones say how long it takes
        quick = await town.maker(PRICE)
        await host.open()
        await host.prove(entropy=bytes(32), seconds=60)
        await host.settled()
        assert (slow.earned, quick.earned) == (1, PRICE)

    play(scene)


def test_only_those_that_are_named_are_asked():
    async def scene(town: Town) -> None:
        cheap, named = await town.maker(1), await town.maker(PRICE)
        host = await town.host(via=[named.peer])
        await host.prove()
        await host.settled()
        assert (cheap.earned, named.earned) == (0, PRICE)

    play(scene)


# ---- the own prover ----


def test_the_own_prover_begins_when_half_of_the_time_is_gone():
    async def scene(town: Town) -> None:
        makers = [await town.maker(price, seconds=PERIOD) for price in (1, 2)]
        host = await town.host(own=TimedWorkers())
        began = town.clock.monotonic()
        await host.prove()
        assert town.clock.monotonic() - began == pytest.approx(PERIOD / 2 + SECONDS, abs=1)
        await host.settled()
        assert ends(host) == ["cancelled", "cancelled"]
        assert [each.earned for each in makers] == [0, 0]
        assert [each.workers.cancelled for each in makers] == [1, 1]
        assert host.prover.counts.own == 1

    play(scene)


def test_the_own_prover_begins_at_once_when_nobody_offers():
    async def scene(town: Town) -> None:
        host = await town.host(own=TimedWorkers())
        began = town.clock.monotonic()
        await host.prove()
        assert town.clock.monotonic() - began < SECONDS + 15  # of which it looked for some
        assert host.prover.counts.own == 1

    play(scene)


def test_the_own_prover_begins_at_once_when_all_have_failed():
    async def scene(town: Town) -> None:
        liar = await town.maker()
        liar.workers.forge = lambda made, host: proof_of_public((b"nonsense",))
        host = await town.host(own=TimedWorkers())
        began = town.clock.monotonic()
        await host.prove()
        assert town.clock.monotonic() - began < 3 * SECONDS
        await host.settled()
        assert liar.earned == 0

    play(scene)


def test_a_witness_that_is_too_large_for_a_message_is_proved_here_or_refused():
    async def scene(town: Town) -> None:
        maker = await town.maker()
        host = await town.host(own=TimedWorkers())
        await host.prove()
        assert (host.orders.all(), host.prover.counts.own) == ([], 1)
        await host.close()
        host.own = None
        await host.open()
        with pytest.raises(InputError, match="600 samples"):
            await host.prove()
        assert maker.workers.begun == 0

    play(scene, SimProver(replace(SMALL, samples=600)))


def test_without_an_own_prover_the_deadline_ends_it_and_nobody_is_paid():
    async def scene(town: Town) -> None:
        maker = await town.maker(seconds=2 * PERIOD)
        host = await town.host()
        with pytest.raises((Busy, DeadlineExceeded), match="in time"):
            await host.prove()
        await host.settled()
        assert (ends(host), maker.earned) == (["late"], 0)

    play(scene)


# ---- lies ----


def stale(made: ProofInput, host: bytes | None) -> bytes:
    return proof_of_public(public_of(replace(made, entropy=bytes(32)), host))


def of_another_slot(made: ProofInput, host: bytes | None) -> bytes:
    return proof_of_public(public_of(replace(made, slot_index=made.slot_index + 1), host))


def of_another_dataset(made: ProofInput, host: bytes | None) -> bytes:
    return proof_of_public(public_of(replace(made, dataset_root=bytes(32)), host))


def of_another_host(made: ProofInput, host: bytes | None) -> bytes:
    return proof_of_public(public_of(made, bytes(20)))


def false(made: ProofInput, host: bytes | None) -> bytes:
    return bytes(256)


@pytest.mark.parametrize(
    "lie", [false, stale, of_another_slot, of_another_dataset, of_another_host]
)
def test_a_lie_is_caught_not_paid_and_remembered_and_the_next_is_asked(lie):
    async def scene(town: Town) -> None:
        liar, honest = await town.maker(1), await town.maker(PRICE)
        liar.workers.forge = lie
        host = await town.host()
        await host.prove()
        cheated, good = await host.settled()
        assert (cheated.at, good.at) == ("cheated", "settled")
        assert (cheated.reason, cheated.cost) == (Reason.PROOF, 0)
        assert (liar.earned, honest.earned) == (0, PRICE)
        assert [each.reason for each in bodies(liar, Dispute)] == [Reason.PROOF]
        assert host.choice.shuns(liar.peer) != ""
        await host.prove(entropy=bytes(32))  # and it is not asked again
        await host.settled()
        assert len(bodies(liar, AcceptProve)) == 1
        assert honest.earned == 2 * PRICE

    play(scene)

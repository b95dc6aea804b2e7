"""A provider that lost a part of a replica is found out, whatever it says when it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from quire.base.errors import PeerSilent
from quire.base.rng import seeded_rng
from quire.formats.merkle import build_tree, prove
from quire.formats.merkle_run import range_proof_of
from quire.formats.replica import ReplicaAnswer
from quire.formats.replica_answers import AuditAnswer, BlockRun, audit_digest
from quire.formats.replica_codes import Code
from quire.kernels.hashing import sha256_blocks
from quire.point.billing import first_term
from quire.point.link import At, LinkState, Upkeep
from quire.point.link_effects import Audit
from quire.point.link_events import Audited, Now
from quire.services.retail.link_ports import LinkPorts
from quire.services.retail.link_work import LinkWork
from quire.services.retail.send_slots import SendSlots
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop, run
from support.link_kit import DAY, MACHINE, NOW, OFFER, link

COUNT = 40  # blocks of the replica; two of them are lost
LOST = (7, 31)
BLOCK = 65536


@dataclass
class Provider:
    """Serves audits of one replica. `manner`: what it says when a lost block is asked for."""

    manner: str
    lost: tuple[int, ...] = LOST
    asked: list[tuple[int, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.blocks = [bytes([number]) * BLOCK for number in range(COUNT)]
        digests = sha256_blocks(b"".join(self.blocks), BLOCK)
        self.tree = build_tree(digests)
        self.root = self.tree[-32:]

    async def ask(self, _peer, _addresses, _link_id, body, *_more, **_options) -> ReplicaAnswer:
        self.asked.append(body.indices)
        if not set(body.indices).isdisjoint(self.lost):
            if self.manner == "silent":
                raise PeerSilent("it did not answer in time")
            if self.manner == "missing":
                return ReplicaAnswer(Code.NOT_FOUND, "not here")
        runs = []
        for index in body.indices:
            data = bytes(BLOCK) if index in self.lost else self.blocks[index]
            proof = prove(self.tree, COUNT, index)
            runs.append(BlockRun(index, data, range_proof_of(proof, proof)))
        return ReplicaAnswer(
            Code.OK, body=AuditAnswer(tuple(runs), audit_digest(body.nonce, (r.data for r in runs)))
        )


def play(provider: Provider, audits_most: int) -> tuple[LinkState, int]:
    """The link after it was given up, or after so many audits; how many there were."""
    loop = SimLoop(seeded_rng(5))

    async def scene() -> tuple[LinkState, int]:
        clock = SimClock(loop)
        state = link(
            {"sealed_bytes": COUNT * BLOCK, "seconds": 30 * DAY},
            at=At.SIGNED,
            sealed_root=provider.root,
            terms=(first_term(OFFER, COUNT * BLOCK, NOW, NOW + 30 * DAY),),
            audit_at=NOW,
            look_at=NOW,
        )
        chain = SimpleNamespace(now=lambda: float(state.audit_at))
        ports = LinkPorts(
            client=provider, choice=None, payments=None, chain=chain, clock=clock,
            rng=seeded_rng(7), events=None, file=None,
        )  # fmt: skip
        work = LinkWork(ports, SendSlots(), None, lambda _: 0)
        for number in range(1, audits_most + 1):
            state, _ = MACHINE.step(state, Now(state.audit_at))
            assert state.upkeep is Upkeep.AUDITING
            while state.upkeep is Upkeep.AUDITING and state.at is At.SIGNED:
                event = await work.perform(state, Audit())
                state, _ = MACHINE.step(state, event)
            if state.at is not At.SIGNED:
                return state, number
            if isinstance(event, Audited) and event.passed:  # and the bill, if one was due, is paid
                state = replace(state, upkeep=Upkeep.IDLE)
        return state, audits_most

    return run(loop, scene())


@pytest.mark.parametrize("manner", ["silent", "missing", "wrong"])
def test_a_link_is_given_up_in_the_third_audit_that_asks_for_what_is_lost(manner: str) -> None:
    """Five in a hundred blocks are lost: three audits of other blocks in a row would hardly ever
    all miss, and one that may choose when to be silent would be kept for ever."""
    provider = Provider(manner)
    state, audits = play(provider, 200)
    assert state.at is At.LOST
    assert "3 audits in a row" in state.why
    missed = [asked for asked in provider.asked if not set(asked).isdisjoint(LOST)]
    assert len(set(missed)) == 1
    assert audits < 60


def test_a_provider_that_has_repaired_its_disk_is_kept() -> None:
    provider = Provider("missing")
    answer = provider.ask

    async def ask(*arguments, **options):
        found = await answer(*arguments, **options)
        if found.code is not Code.OK:
            provider.lost = ()
        return found

    provider.ask = ask
    state, _ = play(provider, 60)
    assert state.at is At.SIGNED
    assert state.audits_failed == 0
    again = [each for each in provider.asked if not set(each).isdisjoint(LOST)]
    assert again[0] == again[1]
    assert len(set(provider.asked)) > 40

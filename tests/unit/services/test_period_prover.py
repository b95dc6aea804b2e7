"""A host's slots are proved in time, through crashes, re-organisations and lost connections."""

from __future__ import annotations

from quire.chain.values import SlotState
from support.period_kit import Bench, Host, run_bench


async def a_host_with_slots(bench: Bench, requests: int = 1, seconds: float = 1.0) -> Host:
    host = bench.host(seconds)
    for _ in range(requests):
        await bench.fill(host)
    await host.start()
    return host


def test_fifty_slots_of_one_host_are_proved_in_every_period() -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard()
        host = await a_host_with_slots(bench, requests=10, seconds=1.0)
        await guard.start()
        await bench.next_period(6)
        counts = host.prover.counts
        assert counts.submitted > 100
        assert (counts.late, counts.missed, bench.missed(host)) == (0, 0, 0)
        assert set(bench.states(host)) == {SlotState.FILLED}
        assert guard.validator.counts.windows >= 4
        assert guard.validator.counts.marked == 0
        assert counts.transactions < counts.submitted / 5  # in batches
        deadlines = [job for job in host.proofs.asked]
        assert len(deadlines) == counts.made

    run_bench(story)

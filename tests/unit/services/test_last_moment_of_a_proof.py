"""A proof that is made at the last moment is still waited for."""

from __future__ import annotations

import asyncio

from support.period_kit import Bench, a_host_with_slots, run_bench


def test_a_transaction_of_the_last_moment_is_waited_for_until_its_period_ends() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench, seconds=20.8)
        await bench.next_period()
        end = bench.terms.period_end(bench.period)
        left = []
        while bench.clock.now() < end:
            await asyncio.sleep(0.5)
            for wait in host.waits.of():
                if "on its way" in str(wait["reason"]):
                    latest = end - 2 * bench.world.block_seconds
                    left.append((bench.clock.now() > latest, wait["remainingSeconds"]))
        assert any(is_late for is_late, _ in left)
        assert all(seconds > 0 for _, seconds in left)

    run_bench(story, block_seconds=7)

"""The loop's lag: quantiles of what was measured."""

import asyncio

from prometheus_client import CollectorRegistry

from quire.node.lag import KEPT_SAMPLES, LoopLag


def test_quantiles_are_those_of_the_samples():
    lag = LoopLag(CollectorRegistry())
    assert lag.quantile(0.99) == 0.0
    for number in range(100):
        lag.record(number / 1000)
    assert lag.quantile(0.5) == 0.05
    assert lag.quantile(0.99) == 0.099
    assert lag.quantile(1.0) == 0.099


def test_old_samples_are_forgotten():
    lag = LoopLag(CollectorRegistry())
    lag.record(9.0)
    for _ in range(KEPT_SAMPLES):
        lag.record(0.001)
    assert lag.quantile(1.0) == 0.001


async def test_a_blocked_loop_is_seen():
    registry = CollectorRegistry()
    lag = LoopLag(registry)
    task = asyncio.create_task(lag.run())
    async with asyncio.timeout(20):
        while registry.get_sample_value("quire_event_loop_lag_seconds_count") < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert lag.quantile(0.5) >= 0.0

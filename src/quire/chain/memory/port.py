"""What the ports `Market`, `Hub` and `Bonds` on a world in memory have in common."""

from __future__ import annotations

from quire.base.clock import Clock
from quire.chain.memory.account import MemoryAccount
from quire.chain.memory.clock import MemoryChainClock
from quire.chain.memory.faults import MarketFaults
from quire.chain.memory.world import MemoryWorld
from quire.chain.values import Address


class MemoryPort:
    """`clock` drives the chain's time between blocks; without one it stands still."""

    def __init__(self, world: MemoryWorld, account: Address, clock: Clock | None = None) -> None:
        self._on = MemoryAccount(world, account)
        self._clock = MemoryChainClock(world, clock)

    @property
    def world(self) -> MemoryWorld:
        return self._on.world

    @property
    def faults(self) -> MarketFaults:
        return self._on.faults

    @faults.setter
    def faults(self, faults: MarketFaults) -> None:
        self._on.faults = faults

    @property
    def account(self) -> Address:
        return self._on.address

    @property
    def clock(self) -> MemoryChainClock:
        return self._clock

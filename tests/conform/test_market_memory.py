"""The market in memory conforms."""

from __future__ import annotations

import pytest

from conform.delegates import DelegatesConformance
from conform.market import MarketConformance
from quire.chain.memory.market import MemoryMarket
from support.memory_world import CLIENT, HOST, OTHER, VALIDATOR, a_world


class MemoryTown:
    def __init__(self) -> None:
        self.world = a_world(downtime=0)
        self.client, self.host, self.other, self.validator = (
            MemoryMarket(self.world, account) for account in (CLIENT, HOST, OTHER, VALIDATOR)
        )

    async def mine(self, blocks: int = 1) -> None:
        self.world.mine(blocks)

    async def warp(self, timestamp: int) -> None:
        self.world.set_time(timestamp)
        self.world.mine()

    async def rewind(self, blocks: int) -> None:
        self.world.reorganise(blocks)


class TestMemoryMarket(MarketConformance, DelegatesConformance):
    @pytest.fixture
    def town(self) -> MemoryTown:
        return MemoryTown()

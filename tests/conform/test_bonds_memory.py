"""The bonds in memory conform."""

from __future__ import annotations

import pytest

from conform.bonds import BondsConformance
from conform.test_market_memory import MemoryTown
from quire.chain.memory.bonds import MemoryBonds
from quire.chain.memory.market import MemoryMarket
from quire.kernels.signing import address_of
from support.memory_world import TOKENS


class MemoryBondTown(MemoryTown):
    key = bytes([7]) * 32

    def __init__(self) -> None:
        super().__init__()
        account = address_of(self.key)
        self.world.mint(account, TOKENS)
        self.other = MemoryMarket(self.world, account)
        self.aggregator, self.hosts, self.strangers = (
            MemoryBonds(self.world, market.account)
            for market in (self.other, self.host, self.validator)
        )

    async def now(self) -> int:
        return self.world.head.timestamp


class TestMemoryBonds(BondsConformance):
    @pytest.fixture
    def town(self) -> MemoryBondTown:
        return MemoryBondTown()

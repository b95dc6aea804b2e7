"""The hub in memory conforms."""

from __future__ import annotations

import pytest

from conform.hub import HubConformance
from quire.chain.hub import Hub
from quire.chain.memory.hub import MemoryHub
from quire.kernels.signing import address_of
from support.memory_world import TOKENS, a_world

KEYS = tuple(bytes([number]) * 32 for number in (1, 2, 3))


class MemoryHarbour:
    def __init__(self) -> None:
        self.world = a_world()
        self.keys = {address_of(key): key for key in KEYS}
        for account in self.keys:
            self.world.mint(account, TOKENS)
        self.payer, self.payee, self.other = (
            MemoryHub(self.world, account) for account in self.keys
        )

    def key_of(self, hub: Hub) -> bytes:
        return self.keys[hub.account]

    async def now(self) -> int:
        return self.world.head.timestamp

    async def warp(self, timestamp: int) -> None:
        self.world.set_time(timestamp)
        self.world.mine()


class TestMemoryHub(HubConformance):
    @pytest.fixture
    def harbour(self) -> MemoryHarbour:
        return MemoryHarbour()

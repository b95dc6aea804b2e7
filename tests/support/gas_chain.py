"""Contracts on a real chain, called for what it costs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from eth_abi import decode, encode

from quire.chain.artefact import artefact
from quire.chain.dev_chain import DevChain
from support.contract_kit import selector_of, signature_of, type_of


@dataclass
class Chain:
    """Contracts on a chain, called by its unlocked accounts."""

    chain: DevChain
    accounts: list[str] = field(default_factory=list)
    gas: dict[str, int] = field(default_factory=dict)

    async def deploy(self, name: str, types: Any = (), values: Any = ()) -> str:
        code = artefact(name).bytecode + encode(types, values)
        receipt = await self._receipt({"from": self.accounts[0], "data": f"0x{code.hex()}"})
        self.gas.setdefault(f"deploy {name}", int(receipt["gasUsed"], 16))
        return receipt["contractAddress"]

    async def send(self, kind: str, at: str, sender: str, name: str, *values: Any) -> int:
        data = call_data(kind, name, *values)
        receipt = await self._receipt({"from": sender, "to": at, "data": f"0x{data.hex()}"})
        return int(receipt["gasUsed"], 16)

    async def ask(self, kind: str, at: str, name: str, *values: Any) -> Any:
        data = call_data(kind, name, *values)
        shape = {"to": at, "data": f"0x{data.hex()}"}
        answer = await self.chain.call("eth_call", shape, "pending")
        types = [type_of(part) for part in functions(kind)[name]["outputs"]]
        found = decode(types, bytes.fromhex(answer[2:]))
        return found[0] if len(found) == 1 else found

    async def to_period(self, period: int) -> int:
        """Shortly after the start of the next one; the one before."""
        now = await self.chain.time()
        await self.chain.warp((now // period + 1) * period + 1)
        return now // period

    async def _receipt(self, shape: dict[str, str]) -> dict[str, Any]:
        shape = shape | {"gas": hex(29_000_000)}
        found = await self.chain.call("eth_sendTransaction", shape)
        while (receipt := await self.chain.call("eth_getTransactionReceipt", found)) is None:
            await asyncio.sleep(0.005)
        assert receipt["status"] == "0x1", "a measured transaction was reverted"
        return receipt


def functions(kind: str) -> dict[str, Any]:
    entries = [e for e in artefact(kind).abi if e["type"] == "function"]
    return {e["name"]: e for e in entries} | {signature_of(e): e for e in entries}


def call_data(kind: str, name: str, *values: Any) -> bytes:
    entry = functions(kind)[name]
    return selector_of(entry) + encode([type_of(part) for part in entry["inputs"]], values)

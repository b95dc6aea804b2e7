"""A street of real processes that keep replicas: a client, providers, readers; a chain with a hub.

async with replica_street(tmp_path) as street:
    await street.client()
    await street.providers(5, retail_get_price=10)
    file = await street.put(data, redundancy=3)
    await street.until_state(file, "UPLOADED")
    assert await street.read(await street.reader(), file) == data

Nobody proves anything here, so no keys are made. A provider may lie (`demo/liar.py`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire.base.errors import NotFound, QuireError
from quire.chain.abi import address_text
from quire.chain.deployment import TOKENS_EACH
from quire.faces.client import Client as NodeClient
from quire.faces.encrypting import Caps
from quire.faces.local import LocalNode
from quire.faces.replicas import KeepTerms, Replicas
from quire.faces.sdk import Client
from quire.formats.cap import ReadCap
from support.doomed import under_program
from support.market_town import PATIENCE, Town, market_town

CLIENT, READER = "client", "reader"
GET_PRICE = 10  # of a byte read; not 0, or the plain exchange would serve replicas
STARTING = os.cpu_count() or 1  # nodes at the same time: each needs seconds of a processor


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is kept: its capabilities, and the id of its upload at the client's node."""

    caps: Caps
    upload_id: str
    at: str = CLIENT

    @property
    def read_cap(self) -> str:
        assert isinstance(self.caps.read, ReadCap)
        return self.caps.read.text


class Street:
    """Names of nodes are those of their accounts. `town`: chain, processes, waiting."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._starting = asyncio.Semaphore(STARTING)

    # ---- who is there ----

    async def client(
        self, name: str = CLIENT, *, lies: str = "", under: Sequence[str] = (), **settings: Any
    ) -> str:
        """A node with an account. Settings as `retail_price=3`; True for a flag. `under`: a program
        that it runs under."""
        arguments = [part for key, value in settings.items() for part in _setting(key, value)]
        under = under_program("demo.liar", lies) if lies else under
        async with self._starting:
            await self.town.start(name, arguments=arguments, under=under)
        return name

    async def provider(self, name: str, *, lies: str = "", **settings: Any) -> str:
        """A node that keeps replicas. `lies`: a mode of `demo/liar.py`; started again by `back` it
        is an honest one."""
        terms = {"provider": True, "retail_get_price": GET_PRICE} | settings
        return await self.client(name, lies=lies, **terms)

    async def providers(self, count: int, **settings: Any) -> list[str]:
        """P1, P2 …, all started at the same time. The client has to be there."""
        names = [f"P{number}" for number in range(1, count + 1)]
        await asyncio.gather(*(self.provider(name, **settings) for name in names))
        return names

    async def reader(self, name: str = READER, *, knows: str = "", **settings: Any) -> str:
        """A node with an account of its own. `knows`: whom it is told of, else the first node."""
        arguments = [part for key, value in settings.items() for part in _setting(key, value)]
        await self.town.start(name, knows=knows, arguments=arguments)
        return name

    async def back(
        self, name: str, *, lies: str = "", under: Sequence[str] = (), knows: str = ""
    ) -> None:
        """Kill a node, if it lives, and start it again with its data. `knows`: whom the first node
        is told of."""
        await self.town.kill(name)
        under = under_program("demo.liar", lies) if lies else under
        async with self._starting:
            await self.town.start(name, under=under, knows=knows)

    async def changed(self, name: str, **settings: Any) -> None:
        """Stop a node and start it again with other settings."""
        arguments = [part for key, value in settings.items() for part in _setting(key, value)]
        self.town.change(name, arguments)
        await self.town.stop(name)
        async with self._starting:
            await self.town.start(name)

    def node(self, name: str) -> LocalNode:
        return self.town.nodes[name]

    def name_of(self, peer: str) -> str:
        """Of a node, by its peer id."""
        return next(name for name, node in self.town.nodes.items() if node.peer_id == peer)

    def peer(self, name: str) -> str:
        return self.town.nodes[name].peer_id

    def api(self, name: str) -> NodeClient:
        return NodeClient(self.town.nodes[name].api)

    def sdk(self, name: str) -> Client:
        return Client(self.town.nodes[name].api)

    # ---- files ----

    async def put(self, data: bytes, *, at: str = CLIENT, **terms: Any) -> Kept:
        """Encrypt, store at a node, and have it kept; `terms` are those of KeepTerms. Ordered on
        return."""
        async with self.sdk(at) as sdk:
            caps = await sdk.put(data, name="file.bin")
            assert isinstance(caps.read, ReadCap)
            told = await Replicas(sdk.node).put(caps.read, KeepTerms(**terms))
        return Kept(caps, str(told["id"]), at)

    async def status(self, file: Kept) -> dict[str, Any]:
        """The upload as the API has it, with its links."""
        async with self.api(file.at) as api:
            return await Replicas(api).status(file.upload_id)

    async def links(self, file: Kept, *, of: str = "") -> list[dict[str, Any]]:
        """Its links; of one provider alone."""
        links = (await self.status(file))["links"]
        return [link for link in links if not of or link["peer"] == self.peer(of)]

    async def read(self, name: str, file: Kept, start: int = 0, end: int | None = None) -> bytes:
        """The bytes [start, end) as a node gets them from the capability alone."""
        async with self.sdk(name) as sdk:
            pieces = sdk.get(file.read_cap, start=start, end=end)
            return b"".join([piece async for piece in pieces])

    # ---- waiting ----

    async def until_state(self, file: Kept, state: str, seconds: float = PATIENCE) -> None:
        async def is_so() -> bool:
            return bool((await self.status(file))["state"] == state)

        await self._until(file, is_so, f"the file is {state}", seconds)

    async def until_link(self, file: Kept, of: str, state: str, seconds: float = PATIENCE) -> None:
        """Wait until a link at a provider is in a state."""

        async def is_so() -> bool:
            return any(link["state"] == state for link in await self.links(file, of=of))

        await self._until(file, is_so, f"a link at {of} is {state}", seconds)

    async def _until(self, file: Kept, fact: Any, what: str, seconds: float) -> None:
        try:
            await self.town.until(fact, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{await self.told(file)}") from None

    async def told(self, file: Kept) -> str:
        """How a file stands, for whoever waits in vain."""
        try:
            status = await self.status(file)
        except QuireError as error:
            return f"{file.at} does not say: {error.message}"
        lines = [f"{status['state']}: {status['words']}"]
        for link in status["links"]:
            told = [link[key] for key in ("chunk", "replica", "state", "words", "trouble")]
            lines.append(f"{self.name_of(link['peer'])}: {told}")
        return "\n".join([*lines, *(note["note"] for note in status["history"][-5:])])

    # ---- money ----

    async def channels(self, name: str) -> dict[str, Any]:
        """What a node says of its channels, both ways, and of its account."""
        async with self.api(name) as api:
            found: dict[str, Any] = await api.json("GET", "/channels")
            return found

    async def promised(self, provider: str, *, by: str = CLIENT) -> int:
        """The sum of the vouchers that a client has written for a provider."""
        return await self._of_channel(by, "paid", "payee", provider, "promised")

    async def billed(self, provider: str, *, to: str = CLIENT) -> int:
        """The sum of the bills of a provider to a client."""
        return await self._of_channel(provider, "earning", "payer", to, "billed")

    async def received(self, provider: str, *, of: str = CLIENT) -> int:
        """The best voucher of a client that a provider has."""
        return await self._of_channel(provider, "earning", "payer", of, "received")

    async def open_channel(self, payer: str, provider: str, tokens: int) -> None:
        """Have room for so much in a node's channel to a provider."""
        payee = address_text(self.town.market.account(provider))
        async with self.api(payer) as api:
            await api.json("POST", f"/channels/{payee}/topup", body={"amount": str(tokens)})

    async def claim(self, provider: str) -> int:
        """Have a provider claim all it was promised; the tokens that it brought."""
        async with self.api(provider) as api:
            try:
                return int((await api.json("POST", "/channels/claim"))["claimed"])
            except NotFound:
                return 0

    async def earned(self, provider: str) -> int:
        """Tokens that an account has more than it began with, in the hub and outside."""
        account = self.town.market.account(provider)
        in_hub = await self.town.market.hub.balance(account)
        return await self.town.tokens(provider) + in_hub - TOKENS_EACH

    async def _of_channel(self, at: str, way: str, key: str, other: str, what: str) -> int:
        account = address_text(self.town.market.account(other)).lower()
        for channel in (await self.channels(at))[way]:
            if channel[key].lower() == account:
                return int(channel[what])
        return 0


def _setting(key: str, value: Any) -> list[str]:
    name = f"--{key.replace('_', '-')}"
    if value is False or value is None:
        return []
    return [name] if value is True else [name, str(value)]


@asynccontextmanager
async def replica_street(directory: Path) -> AsyncIterator[Street]:
    """A chain with a hub and nobody there yet."""
    async with market_town(directory, circuit=None) as town:
        yield Street(town)

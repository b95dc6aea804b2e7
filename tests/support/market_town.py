"""A market of real processes for tests: chain, contracts, nodes with accounts; small data.

async with market_town(tmp_path) as town:
    await town.start("client")
    await town.hosts(3)
    request_id = await town.request("client", data)
    await town.until_purchase("client", request_id, "started")
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quire.base.errors import NodeUnreachable, QuireError
from quire.chain.abi import address_text, id_text, parse_id, slot_id
from quire.chain.contract_config import ContractConfig
from quire.chain.deployment import DEPLOYER
from quire.chain.events import MarketEvent, RequestFulfilled
from quire.chain.port import Market
from quire.chain.values import Address, RequestId, RequestState, SlotState
from quire.dataset.circuit import OWN, CircuitParameters
from quire.dataset.geometry import Geometry
from quire.faces.client import Client
from quire.faces.local import LocalNode
from quire.faces.local_market import BURNED, LocalMarket, call
from quire.formats.cid import Cid
from support.doomed import under_doom

BLOCK = 65_536
K, M = 2, 1
BLOCKS = 7
DATA = random.Random(6).randbytes(BLOCKS * BLOCK - 100)
SLOT_BYTES = Geometry(BLOCKS, K, M, BLOCK).slot_size
# A tenth of the work of the demo's circuit, for slots of up to 2 MiB.
QUICK_CIRCUIT = CircuitParameters(OWN, samples=1, max_slot_depth=10, max_dataset_depth=3)
PRICE, COLLATERAL = 3, 1000
DURATION, EXPIRY = 3600, 900
PATIENCE = 90.0  # seconds; two cores may prove for many nodes
LOOK_SECONDS = 0.2
TERMS: dict[str, Any] = {
    "duration": DURATION,
    "expiry": EXPIRY,
    "proofProbability": "1",
    "pricePerBytePerSecond": str(PRICE),
    "collateralPerByte": str(COLLATERAL),
    "nodes": K + M,
    "tolerance": M,
}


@dataclass
class Town:
    """`first`: whom every other node knows."""

    directory: Path
    market: LocalMarket
    nodes: dict[str, LocalNode] = field(default_factory=dict)
    first: str = ""
    _arguments: dict[str, list[str]] = field(default_factory=dict)

    @property
    def chain(self) -> Market:
        """The market as somebody sees it who takes no part."""
        return self.market.observer

    def api(self, name: str) -> Client:
        return Client(self.nodes[name].api)

    # ---- nodes ----

    async def start(
        self,
        name: str,
        *,
        is_validator: bool = False,
        has_account: bool = True,
        knows: str = "",
        arguments: Sequence[str] = (),
        doomed_at: str = "",
        under: Sequence[str] = (),
    ) -> LocalNode:
        """Start a node, or the same one again after `stop` or `kill`. `doomed_at`: a moment of a
        sale at which it is killed (`support.doomed`); `under`: another program it runs under."""
        if name not in self._arguments:
            if has_account:
                self.market.add_account(name)
                arguments = [
                    *self.market.arguments(name, is_validator=is_validator),
                    *arguments,
                ]
            self._arguments[name] = list(arguments)
        known = [self.nodes[n].address for n in (knows or self.first,) if n and n != name]
        node = LocalNode(
            self.directory / name,
            bootstrap=known,
            arguments=self._arguments[name],
            under=under_doom(doomed_at) if doomed_at else under,
        )
        await asyncio.to_thread(node.start)
        self.nodes[name] = node
        self.first = self.first or name
        return node

    def change(self, name: str, arguments: Sequence[str]) -> None:
        """What a node is started with from now on besides; a later option counts."""
        self._arguments[name] += arguments

    async def hosts(self, count: int, **offer: Any) -> list[str]:
        """Nodes host0, host1 … that offer room for one slot each."""
        names = [f"host{number}" for number in range(count)]
        for name in names:
            await self.start(name)
            await self.offer(name, **offer)
        return names

    async def stop(self, name: str) -> None:
        await asyncio.to_thread(self.nodes[name].stop)

    async def kill(self, name: str, *, and_delete: bool = False) -> None:
        await asyncio.to_thread(self.nodes[name].kill)
        if and_delete:
            await asyncio.to_thread(shutil.rmtree, self.nodes[name].data_dir)

    async def restart(self, name: str, *, doomed_at: str = "") -> None:
        """Kill a node and start it again; dying while it starts is as good as dying later."""
        await self.kill(name)
        try:
            await self.start(name, doomed_at=doomed_at)
        except NodeUnreachable as error:
            if not doomed_at or f"exit code -{signal.SIGKILL}" not in error.message:
                raise

    async def until_dead(self, name: str) -> None:
        """Wait for a node that is doomed."""

        async def is_dead() -> bool:
            return self.nodes[name].has_ended

        await self.until(is_dead, f"{name} comes to the moment of its death")

    # ---- trading ----

    async def offer(self, name: str, **changed: Any) -> dict[str, Any]:
        body = {
            "totalSize": SLOT_BYTES,
            "duration": DURATION,
            "minPricePerBytePerSecond": str(PRICE),
            "totalCollateral": str(SLOT_BYTES * COLLATERAL),
        }
        return dict(await call(self.nodes[name], "POST", "/sales/availability", body | changed))

    async def request(self, name: str, data: bytes = DATA, **changed: Any) -> RequestId:
        """Upload and buy; `changed` replaces fields of TERMS. It is in a block on return."""
        cid = await call(self.nodes[name], "POST", "/data", data)
        path = f"/storage/request/{cid}"
        request_id = parse_id(await call(self.nodes[name], "POST", path, TERMS | changed))

        async def is_sent() -> bool:
            return (await self.purchase(name, request_id))["state"] != "pending"

        await self.until(is_sent, f"the request of {name} is in a block")
        return request_id

    async def purchase(self, name: str, request_id: RequestId) -> dict[str, Any]:
        path = f"/storage/purchases/{id_text(request_id)}"
        return dict(await call(self.nodes[name], "GET", path))

    async def sales(self, name: str) -> list[dict[str, Any]]:
        """All sales of a host, oldest first, with the words of each."""
        async with self.api(name) as client:
            return list((await client.sales())["sales"])

    async def offers(self, name: str) -> list[dict[str, Any]]:
        async with self.api(name) as client:
            return await client.offers()

    async def events(self) -> list[MarketEvent]:
        """All that has happened in the contract, oldest first."""
        return await self.chain.past_events(0)

    async def sale(self, name: str, request_id: RequestId, slot: int) -> str:
        """The state of a sale, as the reference names it."""
        path = f"/sales/slots/{id_text(slot_id(request_id, slot))}"
        return str((await call(self.nodes[name], "GET", path))["state"])

    async def download(self, node: LocalNode, request_id: RequestId) -> bytes:
        """The dataset of a request, as a node gets it that knows its CID."""
        request = await self.chain.request(request_id)
        cid = Cid.decode(request.content.cid)
        async with Client(node.api) as client, client.get(str(cid)) as download:
            return b"".join([piece async for piece in download.pieces()])

    # ---- what is on the chain ----

    async def holders(self, request_id: RequestId, slots: int = K + M) -> list[str | None]:
        """Who holds each slot."""
        hosts = [await self.chain.host(slot_id(request_id, n)) for n in range(slots)]
        return [self.market.names.get(host) if host else None for host in hosts]

    async def slot_states(self, request_id: RequestId, slots: int = K + M) -> list[SlotState]:
        return await self.chain.slot_states([slot_id(request_id, n) for n in range(slots)])

    async def tokens(self, name: str) -> int:
        return await self.chain.balance(self.market.account(name))

    async def give_tokens(self, name: str, tokens: int) -> None:
        """From the account that deployed the contracts."""
        await self._transfer(DEPLOYER, self.market.account(name), tokens)

    async def take_tokens(self, name: str, tokens: int) -> None:
        """The other way; `name` must not be sending anything itself."""
        await self._transfer(self.market.account(name), DEPLOYER, tokens)

    async def _transfer(self, giver: Address, taker: Address, tokens: int) -> None:
        """As the owner of the account would do it in a wallet; in a block on return."""
        data = f"0xa9059cbb{taker.hex():0>64}{tokens:064x}"  # transfer(address,uint256)
        token = address_text(self.chain.terms.token)
        shape = {"from": address_text(giver), "to": token, "data": data}
        sent = await self.market.chain.call("eth_sendTransaction", shape)

        async def is_done() -> bool:
            receipt = await self.market.chain.call("eth_getTransactionReceipt", sent)
            assert receipt is None or receipt["status"] == "0x1", receipt
            return receipt is not None

        await self.until(is_done, f"{tokens} tokens are moved")

    # ---- waiting ----

    async def until(
        self, fact: Callable[[], Awaitable[object]], what: str, seconds: float = PATIENCE
    ) -> None:
        """Wait for what chain and nodes make true in their own time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not await fact():
            if loop.time() > deadline:
                raise AssertionError(f"not in {seconds:.0f} s: {what}\n{await self.seen()}")
            await asyncio.sleep(LOOK_SECONDS)

    async def until_nothing_is_left(self) -> None:
        """Everybody has taken what is theirs from the contract, and the rest is burnt."""

        async def is_empty() -> bool:
            await self.market.burn()
            return await self.chain.balance(self.chain.terms.contract) == 0

        await self.until(is_empty, "the contract keeps nothing")

    async def seen(self) -> str:
        """What there is, for whoever waits in vain."""
        head = await self.chain.head()
        lines = [f"the chain is at block {head.number}, second {head.timestamp}"]
        lines += [str(event) for event in (await self.events())[-20:]]
        for name in self.market.names.values():
            if name not in self.nodes or self.nodes[name].has_ended:
                lines.append(f"{name} is not there")
                continue
            try:
                sales = await self.sales(name)
            except QuireError as error:
                lines.append(f"{name} tells nothing of sales: {error.message}")
                continue
            for sale in sales:
                told = [sale[key] for key in ("slotIndex", "state", "words", "trouble")]
                lines.append(f"{name} sells {told}")
        return "\n".join(lines)

    async def is_started(self, request_id: RequestId) -> bool:
        """In a block: the state of a request counts in what is only sent."""
        return RequestFulfilled(request_id) in await self.events()

    async def until_started(self, request_id: RequestId) -> None:
        await self.until(lambda: self.is_started(request_id), "all slots are filled, in a block")

    async def until_request(
        self, request_id: RequestId, state: RequestState, seconds: float = PATIENCE
    ) -> None:
        async def is_so() -> bool:
            return await self.chain.request_state(request_id) == state

        await self.until(is_so, f"the request is {state.name}", seconds)

    async def until_purchase(
        self, name: str, request_id: RequestId, state: str, seconds: float = PATIENCE
    ) -> None:
        async def is_so() -> bool:
            return (await self.purchase(name, request_id))["state"] == state

        await self.until(is_so, f"the purchase of {name} is {state}", seconds)

    async def until_sale(
        self, name: str, request_id: RequestId, slot: int, state: str, seconds: float = PATIENCE
    ) -> None:
        async def is_so() -> bool:
            return await self.sale(name, request_id, slot) == state

        await self.until(is_so, f"the sale of slot {slot} by {name} is {state}", seconds)

    async def until_ended(
        self, name: str, request_id: RequestId, slot: int, seconds: float = PATIENCE
    ) -> None:
        """Wait until a host has nothing more to do for a slot."""

        async def has_ended() -> bool:
            async with self.api(name) as api:
                path = f"/sales/{id_text(slot_id(request_id, slot))}"
                return bool((await api.json("GET", path))["ended"])

        await self.until(has_ended, f"{name} is through with slot {slot}", seconds)

    async def until_tokens(self, name: str, tokens: int, seconds: float = PATIENCE) -> None:
        async def has_them() -> bool:
            return await self.tokens(name) == tokens

        await self.until(has_them, f"{name} has {tokens} tokens", seconds)

    async def until_sale_is_over(self, name: str) -> dict[str, Any]:
        """The only sale that brought money, when all sales of a host have ended."""
        (sale,) = await self.until_sales_are_over(name)
        return sale

    async def until_sales_are_over(self, name: str) -> list[dict[str, Any]]:
        """Those that brought money, when all sales of a host have ended."""

        async def have_ended() -> bool:
            return all(sale["ended"] for sale in await self.sales(name))

        await self.until(have_ended, f"the sales of {name} have ended")
        return [sale for sale in await self.sales(name) if sale["state"] == "SaleFinished"]

    async def until_slots(
        self, request_id: RequestId, state: SlotState, count: int, seconds: float = PATIENCE
    ) -> None:
        async def is_so() -> bool:
            return (await self.slot_states(request_id)).count(state) == count

        await self.until(is_so, f"{count} slots are {state.name}", seconds)

    async def adds_up(self) -> None:
        """Every token that was ever made is somewhere, and the contract keeps none back."""
        accounts = [*self.market.names, *self.market.others, self.chain.terms.contract, BURNED]
        total = sum([await self.chain.balance(account) for account in accounts])
        assert total == await self.market.minted()

    async def end(self) -> None:
        await asyncio.gather(*(asyncio.to_thread(node.stop) for node in self.nodes.values()))
        await self.market.stop()


@asynccontextmanager
async def market_town(
    directory: Path,
    config: ContractConfig | None = None,
    *,
    circuit: CircuitParameters | None = QUICK_CIRCUIT,
) -> AsyncIterator[Town]:
    """A chain with the contracts and nobody there yet. Without a circuit nobody sells slots, and
    everything starts sooner; without `config` its periods are such that
    K + M proofs fit into a quarter of one on this machine."""
    place = directory / "market"
    place.mkdir(parents=True)
    town = Town(directory, LocalMarket(place, circuit))
    try:
        await town.market.start(config, slots=K + M)
        yield town
    finally:
        await town.end()

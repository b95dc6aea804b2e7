"""A market of your own on this machine: a chain, its contracts, accounts; for demos and tests.

    market = LocalMarket(directory)
    await market.start()
    market.add_account("host")
    node = LocalNode(directory / "host", arguments=market.arguments("host"))

Real in every part but two: the proving key is a development key, and the chain's time can be moved.
Without a circuit nobody can sell slots there, and it starts within a second: enough for replicas.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from quire.base.clock import SystemClock
from quire.base.errors import InputError
from quire.chain.abi import address_text
from quire.chain.anvil_program import anvil_program
from quire.chain.artefact import artefact
from quire.chain.contract_config import ContractConfig
from quire.chain.deploy import Deployment, deploy
from quire.chain.deployment import DEPLOYER
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import ACCOUNTS, DevChain, DevChainOptions
from quire.chain.evm.opening import MarketSettings, OpenMarket, open_market
from quire.chain.hub import Hub
from quire.chain.port import Market
from quire.chain.quantity import quantity
from quire.chain.values import Address
from quire.chain.wallet import Wallet
from quire.dataset.circuit import OWN, CircuitParameters
from quire.faces.client import error_of
from quire.faces.local import LocalNode
from quire.flow.prove import NO_HOST
from quire.services.circuit_check import trial_input
from quire.services.circuit_files import CircuitFiles
from quire.services.circuit_setup import DEFAULT_SEED, set_up_circuit
from quire.services.circuits import LoadedCircuit

COMPATIBLE = "/api/codex/v1"
CALL_SECONDS = 120.0
CIRCUIT = CircuitParameters(OWN, samples=5)
BLOCK_SECONDS = 1
BURNED: Address = bytes.fromhex("dead".rjust(40, "0"))  # where tokens go that are nobody's
LEAST_PERIOD, MOST_PERIOD, MARGIN_SECONDS = 10, 120, 5
TIMED_PROOFS = 4
TIMEOUT_SECONDS = 8  # after a period, in which a miss can be marked


def paced(seconds_a_proof: float, slots: int) -> ContractConfig:
    """Periods in which `slots` proofs, made one after the other, fit three times; no pointer is in
    its downtime for so short that a miss could not be marked."""
    period = round(3 * slots * seconds_a_proof) + MARGIN_SECONDS
    period = min(MOST_PERIOD, max(LEAST_PERIOD, period))
    timeout = TIMEOUT_SECONDS
    downtime = (period + timeout) // BLOCK_SECONDS + MARGIN_SECONDS
    return ContractConfig(period=period, timeout=timeout, downtime=downtime)


class LocalMarket:
    """One chain with the contracts on it. `names` are its accounts, in the order they were made."""

    def __init__(self, directory: Path, circuit: CircuitParameters | None = CIRCUIT) -> None:
        self.directory = directory
        self.circuit = circuit
        self.circuits = directory / "circuits"
        self.names: dict[Address, str] = {}
        self._chain: DevChain | None = None
        self._deployment: Deployment | None = None
        self._observer: OpenMarket | None = None

    async def start(self, config: ContractConfig | None = None, *, slots: int = 6) -> float:
        """Start the chain, with periods that suit this machine unless `config` says otherwise.
        The seconds that a proof of one slot takes here; 0 without a circuit."""
        took, words, chosen = 0.0, None, config or ContractConfig()
        if self.circuit is not None:
            loop = asyncio.get_running_loop()
            circuit = await loop.run_in_executor(None, self._circuit, self.circuit)
            took = await loop.run_in_executor(None, _time_a_proof, circuit)
            words = circuit.verifying_key.words
            chosen = replace(config or paced(took, slots), zkey_hash=circuit.key_hash.hex())
        program = await anvil_program(os.environ)
        options = DevChainOptions(
            state_file=self.directory / "chain.json", log=self.directory / "chain.log"
        )
        self._chain = await DevChain.start(program, options)
        self._deployment = await deploy(self._chain, chosen, words)
        await self._chain.mine_every(BLOCK_SECONDS)
        wallet = Wallet(dev_account(0).key)
        self._observer = await open_market(self.settings, wallet, SystemClock())
        return took

    async def stop(self) -> None:
        if self._observer is not None:
            await self._observer.stop()
        if self._chain is not None:
            await self._chain.stop()

    @property
    def chain(self) -> DevChain:
        assert self._chain is not None, "start() first"
        return self._chain

    @property
    def settings(self) -> MarketSettings:
        """With which an account opens market and hub."""
        market, hub, bonds = map(address_text, self._addresses)
        return MarketSettings(self.chain.url, market, hub=hub, bonds=bonds)

    @property
    def observer(self) -> Market:
        """The market as account 0 sees it, who takes part in nothing."""
        assert self._observer is not None, "start() first"
        return self._observer.market

    @property
    def hub(self) -> Hub:
        """The hub of payment channels as account 0 sees it, who has no channel."""
        assert self._observer is not None, "start() first"
        assert self._observer.hub is not None, "deploy() makes one"
        return self._observer.hub

    def add_account(self, name: str) -> Address:
        """The next account of the chain, with gas and TOKENS_EACH tokens; its key in a file."""
        if len(self.names) + 1 >= ACCOUNTS:
            raise InputError(f"there are {ACCOUNTS} accounts on a local chain; no more for {name}")
        account = dev_account(len(self.names) + 1)
        path = self._key_file(name)
        path.write_text(f"{account.key.hex()}\n")
        path.chmod(0o600)
        self.names[account.address] = name
        return account.address

    def account(self, name: str) -> Address:
        return next(address for address, other in self.names.items() if other == name)

    @property
    def others(self) -> list[Address]:
        """Accounts of the chain that have no name here."""
        every = [dev_account(index).address for index in range(ACCOUNTS)]
        return [account for account in every if account not in self.names]

    def arguments(self, name: str, *, is_validator: bool = False) -> list[str]:
        """What a node is started with so that it trades here under the account `name`."""
        market, hub, bonds = map(address_text, self._addresses)
        arguments = ["--persistence", "--eth-provider", self.chain.url]
        arguments += ["--eth-private-key", str(self._key_file(name))]
        arguments += ["--marketplace-address", market, "--hub-address", hub]
        arguments += ["--bonds-address", bonds]
        if self.circuit is not None:
            arguments += ["--circuit-dir", str(self.circuits)]
            arguments += ["--proof-samples", str(self.circuit.samples)]
            arguments += ["--max-slot-depth", str(self.circuit.max_slot_depth)]
            arguments += ["--max-dataset-depth", str(self.circuit.max_dataset_depth)]
        return [*arguments, "--validator"] if is_validator else arguments

    async def advance_to(self, timestamp: int) -> None:
        """Move the chain's time on to a second that has not come yet."""
        await self.chain.warp(timestamp)

    async def minted(self) -> int:
        """Tokens that were ever made."""
        assert self._deployment is not None, "start() first"
        call = {"to": address_text(self._deployment.token), "data": "0x18160ddd"}  # totalSupply()
        return quantity(await self.chain.call("eth_call", call, "latest"), "supply")

    async def burn(self) -> None:
        """Have the contract burn what is nobody's; in a block when this returns."""
        assert self._deployment is not None, "start() first"
        data = artefact("Marketplace").methods["burn()"]
        shape = {"from": address_text(DEPLOYER), "to": address_text(self._deployment.marketplace)}
        await self.chain.call("eth_sendTransaction", {**shape, "data": f"0x{data.hex()}"})
        await self.chain.mine()

    @property
    def _addresses(self) -> tuple[Address, Address, Address]:
        """Of marketplace, hub and bonds."""
        made = self._deployment
        assert made is not None, "start() first"
        assert made.hub is not None, "deploy() makes one"
        assert made.bonds is not None, "deploy() makes one"
        return made.marketplace, made.hub, made.bonds

    def _key_file(self, name: str) -> Path:
        return self.directory / f"{name}.key"

    def _circuit(self, circuit: CircuitParameters) -> LoadedCircuit:
        """The circuit with a development key, made first where it is not there."""
        directory = self.circuits / circuit.id
        if not directory.is_dir():
            set_up_circuit(self.circuits, circuit, DEFAULT_SEED, lambda *_: None)
        return LoadedCircuit.open(CircuitFiles.in_directory(circuit, directory), None)


def _time_a_proof(circuit: LoadedCircuit) -> float:
    """Seconds, of the quickest: the first also reads the key, others may have been held up."""
    clock = SystemClock()
    took = []
    for _ in range(TIMED_PROOFS):
        started = clock.monotonic()
        circuit.begin(trial_input(circuit.parameters), NO_HOST).run()
        took.append(clock.monotonic() - started)
    return min(took)


async def call(
    node: LocalNode, method: str, path: str, body: bytes | dict[str, Any] | None = None
) -> Any:
    """A route as the reference has it, with bytes or JSON; what it answers, as text where it is no
    JSON. Raises what the node answers instead."""
    return await asyncio.get_running_loop().run_in_executor(None, _call, node, method, path, body)


def _call(node: LocalNode, method: str, path: str, body: bytes | dict[str, Any] | None) -> Any:
    is_json = isinstance(body, dict)
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    headers = {"Content-Type": f"application/{'json' if is_json else 'octet-stream'}"}
    url = node.api + COMPATIBLE + path
    request = Request(url, data=data, headers=headers, method=method)  # noqa: S310 - our own node
    try:
        with urlopen(request, timeout=CALL_SECONDS) as answer:  # noqa: S310 - our own node
            is_json = answer.headers.get_content_type() == "application/json"
            text = answer.read().decode()
    except HTTPError as error:
        with error:
            raise error_of(error.code, error.read()) from None
    return json.loads(text) if is_json and text else text

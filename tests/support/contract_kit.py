"""The contracts in a virtual machine of this process: deploy, call, move time, see what happened.

Blocks and time move only when a test says so. Block hashes of this machine are
keccak256(decimal number), so that challenges can be computed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyrevm
from eth_abi import decode, encode
from eth_utils import to_checksum_address

from quire.chain.artefact import artefact
from quire.kernels.keccak import keccak256

GENESIS = 1_000_000  # unix seconds of the first block
FIRST_BLOCK = 300
TOKENS = 10**30  # of each account
ETHER = 10**18
BLOCK_GAS = 2**63

DEPLOYER = "0x" + "d0" * 20
NOBODY = "0x" + "00" * 20
GRAVE = "0x000000000000000000000000000000000000dEaD"


class Revert(Exception):
    """A call was refused; the message is the name of the error, or its data where it has none."""


def account(number: int) -> str:
    return to_checksum_address("0x" + number.to_bytes(20, "big").hex())


CLIENT, HOST, OTHER, THIRD, VALIDATOR, STRANGER = (account(0xA000 + i) for i in range(6))
ACCOUNTS = (CLIENT, HOST, OTHER, THIRD, VALIDATOR, STRANGER)


def type_of(entry: dict[str, Any]) -> str:
    """The type of an ABI entry as eth_abi writes it."""
    if entry["type"].startswith("tuple"):
        inner = ",".join(type_of(part) for part in entry["components"])
        return f"({inner}){entry['type'].removeprefix('tuple')}"
    return str(entry["type"])


def signature_of(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(type_of(part) for part in entry.get('inputs', ()))})"


def selector_of(entry: dict[str, Any]) -> bytes:
    return keccak256(signature_of(entry).encode())[:4]


@dataclass(frozen=True)
class Event:
    """`values` in the order of the declaration, indexed ones too."""

    name: str
    values: tuple[Any, ...]


@dataclass
class Outcome:
    """What a transaction did."""

    value: Any
    gas: int
    events: list[Event]

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [event.values for event in self.events if event.name == name]


@dataclass
class Machine:
    """An empty chain with accounts that have all the gas they want."""

    evm: pyrevm.EVM = field(default_factory=pyrevm.EVM)
    number: int = FIRST_BLOCK
    time: int = GENESIS

    def __post_init__(self) -> None:
        for each in (DEPLOYER, *ACCOUNTS):
            self.evm.set_balance(each, 10**9 * ETHER)
        self._set_block()

    def deploy(self, code: bytes, types: Sequence[str] = (), values: Sequence[Any] = ()) -> str:
        """The address of a new contract."""
        try:
            at = self.evm.deploy(DEPLOYER, code + encode(types, values))
        except RuntimeError as error:
            raise Revert(revert_data(error).hex()) from None
        self._clear()
        return to_checksum_address(at)

    def mine(self, blocks: int = 1, seconds: int = 0) -> None:
        self.number += blocks
        self.time += seconds
        self._set_block()

    def to_time(self, timestamp: int, blocks: int = 1) -> None:
        self.time = timestamp
        self.mine(blocks)

    def to_block(self, number: int) -> None:
        self.number = number
        self._set_block()

    def call(self, sender: str, to: str, data: bytes, is_static: bool) -> tuple[bytes, int, list]:
        point = self.evm.snapshot() if is_static else None
        try:
            answer = self.evm.message_call(sender, to, data, gas=BLOCK_GAS, is_static=False)
            result = self.evm.result
            return bytes(answer), result.gas_used, list(result.logs)
        finally:
            if point is not None:
                self.evm.revert(point)
            self._clear()

    def _set_block(self) -> None:
        self.evm.set_block_env(
            pyrevm.BlockEnv(number=self.number, timestamp=self.time, gas_limit=BLOCK_GAS)
        )

    def _clear(self) -> None:
        self.evm.reset_transient_storage()


_OUTPUT = re.compile(r"output: (?:Bytes\()?(0x[0-9a-fA-F]*)")


def revert_data(error: Exception) -> bytes:
    found = _OUTPUT.search(str(error))
    if found is None:
        raise AssertionError(f"no revert data in: {error}")
    return bytes.fromhex(found[1][2:])


class Contract:
    """A deployed contract. `call` asks and changes nothing, `send` is a transaction."""

    def __init__(self, machine: Machine, at: str, abi: Sequence[dict[str, Any]]) -> None:
        self.machine = machine
        self.at = at
        self.functions: dict[str, dict[str, Any]] = {}
        self.errors: dict[bytes, str] = {}
        self.topics: dict[bytes, dict[str, Any]] = {}
        for entry in abi:
            if entry["type"] == "function":
                self.functions[signature_of(entry)] = entry
                self.functions.setdefault(entry["name"], entry)
            elif entry["type"] == "error":
                self.errors[selector_of(entry)] = entry["name"]
            elif entry["type"] == "event":
                self.topics[keccak256(signature_of(entry).encode())] = entry

    def call(self, name: str, *values: Any, sender: str = STRANGER) -> Any:
        return self._run(name, values, sender, True).value

    def send(self, sender: str, name: str, *values: Any) -> Outcome:
        return self._run(name, values, sender, False)

    def _run(self, name: str, values: Sequence[Any], sender: str, is_static: bool) -> Outcome:
        entry = self.functions[name]
        data = selector_of(entry) + encode([type_of(part) for part in entry["inputs"]], values)
        try:
            answer, gas, logs = self.machine.call(sender, self.at, data, is_static)
        except RuntimeError as error:
            raise Revert(self.error_name(revert_data(error))) from None
        returned = decode([type_of(part) for part in entry["outputs"]], answer)
        events = [event for log in logs if (event := self._event(log)) is not None]
        return Outcome(returned[0] if len(returned) == 1 else returned, gas, events)

    def error_name(self, data: bytes) -> str:
        return self.errors.get(data[:4], data.hex())

    def _event(self, log: Any) -> Event | None:
        """None for events of other contracts."""
        if to_checksum_address(log.address) != self.at:
            return None
        topics = [bytes.fromhex(topic.removeprefix("0x")) for topic in log.topics]
        entry = self.topics[topics[0]]
        plain = [type_of(part) for part in entry["inputs"] if not part["indexed"]]
        body = iter(decode(plain, bytes(log.data[1])))
        head = iter(topics[1:])
        values = tuple(
            decode([type_of(part)], next(head))[0] if part["indexed"] else next(body)
            for part in entry["inputs"]
        )
        return Event(entry["name"], values)


def deployed(
    machine: Machine, name: str, types: Sequence[str] = (), values: Sequence[Any] = ()
) -> Contract:
    """A contract that Quire ships, at a new address."""
    made = artefact(name)
    try:
        at = machine.deploy(made.bytecode, types, values)
    except Revert as error:
        names = Contract(machine, NOBODY, made.abi).errors
        raise Revert(names.get(bytes.fromhex(str(error))[:4], str(error))) from None
    return Contract(machine, at, made.abi)


CONFIG_TYPE = "((uint8,uint8,uint8,uint8),(uint64,uint64,uint8,uint8,string),(uint8),uint64)"
ADDITIONS_TYPE = "((uint16,uint16,uint32,uint32,bool,uint32),(uint8,uint64,uint8),uint256)"
MARKETPLACE_TYPES = (CONFIG_TYPE, "address", "address", ADDITIONS_TYPE)


@dataclass(frozen=True)
class Setup:
    """Constructor arguments, at first those of the reference's own tests and no additions."""

    repair_reward: int = 10
    max_slashes: int = 5
    slash: int = 10
    validator_reward: int = 20
    period: int = 10
    timeout: int = 5
    downtime: int = 64
    downtime_product: int = 67
    zkey_hash: str = "ab"
    max_reservations: int = 3
    duration_limit: int = 60 * 60 * 24 * 30
    h_bps: int = 0
    tail_bps: int = 500
    ttl: int = 600
    min_age: int = 64
    require_registration: bool = False
    repair_window: int = 600
    threshold: int = 0
    max_delay: int = 0
    min_margin: int = 0
    deposit: int = 0

    @property
    def config(self) -> tuple[Any, ...]:
        return (
            (self.repair_reward, self.max_slashes, self.slash, self.validator_reward),
            (self.period, self.timeout, self.downtime, self.downtime_product, self.zkey_hash),
            (self.max_reservations,),
            self.duration_limit,
        )

    @property
    def additions(self) -> tuple[Any, ...]:
        return (
            (
                self.h_bps,
                self.tail_bps,
                self.ttl,
                self.min_age,
                self.require_registration,
                self.repair_window,
            ),
            (self.threshold, self.max_delay, self.min_margin),
            self.deposit,
        )

    def but(self, **changes: Any) -> Setup:
        return replace(self, **changes)


RIGHT = ((1, 2), ((3, 4), (5, 6)), (7, 8))  # a proof that the test verifier accepts
WRONG = ((0, 0), ((0, 0), (0, 0)), (0, 0))  # and the only one that it does not

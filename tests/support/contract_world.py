"""A marketplace with its token, its accounts, and the ways that requests and slots take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from eth_abi import encode
from eth_utils import to_checksum_address

from quire.kernels.keccak import keccak256
from support.contract_kit import (
    ACCOUNTS,
    CLIENT,
    HOST,
    MARKETPLACE_TYPES,
    NOBODY,
    OTHER,
    RIGHT,
    THIRD,
    TOKENS,
    VALIDATOR,
    Contract,
    Machine,
    Outcome,
    Revert,
    Setup,
    deployed,
)

NEW, STARTED, CANCELLED, FINISHED, FAILED = range(5)
FREE, FILLED, SLOT_FINISHED, SLOT_FAILED, PAID, SLOT_CANCELLED, REPAIR = range(7)
HOSTS = (HOST, OTHER, THIRD)


@dataclass(frozen=True)
class Order:
    """A request, field by field."""

    client: str = CLIENT
    probability: int = 4
    price: int = 1000
    collateral: int = 200
    slots: int = 4
    slot_size: int = 1024
    duration: int = 3600
    max_slot_loss: int = 1
    cid: bytes = bytes(range(38))
    merkle_root: bytes = bytes([7]) * 32
    expiry: int = 600
    nonce: bytes = bytes([0xAB]) * 32

    def but(self, **changes: Any) -> Order:
        return replace(self, **changes)

    @property
    def ask(self) -> tuple[int, ...]:
        return (
            self.probability,
            self.price,
            self.collateral,
            self.slots,
            self.slot_size,
            self.duration,
            self.max_slot_loss,
        )

    @property
    def encoded(self) -> tuple[Any, ...]:
        content = (self.cid, self.merkle_root)
        return (self.client, self.ask, content, self.expiry, self.nonce)

    @property
    def rate(self) -> int:
        """Tokens of a slot each second."""
        return self.price * self.slot_size

    @property
    def stake(self) -> int:
        """Collateral of a slot."""
        return self.collateral * self.slot_size

    @property
    def max_price(self) -> int:
        return self.slots * self.duration * self.rate


ORDER = Order()


class World:
    """One marketplace; every account has tokens and lets it take them."""

    def __init__(
        self,
        setup: Setup | None = None,
        machine: Machine | None = None,
        verifier: Contract | None = None,
    ) -> None:
        self.setup = setup or Setup()
        self.machine = machine or Machine()
        self.token = deployed(self.machine, "TestToken")
        self.verifier = verifier or deployed(self.machine, "TestVerifier")
        self.market = marketplace(self.machine, self.token, self.verifier, self.setup)
        for each in ACCOUNTS:
            self.token.send(each, "mint", each, TOKENS)
            self.token.send(each, "approve", self.market.at, 2**256 - 1)

    # ---- asking ----

    def balance(self, account: str) -> int:
        return self.token.call("balanceOf", account)

    @property
    def held(self) -> int:
        """Tokens in the contract."""
        return self.balance(self.market.at)

    def request_state(self, request: bytes) -> int:
        return self.market.call("requestState", request)

    def slot_state(self, slot: bytes) -> int:
        return self.market.call("slotState", slot)

    @property
    def period(self) -> int:
        return self.machine.time // self.setup.period

    # ---- doing ----

    def request(self, order: Order = ORDER) -> bytes:
        """The id of a new request."""
        made = self.market.send(order.client, "requestStorage", order.encoded)
        return made.named("StorageRequested")[0][0]

    def reserve(self, request: bytes, index: int = 0, host: str = HOST) -> Outcome:
        return self.market.send(host, "reserveSlot", request, index)

    def fill(self, request: bytes, index: int = 0, host: str = HOST, proof: Any = RIGHT) -> bytes:
        """Reserve and fill; the id of the slot."""
        self.reserve(request, index, host)
        self.market.send(host, "fillSlot", request, index, proof)
        return slot_id(request, index)

    def started(self, order: Order = ORDER) -> tuple[bytes, list[bytes]]:
        """A request whose slots are all filled, by three hosts in turn."""
        request = self.request(order)
        slots = [self.fill(request, i, HOSTS[i % 3]) for i in range(order.slots)]
        return request, slots

    def free(self, slot: bytes, host: str = HOST, *recipients: str) -> Outcome:
        name = "freeSlot(bytes32,address,address)" if recipients else "freeSlot(bytes32)"
        return self.market.send(host, name, slot, *recipients)

    def withdraw(self, request: bytes, client: str = CLIENT, *recipient: str) -> Outcome:
        name = "withdrawFunds(bytes32,address)" if recipient else "withdrawFunds(bytes32)"
        return self.market.send(client, name, request, *recipient)

    def mark(self, slot: bytes, period: int, validator: str = VALIDATOR) -> Outcome:
        return self.market.send(validator, "markProofAsMissing", slot, period)

    # ---- time ----

    def to_expiry(self, request: bytes) -> None:
        """The first second after it."""
        self.machine.to_time(self.market.call("requestExpiry", request) + 1)

    def to_end(self, request: bytes) -> None:
        self.machine.to_time(self.market.call("requestEnd", request) + 1)

    def to_next_period(self) -> None:
        self.machine.to_time((self.period + 1) * self.setup.period)

    def to_missed(self, slot: bytes) -> int:
        """A moment at which a proof was due in the last period and can be marked; that period."""
        for _ in range(2000):
            self.to_next_period()
            self.machine.mine(1, 1)
            if not refuses(self.market, "canMarkProofAsMissing", slot, self.period - 1):
                return self.period - 1
        raise AssertionError("no proof was due in 2000 periods")

    def to_required(self, slot: bytes, name: str = "isProofRequired") -> None:
        """A block at which a proof is due, or will be."""
        for _ in range(2000):
            if self.market.call(name, slot):
                return
            self.to_next_period()
        raise AssertionError("no proof is due in 2000 periods")

    def evict(self, slot: bytes) -> list[Outcome]:
        """Miss as many proofs as cost the slot."""
        return [self.mark(slot, self.to_missed(slot)) for _ in range(self.setup.max_slashes)]


def marketplace(machine: Machine, token: Contract, verifier: Contract, setup: Setup) -> Contract:
    values = (setup.config, token.at, verifier.at, setup.additions)
    return deployed(machine, "Marketplace", MARKETPLACE_TYPES, values)


def request_id(order: Order) -> bytes:
    ask = "(uint256,uint256,uint256,uint64,uint64,uint64,uint64)"
    kind = f"(address,{ask},(bytes,bytes32),uint64,bytes32)"
    return keccak256(encode([kind], [order.encoded]))


def slot_id(request: bytes, index: int) -> bytes:
    return keccak256(encode(["bytes32", "uint64"], [request, index]))


@contextmanager
def reverts(name: str) -> Iterator[None]:
    with pytest.raises(Revert) as caught:
        yield
    assert str(caught.value) == name


@contextmanager
def reverts_with(selector: str) -> Iterator[None]:
    """Refused by something else than an error of the marketplace: the token, a panic."""
    with pytest.raises(Revert) as caught:
        yield
    assert str(caught.value)[:8] == selector


def refuses(contract: Contract, name: str, *values: Any) -> str:
    """The name of the error with which a call is refused, or an empty text."""
    try:
        contract.call(name, *values)
    except Revert as error:
        return str(error)
    return ""


def no_host(address: str) -> bool:
    return address == to_checksum_address(NOBODY)

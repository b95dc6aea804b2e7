"""Logs of the marketplace contract as events of the port. Others are passed over.

Source   market.md 1.3; contracts/README.md for the additions
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from quire.base.errors import BadEncoding
from quire.chain.abi import ASK, decode, told_address
from quire.chain.block import Log
from quire.chain.events import (
    MarketEvent,
    ProofDelegateSet,
    ProofSubmitted,
    RequestCancelled,
    RequestFailed,
    RequestFulfilled,
    SeedFixed,
    SlotEvicted,
    SlotFilled,
    SlotFreed,
    SlotReservationsFull,
    SlotReserved,
    StorageRequested,
)
from quire.chain.values import Ask
from quire.kernels.keccak import keccak256

_Make = Callable[..., MarketEvent]


def _requested(request_id: bytes, ask: Sequence[int], expiry: int) -> MarketEvent:
    return StorageRequested(request_id, Ask(*ask), expiry)


def _reserved(
    request_id: bytes, slot_index: int, host: str, reservation: int, until: int
) -> MarketEvent:
    address = told_address(host)
    return SlotReserved(request_id, slot_index, address, reservation, until)


def _delegate_set(host: str, delegate: str, is_allowed: bool) -> MarketEvent:
    return ProofDelegateSet(told_address(host), told_address(delegate), is_allowed)


# name -> indexed types, other types, what is made of them
_EVENTS: dict[str, tuple[list[str], list[str], _Make]] = {
    "StorageRequested": ([], ["bytes32", ASK, "uint64"], _requested),
    "RequestFulfilled": (["bytes32"], [], RequestFulfilled),
    "RequestFailed": (["bytes32"], [], RequestFailed),
    "RequestCancelled": (["bytes32"], [], RequestCancelled),
    "SlotFilled": (["bytes32"], ["uint64"], SlotFilled),
    "SlotFreed": (["bytes32"], ["uint64"], SlotFreed),
    "SlotReservationsFull": (["bytes32"], ["uint64"], SlotReservationsFull),
    "ProofSubmitted": ([], ["bytes32"], ProofSubmitted),
    "SlotReserved": (["bytes32"], ["uint64", "address", "uint8", "uint64"], _reserved),
    "SlotEvicted": (["bytes32"], ["uint64"], SlotEvicted),
    "SeedFixed": (["bytes32"], ["bytes32"], SeedFixed),
    "ProofDelegateSet": (["address", "address"], ["bool"], _delegate_set),
}


def topic_of(name: str) -> bytes:
    """Of an event that is read here."""
    indexed, plain, _ = _EVENTS[name]
    return keccak256(f"{name}({','.join([*indexed, *plain])})".encode())


@cache
def _by_topic() -> dict[bytes, tuple[list[str], list[str], _Make]]:
    return {topic_of(name): parts for name, parts in _EVENTS.items()}


def decode_event(topics: Sequence[bytes], data: bytes) -> MarketEvent | None:
    """None for an event that is none of the port's. Raises BadEncoding."""
    known = _by_topic().get(topics[0]) if topics else None
    if known is None:
        return None
    indexed, plain, make = known
    if len(topics) != 1 + len(indexed):
        raise BadEncoding(f"an event of the marketplace has {len(topics)} topics")
    head = decode(indexed, b"".join(topics[1:])) if indexed else ()
    values: list[Any] = [*head, *(decode(plain, data) if plain else ())]
    return make(*values)


def events_of(logs: Sequence[Log]) -> tuple[MarketEvent, ...]:
    """In order. What does not decode is of another contract's version and is passed over: every
    event is only a hint to look."""
    found = []
    for log in logs:
        try:
            event = decode_event(log.topics, log.data)
        except BadEncoding:
            continue
        if event is not None:
            found.append(event)
    return tuple(found)

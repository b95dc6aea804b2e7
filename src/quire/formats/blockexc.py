"""Messages of the Codex block exchange, `/codex/blockexc/1.0.0`, generation 1.

    Message { 1 want-list, 3 deliveries, 4 presences, 5 pending bytes, 6 account, 7 payment }

Encoding is byte-identical with the reference: fields ascend, scalars are written even when zero,
fields 1, 5, 6 and 7 even when empty. The *trimmed* form, that of Archivist and Promethei, is the
same without fields 6 and 7 and without the price of a presence. What would end a Nim process
(another enum value, an index of 2^63 or more, a delivery without data) cannot be encoded. Decoding
accepts messages with and without the fields that are always written, and nothing above the limits
below. Whether a block matches its CID and its proof is for the receiver to check: one hash call
for all of a message.
Source   network.md 2.1-2.4, lineage.md 2.2; vectors/blockexc.json
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from quire.base.errors import BadCid, BadEncoding
from quire.base.invariant import invariant
from quire.formats.cid import Cid
from quire.formats.manifest import MAX_MANIFEST_BYTES
from quire.formats.merkle import InclusionProof, decode_proof
from quire.formats.protobuf import Fields, bytes_field, bytes_header, int32_field, uint_field
from quire.formats.varint import Buffer

MAX_MESSAGE_BYTES = 100 << 20
MAX_ENTRIES = 1024  # of a want-list and of presences that we send; the reference batches so
MAX_RECEIVED_ENTRIES = 16 * MAX_ENTRIES
MAX_DELIVERIES = 4096
MAX_DATA_BYTES = MAX_MANIFEST_BYTES  # the largest content that one CID may name
MAX_INDEX = (1 << 63) - 1

_PRICE_BYTES = 32
_ACCOUNT_BYTES = 20
_MAX_PAYMENT_BYTES = 1 << 16
_MAX_ADDRESS_BYTES = 512


class WantKind(IntEnum):
    """What is wanted of an address."""

    BLOCK = 0
    HAVE = 1


@dataclass(frozen=True, slots=True)
class BlockAddress:
    """A block by its own CID (`index` None) or by the CID of a tree and its place there."""

    cid: Cid
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Want:
    """One entry of a want-list. `cancel` withdraws an earlier entry of the same address."""

    address: BlockAddress
    kind: WantKind = WantKind.BLOCK
    priority: int = 0  # signed, 32 bits
    cancel: bool = False
    send_dont_have: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """A block, and for a block of a tree its proof. `data` may be a view into the message."""

    cid: Cid
    data: Buffer
    address: BlockAddress
    proof: InclusionProof | None = None


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether the sender has a block. `price` below 2^256."""

    address: BlockAddress
    have: bool
    price: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One message; every part may be empty. `account` is a 20-byte address."""

    wants: tuple[Want, ...] = ()
    full: bool = False
    deliveries: tuple[Delivery, ...] = ()
    presences: tuple[Presence, ...] = ()
    pending_bytes: int = 0
    account: bytes = b""
    payment: bytes = field(default=b"", repr=False)


def encode_message(message: Message, *, is_trimmed: bool = False) -> bytes:
    """The message without its length prefix."""
    return b"".join(encode_segments(message, is_trimmed=is_trimmed))


def encode_segments(message: Message, *, is_trimmed: bool = False) -> list[Buffer]:
    """The message as parts to be sent one after the other; the blocks' data is not copied."""
    invariant(len(message.wants) <= MAX_ENTRIES, "a message wants at most 1024 addresses")
    invariant(len(message.presences) <= MAX_ENTRIES, "a message has at most 1024 presences")
    invariant(
        len(message.account) in (0, _ACCOUNT_BYTES), "an account is a 20-byte address or absent"
    )
    wants = [bytes_field(1, _encode_want(want)) for want in message.wants]
    wants.append(uint_field(2, message.full))
    segments: list[Buffer] = [bytes_field(1, b"".join(wants))]
    for delivery in message.deliveries:
        segments += _encode_delivery(delivery)
    segments += (
        bytes_field(4, _encode_presence(presence, is_trimmed)) for presence in message.presences
    )
    segments.append(uint_field(5, message.pending_bytes))
    if not is_trimmed:
        segments.append(bytes_field(6, bytes_field(1, message.account)))
        segments.append(bytes_field(7, bytes_field(1, message.payment)))
    size = sum(map(len, segments))
    invariant(size <= MAX_MESSAGE_BYTES, "a message has at most 100 MiB", size_bytes=size)
    return segments


def decode_message(data: Buffer) -> Message:
    """The message of its bytes, without length prefix. Deliveries are views into `data`.

    A presence with a price above 32 bytes, an account of a wrong length and a proof of a block
    that is named by its own CID are left out, as the reference does.
    Raises   BadEncoding  malformed or above a limit
    """
    try:
        return _decode_message(data)
    except BadCid as error:
        raise BadEncoding(f"a block exchange message is broken: {error.message}") from None


def _encode_address(address: BlockAddress) -> bytes:
    if address.index is None:
        return uint_field(1, 0) + bytes_field(4, address.cid.encode())
    invariant(0 <= address.index <= MAX_INDEX, "an index is below 2^63", index=address.index)
    return b"".join(
        (uint_field(1, 1), bytes_field(2, address.cid.encode()), uint_field(3, address.index))
    )


def _encode_want(want: Want) -> bytes:
    invariant(-(1 << 31) <= want.priority < 1 << 31, "a priority has 32 bits")
    return b"".join(
        (
            bytes_field(1, _encode_address(want.address)),
            int32_field(2, want.priority),
            uint_field(3, want.cancel),
            uint_field(4, WantKind(want.kind)),
            uint_field(5, want.send_dont_have),
        )
    )


def _encode_delivery(delivery: Delivery) -> list[Buffer]:
    invariant(len(delivery.data) <= MAX_DATA_BYTES, "a block's data is above the limit")
    before = bytes_field(1, delivery.cid.encode()) + bytes_header(2, len(delivery.data))
    after = bytes_field(3, _encode_address(delivery.address))
    if delivery.proof is not None and delivery.address.index is not None:
        after += bytes_field(4, delivery.proof.encode())
    header = bytes_header(3, len(before) + len(delivery.data) + len(after))
    return [header + before, delivery.data, after]


def _encode_presence(presence: Presence, is_trimmed: bool) -> bytes:
    invariant(0 <= presence.price < 1 << 256, "a price has 256 bits", price=presence.price)
    body = bytes_field(1, _encode_address(presence.address)) + uint_field(2, not presence.have)
    return body if is_trimmed else body + bytes_field(3, presence.price.to_bytes(_PRICE_BYTES))


def _decode_message(data: Buffer) -> Message:
    fields = Fields(
        data,
        max_bytes=MAX_MESSAGE_BYTES,
        max_fields=MAX_DELIVERIES + MAX_RECEIVED_ENTRIES + 16,
    )
    want_list = Fields(
        fields.blob(1), max_bytes=MAX_MESSAGE_BYTES, max_fields=MAX_RECEIVED_ENTRIES + 16
    )
    deliveries = fields.blobs(3)
    if len(deliveries) > MAX_DELIVERIES:
        raise BadEncoding(f"a message of {len(deliveries)} deliveries is above {MAX_DELIVERIES}")
    account = bytes(_inner(fields.blob(6)))
    return Message(
        wants=tuple(map(_decode_want, want_list.blobs(1))),
        full=want_list.flag(2),
        deliveries=tuple(map(_decode_delivery, deliveries)),
        presences=tuple(
            presence for view in fields.blobs(4) if (presence := _decode_presence(view))
        ),
        pending_bytes=fields.uint(5),
        account=account if len(account) == _ACCOUNT_BYTES else b"",
        payment=bytes(_inner(fields.blob(7))),
    )


def _inner(data: memoryview) -> memoryview:
    """Field 1 of an account or payment."""
    return Fields(data, max_bytes=_MAX_PAYMENT_BYTES).blob(1)


@lru_cache(maxsize=1024)
def _decode_cid(data: bytes) -> Cid:
    """A message names the same tree up to 1024 times."""
    return Cid.decode(data)


def _decode_address(data: memoryview) -> BlockAddress:
    fields = Fields(data, max_bytes=_MAX_ADDRESS_BYTES)
    if fields.flag(1):
        return BlockAddress(_decode_cid(bytes(fields.blob(2))), fields.uint(3, bits=63))
    return BlockAddress(_decode_cid(bytes(fields.blob(4))))


def _decode_want(data: memoryview) -> Want:
    fields = Fields(data, max_bytes=2 * _MAX_ADDRESS_BYTES)
    return Want(
        address=_decode_address(fields.blob(1)),
        kind=WantKind(fields.uint(4, bits=1)),
        priority=fields.int32(2),
        cancel=fields.flag(3),
        send_dont_have=fields.flag(5),
    )


def _decode_delivery(data: memoryview) -> Delivery:
    fields = Fields(data, max_bytes=MAX_DATA_BYTES + 4096)
    address = _decode_address(fields.blob(3))
    has_proof = address.index is not None and fields.has(4)
    return Delivery(
        cid=_decode_cid(bytes(fields.blob(1))),
        data=fields.blob(2),
        address=address,
        proof=decode_proof(fields.blob(4)) if has_proof else None,
    )


def _decode_presence(data: memoryview) -> Presence | None:
    """None when the price is longer than the reference takes."""
    fields = Fields(data, max_bytes=2 * _MAX_ADDRESS_BYTES)
    price = fields.blob(3)
    if len(price) > _PRICE_BYTES:
        return None
    return Presence(
        address=_decode_address(fields.blob(1)),
        have=fields.uint(2, bits=1) == 0,
        price=int.from_bytes(price),
    )

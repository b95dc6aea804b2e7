"""Messages of `/quire/exchange/1.0.0`: ranges of a tree, with proofs, and what one holds.

    requester  HaveRequest  RangeRequest  BlockRequest  LeavesRequest  Cancel
    responder  HaveReply    RangeReply    BlockReply    LeavesReply            HaveUpdate (unasked)

Every request has an id of the requester's choice and gets exactly one reply; a cancelled one too
(`CANCELLED`, unless the data was already on its way). All kinds share one protobuf message; the
payload is its last field, so a sender passes header and payload as two segments and a receiver
gets views into what arrived: block bytes are never copied.
Source   docs/reference/exchange.md
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from quire.base.errors import BadCid, BadEncoding
from quire.base.ranges import RangeSet
from quire.formats.charge import Charge, Purse, charge_field, charge_in, purse_field, purse_in
from quire.formats.cid import Cid
from quire.formats.exchange_ranges import decode_ranges, encode_ranges
from quire.formats.protobuf import Fields, bytes_field, bytes_header, uint_field
from quire.formats.varint import Buffer

MAX_MESSAGE_BYTES = 8 << 20
MAX_DATA_BYTES = MAX_MESSAGE_BYTES - (16 << 10)  # what is left beside header and proof
MAX_BLOCKS = MAX_DATA_BYTES // 4096  # of one request, at the smallest block size
MAX_LEAVES = 1 << 15  # digests of one request: 1 MiB
MAX_PROOF_BYTES = 2 * 63 * 32  # two digests for each layer of the tallest tree

_ROOT_BYTES = 32
_DIGEST_BYTES = 32
_KIND, _ID, _ROOT, _START, _COUNT, _STATUS, _LEAVES, _RANGES, _CID, _PROOF, _BLOCK = range(1, 12)
_CHARGE, _PURSE = 12, 13
_DATA = 15


class Kind(IntEnum):
    HAVE_REQUEST = 1
    HAVE_REPLY = 2
    HAVE_UPDATE = 3
    RANGE_REQUEST = 4
    RANGE_REPLY = 5
    BLOCK_REQUEST = 6
    BLOCK_REPLY = 7
    CANCEL = 8
    LEAVES_REQUEST = 9
    LEAVES_REPLY = 10


class Status(IntEnum):
    """What became of a request."""

    OK = 1
    NOT_HAVE = 2  # the responder does not hold all of it
    BUSY = 3  # too many requests are open; ask again later
    REFUSED = 4  # outside a limit; asking again is useless
    CANCELLED = 5
    PAYMENT_DUE = 6  # with a charge; only to whoever has shown a purse


@dataclass(frozen=True, slots=True)
class HaveRequest:
    """Which blocks of a tree do you hold? While it is not all, keep me informed."""

    id: int
    root: bytes

    def segments(self) -> tuple[Buffer, ...]:
        return (_head(Kind.HAVE_REQUEST, self.id) + bytes_field(_ROOT, self.root),)


@dataclass(frozen=True, slots=True)
class HaveReply:
    """What is held of the tree, its shape as the responder knows it, and what it costs there."""

    id: int
    status: Status
    leaf_count: int = 0
    present: RangeSet | None = None  # with OK only
    block_size: int = 0
    charge: Charge | None = None

    def segments(self) -> tuple[Buffer, ...]:
        head = _head(Kind.HAVE_REPLY, self.id) + uint_field(_STATUS, self.status)
        if self.present is None:
            return (head,)
        shape = uint_field(_LEAVES, self.leaf_count)
        block = uint_field(_BLOCK, self.block_size) + charge_field(_CHARGE, self.charge)
        return (head, shape, _ranges_field(self.present), block)


@dataclass(frozen=True, slots=True)
class HaveUpdate:
    """Blocks that were added since the last reply or update about this tree."""

    root: bytes
    leaf_count: int
    added: RangeSet

    def segments(self) -> tuple[Buffer, ...]:
        head = uint_field(_KIND, Kind.HAVE_UPDATE) + bytes_field(_ROOT, self.root)
        return (head, uint_field(_LEAVES, self.leaf_count), _ranges_field(self.added))


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """Blocks [start, start + count) of a tree, all or nothing. `purse`: None of whoever
    knows of no prices."""

    id: int
    root: bytes
    start: int
    count: int
    purse: Purse | None = None

    def segments(self) -> tuple[Buffer, ...]:
        (asked,) = _asked(Kind.RANGE_REQUEST, self)
        return (bytes(asked) + purse_field(_PURSE, self.purse),)


@dataclass(frozen=True, slots=True)
class RangeReply:
    """Whole blocks, joined, and their range proof (layout: kernels/hashing.py)."""

    id: int
    status: Status
    start: int = 0
    proof: Buffer = b""
    data: Buffer = b""
    charge: Charge | None = None

    def segments(self) -> tuple[Buffer, ...]:
        return _proved(Kind.RANGE_REPLY, self, self.charge)


@dataclass(frozen=True, slots=True)
class BlockRequest:
    """One manifest or block by its own CID."""

    id: int
    cid: Cid
    purse: Purse | None = None

    def segments(self) -> tuple[Buffer, ...]:
        named = _head(Kind.BLOCK_REQUEST, self.id) + bytes_field(_CID, self.cid.encode())
        return (named + purse_field(_PURSE, self.purse),)


@dataclass(frozen=True, slots=True)
class BlockReply:
    id: int
    status: Status
    data: Buffer = b""
    charge: Charge | None = None

    def segments(self) -> tuple[Buffer, ...]:
        head = _head(Kind.BLOCK_REPLY, self.id) + uint_field(_STATUS, self.status)
        head += charge_field(_CHARGE, self.charge)
        if self.status is not Status.OK:
            return (head,)
        return (head + bytes_header(_DATA, len(self.data)), self.data)


@dataclass(frozen=True, slots=True)
class LeavesRequest:
    """The digests of leaves [start, start + count) of a tree, without the blocks."""

    id: int
    root: bytes
    start: int
    count: int

    def segments(self) -> tuple[Buffer, ...]:
        return _asked(Kind.LEAVES_REQUEST, self)


@dataclass(frozen=True, slots=True)
class LeavesReply:
    """Digests, joined, and their range proof (layout: kernels/hashing.py)."""

    id: int
    status: Status
    start: int = 0
    proof: Buffer = b""
    data: Buffer = b""

    def segments(self) -> tuple[Buffer, ...]:
        return _proved(Kind.LEAVES_REPLY, self, None)


@dataclass(frozen=True, slots=True)
class Cancel:
    """The reply to this request is not wanted any more."""

    id: int

    def segments(self) -> tuple[Buffer, ...]:
        return (_head(Kind.CANCEL, self.id),)


DataRequest: TypeAlias = RangeRequest | BlockRequest | LeavesRequest
Request: TypeAlias = HaveRequest | DataRequest | Cancel
DataReply: TypeAlias = RangeReply | BlockReply | LeavesReply
Reply: TypeAlias = HaveReply | DataReply
ExchangeMessage: TypeAlias = Request | Reply | HaveUpdate


def decode_message(data: Buffer) -> ExchangeMessage:
    """The message of its bytes; payload and proof are views into `data`.

    Raises   BadEncoding  malformed, a field missing or outside its limit, an unknown kind
    """
    fields = Fields(data, max_bytes=MAX_MESSAGE_BYTES)
    decode = _DECODERS.get(fields.uint(_KIND, bits=32))
    if decode is None:
        raise BadEncoding(f"an exchange message of kind {fields.uint(_KIND)} is not known")
    return decode(fields)


def _asked(kind: Kind, request: RangeRequest | LeavesRequest) -> tuple[Buffer, ...]:
    return (
        _head(kind, request.id)
        + bytes_field(_ROOT, request.root)
        + uint_field(_START, request.start)
        + uint_field(_COUNT, request.count),
    )


def _proved(
    kind: Kind, reply: RangeReply | LeavesReply, charge: Charge | None
) -> tuple[Buffer, ...]:
    head, asked = (
        _head(kind, reply.id) + uint_field(_STATUS, reply.status),
        charge_field(_CHARGE, charge),
    )
    if reply.status is not Status.OK:
        return (head + asked,)
    head += uint_field(_START, reply.start) + bytes_field(_PROOF, reply.proof) + asked
    return (head + bytes_header(_DATA, len(reply.data)), reply.data)


def _head(kind: Kind, request_id: int) -> bytes:
    return uint_field(_KIND, kind) + uint_field(_ID, request_id)


def _charge(fields: Fields, status: Status) -> Charge | None:
    charge = charge_in(fields, _CHARGE)
    if status is Status.PAYMENT_DUE and charge is None:
        raise BadEncoding("a payment is asked for, at no price")
    return charge


def _ranges_field(ranges: RangeSet) -> bytes:
    return bytes_field(_RANGES, encode_ranges(ranges))


def _id(fields: Fields) -> int:
    number = fields.uint(_ID, bits=63)
    if number == 0:
        raise BadEncoding("an exchange message has no id")
    return number


def _root(fields: Fields) -> bytes:
    root = fields.blob(_ROOT)
    if len(root) != _ROOT_BYTES:
        raise BadEncoding(f"a tree root has {len(root)} bytes, not {_ROOT_BYTES}")
    return bytes(root)


def _status(fields: Fields) -> Status:
    try:
        status = Status(fields.uint(_STATUS, bits=32))
    except ValueError:
        raise BadEncoding(f"status {fields.uint(_STATUS)} is not known") from None
    if status is not Status.OK and (fields.has(_DATA) or fields.has(_PROOF)):
        raise BadEncoding(f"a reply of status {status.name} carries data")
    return status


def _data(fields: Fields, status: Status) -> memoryview:
    data = fields.blob(_DATA)
    if len(data) > MAX_DATA_BYTES:
        raise BadEncoding(f"a payload of {len(data)} bytes is above {MAX_DATA_BYTES}")
    if status is Status.OK and not data:
        raise BadEncoding("a reply of status OK carries no data")
    return data


def _have_request(fields: Fields) -> HaveRequest:
    return HaveRequest(_id(fields), _root(fields))


def _have_reply(fields: Fields) -> HaveReply:
    status = _status(fields)
    if status is not Status.OK:
        return HaveReply(_id(fields), status)
    leaf_count = fields.uint(_LEAVES, bits=63)
    present = decode_ranges(fields.blob(_RANGES), leaf_count)
    block_size, charge = fields.uint(_BLOCK, bits=32), _charge(fields, status)
    return HaveReply(_id(fields), status, leaf_count, present, block_size, charge)


def _have_update(fields: Fields) -> HaveUpdate:
    leaf_count = fields.uint(_LEAVES, bits=63)
    return HaveUpdate(_root(fields), leaf_count, decode_ranges(fields.blob(_RANGES), leaf_count))


def _range_request(fields: Fields) -> RangeRequest:
    start, count = fields.uint(_START, bits=62), fields.uint(_COUNT, bits=32)
    if not 1 <= count <= MAX_BLOCKS:
        raise BadEncoding(f"a request for {count} blocks is not for 1 to {MAX_BLOCKS}")
    return RangeRequest(_id(fields), _root(fields), start, count, purse_in(fields, _PURSE))


def _proof(fields: Fields) -> memoryview:
    proof = fields.blob(_PROOF)
    if len(proof) > MAX_PROOF_BYTES:
        raise BadEncoding(f"a proof of {len(proof)} bytes is above {MAX_PROOF_BYTES}")
    return proof


def _range_reply(fields: Fields) -> RangeReply:
    status, proof = _status(fields), _proof(fields)
    charge = _charge(fields, status)
    if status is not Status.OK:
        return RangeReply(_id(fields), status, charge=charge)
    start = fields.uint(_START, bits=62)
    return RangeReply(_id(fields), status, start, proof, _data(fields, status), charge)


def _leaves_request(fields: Fields) -> LeavesRequest:
    start, count = fields.uint(_START, bits=62), fields.uint(_COUNT, bits=32)
    if not 1 <= count <= MAX_LEAVES:
        raise BadEncoding(f"a request for {count} leaves is not for 1 to {MAX_LEAVES}")
    return LeavesRequest(_id(fields), _root(fields), start, count)


def _leaves_reply(fields: Fields) -> LeavesReply:
    status, proof = _status(fields), _proof(fields)
    if status is not Status.OK:
        return LeavesReply(_id(fields), status)
    data = _data(fields, status)
    count, rest = divmod(len(data), _DIGEST_BYTES)
    if rest or count > MAX_LEAVES:
        raise BadEncoding(f"{len(data)} bytes are not the digests of 1 to {MAX_LEAVES} leaves")
    return LeavesReply(_id(fields), status, fields.uint(_START, bits=62), proof, data)


def _block_request(fields: Fields) -> BlockRequest:
    try:
        return BlockRequest(_id(fields), Cid.decode(fields.blob(_CID)), purse_in(fields, _PURSE))
    except BadCid as error:
        raise BadEncoding(f"a block is asked for by a broken CID: {error.message}") from None


def _block_reply(fields: Fields) -> BlockReply:
    status = _status(fields)
    return BlockReply(_id(fields), status, _data(fields, status), _charge(fields, status))


def _cancel(fields: Fields) -> Cancel:
    return Cancel(_id(fields))


_DECODERS: dict[int, Callable[[Fields], ExchangeMessage]] = {
    Kind.HAVE_REQUEST: _have_request,
    Kind.HAVE_REPLY: _have_reply,
    Kind.HAVE_UPDATE: _have_update,
    Kind.RANGE_REQUEST: _range_request,
    Kind.RANGE_REPLY: _range_reply,
    Kind.BLOCK_REQUEST: _block_request,
    Kind.BLOCK_REPLY: _block_reply,
    Kind.CANCEL: _cancel,
    Kind.LEAVES_REQUEST: _leaves_request,
    Kind.LEAVES_REPLY: _leaves_reply,
}

"""Small signed values that nodes keep for others: maps of replicas, pointers to catalogues.

    put: shape and signature ─► newer than ours? ─► room ─► journal ─► announced under its locator

Nobody but the owner can read one or replace it. Each is at most 1 MiB; all together have a quota;
what its owner has not put again for half a year is dropped. When the quota is full, whoever sent
most loses what was put longest ago, so that one sender cannot push out the others. What this node
put itself stays.

Source   point.md 6.5 (replica map)
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import BadEncoding
from quire.base.units import MIB
from quire.dataset.envelope.signed_blob import SignedBlob, decode_blob
from quire.formats.cid import Cid
from quire.formats.multihash import HASH_SHA256
from quire.store.journal import Journal, Record

KIND = "pointer"
QUOTA_BYTES = 32 * MIB
LEAST_BYTES = 4096  # that a value counts for: each is announced to the network, however small
KEPT_SECONDS = 180 * 86_400.0
CODEC_RAW = 0x55
OURS = ""  # the sender of what this node puts itself
_HEAD = struct.Struct(">dB")  # unix seconds of the last put, length of the sender's name


@dataclass(frozen=True, slots=True)
class Pointer:
    """A kept value: who sent it (a peer id), and when it was put last, in unix seconds."""

    blob: SignedBlob
    sender: str
    put_at: float

    def encode(self) -> bytes:
        name = self.sender.encode()[:255]
        return _HEAD.pack(self.put_at, len(name)) + name + self.blob.encode()


def decode_pointer(data: bytes) -> Pointer:
    """Raises   BadEncoding  cut off, or no value in it"""
    if len(data) < _HEAD.size:
        raise BadEncoding(f"a kept value is cut off after {len(data)} bytes")
    put_at, length = _HEAD.unpack_from(data)
    end = _HEAD.size + length
    try:
        sender = data[_HEAD.size : end].decode()
    except UnicodeDecodeError:
        raise BadEncoding("the sender of a kept value is no text") from None
    return Pointer(decode_blob(data[end:]), sender, put_at)


def locator_cid(locator: bytes) -> Cid:
    """The key under which a value is announced to the network."""
    return Cid(1, CODEC_RAW, HASH_SHA256, locator)


class Pointers:
    """The values that this node keeps. `start` reads them; then `put` and `get`."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        announce: Callable[[Cid], None],
        withdraw: Callable[[Cid], None],
        *,
        quota_bytes: int = QUOTA_BYTES,
        least_bytes: int = LEAST_BYTES,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._announce = announce
        self._withdraw = withdraw
        self._quota_bytes = quota_bytes
        self._least_bytes = least_bytes
        self._kept: dict[bytes, Pointer] = {}  # by locator, put longest ago first

    async def start(self) -> None:
        """Read what was kept. Raises StoreCorrupt."""
        found: dict[bytes, Pointer] = {}
        bad: list[Record] = []
        for key, value in (await self._journal.read(KIND)).items():
            try:
                pointer = decode_pointer(value)
                found[bytes.fromhex(key)] = pointer
            except (BadEncoding, ValueError):
                bad.append(Record(KIND, key, None))
        if bad:
            await self._journal.write(bad)
        self._kept = dict(sorted(found.items(), key=lambda each: each[1].put_at))
        await self.drop_old()
        for locator in self._kept:
            self._announce(locator_cid(locator))

    async def stop(self) -> None:
        """Let go of the journal."""
        await self._journal.close()

    async def put(self, blob: SignedBlob, sender: str = OURS) -> bool:
        """Keep a value, durable on return; whether it is kept.

        False for one that nobody signed, that is too large, older than the one here, or finds no
        room. The same value again is kept for longer.
        """
        locator = blob.locator
        if locator is None:
            return False
        known = self._kept.get(locator)
        if known is not None:
            if blob.version < known.blob.version:
                return False
            if OURS in (sender, known.sender):
                sender = OURS
            elif blob.version == known.blob.version:
                sender = known.sender  # else who puts another's value again could push it out
            if blob.version == known.blob.version:
                blob = known.blob
        await self.drop_old()
        pointer = Pointer(blob, sender, self._clock.now())
        records = self._make_room(locator, pointer)
        if records is None:
            return False
        self._kept.pop(locator, None)
        self._kept[locator] = pointer
        await self._journal.write([*records, Record(KIND, locator.hex(), pointer.encode())])
        self._announce(locator_cid(locator))
        return True

    def get(self, locator: bytes) -> SignedBlob | None:
        """The newest version that this node has seen."""
        found = self._kept.get(locator)
        return None if found is None else found.blob

    async def drop_old(self) -> None:
        """Drop what its owner has forgotten."""
        before = self._clock.now() - KEPT_SECONDS
        old = [locator for locator, each in self._kept.items() if each.put_at < before]
        if old:
            await self._journal.write([self._drop(locator) for locator in old])

    @property
    def used_bytes(self) -> int:
        return sum(each.blob.size for each in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    def _make_room(self, locator: bytes, pointer: Pointer) -> list[Record] | None:
        """What has to go for a value; None when it finds no room."""
        sizes: dict[str, int] = {}
        for at, each in self._kept.items():
            if at != locator:
                sizes[each.sender] = sizes.get(each.sender, 0) + self._cost(each)
        excess = sum(sizes.values()) + self._cost(pointer) - self._quota_bytes
        going: list[bytes] = []
        while excess > 0:
            others = [sender for sender in sizes if sender != OURS]
            most = max(others, key=lambda sender: sizes[sender], default=OURS)
            own = sizes.get(pointer.sender, 0) + self._cost(pointer)
            if most == OURS or (pointer.sender not in (OURS, most) and sizes[most] < own):
                return None
            oldest = next(
                at
                for at, each in self._kept.items()
                if each.sender == most and at != locator and at not in going
            )
            size = self._cost(self._kept[oldest])
            going.append(oldest)
            sizes[most] -= size
            excess -= size
            if not sizes[most]:
                del sizes[most]
        return [self._drop(at) for at in going]

    def _cost(self, pointer: Pointer) -> int:
        """What a value takes of the quota."""
        return max(pointer.blob.size, self._least_bytes)

    def _drop(self, locator: bytes) -> Record:
        del self._kept[locator]
        self._withdraw(locator_cid(locator))
        return Record(KIND, locator.hex(), None)

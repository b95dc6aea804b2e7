"""Peers that could be reached before, kept on disk for the next start.

One small JSON file, replaced as a whole. A file that does not parse is set aside, never fatal: the
book is a convenience. Reading and writing block; the connector does both off the loop.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from quire.base.errors import BadEncoding
from quire.formats.multiaddr import Multiaddr
from quire.formats.peer_id import decode_peer_id
from quire.net.known_peer import KnownPeer
from quire.net.transport import Address, PeerId

MAX_PEERS = 1000
MAX_ADDRESSES = 8  # of one peer
MAX_FILE_BYTES = 4 << 20
VERSION = 1


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    peer: str
    addresses: list[str]
    seen_at: float  # unix seconds of the last success


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    peers: list[_Entry]


class PeerBook:
    """Remembered peers, the least recently reached forgotten first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[PeerId, _Entry] = {}  # oldest success first

    def load(self) -> str:
        """Read the file; an absent one is an empty book.

        Returns  the empty text, or what was wrong with the file that was set aside
        """
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
            entries = _decode(data)
        except FileNotFoundError:
            return ""
        except (BadEncoding, OSError) as problem:
            aside = self._path.with_name(self._path.name + ".bad")
            try:
                self._path.replace(aside)
            except OSError:
                aside = self._path
            return f"the remembered peers in {aside} could not be read: {problem}"
        entries.sort(key=lambda entry: entry.seen_at)
        self._entries = {entry.peer: entry for entry in entries[-MAX_PEERS:]}
        return ""

    def save(self) -> None:
        """Replace the file as a whole. Raises OSError."""
        content = _File(VERSION, list(self._entries.values()))
        draft = self._path.with_name(self._path.name + ".new")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(content))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

    def remember(self, peer: PeerId, addresses: Sequence[Address], now: float) -> bool:
        """Note that the peer was reached at these addresses; false when nothing new was said."""
        known = self._entries.pop(peer, None)
        kept = dict.fromkeys([*addresses, *(known.addresses if known else ())])
        entry = _Entry(peer, list(kept)[:MAX_ADDRESSES], now)
        self._entries[peer] = entry
        if len(self._entries) > MAX_PEERS:
            del self._entries[next(iter(self._entries))]
        return known is None or known.addresses != entry.addresses

    def forget(self, peer: PeerId) -> None:
        self._entries.pop(peer, None)

    def peers(self) -> list[KnownPeer]:
        """All remembered peers, the most recently reached first."""
        return [
            KnownPeer(entry.peer, tuple(entry.addresses))
            for entry in reversed(self._entries.values())
        ]

    def __len__(self) -> int:
        return len(self._entries)


def _decode(data: bytes) -> list[_Entry]:
    """Raises `BadEncoding`."""
    if len(data) > MAX_FILE_BYTES:
        raise BadEncoding(f"it is larger than {MAX_FILE_BYTES} bytes")
    try:
        content = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadEncoding(str(error)) from None
    if content.version != VERSION:
        raise BadEncoding(f"version {content.version} is not known")
    for entry in content.peers:
        decode_peer_id(entry.peer)
        if not 0 < len(entry.addresses) <= MAX_ADDRESSES:
            raise BadEncoding(f"{entry.peer} has {len(entry.addresses)} addresses")
        for address in entry.addresses:
            Multiaddr.parse(address)
    return content.peers

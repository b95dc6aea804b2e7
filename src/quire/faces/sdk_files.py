"""The part of the client for programs that has files kept by others: replicas, requests, or both.

Source   point.md 6.3
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from quire.base.errors import InputError, Refused
from quire.faces.client import Client as NodeClient
from quire.faces.encrypting import Caps
from quire.faces.replicas import KeepTerms, Replicas
from quire.formats.cap import Cap, ReadCap, RepairCap, VerifyCap
from quire.formats.cid import Cid
from quire.formats.directory import MEDIA_TYPE
from quire.formats.varint import Buffer

Encrypt: TypeAlias = Literal["random", "convergent", "none"]
Content: TypeAlias = str | Path | bytes | AsyncIterable[Buffer]
Target: TypeAlias = str | Cid | Cap
Mode: TypeAlias = Literal["retail", "wholesale", "both"]
Wait: TypeAlias = Literal["accepted", "durable"]

POLL_SECONDS = 0.5
_MODES, _WAITS = ("retail", "wholesale", "both"), ("accepted", "durable")


@dataclass(frozen=True, slots=True)
class PutResult:
    """What a file is known by: capabilities (None where it is not encrypted), and the ids of the
    upload of replicas and of the storage request, where there are such."""

    read_cap: ReadCap | None
    repair_cap: RepairCap | None
    verify_cap: VerifyCap | None
    manifest_cid: Cid
    upload_id: str | None
    request_id: str | None = None


class _Plain(Protocol):
    """What this part needs of the client."""

    node: NodeClient

    async def put(
        self,
        content: Content,
        *,
        encrypt: Encrypt = "random",
        name: str | None = None,
        media_type: str | None = None,
        is_padded: bool = True,
    ) -> Caps: ...

    def get(
        self,
        target: Target,
        *,
        start: int = 0,
        end: int | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncGenerator[bytes, None]: ...


class KeptFiles:
    """To be inherited by a client that can `put` and `get`."""

    async def put_file(
        self: _Plain,
        src: Content,
        *,
        mode: Mode = "retail",
        redundancy: int = 3,
        expires_in: timedelta = timedelta(days=30),
        autorenew: bool = True,
        encrypt: Encrypt = "random",
        filename: str | None = None,
        mimetype: str | None = None,
        budget: int | None = None,
        wait: Wait = "accepted",
        bid: dict[str, Any] | None = None,
    ) -> PutResult:
        """Encrypt a content, store it at the node and have it kept by others.

        mode    "retail": as sealed replicas at paid providers; "wholesale": erasure-coded, under a
                storage request with the terms of `bid` (`NodeClient.request_storage`); "both"
        budget  most tokens that one term of all replicas may cost; None: whatever the price
        wait    "accepted": until the ciphertext and the order are durable at the node; "durable":
                until every replica is signed for, and every slot is filled

        Raises   InputError, QuotaExceeded, NodeUnreachable, …; Refused when the request failed
        """
        if mode not in _MODES or wait not in _WAITS:
            raise InputError(f"mode={mode!r}, wait={wait!r}: there are {_MODES} and {_WAITS}")
        if encrypt == "none" and mode != "wholesale":
            raise InputError("replicas are sealed from ciphertext: encrypt, or use wholesale")
        if mode != "retail" and bid is None:
            raise InputError(f"mode={mode!r} needs the terms of the storage request: bid={{…}}")
        terms = KeepTerms(redundancy, int(expires_in.total_seconds()), autorenew, budget)
        caps = await self.put(src, encrypt=encrypt, name=filename, media_type=mimetype)
        upload_id = request_id = None
        if caps.cid is None:
            raise InputError("a literal capability holds its content: nothing is to be kept")
        if mode != "wholesale" and isinstance(caps.read, ReadCap):
            upload_id = str((await Replicas(self.node).put(caps.read, terms))["id"])
        if bid is not None and mode != "retail":
            request_id = str((await self.node.request_storage(str(caps.cid), bid))["requestId"])
        if wait == "durable":
            await _until_durable(self.node, upload_id, request_id)
        read = caps.read if isinstance(caps.read, ReadCap) else None
        return PutResult(read, caps.repair, caps.verify, caps.cid, upload_id, request_id)

    async def put_directory(self, src: str | Path, **how: Any) -> PutResult:
        """A directory as one content; `how` as for `put_file`. Raises also InputError for what is
        no directory, or has sockets or devices in it."""
        from quire.faces.cli.tree_put import directory_pieces, name_of_tree
        from quire.faces.cli.tree_scan import scan

        found, _ = scan(Path(src), keep_times=True, skip_special=False)
        pieces = directory_pieces(found, lambda *_: None)
        how.setdefault("filename", name_of_tree(Path(src)))
        how.setdefault("mimetype", MEDIA_TYPE)
        return await self.put_file(pieces, **how)  # type: ignore[misc]

    async def get_file(
        self: _Plain, cap: Target, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes [start, end) of a file, from the node, from the holders of its replicas, or
        from whoever has it. Raises as `get`."""
        pieces = self.get(cap, start=start, end=end)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def status(self: _Plain, upload_id: str) -> dict[str, Any]:
        """How the replicas of an upload stand, link by link (docs/reference/rest.md)."""
        return await Replicas(self.node).status(upload_id)

    def events(self: _Plain, upload_id: str) -> AsyncGenerator[dict[str, Any], None]:
        """What happens to an upload and to its links, from now on."""
        return Replicas(self.node).events(upload_id)

    async def renew(self: _Plain, upload_id: str, more: timedelta | None = None) -> dict[str, Any]:
        """Keep it for longer: by default another term."""
        seconds = None if more is None else int(more.total_seconds())
        return await Replicas(self.node).renew(upload_id, seconds)

    async def release(self: _Plain, upload_id: str) -> None:
        """Providers need not keep it any longer, and are paid no more."""
        await Replicas(self.node).release(upload_id)


async def _until_durable(node: NodeClient, upload_id: str | None, request_id: str | None) -> None:
    while upload_id is not None or request_id is not None:
        if upload_id is not None:
            upload = await Replicas(node).status(upload_id)
            if upload["state"] == "UPLOADED":
                upload_id = None
        if request_id is not None:
            purchase = await node.purchase(request_id)
            if purchase["state"] in ("failed", "cancelled", "errored"):
                raise Refused(f"the storage request ended: {purchase['words']}")
            if purchase["state"] == "started":
                request_id = None
        if upload_id is not None or request_id is not None:
            await asyncio.sleep(POLL_SECONDS)

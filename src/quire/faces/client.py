"""A client of the API of a node, for the command line and for programs.

    async with Client("http://127.0.0.1:8080") as node:
        cid = await node.put(pieces, filename="a.txt")

An error that the node answers is raised as the class it had there (`QuireError.code`).
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from quire.base.errors import (
    BadManifest,
    Busy,
    DeadlineExceeded,
    InputError,
    IntegrityError,
    NodeUnreachable,
    NotFound,
    PeerError,
    QuireError,
    Refused,
)
from quire.base.units import MIB
from quire.formats.cid import Cid, manifest_cid
from quire.formats.manifest import Manifest, decode_manifest
from quire.formats.tus import encode_metadata

BASE = "/api/quire/v1"
READ_BUFFER_BYTES = 2 * MIB
CONNECT_SECONDS = 5.0
TUS = {"Tus-Resumable": "1.0.0"}
GRACE_SECONDS = 10.0  # the node gets a little longer than it was told, to answer by itself


class Client:
    """One node, reached over HTTP. Every method raises what the node raised, and
    `NodeUnreachable` when nobody answers at the URL."""

    def __init__(self, url: str, *, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        self._session = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            read_bufsize=READ_BUFFER_BYTES,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def put(
        self,
        pieces: AsyncIterable[bytes],
        *,
        size: int | None = None,
        filename: str | None = None,
        mimetype: str | None = None,
        block_size: int | None = None,
    ) -> str:
        """Upload; returns the manifest CID. `size` in bytes lets the node refuse at once.
        `block_size`: that of the network if not given."""
        headers = {"Content-Type": mimetype or ""}
        if filename is not None:
            headers["Content-Disposition"] = _disposition(filename)
        if size is not None:
            headers["Content-Length"] = str(size)
        skip = () if mimetype else ("Content-Type",)
        if not mimetype:
            del headers["Content-Type"]
        query = _block_size(block_size)
        request = self._request(
            "POST", "/data", query=query, data=pieces, headers=headers, skip_auto_headers=skip
        )
        async with request as answer:
            return (await answer.text()).strip()

    async def begin_upload(
        self,
        size: int,
        *,
        filename: str | None = None,
        mimetype: str | None = None,
        block_size: int | None = None,
    ) -> str:
        """Begin an upload that can be resumed; its id. All its space is reserved."""
        pairs = {"filename": filename, "filetype": mimetype}
        metadata = encode_metadata({key: text.encode() for key, text in pairs.items() if text})
        headers = {"Upload-Length": str(size)} | ({"Upload-Metadata": metadata} if metadata else {})
        query = _block_size(block_size)
        async with self._request("POST", "/uploads", query=query, headers=TUS | headers) as answer:
            return answer.headers["Location"].rpartition("/")[2]

    async def upload_state(self, upload_id: str) -> UploadState:
        """How far an upload is. Raises NotFound when the node does not know it any more."""
        async with self._request("HEAD", f"/uploads/{upload_id}", headers=TUS) as answer:
            return _upload_state(answer)

    async def send(
        self, upload_id: str, offset: int, pieces: AsyncIterable[bytes], size: int
    ) -> UploadState:
        """Send `size` bytes of an upload from `offset` on; how far it is then."""
        headers = TUS | {
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(size),
        }
        path = f"/uploads/{upload_id}"
        async with self._request("PATCH", path, data=pieces, headers=headers) as answer:
            return _upload_state(answer)

    async def end_upload(self, upload_id: str) -> None:
        """What was sent of an upload is dropped, and its space is free again."""
        async with self._request("DELETE", f"/uploads/{upload_id}", headers=TUS):
            return

    @asynccontextmanager
    async def get(
        self,
        cid: str,
        *,
        start: int | None = None,
        stop: int | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncGenerator[Download, None]:
        """Open a download of all, or of the bytes [start, stop), from wherever the dataset is."""
        path = f"/data/{cid}/network/stream"
        headers = {}
        if start is not None and stop is not None:
            headers["Range"] = f"bytes={start}-{stop - 1}"
        async with self._request(
            "GET", path, timeout_seconds=timeout_seconds, headers=headers
        ) as answer:
            yield Download(answer)

    async def manifest(self, cid: Cid, *, timeout_seconds: float | None = None) -> Manifest:
        """The manifest that a CID names, checked against it; the node need not be trusted.

        Raises IntegrityError when the node sends another one."""
        path = f"/datasets/{cid}/manifest"
        async with self._request("GET", path, timeout_seconds=timeout_seconds) as answer:
            data = await answer.read()
        if manifest_cid(data) != cid:
            raise IntegrityError(f"the node described another dataset than {cid}")
        try:
            return decode_manifest(data)
        except BadManifest as error:
            raise IntegrityError(f"the manifest of {cid} is not valid: {error.message}") from None

    async def proof(self, cid: str, start: int, count: int) -> bytes:
        """The nodes that lead from blocks [start, start + count) to the root of the tree. Raises
        NotFound when the node does not know them."""
        query = {"start": str(start), "count": str(count)}
        async with self._request("GET", f"/datasets/{cid}/proof", query=query) as answer:
            return await answer.read()

    @asynccontextmanager
    async def open(
        self,
        path: str,
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        timeout_seconds: float | None = None,
        body: object = None,
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """GET a route of /api/quire/v1, or POST to it a body, as JSON; the answer with its body to
        be read."""
        method, more = ("GET", {}) if body is None else ("POST", {"json": body})
        request = self._request(
            method, path, query=query, headers=headers, timeout_seconds=timeout_seconds, **more
        )
        async with request as answer:
            yield answer

    async def json(
        self,
        method: str,
        path: str,
        *,
        timeout_seconds: float | None = None,
        query: dict[str, str] | None = None,
        body: object = None,
    ) -> Any:
        """Call a route of /api/quire/v1; the decoded answer, None when it has no body. `body` goes
        as JSON, or as it is when it is bytes."""
        options: dict[str, Any] = {} if body is None else {"json": body}
        if isinstance(body, bytes):
            options = {"data": body, "headers": {"Content-Type": "application/octet-stream"}}
        request = self._request(
            method, path, timeout_seconds=timeout_seconds, query=query, **options
        )
        async with request as answer:
            data = await answer.read()
            return json.loads(data) if data else None

    async def send_stream(
        self, path: str, pieces: AsyncIterable[bytes], size: int
    ) -> dict[str, Any]:
        """POST `size` bytes to a route of /api/quire/v1, as they come; the decoded answer."""
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        async with self._request("POST", path, data=pieces, headers=headers) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def quote(self, cid: str, bid: dict[str, Any]) -> dict[str, Any]:
        """What a storage request would cost; nothing is signed. `bid`: duration, expiry,
        proofProbability, pricePerBytePerSecond, collateralPerByte, and nodes and tolerance, or
        nines that a plan is to keep."""
        found: dict[str, Any] = await self.json("POST", f"/datasets/{cid}/quote", body=bid)
        return found

    async def request_storage(self, cid: str, bid: dict[str, Any]) -> dict[str, Any]:
        """Buy storage: code the dataset and ask for hosts; the purchase. May take minutes."""
        found: dict[str, Any] = await self.json("POST", f"/datasets/{cid}/request", body=bid)
        return found

    async def purchases(self) -> list[dict[str, Any]]:
        """Every purchase of the node, oldest first."""
        found: list[dict[str, Any]] = (await self.json("GET", "/purchases"))["purchases"]
        return found

    async def purchase(self, request_id: str) -> dict[str, Any]:
        """One purchase with its slots, as the chain has them now, and its history."""
        found: dict[str, Any] = await self.json("GET", f"/purchases/{request_id}")
        return found

    async def sales(self) -> dict[str, Any]:
        """Every sale of the node (`sales`), and the slots that could be next (`queue`)."""
        found: dict[str, Any] = await self.json("GET", "/sales")
        return found

    async def sale(self, slot_id: str) -> dict[str, Any]:
        """One sale with its money, what is waited for, and its history."""
        found: dict[str, Any] = await self.json("GET", f"/sales/{slot_id}")
        return found

    async def offers(self) -> list[dict[str, Any]]:
        """The space that the node offers, oldest first."""
        found: list[dict[str, Any]] = await self.json("GET", "/sales/availability")
        return found

    async def offer(self, terms: dict[str, Any]) -> dict[str, Any]:
        """Offer space. `terms`: totalSize, duration, minPricePerBytePerSecond, totalCollateral, and
        enabled and until."""
        found: dict[str, Any] = await self.json("POST", "/sales/availability", body=terms)
        return found

    async def change_offer(self, offer_id: str, terms: dict[str, Any]) -> None:
        """Change some of an offer's terms."""
        await self.json("PATCH", f"/sales/availability/{offer_id}", body=terms)

    async def remove_offer(self, offer_id: str) -> None:
        """Withdraw an offer. Raises Refused while slots of it are held."""
        await self.json("DELETE", f"/sales/availability/{offer_id}")

    async def events(self, *, subject: str | None = None) -> AsyncGenerator[dict[str, Any], None]:
        """Follow what happens in the node until it stops."""
        query = {"subject": subject} if subject else {}
        async with self._request("GET", "/events", query=query) as answer:
            async for line in answer.content:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        *,
        timeout_seconds: float | None = None,
        query: dict[str, str] | None = None,
        **options: Any,
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        assert self._session is not None, "use `async with Client(...)`"
        url = URL(self.url + BASE + path, encoded=False)
        if timeout_seconds is not None:
            query = {**(query or {}), "timeout": f"{timeout_seconds:g}"}
            options["timeout"] = aiohttp.ClientTimeout(
                total=None,
                sock_connect=CONNECT_SECONDS,
                sock_read=timeout_seconds + GRACE_SECONDS,
            )
        try:
            async with self._session.request(method, url, params=query, **options) as answer:
                if answer.status >= 400:
                    raise error_of(answer.status, await answer.read())
                yield answer
        except aiohttp.ClientConnectorError as error:
            raise NodeUnreachable(f"no node answers at {self.url}: {error.strerror}") from None
        except aiohttp.InvalidURL:
            raise InputError(f"{self.url!r} is not a URL such as http://127.0.0.1:8080") from None
        except (TimeoutError, aiohttp.ServerTimeoutError):
            raise DeadlineExceeded(f"the node at {self.url} did not answer in time") from None
        except aiohttp.ClientError as error:
            reason = str(error) or type(error).__name__
            raise NodeUnreachable(f"the node at {self.url} broke off: {reason}") from None


@dataclass(frozen=True, slots=True)
class UploadState:
    """How many bytes of an upload are with the node, durable; its CID once it is complete."""

    offset: int
    cid: str | None


def _upload_state(answer: aiohttp.ClientResponse) -> UploadState:
    return UploadState(int(answer.headers["Upload-Offset"]), answer.headers.get("Quire-Cid"))


class Download:
    """An open download."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.size = int(answer.headers["Content-Length"])

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        async for piece in self._answer.content.iter_any():
            yield piece


def error_of(status: int, body: bytes) -> QuireError:
    """The error that a node answered, in the class that it has here; code and hint are kept also
    when this program does not know the class."""
    try:
        fields = json.loads(body)
        message, code = str(fields["message"]), str(fields["code"])
        fields["facts"] = dict(fields.get("facts", {}))
    except (ValueError, KeyError, TypeError, RecursionError):
        fields, code = {}, ""
        message = body.decode("utf-8", "replace") or f"the node answered {status}"
    kind = next((c for c in _classes(QuireError) if c.code == code), None)
    error = (kind or _class_of_status(status))(message)
    error.facts = fields.get("facts", {})
    if kind is None and code:
        error.code, error.hint = code, str(fields.get("hint", ""))  # type: ignore[misc]
    return error


def error_of_job(fields: dict[str, Any]) -> QuireError:
    """The error with which a job in the background failed, as the node tells it."""
    return error_of(500, json.dumps(fields).encode())


def _class_of_status(status: int) -> type[QuireError]:
    known: dict[int, type[QuireError]] = {
        401: Refused,
        403: Refused,
        404: NotFound,
        409: Refused,
        410: NotFound,
        502: PeerError,
        503: Busy,
        504: DeadlineExceeded,
    }
    return known.get(status, InputError if status < 500 else QuireError)


def _classes(kind: type[QuireError]) -> Iterator[type[QuireError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _classes(child)


def _block_size(wanted: int | None) -> dict[str, str] | None:
    return None if wanted is None else {"blockSize": str(wanted)}


def _disposition(filename: str) -> str:
    """Names outside ASCII go as UTF-8 between quotes, as every node of the family reads them."""
    escaped = filename.replace("\\", "\\\\").replace('"', '\\"')
    return f'attachment; filename="{escaped}"'

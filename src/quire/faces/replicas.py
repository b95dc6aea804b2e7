"""Files kept as sealed replicas, through the API of a node."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from quire.base.errors import Busy, IntegrityError, NotFound
from quire.dataset.envelope.derive import repair_of
from quire.faces.client import Client
from quire.formats.cap import DatasetCap, ReadCap
from quire.formats.cid import manifest_cid
from quire.formats.manifest import Manifest, decode_manifest


@dataclass(frozen=True, slots=True)
class KeepTerms:
    """How a file is to be kept: `seconds` of a term; `budget`: most tokens that one term of all
    replicas may cost; None: whatever the price."""

    redundancy: int = 3
    seconds: int = 30 * 86_400
    autorenew: bool = True
    budget: int | None = None
    chunk_blocks: int | None = None

    def fields(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "redundancy": self.redundancy,
            "seconds": self.seconds,
            "autorenew": self.autorenew,
        }
        if self.budget is not None:
            found["budget"] = str(self.budget)
        if self.chunk_blocks is not None:
            found["chunkBlocks"] = self.chunk_blocks
        return found


class Replicas:
    """`/replicas` of a node. Uploads are objects of the API, as docs/reference/rest.md has them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def put(self, cap: DatasetCap, terms: KeepTerms) -> dict[str, Any]:
        """Keep what a read or repair capability names, whose ciphertext the node has. Only the
        repair capability is sent."""
        body = {"cap": repair_of(cap).text} | terms.fields()
        found: dict[str, Any] = await self._client.json("POST", "/replicas", body=body)
        return found

    async def every(self) -> list[dict[str, Any]]:
        """Oldest first, without their links."""
        found: list[dict[str, Any]] = (await self._client.json("GET", "/replicas"))["content"]
        return found

    async def status(self, upload_id: str) -> dict[str, Any]:
        """One of them, with its links and its history."""
        found: dict[str, Any] = await self._client.json("GET", f"/replicas/{upload_id}")
        return found

    async def events(self, upload_id: str) -> AsyncGenerator[dict[str, Any], None]:
        """What happens to it and to its links, from now on."""
        async with self._client.open(f"/replicas/{upload_id}/events") as answer:
            async for line in answer.content:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    async def renew(self, upload_id: str, seconds: int | None = None) -> dict[str, Any]:
        """Keep it for so many more seconds, by default another term."""
        body = {} if seconds is None else {"seconds": seconds}
        found: dict[str, Any] = await self._client.json(
            "POST", f"/replicas/{upload_id}/renew", body=body
        )
        return found

    async def release(self, upload_id: str) -> None:
        """Providers need not keep it any longer."""
        await self._client.json("DELETE", f"/replicas/{upload_id}")

    async def find(self, cap: ReadCap, timeout: float | None) -> Manifest | None:
        """The manifest of a file of which there are replicas; None: nobody shows any, or the node
        pays for none. Raises IntegrityError when the node describes another."""
        body = {"cap": repair_of(cap).text}
        try:
            found = await self._client.json(
                "POST", "/replicas/find", body=body, timeout_seconds=timeout
            )
        except (NotFound, Busy):
            return None
        block = base64.b64decode(found["manifest"])
        if manifest_cid(block) != cap.cid:
            raise IntegrityError(f"the node described another dataset than {cap.cid}")
        return decode_manifest(block)

    async def read(
        self, cap: ReadCap, start: int, stop: int, timeout: float | None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes [start, stop) of the ciphertext, from its replicas."""
        body = {"cap": repair_of(cap).text, "start": start, "stop": stop}
        async with self._client.open(
            "/replicas/read", body=body, timeout_seconds=timeout
        ) as answer:
            async for piece in answer.content.iter_any():
                yield piece


async def is_here(client: Client, cap: DatasetCap) -> bool:
    """Whether the node itself has all blocks of a dataset."""
    try:
        found = await client.json("GET", f"/datasets/{cap.cid}")
    except NotFound:
        return False
    return bool(found.get("complete", False))

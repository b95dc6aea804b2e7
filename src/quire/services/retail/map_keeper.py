"""Publishes the map of a file's replicas, so that holders of a capability find them.

    links changed ─► 2 s of quiet ─► map, version + 1, durable ─► kept and announced here
                                                            └─► MapPut to every live provider

A provider that could not be told is told again later, until it has the newest version. A file whose
last replica was signed just now is in a hurry: until its map is *placed*, at two providers or at
all that answer, it cannot be read without this node.
Source   point.md 6.5 (replica map)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import msgspec

from quire.base.errors import BadEncoding, PeerError, QuireError
from quire.dataset.envelope.replica_map import map_keys
from quire.dataset.envelope.signed_blob import SignedBlob
from quire.formats.holders import ChunkPlace, Holder, Holders, encode_holders
from quire.formats.replica_asking import MapPut
from quire.kernels.cipher import NONCE_BYTES
from quire.point.link import LinkState
from quire.point.values import Code
from quire.services.background import Background
from quire.services.pointer_answers import to_send
from quire.services.retail.link_table import LinkTable
from quire.services.retail.upload_ports import UploadPorts
from quire.services.retail.upload_record import Upload
from quire.services.retail.upload_table import UploadTable

QUIET_SECONDS = 2.0
AGAIN_SECONDS = 60.0
AGAIN_SECONDS_HURRIED = 5.0
PLACES = 2  # providers with the newest map, at which a file is found without this node
AT_ONCE = 8  # providers that are told at the same time


class MapKeeper:
    """`touch` says that the links of a file are others than before; `placed` is told of each upload
    whose newest map has come to be placed."""

    def __init__(
        self,
        table: UploadTable,
        links: LinkTable,
        ports: UploadPorts,
        placed: Callable[[str], None],
    ) -> None:
        self._table = table
        self._links = links
        self._ports = ports
        self._tell_placed = placed
        self._touched: dict[str, None] = {}
        self._hurried: dict[str, None] = {}
        self._untold: dict[str, dict[str, None]] = {}  # upload -> peers without the newest map
        self._told: dict[str, dict[str, None]] = {}  # upload -> peers that have it
        self._placed: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._task = Background("replica-maps", self._run, ports.events)

    def start(self) -> None:
        """After a start every provider is told again: who knows what got there?"""
        for upload in self._table.every():
            if not upload.is_released:
                self._touched[upload.key] = None
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    def touch(self, key: str) -> None:
        self._touched[key] = None
        self._placed.pop(key, None)
        self._wake.set()

    def is_placed(self, key: str) -> bool:
        """Whether a map of the links of now is at two providers, or all that answer."""
        return key in self._placed

    def hurry(self, key: str) -> None:
        """Have its map placed at once."""
        if key in self._placed or key in self._hurried:
            return
        self._hurried[key] = None
        if key not in self._untold:
            self._touched[key] = None
        self._wake.set()
        self._hurry.set()

    async def _run(self) -> None:
        while True:
            if self._touched and not self._hurried:
                with suppress(TimeoutError):
                    async with asyncio.timeout(QUIET_SECONDS):
                        await self._hurry.wait()
            self._hurry.clear()
            touched, self._touched = self._touched, {}
            for key in touched:
                await self._publish(key)
            await asyncio.gather(*(self._tell(key) for key in list(self._untold)))
            if self._touched:
                continue
            self._wake.clear()
            pause = AGAIN_SECONDS_HURRIED if self._hurried else AGAIN_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause if self._untold else None):
                    await self._wake.wait()

    async def _publish(self, key: str) -> None:
        """A new version, if the newest one does not say the same."""
        upload = self._table.find(key)
        if upload is None or upload.is_released:
            self._forget(key)
            return
        links = self._held(upload)
        if not links and not upload.map_version:
            return
        try:
            plain = encode_holders(self._holders(upload, links))
        except BadEncoding as error:
            self._ports.events.publish("upload.no-map", key, error.message)
            return
        keys = map_keys(self._table.cap(upload).seal_root)
        newest = self._ports.pointers.get(keys.locator)
        if newest is None or keys.open(newest) != plain:
            version = 1 + max(upload.map_version, 0 if newest is None else newest.version)
            await self._table.change(key, lambda now: replace(now, map_version=version))
            nonce = self._ports.rng.randbytes(NONCE_BYTES)
            await self._ports.pointers.put(keys.seal(version, nonce, plain))
        self._untold[key] = dict.fromkeys(self._addresses(links))
        self._told[key] = {}

    async def _tell(self, key: str) -> None:
        """Put the newest map to those that do not have it."""
        upload = self._table.find(key)
        blob = None if upload is None else self._newest(upload)
        if upload is None or blob is None:
            self._forget(key)
            return
        where = self._addresses(self._held(upload))
        untold, told = self._untold.get(key, {}), self._told.get(key, {})
        places = asyncio.Semaphore(AT_ONCE)

        async def tell(peer: str) -> None:
            async with places:
                code = await self._put(peer, where[peer], blob) if peer in where else Code.OK
            # One that refuses has a newer one, or takes none: telling it again would not help.
            if code is None or code is Code.BUSY:
                return
            untold.pop(peer, None)
            if code is Code.OK and peer in where:
                told[peer] = None
            if len(told) >= PLACES:
                self._set_placed(key)

        await asyncio.gather(*(tell(peer) for peer in list(untold)))
        if told:
            self._set_placed(key)  # the others do not answer
        if not untold:
            self._untold.pop(key, None)
            words = f"version {upload.map_version} of the map of replicas is at every provider"
            self._ports.events.publish("upload.map", key, words)

    def _set_placed(self, key: str) -> None:
        if key not in self._touched and key not in self._placed:
            self._placed[key] = None
            self._hurried.pop(key, None)
            self._tell_placed(key)

    def _forget(self, key: str) -> None:
        for kept in (self._untold, self._told, self._hurried, self._placed):
            kept.pop(key, None)

    async def _put(self, peer: str, addresses: tuple[str, ...], blob: SignedBlob) -> Code | None:
        """What it answers; None: nothing."""
        try:
            link_id = bytes(16)
            answer = await self._ports.client.ask(peer, addresses, link_id, MapPut(to_send(blob)))
        except PeerError:
            return None
        return answer.code

    def _newest(self, upload: Upload) -> SignedBlob | None:
        try:
            keys = map_keys(self._table.cap(upload).seal_root)
        except QuireError:
            return None
        return self._ports.pointers.get(keys.locator)

    def _held(self, upload: Upload) -> list[LinkState]:
        return [link for link in self._links.of_upload(upload.upload_id) if link.is_held]

    def _holders(self, upload: Upload, links: list[LinkState]) -> Holders:
        return holders_of(upload, links, decode_proofs(self._table.proofs(upload.key) or b""))

    @staticmethod
    def _addresses(links: list[LinkState]) -> dict[str, tuple[str, ...]]:
        return {link.order.peer: link.order.addresses for link in links}


def holders_of(upload: Upload, links: list[LinkState], proofs: list[bytes]) -> Holders:
    """What the map of a file says."""
    chunks = upload.chunks
    proofs = proofs if len(proofs) == len(chunks) else [b""] * len(chunks)
    return Holders(
        upload.manifest,
        tuple(
            ChunkPlace(each.first_block, each.blocks, proof)
            for each, proof in zip(chunks, proofs, strict=True)
        ),
        {link.order.peer: link.order.addresses for link in links},
        tuple(
            Holder(
                link.order.chunk,
                link.order.peer,
                link.order.replica,
                link.order.epoch,
                link.sealed_root,
                link.order.sealed_bytes,
                link.expires_at,
                link.offer.offer.price_get_byte,
            )
            for link in links
        ),
    )


def encode_proofs(proofs: list[bytes]) -> bytes:
    """Of all chunks, for the journal."""
    return msgspec.msgpack.encode(proofs)


def decode_proofs(data: bytes) -> list[bytes]:
    """Empty when there are none that can be read."""
    try:
        return msgspec.msgpack.decode(data, type=list[bytes])
    except msgspec.MsgspecError:
        return []

"""An upload in one go: bytes come in at any size, and a dataset appears at the end, or nothing.

Only `commit` gives the tree that `Intake` has built its name and the dataset its row, in one
transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quire.base.errors import InputError
from quire.formats.cid import manifest_cid, tree_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.formats.names import check_filename, check_mimetype
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.disk import Buffer
from quire.store.intake import MANIFEST_BYTES_EXPECTED, Intake, IntakePorts, padded
from quire.store.publish import Publication, publish_change
from quire.store.quota import Reservation


class Upload:
    """Write, then either `commit` or `abort`. Not to be used by two tasks at once."""

    def __init__(
        self,
        ports: IntakePorts,
        block_size: int,
        expected_bytes: int | None,
        default_root: Callable[[], RetentionRoot],
        ended: Callable[[Upload], None],
    ) -> None:
        self._core = ports.core
        self._default_root = default_root
        self._ended = ended  # committed, aborted or failed
        self._is_over = False
        self._cleaning: asyncio.Task[None] | None = None
        reservation = Reservation(ports.core.quota)
        self._intake = Intake(ports, reservation, block_size, expected_bytes=expected_bytes)
        if expected_bytes is not None:
            reservation.cover(padded(expected_bytes, block_size) + MANIFEST_BYTES_EXPECTED)

    @property
    def received_bytes(self) -> int:
        return self._intake.received_bytes

    async def write(self, data: Buffer) -> None:
        """Take bytes; waits while too many are on their way to the disk.

        Raises QuotaExceeded, DiskFull; nothing is left of the upload then."""
        self._check_open()
        try:
            await self._intake.write(data)
        except BaseException:
            await self.abort()
            raise

    async def commit(
        self,
        *,
        filename: str | None = None,
        mimetype: str | None = None,
        root: RetentionRoot | None = None,
    ) -> Dataset:
        """Make the dataset visible and durable.

        Nothing written is a dataset too, without bytes (docs/adr/0008). Raises InputError when a
        name is bad, else as `write`; nothing is left of the upload then."""
        self._check_open()
        intake = self._intake
        try:
            publication = await publication_of(
                intake, filename, mimetype, root or self._default_root()
            )
        except BaseException:
            await self.abort()
            raise
        self._is_over = True
        change = publish_change(
            self._core, intake.batch, publication, self._settled, lambda _: self._lost()
        )
        return (await self._core.committer.run(change)).dataset

    async def abort(self) -> None:
        """Leave nothing behind. Does nothing when the upload is over."""
        if not self._is_over:
            self._is_over = True
            self._cleaning = asyncio.create_task(self._clean_up(), name="upload abort")
        if self._cleaning is not None:
            await asyncio.shield(self._cleaning)

    async def _clean_up(self) -> None:
        await self._intake.discard()
        self._intake.condemn_staged()
        self._settled()

    def _check_open(self) -> None:
        if self._is_over:
            raise InputError("the upload has ended already; begin a new one")

    def _lost(self) -> None:
        """The last transaction failed."""
        self._intake.give_back()
        self._intake.condemn_staged()
        self._settled()

    def _settled(self) -> None:
        self._intake.reservation.end()
        self._ended(self)


async def publication_of(
    intake: Intake, filename: str | None, mimetype: str | None, root: RetentionRoot
) -> Publication:
    """Take the last block in, and say what is to become visible.

    Raises InputError when a name is bad, else as `Intake.write`."""
    size = intake.received_bytes
    if filename is not None:
        check_filename(filename)
    if mimetype is not None:
        check_mimetype(mimetype)
    await intake.finish()
    tree_root, leaf_count = Publication.root_of(intake.staged, intake.batch)
    manifest = Manifest(
        tree_cid=tree_cid(tree_root),
        block_size=intake.block_size,
        dataset_size=size,
        filename=filename or None,
        mimetype=mimetype or None,
        protection=None,
    )
    data = encode_manifest(manifest)
    intake.reservation.cover(intake.pending_bytes + len(data))
    return Publication(
        tree_root=tree_root,
        leaf_count=leaf_count,
        manifest_bytes=data,
        manifest_digest=manifest_cid(data).digest,
        root=root,
        staged=intake.staged,
    )

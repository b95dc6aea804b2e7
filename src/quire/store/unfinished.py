"""Table `upload`: uploads that may be resumed, and those that were completed not long ago."""

from __future__ import annotations

from dataclasses import dataclass

from quire.store.rows import Rows

_COLUMNS = (
    "id, created, expires, block_size, length, position, tree, cid, filename, mimetype, headers"
)


@dataclass(frozen=True, slots=True)
class UploadRow:
    """One upload. Sizes in bytes, times in unix seconds."""

    id: str
    created_at: float
    expires_at: float
    block_size: int
    length: int | None  # None while it is not known
    position: int  # how much of it is durable
    tree_id: int | None
    cid: bytes | None  # digest of the manifest, once it is complete
    filename: str | None
    mimetype: str | None
    headers: str  # what the client wants to be told again, as it sent it

    @property
    def is_complete(self) -> bool:
        return self.cid is not None


class UploadTable:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, row: UploadRow) -> None:
        self._rows.run(
            "INSERT INTO upload VALUES (?, ?, ?, ?, ?, 0, NULL, NULL, ?, ?, ?, x'')",
            row.id,
            row.created_at,
            row.expires_at,
            row.block_size,
            row.length,
            row.filename,
            row.mimetype,
            row.headers,
        )

    def find(self, upload_id: str) -> UploadRow | None:
        row = self._rows.one(f"SELECT {_COLUMNS} FROM upload WHERE id = ?", upload_id)  # noqa: S608
        return None if row is None else UploadRow(*row)

    def tail(self, upload_id: str) -> bytes:
        """The bytes after the last whole block."""
        row = self._rows.one("SELECT tail FROM upload WHERE id = ?", upload_id)
        return b"" if row is None else bytes(row[0])

    def every(self) -> list[UploadRow]:
        """All uploads, oldest first."""
        found = self._rows.all(f"SELECT {_COLUMNS} FROM upload ORDER BY created, id")  # noqa: S608
        return [UploadRow(*row) for row in found]

    def advance(
        self, upload_id: str, position: int, tree_id: int | None, tail: bytes, expires_at: float
    ) -> bool:
        """More of it is durable; False when the upload is not there any more."""
        return self._rows.run(
            "UPDATE upload SET position = ?, tree = ?, tail = ?, expires = ? WHERE id = ?",
            position,
            tree_id,
            tail,
            expires_at,
            upload_id,
        ) == 1  # fmt: skip

    def complete(self, upload_id: str, length: int, cid: bytes, expires_at: float) -> None:
        """It has become a dataset."""
        self._rows.run(
            "UPDATE upload SET position = ?, length = ?, tree = NULL, tail = x'', cid = ?,"
            " expires = ? WHERE id = ?",
            length,
            length,
            cid,
            expires_at,
            upload_id,
        )

    def set_length(self, upload_id: str, length: int) -> None:
        self._rows.run("UPDATE upload SET length = ? WHERE id = ?", length, upload_id)

    def remove(self, upload_id: str) -> None:
        self._rows.run("DELETE FROM upload WHERE id = ?", upload_id)

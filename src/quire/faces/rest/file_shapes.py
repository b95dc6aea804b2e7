"""The JSON shapes of encrypted files."""

from __future__ import annotations

from quire.faces.rest.shape import Shape


class FileMade(Shape, frozen=True):
    """A content that was encrypted and stored. Whoever has `cap` can read it. Sizes in bytes: of
    the content, and of what is stored."""

    cap: str
    repair_cap: str
    verify_cap: str
    cid: str
    size: int
    stored_size: int

    def __repr__(self) -> str:
        return f"<encrypted file {self.cid}>"

"""The JSON shapes of signed values."""

from __future__ import annotations

from quire.faces.rest.shape import Shape


class PointerPut(Shape, frozen=True):
    """A value that is kept: here, and at `peers_keeping` of the `peers_asked` connected peers."""

    locator: str
    version: int
    peers_keeping: int
    peers_asked: int

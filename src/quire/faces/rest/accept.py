"""What an Accept header asks for (RFC 9110 12.5.1)."""

from __future__ import annotations


def preferred_type(accept: str) -> str:
    """The media type with the highest q; the first of equals, empty when there is none."""
    best, best_quality = "", -1.0
    for media_type, quality in _media_ranges(accept):
        if quality > best_quality:
            best, best_quality = media_type, quality
    return best


def asks_for(accept: str, media_type: str) -> bool:
    """Whether the header names this very type, and not with q=0."""
    return any(name == media_type and quality > 0 for name, quality in _media_ranges(accept))


def _media_ranges(accept: str) -> list[tuple[str, float]]:
    found = []
    for part in accept.split(","):
        media_type, *params = (piece.strip() for piece in part.split(";"))
        found.append((media_type.lower(), _quality(params)))
    return found


def _quality(params: list[str]) -> float:
    for param in params:
        name, _, value = param.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0

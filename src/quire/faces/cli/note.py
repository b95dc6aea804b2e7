"""The small files in which commands remember what they have begun: texts by their names, in JSON.

Anybody may have written such a file. What does not hold the text is as good as no file.
"""

from __future__ import annotations

import json


def encode_note(name: str, text: str, **more: str) -> bytes:
    return json.dumps({name: text} | more).encode()


def decode_note(data: bytes, name: str) -> str | None:
    """The text that was noted under `name`; None when these are other bytes."""
    try:
        found = json.loads(data)
        text = found[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return text if isinstance(text, str) else None

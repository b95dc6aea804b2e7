"""What a check of the surroundings found."""

from __future__ import annotations

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One check and how it went."""

    check: str
    state: Literal["ok", "warning", "problem"]
    message: str
    remedy: str = ""

"""The base of every JSON shape of the API."""

from __future__ import annotations

import msgspec


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Base: names are written in camelCase."""

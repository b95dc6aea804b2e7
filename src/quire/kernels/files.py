"""Positioned reads and writes that go past the page cache where the system allows it."""

from __future__ import annotations

from quire._core import read_file, write_file

__all__ = ["read_file", "write_file"]

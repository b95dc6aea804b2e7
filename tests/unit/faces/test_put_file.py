"""A file that is put under a key made of its content."""

from __future__ import annotations

import os
from typing import Any

import pytest

from quire.base.errors import InputError
from quire.faces.cli.put_file import Manner, Putting

MANNER = Manner(is_encrypted=True, secret=bytes(32), is_padded=True, takes_literals=False)


class NoClient:
    """Nothing may be sent."""

    async def put(self, *_: Any, **__: Any) -> str:
        raise AssertionError("something was sent")


async def test_a_file_that_changes_while_its_key_is_made_is_not_encrypted_under_it(tmp_path):
    path = tmp_path / "content"
    path.write_bytes(b"first " * 100)
    with path.open("rb") as source:
        putting = Putting(NoClient(), source, (None, None), lambda *_: None)
        read = source.read

        class Changing:
            fileno, seek = source.fileno, source.seek

            def read(self, size: int) -> bytes:
                found = read(size)
                path.write_bytes(b"other " * 100)
                os.utime(path, ns=(1, 1))
                return found

        putting._source = Changing()
        with pytest.raises(InputError, match="changed while it was read"):
            await putting.file(path, 600, MANNER, 1.0)

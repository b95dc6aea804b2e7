"""The client believes no manifest that its CID does not name."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from quire.base.errors import IntegrityError
from quire.faces.cli.verifier import Verifier
from quire.faces.client import Client
from quire.formats.cid import manifest_cid
from quire.formats.manifest import decode_manifest
from support.protected import protect

MADE = protect(37, 4, 2)
RIGHT = MADE.manifest
MANIFEST = decode_manifest(RIGHT)


async def told(body: bytes, cid_of: bytes) -> object:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/api/quire/v1/datasets/{cid}/manifest", answer)
    async with TestServer(app) as server, Client(str(server.make_url("/"))) as client:
        return await client.manifest(manifest_cid(cid_of))


async def test_a_manifest_that_the_cid_names_is_taken() -> None:
    assert await told(RIGHT, RIGHT) == MANIFEST


@pytest.mark.parametrize("sent", [b"", RIGHT[:-1], RIGHT + b"\0", b"rubbish"])
async def test_any_other_is_refused(sent: bytes) -> None:
    with pytest.raises(IntegrityError, match="another dataset"):
        await told(sent, RIGHT)


async def test_what_is_no_manifest_is_refused_whatever_its_cid() -> None:
    with pytest.raises(IntegrityError, match="is not valid"):
        await told(b"rubbish", b"rubbish")


def test_the_bytes_of_a_protected_dataset_are_checked_against_the_tree_of_the_original() -> None:
    cid = manifest_cid(RIGHT)
    good = Verifier(cid, MANIFEST)
    good.add(MADE.data)
    good.finish()
    for wrong in (MADE.data[:-1], MADE.data + b"x", bytes([MADE.data[0] ^ 1]) + MADE.data[1:]):
        bad = Verifier(cid, MANIFEST)
        bad.add(wrong)
        with pytest.raises(IntegrityError):
            bad.finish()

"""quire.Client: contents in and out, by capability and by CID, from every kind of source."""

import random

import pytest

import quire
from quire.base.errors import (
    BadCap,
    BadCid,
    InputError,
    IntegrityError,
    NodeUnreachable,
    NotFound,
    UnknownDataset,
    WrongKey,
)
from quire.faces.keyring import Keyring
from quire.formats.cap import LiteralCap, ReadCap
from support.live import live_node

DATA = random.Random(3).randbytes(300_000)


async def joined(pieces):
    return b"".join([piece async for piece in pieces])


async def in_pieces():
    for begin in range(0, len(DATA), 33_333):
        yield DATA[begin : begin + 33_333]


@pytest.fixture
def sources(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    return {"path": path, "text": str(path), "bytes": DATA, "pieces": in_pieces()}


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "pieces"])
@pytest.mark.parametrize("encrypt", ["random", "none"])
async def test_contents_of_every_kind_come_back(tmp_path, sources, kind, encrypt):
    async with live_node(tmp_path / "node") as (_, url), quire.Client(url) as client:
        caps = await client.put(sources[kind], encrypt=encrypt)
        target = caps.cid if encrypt == "none" else caps.read
        assert await joined(client.get(target)) == DATA
        assert await joined(client.get(str(target.text if caps.read else target))) == DATA
        assert await joined(client.get(target, start=65_000, end=131_500)) == DATA[65_000:131_500]
        assert await joined(client.get(target, start=5, end=5)) == b""
        remote = await client.open(target)
        named = "a.bin" if kind in ("path", "text") else None
        assert (remote.size, remote.name) == (300_000, named)
        with pytest.raises(InputError):
            await joined(client.get(target, start=0, end=300_001))


async def test_equal_contents_are_one_dataset_under_a_key_ring(tmp_path):
    ring = Keyring.create(tmp_path / "ring")
    async with live_node(tmp_path / "node") as (node, url):
        async with quire.Client(url, keyring=ring.path) as client:
            one = await client.put(DATA, encrypt="convergent", name="a")
            two = await client.put(DATA, encrypt="convergent", name="b")
            assert one == two
            assert len(await node.store.datasets()) == 1
            assert await joined(client.get(one.read)) == DATA
            with pytest.raises(InputError):
                await client.put(in_pieces(), encrypt="convergent")
        async with quire.Client(url, keyring=tmp_path / "nowhere") as client:
            with pytest.raises(NotFound):
                await client.put(DATA, encrypt="convergent")


async def test_what_cannot_be_read_is_refused_by_name(tmp_path):
    async with live_node(tmp_path / "node") as (_, url), quire.Client(url) as client:
        caps = await client.put(DATA)
        read = caps.read
        wrong = ReadCap(read.suite, read.flags, read.cid, bytes(32))
        gone = ReadCap(read.suite, read.flags, type(read.cid).parse(GONE), read.file_key)
        for target, error in (
            (wrong, WrongKey),
            (caps.repair, BadCap),
            (caps.verify, BadCap),
            (read.text[:-1], BadCap),
            ("zDvnonsense", BadCid),
            (gone, UnknownDataset),
        ):
            with pytest.raises(error):
                await joined(client.get(target, timeout_seconds=0.3))
        assert await joined(client.get(LiteralCap(b"hello").text, start=1)) == b"ello"
        with pytest.raises(InputError):
            await client.put(DATA, encrypt="rot13")
        with pytest.raises(InputError):
            await client.put(tmp_path / "nothing")


GONE = "zDvZRwzmDVNWU1125VzSjro9c7jtZPjWev2fbBD9wNAJcM8PVLTg"


async def test_nobody_at_the_url_is_told():
    async with quire.Client("http://127.0.0.1:1") as client:
        with pytest.raises(NodeUnreachable):
            await client.put(DATA)


def test_the_package_has_a_client_and_no_other_names():
    with pytest.raises(AttributeError):
        _ = quire.Server


async def test_a_network_of_other_blocks_holds_encrypted_files_too(tmp_path):
    """Records are blocks of 65 536 bytes wherever they are stored."""
    async with live_node(tmp_path / "node", profile="promethei") as (node, url):
        assert node.profile.block_size == 131_072
        async with quire.Client(url) as client:
            caps = await client.put(DATA)
            assert await joined(client.get(caps.read)) == DATA
            plain = await client.put(DATA, encrypt="none")
            cap = ReadCap(caps.read.suite, caps.read.flags, plain.cid, caps.read.file_key)
            with pytest.raises(IntegrityError, match="131072"):
                await joined(client.get(cap))
            upload = await client.node.begin_upload(len(DATA), block_size=65_536)
            state = await client.node.send(upload, 0, in_pieces(), len(DATA))
            manifest = await client.node.manifest(type(plain.cid).parse(state.cid))
            assert manifest.block_size == 65_536

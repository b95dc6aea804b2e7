"""Directories over REST: paths, listings, pages, tar streams, making them, and refusals."""

import hashlib
import io
import json
import random
import tarfile

import pytest

from quire.formats.cid import block_cid
from quire.formats.directory import MEDIA_TYPE
from quire.kernels.hashing import verify_range
from quire.store.dataset import RetentionRoot
from support.http import send
from support.live import live_node, memory_network
from support.trees import MTIME, a_directory, a_link, directory_bytes, member, tar_bytes
from support.vectors import load

CODEX, QUIRE = "/api/codex/v1", "/api/quire/v1"
BIG = random.Random(1).randbytes((1 << 20) + 7)
FILES = {
    "a.txt": b"first",
    "dir/é <b>.html": b"<script>alert(1)</script>",
    "dir/sub/big.bin": BIG,
    "empty": b"",
}
TREE = directory_bytes(FILES, a_directory("dir", 0o750), a_link("link", "dir/sub"))


async def store(url, data=TREE, mimetype=MEDIA_TYPE):
    reply = await send(url, "POST", f"{CODEX}/data", {"Content-Type": mimetype}, data)
    assert reply.status == 200, reply.text
    return reply.text


async def make(url, body, mimetype="application/json", **headers):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Type": mimetype} | headers
    return await send(url, "POST", f"{QUIRE}/directories", named, body)


async def test_a_file_in_a_directory_is_downloaded_like_a_dataset(tmp_path):
    async with live_node(tmp_path) as (_, url):
        base = f"{QUIRE}/data/{await store(url)}/path"
        whole = await send(url, "GET", f"{base}/dir/sub/big.bin")
        assert (whole.status, whole.body) == (200, BIG)
        tag = whole.headers["etag"]
        assert tag == f'"{hashlib.sha256(BIG).hexdigest()}"'
        part = await send(url, "GET", f"{base}/dir/sub/big.bin", {"Range": "bytes=70000-1048580"})
        assert (part.status, part.body) == (206, BIG[70000:1048581])
        head = await send(url, "HEAD", f"{base}/dir/sub/big.bin")
        assert (head.status, head.headers["content-length"]) == (200, str(len(BIG)))
        same = await send(url, "GET", f"{base}/dir/sub/big.bin", {"If-None-Match": tag})
        assert same.status == 304
        assert (await send(url, "GET", f"{base}/empty")).body == b""
        page = await send(url, "GET", f"{base}/dir/%C3%A9%20%3Cb%3E.html")
        assert page.body == FILES["dir/é <b>.html"]
        assert "sandbox" in page.headers["content-security-policy"]
        assert page.headers["content-disposition"].startswith("attachment")


async def test_a_name_with_a_line_end_is_found(tmp_path):
    tree = directory_bytes({"a\nb.txt": b"two lines"})
    async with live_node(tmp_path) as (_, url):
        base = f"{CODEX}/data/{await store(url, tree)}/path"
        found = await send(url, "GET", f"{base}/a%0Ab.txt")
        assert (found.status, found.body) == (200, b"two lines")
        missing = await send(url, "GET", f"{base}/a%0A")
        assert (missing.status, missing.body != b"") == (404, True)


async def test_a_listing_comes_whole_or_in_parts(tmp_path):
    async with live_node(tmp_path) as (_, url):
        base = f"{QUIRE}/data/{await store(url)}/list"

        async def listing(query=""):
            reply = await send(url, "GET", base + query)
            assert reply.status == 200, reply.text
            return json.loads(reply.body)

        top = await listing()
        assert [e["path"] for e in top["entries"]] == ["a.txt", "dir", "empty", "link"]
        assert (top["totalEntries"], top["next"]) == (7, None)
        by_path = {e["path"]: e for e in top["entries"]}
        assert by_path["dir"] | {"kind": "directory", "mode": 0o750} == by_path["dir"]
        assert by_path["link"]["target"] == "dir/sub"
        assert by_path["a.txt"]["mtimeNs"] == MTIME
        everything = (await listing("?recursive=1"))["entries"]
        parts, after = [], ""
        while after is not None:
            part = await listing(f"?recursive=1&limit=2&after={after.replace(' ', '%20')}")
            parts += part["entries"]
            after = part["next"]
        assert parts == everything
        levels, after = [], ""
        while after is not None:
            part = await listing(f"?limit=1&after={after}")
            levels += part["entries"]
            after = part["next"]
        assert levels == top["entries"]
        assert [e["path"] for e in (await listing("?path=dir"))["entries"]] == [
            "dir/sub",
            "dir/é <b>.html",
        ]


async def test_a_browser_gets_a_page_with_every_name_escaped(tmp_path):
    async with live_node(tmp_path) as (_, url):
        cid = await store(url)
        reply = await send(
            url, "GET", f"{CODEX}/data/{cid}/path/dir/", {"Accept": "text/html,*/*;q=0.5"}
        )
        assert reply.headers["content-type"].startswith("text/html")
        assert "é &lt;b&gt;.html" in reply.text
        assert "<b>" not in reply.text
        assert f'href="{CODEX}/data/{cid}/path/dir/%C3%A9%20%3Cb%3E.html"' in reply.text
        plain = await send(url, "GET", f"{CODEX}/data/{cid}/path/dir")
        assert plain.headers["content-type"] == "application/json"


@pytest.mark.parametrize("how", [{"Accept": "application/x-tar"}, None])
async def test_a_tar_stream_has_sizes_modes_and_times(tmp_path, how):
    async with live_node(tmp_path) as (_, url):
        path = f"{QUIRE}/data/{await store(url)}/path/"
        reply = await send(url, "GET", path + ("" if how else "?format=tar"), how)
        assert reply.headers["content-type"] == "application/x-tar"
        assert len(reply.body) == int(reply.headers["content-length"])
        with tarfile.open(fileobj=io.BytesIO(reply.body)) as tar:
            assert sorted(tar.getnames()) == sorted([*FILES, "dir", "dir/sub", "link"])
            for name, data in FILES.items():
                info = tar.getmember(name)
                assert tar.extractfile(info).read() == data
                assert (info.mode, info.pax_headers["mtime"]) == (0o640, "1700000000.123456789")
            assert tar.getmember("link").linkname == "dir/sub"
        below = await send(url, "GET", path + "dir/sub?format=tar")
        with tarfile.open(fileobj=io.BytesIO(below.body)) as tar:
            assert tar.getnames() == ["dir/sub", "dir/sub/big.bin"]


async def test_another_node_reads_a_path_without_the_rest(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "a", network) as (_, url_a),
        live_node(tmp_path / "b", network) as (b, url_b),
    ):
        cid = await store(url_a, directory_bytes({**FILES, "zzz": BIG * 3}))
        spr = json.loads((await send(url_a, "GET", f"{CODEX}/debug/info")).body)
        peer, address = spr["id"], spr["addrs"][0]
        connected = await send(url_b, "GET", f"{CODEX}/connect/{peer}?addrs={address}")
        assert connected.status == 200, connected.text
        reply = await send(url_b, "GET", f"{QUIRE}/data/{cid}/path/a.txt")
        assert (reply.status, reply.body) == (200, b"first")
        [dataset] = await b.store.datasets()
        assert 0 < dataset.present_count < 8
        tar = await send(url_b, "GET", f"{QUIRE}/data/{cid}/path/?format=tar")
        with tarfile.open(fileobj=io.BytesIO(tar.body)) as found:
            assert found.extractfile("zzz").read() == BIG * 3


async def test_a_plain_node_sees_an_ordinary_dataset_that_tar_can_read(tmp_path):
    async with live_node(tmp_path) as (_, url):
        cid = await store(url)
        listed = json.loads((await send(url, "GET", f"{CODEX}/data")).body)["content"]
        assert [item["cid"] for item in listed] == [cid]
        assert listed[0]["manifest"]["mimetype"] == MEDIA_TYPE
        raw = (await send(url, "GET", f"{CODEX}/data/{cid}")).body
        assert raw == TREE
        with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
            assert tar.extractfile("dir/sub/big.bin").read() == BIG
        assert (await send(url, "DELETE", f"{CODEX}/data/{cid}")).status == 204
        assert json.loads((await send(url, "GET", f"{CODEX}/data")).body)["content"] == []


async def test_a_directory_is_made_of_datasets_and_outlives_them(tmp_path):
    async with live_node(tmp_path) as (node, url):
        cids = {name: await store(url, data, "text/plain") for name, data in FILES.items() if data}
        before = node.store.space().quota_used_bytes
        entries = [{"path": "/" + n.replace("/", "\\"), "cid": cid} for n, cid in cids.items()]
        entries[0] |= {"mode": 0o600, "mtimeNs": MTIME, "size": 5, "mimetype": "text/csv"}
        reply = await make(url, {"entries": [*entries, {"path": "l", "target": "a.txt"}]})
        assert reply.status == 201, reply.text
        made = json.loads(reply.body)
        # The whole blocks of the large file are there once.
        assert node.store.space().quota_used_bytes - before < 4 * 65_536
        for cid in cids.values():
            await send(url, "DELETE", f"{CODEX}/data/{cid}")
        for name in cids:
            path = f"{QUIRE}/data/{made['cid']}/path/{name}"
            got = await send(url, "GET", path.replace("é <b>", "%C3%A9%20%3Cb%3E"))
            assert got.body == FILES[name]
        first = json.loads((await send(url, "GET", f"{QUIRE}/data/{made['cid']}/list")).body)
        assert first["entries"][0]["mimetype"] == "text/csv"
        assert first["entries"][0]["mode"] == 0o600


@pytest.mark.parametrize("path", ["..", "a/../b", "a/..", "", "a//b", "a/./b", "a\0b", "x" * 300])
async def test_a_path_that_is_none_is_400_and_nothing_is_kept(tmp_path, path):
    async with live_node(tmp_path) as (node, url):
        cid = await store(url, b"data", "text/plain")
        reply = await make(url, {"entries": [{"path": path, "cid": cid}]})
        assert reply.status == 400, reply.text
        assert len(await node.store.datasets()) == 1


@pytest.mark.parametrize(
    "entries",
    [
        [{"path": "a"}, {"path": "a"}],
        [{"path": "a", "target": "t"}, {"path": "a/b"}],
        [{"path": "a", "mode": 0o4755}],
        [{"path": "a", "target": ""}],
        [{"path": "a", "cid": "nonsense"}],
        [{"path": 1}],
        "none",
    ],
)
async def test_entries_that_exclude_each_other_are_400(tmp_path, entries):
    async with live_node(tmp_path) as (node, url):
        reply = await make(url, {"entries": entries})
        assert reply.status == 400, reply.text
        assert await node.store.datasets() == []


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
async def test_a_tar_stream_becomes_a_directory(tmp_path, form):
    deep = "d" * 60 + "/" + "e" * 70 + ".txt"
    body = tar_bytes(
        member("./", kind=tarfile.DIRTYPE),
        member("./z.txt", b"last"),
        member("./dir/", kind=tarfile.DIRTYPE),
        member(deep, BIG),
        member("dir/link", kind=tarfile.SYMTYPE, target="../z.txt"),
        member("dir/hard", kind=tarfile.LNKTYPE, target="./z.txt"),
        form=form,
    )
    async with live_node(tmp_path) as (_, url):
        reply = await make(url, body, "application/x-tar")
        assert reply.status == 201, reply.text
        made = json.loads(reply.body)
        assert (made["entries"], made["bytes"]) == (6, len(BIG) + 8)
        base = f"{QUIRE}/data/{made['cid']}/path"
        assert (await send(url, "GET", f"{base}/{deep}")).body == BIG
        assert (await send(url, "GET", f"{base}/dir/hard")).body == b"last"
        assert json.loads((await send(url, "GET", f"{base}/dir/link")).body)["target"] == "../z.txt"


def sparse():
    info, _ = member("sparse")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": "99999999999"}
    return info, b""


@pytest.mark.parametrize(
    ("said", "members"),
    [
        ("absolute", [member("/etc/passwd", b"x")]),
        ("'..'", [member("a/../../b", b"x")]),
        ("hard link", [member("a", kind=tarfile.LNKTYPE, target="b")]),
        ("absolute", [member("a", kind=tarfile.LNKTYPE, target="/etc/passwd")]),
        ("device", [member("null", kind=tarfile.CHRTYPE)]),
        ("pipe", [member("pipe", kind=tarfile.FIFOTYPE)]),
        ("sparse", [sparse()]),
        ("twice", [member("a", b"1"), member("a", b"2")]),
        ("no directory", [member("a", b"1"), member("a/b", b"2")]),
        ("no directory", [member("a/b", b"1"), member("a", b"2")]),
        ("no directory", [member("a", kind=tarfile.SYMTYPE, target="/"), member("a/b", b"2")]),
    ],
)
async def test_a_hostile_tar_is_refused_in_words_and_nothing_is_kept(tmp_path, said, members):
    async with live_node(tmp_path) as (node, url):
        reply = await make(url, tar_bytes(*members), "application/x-tar")
        assert reply.status == 400, reply.text
        assert said in json.loads(reply.body)["message"]
        assert await node.store.datasets() == []
        await node.store.reclaimed()
        assert node.store.space().quota_used_bytes == 0


@pytest.mark.parametrize("cut", [1, 511, 700, 1 << 20, -1024])
async def test_a_tar_that_is_cut_short_is_refused(tmp_path, cut):
    body = tar_bytes(member("a", BIG), form=tarfile.USTAR_FORMAT)[: 512 + len(BIG) + 1017 - 512]
    async with live_node(tmp_path) as (node, url):
        reply = await make(url, body[:cut], "application/x-tar")
        assert reply.status == 400, reply.text
        assert await node.store.datasets() == []


async def test_other_bodies_and_other_datasets_are_refused(tmp_path):
    async with live_node(tmp_path) as (_, url):
        assert (await make(url, b"x", "text/plain")).status == 400
        assert (await make(url, b"\xff" * 2000, "application/x-tar")).status == 400
        cid = await store(url, b"no directory", "text/plain")
        assert (await send(url, "GET", f"{QUIRE}/data/{cid}/list")).status == 409
        liar = await store(url, b"a dataset that calls itself a directory" * 9)
        reply = await send(url, "GET", f"{QUIRE}/data/{liar}/path/a")
        assert (reply.status, json.loads(reply.body)["code"]) == (409, "not-a-directory")
        tree = await store(url)
        for path in ("nothing", "a.txt/b", "dir/sub/big"):
            assert (await send(url, "GET", f"{QUIRE}/data/{tree}/path/{path}")).status == 404
        assert (await send(url, "GET", f"{QUIRE}/data/{tree}/path/..%2F..")).status in (400, 404)
        assert (await send(url, "GET", f"{QUIRE}/data/{tree}/list?limit=0")).status == 400
        assert (await send(url, "GET", f"{QUIRE}/data/{tree}/path/?format=zip")).status == 400


async def test_blocks_come_with_a_proof_that_holds(tmp_path):
    async with live_node(tmp_path) as (node, url):
        cid = await store(url)
        reply = await send(url, "GET", f"{QUIRE}/datasets/{cid}/blocks?start=3&count=5")
        cut = int(reply.headers["quire-proof-bytes"])
        [dataset] = await node.store.datasets()
        proof, data = reply.body[:cut], reply.body[cut:]
        held = verify_range(data, 65_536, 3, dataset.block_count, proof, dataset.tree_root)
        assert held is not None
        assert data == TREE[3 * 65_536 : 8 * 65_536]
        for query in ("start=99999", "count=0", "count=1000", "start=-1", "start=x"):
            path = f"{QUIRE}/datasets/{cid}/blocks?{query}"
            assert (await send(url, "GET", path)).status == 400


@pytest.mark.parametrize("kind", ["manifest", "block"])
async def test_a_foreign_directory_is_listed(tmp_path, kind):
    rows = [row for row in load("directory_listed.json")["accept"] if row["kind"] == kind]
    data = bytes.fromhex(rows[0]["hex"])
    async with live_node(tmp_path) as (node, url):
        if kind == "manifest":
            dataset = await node.store.put_manifest(data, RetentionRoot("pin", "", None))
            cid = dataset.manifest_cid
        else:
            cid = block_cid(hashlib.sha256(data).digest())
            node.store.read_block = lambda _cid: given(data)
        reply = await send(url, "GET", f"{QUIRE}/data/{cid}/list")
        assert reply.status == 200, reply.text
        entries = json.loads(reply.body)["entries"]
        assert [[e["path"], e["cid"]] for e in entries] == rows[0]["entries"]


async def given(data):
    return data


async def test_a_block_that_is_no_directory_is_refused(tmp_path):
    async with live_node(tmp_path) as (node, url):
        await store(url, b"some block", "text/plain")
        [dataset] = await node.store.datasets()
        block = await node.store.read_range(dataset.tree_root, 0, 1)
        cid = block_cid(hashlib.sha256(block).digest())
        assert (await send(url, "GET", f"{QUIRE}/data/{cid}/list")).status == 409

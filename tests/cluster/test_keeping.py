"""Pins, names, times to live, collection and checks on the command line of a real node."""

import pytest

from quire.faces.local import LocalNode
from support.command import quire


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    directory = tmp_path_factory.mktemp("keeping") / "node"
    with LocalNode(directory, arguments=["--storage-quota", "64m"]) as node:
        yield node


def put(node, tmp_path, content):
    path = tmp_path / "file.bin"
    path.write_bytes(content)
    return quire("put", "--plain", str(path), api=node.api).out.decode().strip()


def test_will_my_file_still_be_here_next_year(node, tmp_path):
    cid = put(node, tmp_path, b"next year")
    assert b"kept until" in quire("why-kept", cid, api=node.api).out
    assert b"for ever" in quire("pin", cid, api=node.api).out
    assert "for ever" in quire("ls", api=node.api).out.decode()
    assert quire("pin", cid, "--for", "2d", "--json", api=node.api).json["kept"]
    assert b"kept until" in quire("unpin", cid, api=node.api).out
    assert b"for ever" in quire("ttl", cid, "0", api=node.api).out
    assert quire("ttl", cid, "soon", api=node.api).code == 2


def test_a_name_stands_for_the_cid_wherever_one_is_expected(node, tmp_path):
    one, two = put(node, tmp_path, b"one"), put(node, tmp_path, b"two")
    assert quire("name", "latest", one, api=node.api).code == 0
    assert quire("get", "@latest", api=node.api).out == b"one"
    assert one in quire("name", "latest", two, api=node.api).out.decode()
    assert quire("get", "@latest", api=node.api).out == b"two"
    assert quire("stat", "@latest", "--json", api=node.api).json["cid"] == two
    assert quire("why-kept", "@latest", "--json", api=node.api).json["keptUntil"] is None
    assert quire("names", api=node.api).out.decode() == f"{two}  @latest\n"
    assert quire("unname", "@latest", api=node.api).out.decode().strip() == two
    assert quire("get", "@latest", api=node.api).code == 3


def test_a_dry_run_shows_what_a_collection_takes(node, tmp_path):
    cid = put(node, tmp_path, b"short-lived" * 10_000)
    quire("ttl", cid, "0.001", api=node.api)
    dry = quire("collect", "--dry-run", "--json", api=node.api).json
    assert [each["cid"] for each in dry["datasets"]] == [cid]
    assert dry["freedBytes"] > 100_000
    assert quire("stat", cid, api=node.api).code == 0
    assert quire("collect", "--json", api=node.api).json["deleted"] == 1
    assert quire("stat", cid, api=node.api).code == 3
    assert b"quota" in quire("why-full", api=node.api).out


def test_fsck_online_offline_and_of_a_directory_in_use(tmp_path):
    directory = tmp_path / "node"
    with LocalNode(directory) as node:
        cid = put(node, tmp_path, bytes(range(256)) * 1000)
        found = quire("fsck", "--json", api=node.api)
        assert (found.code, found.json["state"], found.json["good"]) == (0, "done", True)
        assert quire("fsck", "--data-dir", str(directory)).code == 7
        assert b"state" in quire("scrub", api=node.api).out
    assert quire("fsck", "--data-dir", str(directory)).code == 0
    (pack,) = (directory / "store" / "packs").glob("pack-*")
    pack.write_bytes(b"")
    found = quire("fsck", "--data-dir", str(directory))
    assert found.code == 6
    assert f"lost: {cid} file.bin: bytes 0 to 255999" in found.out.decode()

"""Announcing, withdrawing, and coming back to peers after a restart; with real nodes."""

import json

from quire.faces.local import LocalNode
from support.cluster import CODEX, ask, call, put, until
from support.command import quire


def connected(node):
    return {peer["peerId"] for peer in ask(node, "/peers")["peers"]}


def announced(node):
    status = ask(node, "/status")["announce"]
    return status["published"] if not status["queued"] and not status["failed"] else -1


def providers(node, cid):
    return ask(node, f"/datasets/{cid}/why")["providers"]


def test_a_node_is_found_while_it_has_it_and_not_after(tmp_path):
    with (
        LocalNode(tmp_path / "hub") as hub,
        LocalNode(tmp_path / "has", bootstrap=[hub.address]) as has,
    ):
        until(lambda: hub.peer_id in connected(has))
        cid = put(has, b"worth announcing")
        until(lambda: announced(has) == 2, "not announced")
        with LocalNode(tmp_path / "asks", bootstrap=[hub.address]) as asks:
            until(lambda: hub.peer_id in connected(asks))
            until(lambda: providers(asks, cid) == [has.peer_id], "not found")
        assert call(has, "DELETE", f"{CODEX}/data/{cid}")[0] == 204
        until(lambda: announced(has) == 0, "not withdrawn")
        assert "do not offer it" in quire("why", cid, api=has.api).out.decode()
        with LocalNode(tmp_path / "late", bootstrap=[has.address]) as late:
            until(lambda: has.peer_id in connected(late))
            done = quire("get", cid, "--timeout", "2s", api=late.api)
            assert done.code == 3
            assert cid in done.err


def test_after_a_restart_it_is_announced_again_and_peers_are_remembered(tmp_path):
    with LocalNode(tmp_path / "hub") as hub:
        with LocalNode(tmp_path / "has", bootstrap=[hub.address]) as has:
            until(lambda: hub.peer_id in connected(has))
            cid = put(has, b"worth announcing again")
        book = json.loads((tmp_path / "has" / "peers.json").read_text())
        assert hub.peer_id in json.dumps(book)
        with LocalNode(tmp_path / "has") as has:  # no --bootstrap this time
            until(lambda: hub.peer_id in connected(has), "it did not come back")
            until(lambda: announced(has) == 2, "not announced again")
            assert "is announced" in quire("why", cid, api=has.api).out.decode()
            with LocalNode(tmp_path / "asks", bootstrap=[hub.address]) as asks:
                got = quire("get", cid, api=asks.api)
                assert got.out == b"worth announcing again"


def test_peers_are_remembered_by_a_node_that_was_killed(tmp_path):
    with LocalNode(tmp_path / "hub") as hub:
        with LocalNode(tmp_path / "node", bootstrap=[hub.address]) as node:
            until(lambda: hub.peer_id in connected(node))
            book = tmp_path / "node" / "peers.json"
            until(lambda: book.exists() and hub.peer_id in book.read_text(), "not written")
            node.kill()
        with LocalNode(tmp_path / "node") as node:
            until(lambda: hub.peer_id in connected(node), "it did not come back")


def test_the_signed_record_that_id_prints_is_enough_to_join(tmp_path):
    with LocalNode(tmp_path / "one") as one:
        record = quire("id", "--json", api=one.api).json["spr"]
        assert record.startswith("spr:")
        assert f"\n{record[:60]}" in quire("id", api=one.api).out.decode()  # signed anew
        with LocalNode(tmp_path / "two", bootstrap=[record]) as two:
            until(lambda: one.peer_id in connected(two))
    done = quire("node", "--data-dir", str(tmp_path / "n"), "--bootstrap", record[:-5] + "AAAAA")
    assert done.code == 2
    assert "not the address of a peer" in done.err

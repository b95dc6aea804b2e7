"""What `quire top` makes of the node's answers."""

from __future__ import annotations

import copy
import io

from rich.console import Console

from quire.faces.cli.top_view import MOST_ROWS, Rates, short, view

PEER = {
    "peerId": "16Uiu2HAkwK5xNrGuspxGNgwBCDYCYu9FomNLBec8qunSE1k46aKK",
    "address": "/ip4/127.0.0.1/tcp/4001",
    "outgoing": True,
    "since": 0.0,
    "agent": "Quire",
    "protocols": [],
    "sentBytes": 1000,
    "receivedBytes": 2000,
}
FOUND = {
    "status": {
        "version": "0.1.0",
        "profile": "quire",
        "peerId": "16Uiu2HAm1",
        "uptimeSeconds": 61.0,
        "peers": 1,
        "space": {"quotaUsedBytes": 1 << 20, "quotaMaxBytes": 1 << 30},
        "announce": {"queued": 0, "published": 2, "failed": 0},
        "loopLag": {"p50Ms": 0.1, "p99Ms": 3.0},
        "fetches": [
            {
                "cid": "zDvZRwzm" + "a" * 44,
                "state": "fetching",
                "verifiedBytes": 1 << 20,
                "totalBytes": 4 << 20,
                "rateBytesPerSecond": 1e6,
                "etaSeconds": 3.0,
                "peers": {"x": 1},
                "reason": "1 MiB asked of 1 peers",
            }
        ],
        "protections": [
            {
                "cid": "zDvZRwzm" + "b" * 44,
                "k": 4,
                "m": 2,
                "verifiedBytes": 1 << 20,
                "totalBytes": 4 << 20,
                "reason": "column 5 of 9 is coded",
            }
        ],
        "uploads": [],
        "downloads": [
            {"id": 4, "subject": "zDv1", "doneBytes": 10, "totalBytes": 100, "seconds": 1.0}
        ],
        "exchange": {
            "peers": [
                {"peer": PEER["peerId"], "rttSeconds": 0.02, "openRequests": 3, "timeouts": 1}
            ]
        },
        "waits": [],
    },
    "peers": {"peers": [PEER], "banned": []},
}


def shown(found, rates=None):
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(view(found, rates or Rates()))
    return console.file.getvalue()


def test_the_screen_shows_transfers_peers_and_that_nothing_is_waited_for():
    text = shown(FOUND)
    assert "fetch" in text
    assert "1.0 MiB of 4.0 MiB" in text
    assert "█████░" in text
    assert "20.0 ms" in text
    assert "waits: nothing is waited for" in text


def test_rates_come_from_two_looks():
    rates, later = Rates(), copy.deepcopy(FOUND)
    rates.update(FOUND, 10.0)
    later["peers"]["peers"][0]["receivedBytes"] += 4000
    later["status"]["downloads"][0]["doneBytes"] += 50
    later["status"]["downloads"].append(
        {"id": 5, "subject": "zDv2", "doneBytes": 70, "totalBytes": None, "seconds": 0.1}
    )
    rates.update(later, 12.0)
    assert rates.of(f"{PEER['peerId']} in") == 2000
    assert rates.of("downloads 4") == 25
    assert rates.of("downloads 5") == 0
    assert "2 s" in shown(later, rates) or "1.6 s" in shown(later, rates)


def test_what_a_peer_calls_itself_cannot_paint_the_terminal():
    found = copy.deepcopy(FOUND)
    found["peers"]["peers"][0]["agent"] = "[red]x[/red]\x1b[2Jy\nz"
    text = shown(found)
    assert "\x1b" not in text
    assert "[red]x[/red]?[2Jy?z" in text


def test_long_lists_are_cut_and_counted():
    found = copy.deepcopy(FOUND)
    found["peers"]["peers"] = [{**PEER, "agent": f"agent{n:02}"} for n in range(MOST_ROWS + 5)]
    text = shown(found)
    assert text.count("agent0") + text.count("agent1") == MOST_ROWS
    assert "and 5 more" in text


def test_names_are_shortened_as_in_the_logs_of_the_family():
    assert short("zDvZRwzm" + "a" * 38 + "bcdefg") == "zDv*bcdefg"
    assert short("notes.txt") == "notes.txt"

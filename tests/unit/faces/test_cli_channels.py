"""What `quire channels --watch` tells: each line once, until it changes."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner

from quire.faces.cli import channels
from quire.faces.cli.main import Context

PAYEE, PAYER = "0x" + "11" * 20, "0x" + "22" * 20

EARNED = "billed 1,320, received 1,300, unclaimed 300, due 20"


def listed(promised: int, *, trouble: str | None = None) -> dict:
    paid = {
        "payee": PAYEE,
        "state": "open",
        "words": f"{promised} of 600 tokens are promised",
        "claimed": "0",
        "room": str(600 - promised),
        "waitsFor": None,
        "trouble": None,
    }
    earning = {
        "payer": PAYER,
        "billed": "1320",
        "received": "1300",
        "unclaimed": "300",
        "due": "20",
        "closeAt": 1_800_000_000,
    }
    return {
        "account": "0xme",
        "hub": "0xhub",
        "chainId": 31337,
        "balance": None if trouble else "1200",
        "tokens": None if trouble else "5",
        "trouble": trouble,
        "paid": [paid],
        "earning": [earning],
    }


class Node:
    """Answers with one list after the other, then the user has seen enough."""

    def __init__(self, answers: list[dict]) -> None:
        self.answers = answers

    async def json(self, method: str, path: str) -> dict:
        assert (method, path) == ("GET", "/channels")
        if not self.answers:
            raise KeyboardInterrupt
        return self.answers.pop(0)


@pytest.fixture
def watch(monkeypatch):
    def run(answers, *arguments):
        node = Node(answers)
        monkeypatch.setattr(channels, "POLL_SECONDS", 0.0)
        monkeypatch.setattr(channels, "with_client", lambda _, call: asyncio.run(call(node)))
        context = Context("http://127.0.0.1:1", None)
        done = CliRunner().invoke(channels.channels_command, ["--watch", *arguments], obj=context)
        return done.output.splitlines()

    return run


def test_only_what_changes_is_told_again(watch):
    lines = watch([listed(100), listed(100), listed(200), listed(200, trouble="no answer")])
    lines = [line for line in lines if line and line != "Aborted!"]
    assert lines == [
        "account 0xme, hub 0xhub on chain 31337",
        "1,200 tokens in the hub, 5 in the wallet",
        f"to   {PAYEE}  open: 100 of 600 tokens are promised; claimed 0, room for 500",
        f"from {PAYER}  {EARNED}, closes 2027-01-15 08:00 UTC",
        f"to   {PAYEE}  open: 200 of 600 tokens are promised; claimed 0, room for 400",
        "as it was known last: no answer",
    ]


def test_as_json_each_change_is_one_line(watch):
    lines = watch([listed(100), listed(100), listed(200)], "--json")
    found = [json.loads(line) for line in lines if line.startswith("{")]
    assert [each["paid"][0]["room"] for each in found] == ["500", "400"]

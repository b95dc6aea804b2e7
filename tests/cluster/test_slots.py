"""Slots with real processes: what hosts hold outlives the owner, and passes from host to host."""

import random

from quire.faces.local import LocalNode
from support.command import quire

SIZE = 6 * 1024 * 1024 + 77


def take(node, cid, slot):
    command = ("slot", "take", cid, "--slot", str(slot), "--json", "--timeout", "30s")
    taken = quire(*command, api=node.api)
    assert taken.code == 0, taken.err
    assert taken.json["state"] == "held"
    assert taken.json["verifiedBytes"] == taken.json["totalBytes"]
    return taken.json


def test_two_slots_of_three_outlive_the_owner_and_one_passes_on(tmp_path):
    data = random.Random(6).randbytes(SIZE)
    with (
        LocalNode(tmp_path / "owner") as owner,
        LocalNode(tmp_path / "one", bootstrap=[owner.address]) as one,
        LocalNode(tmp_path / "two", bootstrap=[owner.address]) as two,
    ):
        plain = quire("put", "--plain", "-", "--json", api=owner.api, stdin=data).json["cid"]
        made = quire("protect", plain, "-k", "2", "-m", "1", "--json", api=owner.api)
        assert made.code == 0, made.err
        cid = made.json["cid"]
        take(one, cid, 0)
        take(two, cid, 2)
        owner.kill()
        one.kill()
        one.start()
        shown = quire("slot", "show", cid, "--slot", "0", "--json", api=one.api).json
        assert (shown["state"], shown["held"]) == ("held", True)

        with LocalNode(tmp_path / "new", bootstrap=[one.address, two.address]) as new:
            take(new, cid, 0)  # with the list of leaves, from a host that has one slot
            stat = quire("stat", cid, "--json", api=new.api).json
            assert not stat["complete"]
            got = quire("get", cid, "--timeout", "30s", api=new.api)
            assert got.code == 0, got.err
            assert got.out == data  # row 1, which nobody has, is computed from row 0 and parity

            assert quire("slot", "drop", cid, "--slot", "0", api=one.api).code == 0
            shown = quire("slot", "show", cid, "--slot", "0", "--json", api=one.api).json
            assert (shown["state"], shown["verifiedBytes"]) == ("absent", 0)
            gone = quire("slot", "drop", cid, "--slot", "0", "--json", api=one.api)
            assert gone.code == 3
            outside = quire("slot", "take", cid, "--slot", "3", api=new.api)
            assert outside.code == 2
            assert "slot 3 does not exist" in outside.err

"""What the reference's contract did in a recorded run, ours does too: each call, each event, and
what can be asked in the end."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi import encode

from support.contract_kit import FIRST_BLOCK, Setup, revert_data, type_of
from support.contract_world import World
from support.vectors import load

RUN = load("market/recorded.json")
APPROVED = 2**256 - 1
PROOF_BYTES = 256


def world_of_the_run() -> World:
    config = RUN["config"]
    proofs, collateral = config["proofs"], config["collateral"]
    world = World(
        Setup(
            repair_reward=collateral["repairRewardPercentage"],
            max_slashes=collateral["maxNumberOfSlashes"],
            slash=collateral["slashPercentage"],
            validator_reward=collateral["validatorRewardPercentage"],
            period=proofs["period"],
            timeout=proofs["timeout"],
            downtime=proofs["downtime"],
            downtime_product=proofs["downtimeProduct"],
            zkey_hash=proofs["zkeyHash"],
            max_reservations=config["reservations"]["maxReservations"],
            duration_limit=config["requestDurationLimit"],
        )
    )
    for sender in sorted({each["from"] for each in RUN["transactions"]}):
        world.machine.evm.set_balance(sender, 10**24)
        world.token.send(sender, "mint", sender, 10**15)
        world.token.send(sender, "approve", world.market.at, APPROVED)
    return world


def replayed(world: World, each: dict[str, Any]) -> tuple[str, list[tuple[list[str], str]]]:
    """The error with which it was refused, if it was, and the marketplace's logs."""
    data = bytes.fromhex(each["calldata"])
    if each["call"] == "submitProof" and not each["status"]:
        # These proofs were wrong. The test verifier takes all but one: that one.
        data = data[:-PROOF_BYTES] + bytes(PROOF_BYTES)
    world.machine.time = each["time"]
    world.machine.to_block(each["block"])
    try:
        _, _, logs = world.machine.call(each["from"], world.market.at, data, is_static=False)
    except RuntimeError as error:
        return world.market.error_name(revert_data(error)), []
    own = [log for log in logs if log.address.lower() == world.market.at.lower()]
    return "", [
        ([topic.removeprefix("0x") for topic in log.topics], bytes(log.data[1]).hex())
        for log in own
    ]


@pytest.fixture(scope="module")
def run() -> tuple[World, list[tuple[str, list[tuple[list[str], str]]]]]:
    assert RUN["transactions"][0]["block"] > FIRST_BLOCK
    world = world_of_the_run()
    return world, [replayed(world, each) for each in RUN["transactions"]]


def test_the_same_calls_succeed_and_are_refused(run: Any) -> None:
    found = [error for error, _ in run[1]]
    assert [not error for error in found] == [bool(each["status"]) for each in RUN["transactions"]]
    refused = [error for error in found if error]
    assert refused == ["Marketplace_SlotNotFree"] + ["Proofs_InvalidProof"] * 4


def test_the_same_events_are_told_in_the_same_order(run: Any) -> None:
    """Beside them there are only those that the reference does not know."""
    known = {each["topics"][0] for each in RUN["events"]}
    told = [event for _, events in run[1] for event in events if event[0][0] in known]
    assert told == [(each["topics"], each["data"]) for each in RUN["events"]]
    others = {e[0][0] for _, events in run[1] for e in events} - known
    names = {run[0].market.topics[bytes.fromhex(topic)]["name"] for topic in others}
    assert names == {"SlotReserved"}


def test_the_same_answers_are_given_in_the_end(run: Any) -> None:
    world, request = run[0], RUN["request"]
    market, request_id = world.market, bytes.fromhex(request["id"])
    world.machine.to_block(RUN["head"])
    assert market.call("requestState", request_id) == request["state"]
    assert market.call("requestEnd", request_id) == request["end"]
    assert market.call("requestExpiry", request_id) == request["expiry"]
    kind = type_of(market.functions["getRequest"]["outputs"][0])
    encoded = encode([kind], [market.call("getRequest", request_id)])
    assert encoded.hex() == request["encoded"]
    for slot in request["slots"]:
        slot_id = bytes.fromhex(slot["id"])
        assert market.call("slotState", slot_id) == slot["state"]
        assert market.call("getHost", slot_id) == slot["host"].lower()
        assert market.call("missingProofs", slot_id) == slot["missing"]
        assert market.call("slotProbability", slot_id) == slot["probability"]
    assert world.held == 0

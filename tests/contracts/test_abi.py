"""The interface is that of the Codex marketplace, to the byte."""

from __future__ import annotations

from typing import Any

from eth_utils import to_checksum_address

from quire.chain.artefact import artefact
from quire.kernels.keccak import keccak256
from support.contract_kit import (
    Machine,
    Setup,
    deployed,
    selector_of,
    signature_of,
    type_of,
)
from support.contract_world import Order, World, request_id, slot_id
from support.vectors import accepted, load

MARKETPLACE = artefact("Marketplace")


def entries(kind: str) -> dict[str, dict[str, Any]]:
    return {signature_of(e): e for e in MARKETPLACE.abi if e["type"] == kind}


@accepted("market/abi.json")
def test_selectors_topics_errors_and_fields_are_those_of_the_reference(row: dict[str, Any]) -> None:
    entry = entries(row["kind"])[row["name"]]
    if row["kind"] == "event":
        assert keccak256(row["name"].encode()).hex() == row["topic"]
        assert [part["indexed"] for part in entry["inputs"]] == row["indexed"]
        assert not entry["anonymous"]
        return
    assert selector_of(entry).hex() == row["selector"]
    if row["kind"] == "function":
        assert MARKETPLACE.methods[row["name"]].hex() == row["selector"]
        assert ",".join(type_of(part) for part in entry["outputs"]) == row["returns"]
        is_view = bool(row["returns"]) or row["name"].startswith("can")
        assert entry["stateMutability"] == ("view" if is_view else "nonpayable")


def test_the_tuples_have_the_names_of_the_reference() -> None:
    request = entries("function")[load("market/abi.json")["accept"][0]["name"]]["inputs"][0]
    ask, content = request["components"][1], request["components"][2]
    assert names(request) == ["client", "ask", "content", "expiry", "nonce"]
    assert names(content) == ["cid", "merkleRoot"]
    assert names(ask) == [
        "proofProbability",
        "pricePerBytePerSecond",
        "collateralPerByte",
        "slots",
        "slotSize",
        "duration",
        "maxSlotLoss",
    ]


def test_configuration_comes_back_field_by_field() -> None:
    setup = Setup(1, 2, 3, 4, 5, 6, 7, 8, "hash", 9, 10)
    market = World(setup).market
    assert market.call("configuration") == setup.config
    assert market.call("dispersal") == setup.additions[0]
    assert market.call("lazyRepair") == setup.additions[1]
    assert market.call("registrationDeposit") == setup.additions[2]


def test_the_token_is_the_one_of_the_constructor() -> None:
    world = World()
    assert to_checksum_address(world.market.call("token")) == world.token.at


def test_extensions_say_what_is_beyond_the_reference() -> None:
    assert World().market.call("extensions") == 1 | 2 | 4 | 8 | 16


KNOWN = Order(
    client="0x" + "11" * 20,
    price=1000,
    collateral=1,
    slots=3,
    slot_size=131072,
    cid=bytes.fromhex("01cd8001b220") + bytes(range(32)),
)


def test_ids_are_the_known_ones() -> None:
    world = World()
    world.machine.evm.set_balance(KNOWN.client, 10**20)
    world.token.send(KNOWN.client, "mint", KNOWN.client, 10**30)
    world.token.send(KNOWN.client, "approve", world.market.at, 10**30)
    request = world.request(KNOWN)
    assert request.hex() == "cca1c61d02d3c120f8cec03f5fa67387b277691106f9f6abda62a52e70fe4c53"
    assert request == request_id(KNOWN)
    found = slot_id(request, 0).hex(), slot_id(request, 2).hex()
    assert found == (
        "e3761a3f0e07d18396ca065a955692c37124d54e71b447c85ab563161f1bd6a8",
        "b8c01dfee876fbc8a86cccd4df1cec0c87c7c98b3e0c79814a040b75b554ecf5",
    )
    assert world.fill(request, 2) == slot_id(request, 2)
    assert world.market.call("mySlots", sender="0x000000000000000000000000000000000000A001")


def test_the_test_token_is_an_erc_20_token_with_mint() -> None:
    assert artefact("TestToken").methods["mint(address,uint256)"].hex() == "40c10f19"
    token = deployed(Machine(), "TestToken")
    assert (token.call("name"), token.call("symbol")) == ("TestToken", "TST")


def names(entry: dict[str, Any]) -> list[str]:
    return [part["name"] for part in entry["components"]]

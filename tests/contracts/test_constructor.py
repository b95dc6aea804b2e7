"""What a marketplace cannot be set up with."""

from __future__ import annotations

from typing import Any

import pytest

from support.contract_kit import Machine, Setup, deployed
from support.contract_world import World, marketplace, reverts


def make(setup: Setup, block: int = 300) -> None:
    machine = Machine()
    machine.to_block(block)
    token, verifier = deployed(machine, "TestToken"), deployed(machine, "TestVerifier")
    marketplace(machine, token, verifier, setup)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"repair_reward": 101}, "Marketplace_RepairRewardPercentageTooHigh"),
        ({"slash": 101, "max_slashes": 1}, "Marketplace_SlashPercentageTooHigh"),
        ({"slash": 20, "max_slashes": 6}, "Marketplace_MaximumSlashingTooHigh"),
        ({"slash": 51, "max_slashes": 2}, "Marketplace_MaximumSlashingTooHigh"),
        ({"period": 0}, "Periods_InvalidSecondsPerPeriod"),
        ({"h_bps": 10000}, "Marketplace_InvalidDispersal"),
        ({"tail_bps": 10000}, "Marketplace_InvalidDispersal"),
        ({"timeout": 230}, "Proofs_TimeoutTooLong"),
    ],
)
def test_percentages_beyond_the_whole_are_refused(changes: dict[str, Any], error: str) -> None:
    with reverts(error):
        make(Setup(**changes))


def test_a_product_beyond_a_byte_is_refused() -> None:
    panic = "4e487b71" + (0x11).to_bytes(32, "big").hex()
    with reverts(panic):
        make(Setup(max_slashes=255, slash=2))


@pytest.mark.parametrize(
    "changes",
    [
        {"repair_reward": 100, "validator_reward": 0},
        {"slash": 100, "max_slashes": 1, "repair_reward": 0, "validator_reward": 100},
        {"slash": 50, "max_slashes": 2, "repair_reward": 80, "validator_reward": 20},
        {"period": 1},
        {"timeout": 229},
    ],
)
def test_the_whole_may_be_given_away(changes: dict[str, Any]) -> None:
    make(Setup(**changes))


def test_a_chain_needs_257_blocks_before_there_are_challenges() -> None:
    with reverts("Proofs_InsufficientBlockHeight"):
        make(Setup(), block=256)
    make(Setup(), block=257)


def test_the_code_fits_into_a_contract() -> None:
    world = World()
    code = world.machine.evm.get_code(world.market.at)
    assert 0 < len(bytes(code)) <= 24_576

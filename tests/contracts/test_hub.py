"""Payment channels: what each call of the hub does, tells and refuses (point.md 4.2)."""

from __future__ import annotations

import pytest

from support.contract_kit import DEPLOYER, NOBODY, STRANGER, TOKENS, deployed
from support.contract_world import reverts
from support.hub_world import CHALLENGE, HUB_TYPES, MOST, OTHER, PAYEE, PAYER, THIRD, HubWorld

OVERFLOW = "4e487b71" + (0x11).to_bytes(32, "big").hex()  # Panic(0x11)


@pytest.fixture
def world() -> HubWorld:
    return HubWorld()


# ---- tokens in and out ----


def test_what_is_deposited_is_in_the_balance_and_can_be_withdrawn(world: HubWorld) -> None:
    assert world.send(PAYER, "deposit", 1000).named("Deposited") == [(PAYER.lower(), 1000)]
    assert (world.balance(PAYER), world.tokens(PAYER)) == (1000, TOKENS - 1000)
    assert world.send(PAYER, "withdraw", 400).named("Withdrawn") == [(PAYER.lower(), 400)]
    assert (world.balance(PAYER), world.tokens(PAYER)) == (600, TOKENS - 600)
    assert world.tokens(world.hub.at) == 600


def test_nobody_withdraws_more_than_the_own_balance(world: HubWorld) -> None:
    world.send(PAYER, "deposit", 1000)
    for who, amount in ((PAYER, 1001), (OTHER, 1), (PAYER, 2**256 - 1)):
        with reverts("Hub_InsufficientBalance"):
            world.send(who, "withdraw", amount)


def test_a_hub_without_a_token_is_not_made(world: HubWorld) -> None:
    for nothing in (STRANGER, NOBODY):
        with reverts("Hub_NoToken"):
            deployed(world.machine, "ChannelHub", HUB_TYPES, (nothing, DEPLOYER))


# ---- payers ----


def test_an_allocation_goes_to_several_payees_and_tells_each_deposit(world: HubWorld) -> None:
    world.send(PAYER, "deposit", 1000)
    world.send(PAYER, "allocate", [PAYEE], [100])
    told = world.send(PAYER, "allocate", [PAYEE, OTHER, PAYEE], [10, 20, 5]).named("Allocated")
    assert told == [
        (PAYER.lower(), PAYEE.lower(), 110),
        (PAYER.lower(), OTHER.lower(), 20),
        (PAYER.lower(), PAYEE.lower(), 115),
    ]
    assert world.balance(PAYER) == 1000 - 135
    assert world.channel() == (115, 0, 0)
    assert world.channel(PAYER, OTHER) == (20, 0, 0)
    assert world.channel(OTHER, PAYEE) == (0, 0, 0)


def test_no_more_is_allocated_than_the_balance_has(world: HubWorld) -> None:
    world.send(PAYER, "deposit", 10)
    world.send(OTHER, "deposit", 1000)
    with reverts("Hub_InsufficientBalance"):
        world.send(PAYER, "allocate", [PAYEE, OTHER], [5, 6])
    assert world.channel() == (0, 0, 0)


def test_a_deposit_beyond_128_bits_is_refused_and_the_most_is_not(world: HubWorld) -> None:
    world.token.send(PAYER, "mint", PAYER, 2**130)
    world.send(PAYER, "deposit", 2**129)
    world.send(PAYER, "allocate", [PAYEE], [MOST])
    with reverts(OVERFLOW):
        world.send(PAYER, "allocate", [PAYEE], [1])
    with reverts(OVERFLOW):
        world.send(PAYER, "allocate", [OTHER, OTHER], [MOST, 1])
    assert world.channel() == (MOST, 0, 0)
    world.claim(MOST)
    assert world.balance(PAYEE) == MOST


def test_lists_of_different_lengths_are_refused(world: HubWorld) -> None:
    world.open(100)
    signed = world.sign(5)
    with reverts("Hub_LengthMismatch"):
        world.send(PAYER, "allocate", [PAYEE], [])
    for values in (([PAYER], [], [signed]), ([PAYER], [5], []), ([], [5], [signed])):
        with reverts("Hub_LengthMismatch"):
            world.claim_all(*values)
    with reverts("Hub_LengthMismatch"):
        world.hub.call("channels", [PAYER], [])


def test_nobody_has_the_address_0(world: HubWorld) -> None:
    world.send(PAYER, "deposit", 10)
    with reverts("Hub_ZeroAddress"):
        world.send(PAYER, "allocate", [NOBODY], [10])
    with reverts("Hub_ZeroAddress"):
        world.claim_all([NOBODY], [1], [bytes(64) + b"\x05"])


def test_a_close_is_told_with_its_time_and_the_rest_comes_back_from_then_on(
    world: HubWorld,
) -> None:
    world.open(100)
    world.claim(30)
    due = world.machine.time + CHALLENGE
    closing = world.send(PAYER, "requestClose", PAYEE).named("Closing")
    assert closing == [(PAYER.lower(), PAYEE.lower(), due)]
    assert world.channel() == (100, 30, due)
    world.machine.to_time(due - 1)
    with reverts("Hub_TooEarly"):
        world.send(PAYER, "release", PAYEE)
    world.machine.to_time(due)
    released = world.send(PAYER, "release", PAYEE).named("Released")
    assert released == [(PAYER.lower(), PAYEE.lower(), 70)]
    assert world.channel() == (30, 30, 0)
    assert world.balance(PAYER) == 70


def test_nobody_closes_or_releases_the_channels_of_others(world: HubWorld) -> None:
    world.open(100)
    for who in (PAYEE, OTHER):
        world.send(who, "requestClose", PAYEE)  # a channel of their own, empty
    assert world.channel() == (100, 0, 0)
    world.wait(CHALLENGE)
    with reverts("Hub_NotClosing"):
        world.send(PAYER, "release", PAYEE)
    world.send(OTHER, "release", PAYEE)
    assert world.balance(OTHER) == 0


def test_a_second_close_does_not_move_the_first(world: HubWorld) -> None:
    world.open(100)
    world.send(PAYER, "requestClose", PAYEE)
    world.wait(CHALLENGE - 1)
    with reverts("Hub_AlreadyClosing"):
        world.send(PAYER, "requestClose", PAYEE)


def test_an_allocation_ends_a_pending_close_and_the_next_one_takes_its_full_time(
    world: HubWorld,
) -> None:
    world.open(100)
    world.send(PAYER, "requestClose", PAYEE)
    world.wait(CHALLENGE)
    world.send(PAYER, "allocate", [PAYEE], [0])
    with reverts("Hub_NotClosing"):
        world.send(PAYER, "release", PAYEE)
    world.send(PAYER, "requestClose", PAYEE)
    with reverts("Hub_TooEarly"):
        world.send(PAYER, "release", PAYEE)


def test_what_is_released_is_not_released_twice(world: HubWorld) -> None:
    world.open(100)
    world.send(PAYER, "requestClose", PAYEE)
    world.wait(CHALLENGE)
    world.send(PAYER, "release", PAYEE)
    with reverts("Hub_NotClosing"):
        world.send(PAYER, "release", PAYEE)
    world.send(PAYER, "requestClose", PAYEE)
    world.wait(CHALLENGE)
    world.send(PAYER, "release", PAYEE)
    assert world.balance(PAYER) == 100


# ---- payees ----


def test_a_claim_takes_the_difference_to_the_one_before(world: HubWorld) -> None:
    world.open(100)
    assert world.claim(30).named("Claimed") == [(PAYER.lower(), PAYEE.lower(), 30)]
    assert world.balance(PAYEE) == 30
    world.claim(100)
    assert world.balance(PAYEE) == 100
    assert world.channel() == (100, 100, 0)
    world.send(PAYEE, "withdraw", 100)
    assert world.tokens(PAYEE) == TOKENS + 100


def test_a_claim_is_above_the_last_one_and_at_most_the_deposit(world: HubWorld) -> None:
    world.open(100)
    world.claim(30)
    for cumulative in (30, 29, 0):
        with reverts("Hub_NothingToClaim"):
            world.claim(cumulative)
    for cumulative in (101, MOST):
        with reverts("Hub_AboveDeposit"):
            world.claim(cumulative)
    world.claim(100)


def test_only_the_payee_of_a_voucher_claims_it(world: HubWorld) -> None:
    world.open(100)
    world.open(100, payee=OTHER)
    with reverts("Hub_BadSignature"):
        world.send(OTHER, "claim", [PAYER], [5], [world.sign(5)])
    with reverts("Hub_AboveDeposit"):
        world.send(THIRD, "claim", [PAYER], [5], [world.sign(5)])
    with reverts("Hub_AboveDeposit"):  # of another payer there is no channel
        world.claim(5, world.sign(5), payer=OTHER)


def test_several_payers_are_claimed_together_or_not_at_all(world: HubWorld) -> None:
    for payer in (PAYER, OTHER, THIRD):
        world.open(100, payer)
    payers, sums = [PAYER, OTHER, THIRD], [10, 20, 30]
    signed = [world.sign(each, payer) for payer, each in zip(payers, sums, strict=True)]
    with reverts("Hub_BadSignature"):
        world.claim_all(payers, sums, [*signed[:2], signed[0]])
    assert world.balance(PAYEE) == 0
    told = world.claim_all(payers, sums, signed).named("Claimed")
    assert [cumulative for _, _, cumulative in told] == sums
    assert world.balance(PAYEE) == 60
    world.claim_all([], [], [])
    assert world.balance(PAYEE) == 60


def test_one_voucher_twice_in_a_batch_counts_once(world: HubWorld) -> None:
    world.open(100)
    signed = world.sign(10)
    with reverts("Hub_NothingToClaim"):
        world.claim_all([PAYER, PAYER], [10, 10], [signed, signed])


def test_a_claim_counts_during_the_challenge_and_until_the_release(world: HubWorld) -> None:
    world.open(100)
    world.send(PAYER, "requestClose", PAYEE)
    world.wait(CHALLENGE // 2)
    world.claim(10)
    world.wait(CHALLENGE)
    world.claim(20)
    world.send(PAYER, "release", PAYEE)
    assert (world.balance(PAYEE), world.balance(PAYER)) == (20, 80)
    with reverts("Hub_AboveDeposit"):
        world.claim(21)


def test_sums_never_start_again(world: HubWorld) -> None:
    """What was claimed does not count twice, what was owed counts again."""
    world.open(100)
    world.claim(40)
    owed = world.sign(60)
    world.send(PAYER, "requestClose", PAYEE)
    world.wait(CHALLENGE)
    world.send(PAYER, "release", PAYEE)
    world.send(PAYER, "allocate", [PAYEE], [30])
    assert world.channel() == (70, 40, 0)
    with reverts("Hub_NothingToClaim"):
        world.claim(40)
    world.claim(60, owed)
    assert world.balance(PAYEE) == 60


def test_an_account_may_have_a_channel_to_itself(world: HubWorld) -> None:
    world.open(100, PAYEE, PAYEE)
    world.claim(70, payer=PAYEE)
    assert world.balance(PAYEE) == 70


# ---- emergency ----


def test_the_owner_stops_deposits_and_nothing_else(world: HubWorld) -> None:
    world.open(100)
    world.send(PAYER, "deposit", 50)
    assert world.send(DEPLOYER, "pauseDeposits", True).named("DepositsPaused") == [(True,)]
    with reverts("Hub_DepositsPaused"):
        world.send(PAYER, "deposit", 1)
    with reverts("Hub_DepositsPaused"):
        world.send(PAYER, "depositWithPermit", 1, 2**60, 27, bytes(32), bytes(32))
    world.send(PAYER, "allocate", [PAYEE], [20])
    world.claim(10)
    world.send(PAYEE, "withdraw", 10)
    world.send(PAYER, "withdraw", 30)
    world.send(PAYER, "setDelegate", OTHER)
    world.send(PAYER, "requestClose", PAYEE)
    world.wait(CHALLENGE)
    world.send(PAYER, "release", PAYEE)
    world.send(PAYER, "withdraw", 110)
    assert world.tokens(world.hub.at) == 0
    world.send(DEPLOYER, "pauseDeposits", False)
    world.send(PAYER, "deposit", 1)


def test_nobody_but_the_owner_stops_deposits(world: HubWorld) -> None:
    for who in (PAYER, PAYEE, STRANGER):
        with reverts("Hub_NotOwner"):
            world.send(who, "pauseDeposits", True)


def test_a_hub_may_have_no_owner(world: HubWorld) -> None:
    hub = deployed(world.machine, "ChannelHub", HUB_TYPES, (world.token.at, NOBODY))
    assert int(hub.call("owner"), 16) == 0
    with reverts("Hub_NotOwner"):
        hub.send(DEPLOYER, "pauseDeposits", True)

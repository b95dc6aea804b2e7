"""Submission bonds: what each call of the contract does, tells and refuses (market.md 6.4)."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace

import pytest

from quire.chain.bonds import CLAIM_SECONDS, BondsDomain, promise_digest
from quire.kernels.signing import recover_address
from support.bonds_world import (
    AGGREGATOR,
    ALWAYS,
    KEYS,
    NOTICE,
    RIVAL,
    SETUP,
    BondsWorld,
    deploy_bonds,
    terms_of,
)
from support.contract_kit import (
    HOST,
    MARKETPLACE_TYPES,
    NOBODY,
    OTHER,
    RIGHT,
    STRANGER,
    TOKENS,
    Contract,
    deployed,
)
from support.contract_world import World, reverts, reverts_with
from support.hub_world import CHAIN_ID
from support.solidity import compiled

PANIC = "4e487b71"


@pytest.fixture
def world() -> BondsWorld:
    return BondsWorld()


# ---- the contract ----


def test_it_knows_its_marketplace_token_and_times(world: BondsWorld) -> None:
    asked = world.bonds.call
    assert asked("marketplace") == world.market.at.lower()
    assert asked("token") == world.world.token.at.lower()
    assert (asked("CLAIM_SECONDS"), asked("noticeSeconds")) == (CLAIM_SECONDS, NOTICE)


def test_a_marketplace_whose_misses_are_marked_for_a_day_is_refused() -> None:
    for timeout, is_good in ((CLAIM_SECONDS - 1, True), (CLAIM_SECONDS, False)):
        world = World(SETUP.but(period=10_000, timeout=timeout))
        if is_good:
            deploy_bonds(world.machine, world.token, world.market)
        else:
            with reverts("Bonds_ClaimsEndTooSoon"):
                deploy_bonds(world.machine, world.token, world.market)


def test_python_and_the_contract_hash_the_same(world: BondsWorld) -> None:
    rng = random.Random(5)
    for _ in range(50):
        promise = replace(
            world.promise(rng.getrandbits(rng.choice((1, 32, 64)))),
            aggregator=rng.randbytes(20),
            host=rng.randbytes(20),
            slot_id=rng.randbytes(32),
            amount=rng.getrandbits(rng.choice((1, 128, 256))),
        )
        values = (promise.aggregator, promise.host, *terms_of(promise)[1:])
        found = world.bonds.call("promiseDigest", *values)
        assert found == promise_digest(world.domain, promise)


def test_a_promise_counts_at_one_contract_only(world: BondsWorld) -> None:
    other = deploy_bonds(world.machine, world.world.token, world.market)
    other.send(AGGREGATOR, "deposit", 1000)
    promise = world.promise(world.miss())
    signed = world.sign(promise)
    with reverts("Bonds_BadSignature"):
        other.send(HOST, "claim", *terms_of(promise), signed)
    elsewhere = BondsDomain(CHAIN_ID + 1, world.domain.contract)
    assert promise_digest(elsewhere, promise) != promise_digest(world.domain, promise)
    world.claim(promise, signed)


# ---- aggregators ----


def test_a_deposit_is_told_and_adds_up(world: BondsWorld) -> None:
    assert world.send(AGGREGATOR, "deposit", 5).named("Deposited") == [(AGGREGATOR.lower(), 5)]
    assert world.bond() == (1005, 0, 0)
    assert world.bond(RIVAL) == (0, 0, 0)
    assert (world.held, world.tokens(AGGREGATOR)) == (1005, TOKENS - 1005)


def test_a_bond_beyond_128_bits_is_refused(world: BondsWorld) -> None:
    world.world.token.send(AGGREGATOR, "mint", AGGREGATOR, 2**128)
    world.send(AGGREGATOR, "deposit", 2**128 - 1001)
    with reverts_with(PANIC):
        world.send(AGGREGATOR, "deposit", 1)
    assert world.bond() == (2**128 - 1, 0, 0)


def test_a_part_leaves_when_its_notice_is_over_and_not_a_second_before(world: BondsWorld) -> None:
    due = world.machine.time + NOTICE
    announced = world.send(AGGREGATOR, "announce", 400).named("Announced")
    assert announced == [(AGGREGATOR.lower(), 400, due)]
    assert world.bond() == (1000, 400, due)
    world.machine.to_time(due - 1)
    with reverts("Bonds_TooEarly"):
        world.send(AGGREGATOR, "withdraw")
    world.machine.to_time(due)
    assert world.send(AGGREGATOR, "withdraw").named("Withdrawn") == [(AGGREGATOR.lower(), 400)]
    assert world.bond() == (600, 0, 0)
    assert (world.held, world.tokens(AGGREGATOR)) == (600, TOKENS - 600)
    with reverts("Bonds_NothingAnnounced"):
        world.send(AGGREGATOR, "withdraw")


def test_no_more_leaves_than_there_is_and_nobody_takes_another_s(world: BondsWorld) -> None:
    with reverts("Bonds_AboveBond"):
        world.send(AGGREGATOR, "announce", 1001)
    with reverts("Bonds_AboveBond"):
        world.send(RIVAL, "announce", 1)
    world.send(AGGREGATOR, "announce", 1000)
    world.machine.mine(1, NOTICE)
    with reverts("Bonds_NothingAnnounced"):
        world.send(RIVAL, "withdraw")


def test_a_new_announcement_waits_anew_and_none_takes_it_back(world: BondsWorld) -> None:
    world.send(AGGREGATOR, "announce", 400)
    world.machine.mine(1, NOTICE)
    world.send(AGGREGATOR, "announce", 401)
    with reverts("Bonds_TooEarly"):
        world.send(AGGREGATOR, "withdraw")
    announced = world.send(AGGREGATOR, "announce", 0).named("Announced")
    assert announced == [(AGGREGATOR.lower(), 0, 0)]
    assert world.bond() == (1000, 0, 0)


def test_every_promise_made_before_an_announcement_can_be_claimed_before_it_leaves(
    world: BondsWorld,
) -> None:
    """Also of the next period, and at the last moment."""
    world.send(AGGREGATOR, "announce", 1000)
    world.world.to_next_period()
    period = world.miss()
    last = (period + 1) * SETUP.period + CLAIM_SECONDS - 1
    assert last < world.bond()[2]
    world.machine.to_time(last)
    world.claim(world.promise(period))
    assert world.bond()[0] == 700


# ---- hosts ----


def test_a_claim_pays_the_host_and_is_told(world: BondsWorld) -> None:
    promise = world.promise(world.miss())
    before = world.tokens(HOST)
    (told,) = world.claim(promise).named("Claimed")
    people = AGGREGATOR.lower(), HOST.lower()
    assert told == (*people, promise.slot_id, promise.period, 300, 300)
    assert (world.bond(), world.held) == ((700, 0, 0), 700)
    assert world.tokens(HOST) == before + 300
    asked = (AGGREGATOR, HOST, promise.slot_id, promise.period)
    assert world.bonds.call("isClaimed", *asked)
    assert not world.bonds.call("isClaimed", RIVAL, *asked[1:])
    assert not world.bonds.call("isClaimed", AGGREGATOR, OTHER, *asked[2:])


def test_one_slot_and_period_is_made_good_once_whatever_else_was_signed(world: BondsWorld) -> None:
    promise = world.promise(world.miss())
    world.claim(promise)
    for amount in (300, 299, 301):
        with reverts("Bonds_AlreadyClaimed"):
            world.claim(replace(promise, amount=amount))
    other = world.promise(world.miss(1), index=1)
    world.claim(other)
    later = world.promise(world.miss())
    world.claim(later)
    assert world.bond() == (100, 0, 0)


def test_several_aggregators_that_promised_the_same_all_pay(world: BondsWorld) -> None:
    world.send(RIVAL, "deposit", 50)
    world.market.send(HOST, "setProofDelegate", RIVAL, True)
    period = world.miss()
    world.claim(world.promise(period))
    world.claim(world.promise(period, 40, aggregator=RIVAL))
    assert (world.bond(), world.bond(RIVAL)) == ((700, 0, 0), (10, 0, 0))


def test_nobody_gets_more_than_the_miss_has_cost(world: BondsWorld) -> None:
    """Else hosts would miss for pay, and aggregators empty their bonds by slots of their own."""
    cost = ALWAYS.stake * SETUP.slash // 100
    assert world.market.call("slashOf", world.slots[0]) == cost
    assert world.market.call("slashOf", bytes(32)) == 0
    world.send(AGGREGATOR, "deposit", 2 * cost)
    period = world.miss()
    collateral = world.market.call("currentCollateral", world.slots[0])
    assert collateral == ALWAYS.stake - cost
    (told,) = world.claim(world.promise(period, 10 * cost)).named("Claimed")
    assert told[-2:] == (10 * cost, cost)
    assert world.bond() == (1000 + cost, 0, 0)


def test_a_promise_beyond_the_bond_takes_all_of_it(world: BondsWorld) -> None:
    (told,) = world.claim(world.promise(world.miss(), 2**256 - 1)).named("Claimed")
    assert told[-2:] == (2**256 - 1, 1000)
    assert (world.bond(), world.held) == ((0, 0, 0), 0)
    with reverts("Bonds_NothingLeft"):
        world.claim(world.promise(world.miss(), 1))


def test_a_claim_takes_first_what_is_to_leave(world: BondsWorld) -> None:
    world.send(AGGREGATOR, "announce", 400)
    due = world.bond()[2]
    world.claim(world.promise(world.miss(), 399))
    assert world.bond() == (601, 1, due)
    world.claim(world.promise(world.miss(), 1))
    assert world.bond() == (600, 0, 0)
    world.send(AGGREGATOR, "announce", 600)
    world.claim(world.promise(world.miss(), 601))
    assert world.bond() == (0, 0, 0)


def test_what_is_not_missing_is_not_made_good(world: BondsWorld) -> None:
    period = world.miss()
    with reverts("Bonds_ProofNotMissing"):
        world.claim(world.promise(period, index=1))  # the other slot was not marked
    with reverts("Bonds_ProofNotMissing"):
        world.claim(world.promise(period + 1))
    world.world.to_next_period()
    world.market.send(AGGREGATOR, "submitProofs", world.slots, [RIGHT] * 2)
    with reverts("Bonds_ProofNotMissing"):
        world.claim(world.promise(world.world.period))


def test_the_last_second_of_a_claim(world: BondsWorld) -> None:
    first, second = world.miss(), world.miss()
    end = (first + 1) * SETUP.period
    world.machine.to_time(end + CLAIM_SECONDS)
    with reverts("Bonds_TooLate"):
        world.claim(world.promise(first))
    world.machine.to_time((second + 1) * SETUP.period + CLAIM_SECONDS - 1)
    world.claim(world.promise(second))
    with reverts("Bonds_TooLate"):
        world.claim(world.promise(0))


def test_a_slot_that_was_lost_meanwhile_is_made_good_all_the_same(world: BondsWorld) -> None:
    periods = [world.miss() for _ in range(SETUP.max_slashes)]
    assert world.market.call("getHost", world.slots[0]) == NOBODY
    world.claim(world.promise(periods[0], 1))
    world.claim(world.promise(periods[-1], 1))


def test_who_took_the_appointment_back_in_the_period_or_since_has_no_claim(
    world: BondsWorld,
) -> None:
    start = (world.world.period + 2) * SETUP.period
    for moment, is_good in ((start - 1, True), (start, False), (start + 15, False)):
        each = BondsWorld()
        each.machine.to_time(moment)
        each.appoint(False)
        each.appoint(True)
        each.machine.to_time(start + 1)
        if moment > start:  # in the period after the one that is missed
            period = start // SETUP.period
            each.machine.to_time(start + SETUP.period + 1)
            each.world.mark(each.slots[0], period)
            each.appoint(False)
            each.appoint(True)
        else:
            period = each.miss()
            assert period == start // SETUP.period
        if is_good:
            each.claim(each.promise(period))
        else:
            with reverts("Bonds_NotDelegate"):
                each.claim(each.promise(period))


def test_without_an_appointment_there_is_no_claim(world: BondsWorld) -> None:
    promise = world.promise(world.miss(), aggregator=RIVAL)
    world.send(RIVAL, "deposit", 1000)
    with reverts("Bonds_NotDelegate"):
        world.claim(promise)
    world.market.send(HOST, "setProofDelegate", RIVAL, True)
    world.claim(promise)


def test_only_the_aggregator_s_own_signature_for_this_caller_counts(world: BondsWorld) -> None:
    promise = world.promise(world.miss())
    right = world.sign(promise)
    for sender in (OTHER, STRANGER, AGGREGATOR):
        with reverts("Bonds_BadSignature"):
            world.claim(promise, right, sender)
    with reverts("Bonds_BadSignature"):
        world.claim(promise, world.sign(promise, KEYS[1]))
    with reverts("Bonds_BadSignature"):
        world.claim(replace(promise, aggregator=bytes(20)), bytes(64) + b"\x1b")
    with reverts("Bonds_NothingPromised"):
        world.claim(replace(promise, amount=0))
    assert world.bond() == (1000, 0, 0)


def test_what_python_takes_for_signed_is_what_the_contract_takes(world: BondsWorld) -> None:
    """Signatures with a bit changed, bytes cut off or added."""
    rng = random.Random(6)
    promise = world.promise(world.miss())
    digest, taken = promise_digest(world.domain, promise), 0
    for _ in range(150):
        signature = bytearray(world.sign(promise))
        match rng.randrange(5):
            case 0:
                signature[rng.randrange(65)] ^= 1 << rng.randrange(8)
            case 1:
                del signature[rng.randrange(65) :]
            case 2:
                signature += rng.randbytes(rng.randrange(1, 3))
            case 3:
                signature[64] = rng.randrange(256)
        is_right = recover_address(bytes(signature), digest) == promise.aggregator
        point = world.machine.evm.snapshot()
        if is_right:
            world.claim(promise, bytes(signature))
        else:
            with reverts("Bonds_BadSignature"):
                world.claim(promise, bytes(signature))
        world.machine.evm.revert(point)
        taken += is_right
    assert 0 < taken < 150


# ---- odd tokens ----


def odd_bonds() -> tuple[Contract, Contract]:
    """Bonds in a token that misbehaves when told to, and that token."""
    if shutil.which("node") is None:
        pytest.skip("needs node")
    made, plain = compiled("OddToken"), World(SETUP)
    machine = plain.machine
    token = Contract(machine, machine.deploy(bytes.fromhex(made["bytecode"][2:])), made["abi"])
    values = (SETUP.config, token.at, plain.verifier.at, SETUP.additions)
    market = deployed(machine, "Marketplace", MARKETPLACE_TYPES, values)
    bonds = deployed(machine, "SubmissionBonds", ("address",), (market.at,))
    machine.evm.set_balance(AGGREGATOR, 10**30)
    token.send(AGGREGATOR, "mint", AGGREGATOR, 1000)
    return bonds, token


def test_a_token_that_keeps_a_part_or_says_no_is_not_taken() -> None:
    bonds, token = odd_bonds()
    nothing, yes, no = 0, 1, 2
    token.send(AGGREGATOR, "be", yes, 1)
    with reverts("Hub_FeeOnTransfer"):
        bonds.send(AGGREGATOR, "deposit", 100)
    token.send(AGGREGATOR, "be", no, 0)
    with reverts("Hub_TransferFailed"):
        bonds.send(AGGREGATOR, "deposit", 100)
    token.send(AGGREGATOR, "be", nothing, 0)
    bonds.send(AGGREGATOR, "deposit", 100)
    assert bonds.call("bondOf", AGGREGATOR) == (100, 0, 0)


def test_tokens_that_were_only_sent_are_in_nobody_s_bond(world: BondsWorld) -> None:
    world.world.token.send(OTHER, "transfer", world.bonds.at, 500)
    world.claim(world.promise(world.miss(), 5000))
    assert world.bond() == (0, 0, 0)
    assert world.held == 500

"""Who may sign a voucher, and which bytes are a signature (point.md 4.2)."""

from __future__ import annotations

import random
import shutil
from typing import Any

import pytest
from eth_abi import encode

from quire.chain.eip712 import voucher_digest
from quire.channels.voucher import Voucher, signer_of
from quire.kernels.signing import HALF_ORDER, address_of, recover_address
from support.contract_kit import Contract, Revert, selector_of, type_of
from support.contract_world import reverts
from support.hub_world import (
    CHALLENGE,
    COLD,
    HOT,
    KEY_OF,
    MOST,
    OTHER,
    PAYEE,
    PAYER,
    THIRD,
    HubWorld,
    bytes_of,
)
from support.solidity import compiled

ORDER = 2 * HALF_ORDER + 1
NONE = "0x" + "00" * 20


@pytest.fixture
def world() -> HubWorld:
    world = HubWorld()
    world.open(100)
    return world


# ---- EIP-712 ----


def test_python_and_the_contract_hash_the_same(world: HubWorld) -> None:
    assert world.hub.call("domainSeparator") == world.separator
    rng = random.Random(5)
    for _ in range(50):
        payer, payee = rng.randbytes(20), rng.randbytes(20)
        cumulative = rng.getrandbits(rng.choice((1, 64, 128)))
        digest = world.hub.call("voucherDigest", payer, payee, cumulative)
        assert digest == voucher_digest(world.separator, payer, payee, cumulative)


def test_what_python_takes_for_signed_is_what_the_contract_takes(world: HubWorld) -> None:
    """Signatures with a byte or a bit changed, bytes cut off or added."""
    rng = random.Random(6)
    taken = 0
    for _ in range(150):
        signature = spoilt(world.sign(7), rng)
        voucher = Voucher(bytes_of(PAYER), bytes_of(PAYEE), 7, signature)
        is_right = signer_of(world.separator, voucher) == bytes_of(PAYER)
        point = world.machine.evm.snapshot()
        if is_right:
            world.claim(7, signature)
        else:
            with reverts("Hub_BadSignature"):
                world.claim(7, signature)
        world.machine.evm.revert(point)
        taken += is_right
    assert taken > 0


def spoilt(signature: bytes, rng: random.Random) -> bytes:
    match rng.randrange(6):
        case 0:
            return signature
        case 1:
            return signature[: rng.randrange(65)]
        case 2:
            return signature + rng.randbytes(rng.randint(1, 40))
        case 3:
            return signature[:64] + bytes([rng.randrange(256)])
        case 4:
            s = ORDER - int.from_bytes(signature[32:64], "big")
            return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
    place = rng.randrange(64)
    changed = signature[place] ^ (1 << rng.randrange(8))
    return signature[:place] + bytes([changed]) + signature[place + 1 :]


@pytest.mark.parametrize(
    "signature",
    [
        lambda right: b"",
        lambda right: right[:64],
        lambda right: right[:64] + bytes([right[64] - 27]),
        lambda right: right[:64] + b"\x1d",
        lambda right: right[:64] + b"\xff",
        lambda right: right + b"\0",
        lambda right: right[:32] + (HALF_ORDER + 1).to_bytes(32, "big") + right[64:],
        lambda right: bytes(64) + b"\x1b",
        lambda right: right[:32] + bytes(32) + right[64:],
        lambda right: ORDER.to_bytes(32, "big") + right[32:],
    ],
    ids=["empty", "short", "v-0", "v-29", "v-255", "long", "high-s", "zeros", "s-0", "r-order"],
)
def test_what_is_no_signature_is_refused(world: HubWorld, signature: Any) -> None:
    with reverts("Hub_BadSignature"):
        world.claim(7, signature(world.sign(7)))


def test_the_other_form_of_a_signature_is_refused(world: HubWorld) -> None:
    """Anybody can compute it; it recovers to the same account."""
    right = world.sign(7)
    s = ORDER - int.from_bytes(right[32:64], "big")
    other = right[:32] + s.to_bytes(32, "big") + bytes([55 - right[64]])
    with reverts("Hub_BadSignature"):
        world.claim(7, other)
    world.claim(7, right)


def test_a_signature_says_one_payer_one_payee_one_sum_and_one_hub(world: HubWorld) -> None:
    world.open(100, OTHER)
    twin = HubWorld(machine=world.machine)
    for signature in (
        world.sign(8),
        world.sign(7, payee=OTHER),
        world.sign(7, payer=OTHER, key=KEY_OF[PAYER]),
        world.sign(7, key=KEY_OF[OTHER]),
        twin.sign(7),
    ):
        with reverts("Hub_BadSignature"):
            world.claim(7, signature)


# ---- delegates ----


def hot(world: HubWorld, cumulative: int, signer: str = HOT) -> bytes:
    return world.sign(cumulative, key=KEY_OF[signer])


def test_a_delegate_signs_beside_the_payer_and_can_do_nothing_else(world: HubWorld) -> None:
    with reverts("Hub_BadSignature"):
        world.claim(5, hot(world, 5))
    told = world.send(PAYER, "setDelegate", HOT).named("DelegateSet")
    assert told == [(PAYER.lower(), HOT.lower(), NONE, 0)]
    world.claim(5, hot(world, 5))
    world.claim(6)
    assert world.hub.call("delegates", [PAYER, OTHER]) == (HOT.lower(), NONE)
    world.open(100, OTHER)
    with reverts("Hub_BadSignature"):  # it is the delegate of one payer
        world.claim(5, world.sign(5, OTHER, key=KEY_OF[HOT]), payer=OTHER)
    for name, values in (("withdraw", (1,)), ("allocate", ([PAYEE], [1]))):
        with reverts("Hub_InsufficientBalance"):
            world.send(HOT, name, *values)


def test_a_delegate_that_is_replaced_signs_for_a_challenge_longer(world: HubWorld) -> None:
    """Or a payer could make worthless what was promised, between two claims."""
    world.send(PAYER, "setDelegate", HOT)
    end = world.machine.time + CHALLENGE
    told = world.send(PAYER, "setDelegate", COLD).named("DelegateSet")
    assert told == [(PAYER.lower(), COLD.lower(), HOT.lower(), end)]
    assert world.hub.call("delegation", PAYER) == (COLD.lower(), HOT.lower(), end)
    world.machine.to_time(end - 1)
    world.claim(5, hot(world, 5))
    world.claim(6, hot(world, 6, COLD))
    world.machine.to_time(end)
    with reverts("Hub_BadSignature"):
        world.claim(7, hot(world, 7))
    world.claim(7, hot(world, 7, COLD))


@pytest.mark.parametrize("then", [COLD, NONE])
def test_nobody_pushes_a_delegate_out_of_its_notice(world: HubWorld, then: str) -> None:
    world.send(PAYER, "setDelegate", HOT)
    world.send(PAYER, "setDelegate", OTHER)
    with reverts("Hub_DelegateInNotice"):
        world.send(PAYER, "setDelegate", then)
    world.wait(CHALLENGE)
    world.send(PAYER, "setDelegate", then)
    world.claim(5, hot(world, 5, OTHER))


def test_a_delegate_that_was_taken_away_may_come_again_at_once(world: HubWorld) -> None:
    for signer in (HOT, NONE, HOT, NONE, COLD):
        world.send(PAYER, "setDelegate", signer)
    world.claim(5, hot(world, 5))  # in its notice
    world.claim(6, hot(world, 6, COLD))
    world.send(PAYER, "setDelegate", HOT)  # the two change places
    world.claim(7, hot(world, 7, COLD))
    world.claim(8, hot(world, 8))


def test_the_same_delegate_again_changes_nothing(world: HubWorld) -> None:
    world.send(PAYER, "setDelegate", HOT)
    assert world.send(PAYER, "setDelegate", HOT).events == []
    assert world.send(THIRD, "setDelegate", NONE).events == []
    assert world.hub.call("delegation", PAYER) == (HOT.lower(), NONE, 0)


def test_without_a_delegate_what_recovers_to_nobody_is_nobody_s(world: HubWorld) -> None:
    """No delegate is the address 0, and so is what a bad signature recovers to."""
    signature = bytes(64) + b"\x1b"
    assert recover_address(signature, bytes(32)) is None
    with reverts("Hub_BadSignature"):
        world.claim(1, signature)


# ---- contracts that pay (ERC-1271) ----


class Walleted(HubWorld):
    """The wallet of a contract has a channel of 100 to the payee."""

    HONEST, SAYS_NO, REVERTS, SILENT, ENDLESS = range(5)

    def __init__(self) -> None:
        if shutil.which("node") is None:
            pytest.skip("needs node")
        super().__init__()
        made = compiled("Wallets")
        self.wallet = Contract(
            self.machine, self.machine.deploy(bytes.fromhex(made["bytecode"][2:])), made["abi"]
        )
        self.token.send(PAYER, "mint", self.wallet.at, 1000)
        self.act(self.token, "approve", self.hub.at, 1000)
        self.act(self.hub, "deposit", 100)
        self.act(self.hub, "allocate", [PAYEE], [100])

    def act(self, on: Contract, name: str, *values: Any) -> None:
        entry = on.functions[name]
        data = selector_of(entry) + encode([type_of(part) for part in entry["inputs"]], values)
        self.wallet.send(PAYER, "act", on.at, data)

    def agree(self, cumulative: int, signature: bytes) -> None:
        digest = self.hub.call("voucherDigest", self.wallet.at, PAYEE, cumulative)
        self.wallet.send(PAYER, "agree", digest, signature)


@pytest.fixture
def walleted() -> Walleted:
    return Walleted()


@pytest.mark.parametrize("signature", [b"", b"yes", bytes(65), bytes(300)])
def test_a_contract_that_pays_says_itself_what_it_signed(
    walleted: Walleted, signature: bytes
) -> None:
    world, payer = walleted, walleted.wallet.at
    with reverts("Hub_BadSignature"):
        world.claim(5, signature, payer)
    world.agree(5, signature)
    with reverts("Hub_BadSignature"):
        world.claim(6, signature, payer)
    with reverts("Hub_BadSignature"):
        world.claim(5, signature + b"!", payer)
    world.claim(5, signature, payer)
    assert world.balance(PAYEE) == 5


@pytest.mark.parametrize("mood", ["SAYS_NO", "REVERTS", "SILENT", "ENDLESS"])
def test_a_contract_that_does_not_say_yes_has_not_signed(walleted: Walleted, mood: str) -> None:
    walleted.agree(5, b"yes")
    walleted.wallet.send(PAYER, "be", getattr(Walleted, mood))
    with pytest.raises(Revert, match=r"^(Hub_BadSignature|)$"):
        walleted.claim(5, b"yes", walleted.wallet.at)
    assert walleted.balance(PAYEE) == 0


def test_the_delegate_of_a_contract_signs_as_any_other(walleted: Walleted) -> None:
    """And the contract cannot take back what its delegate promised."""
    walleted.act(walleted.hub, "setDelegate", HOT)
    walleted.wallet.send(PAYER, "be", Walleted.SAYS_NO)
    payer = walleted.wallet.at
    walleted.claim(5, walleted.sign(5, payer, key=KEY_OF[HOT]), payer)
    assert walleted.balance(PAYEE) == 5


def test_the_largest_sum_is_signed_and_taken(world: HubWorld) -> None:
    world.token.send(PAYER, "mint", PAYER, MOST)
    world.send(PAYER, "deposit", MOST - 100)
    world.send(PAYER, "allocate", [PAYEE], [MOST - 100])
    world.claim(MOST)
    assert address_of(KEY_OF[PAYER]) == bytes_of(PAYER)
    assert world.balance(PAYEE) == MOST

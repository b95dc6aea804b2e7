"""The compiled contract and its model side by side: every call goes to both, and both must agree.

After each step the same things are asked of both, and the rules of `market_rules` are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_utils import to_checksum_address

from quire.base.errors import Reverted
from quire.chain.abi import ask_values, request_id, request_values, slot_id
from quire.chain.memory.ledger import Ledger
from quire.chain.memory.moment import GRAVE, Block
from quire.chain.memory.state import State
from quire.chain.terms import Dispersal, Extensions, LazyRepair, Terms
from quire.chain.values import Ask, RequestId, SlotId, StorageRequest
from quire.kernels.keccak import keccak256
from support import market_rules
from support.contract_kit import (
    ACCOUNTS,
    MARKETPLACE_TYPES,
    TOKENS,
    Machine,
    Revert,
    Setup,
    deployed,
)
from support.npm import installed
from support.solidity import build_script

CONTRACTS = Path(__file__).parents[2] / "contracts"
PEOPLE = tuple(bytes.fromhex(each[2:]) for each in ACCOUNTS)
POOR_TOKENS = 2_000_000  # of the last account
NO_TOKENS = "e450d38c"  # ERC20InsufficientBalance
PANIC = "4e487b71"
OF_OTHERS = ("Registered", "Unregistered")  # no events of the port


@cache
def input_verifier() -> dict[str, Any]:
    source = CONTRACTS / "test" / "InputVerifier.sol"
    return build_script().compile_sources([source], installed(CONTRACTS))["InputVerifier"]


def digest_verifier(inputs: Sequence[int], proof: bytes) -> bool:
    """As contracts/test/InputVerifier.sol."""
    return proof[:32] == keccak256(b"".join(each.to_bytes(32, "big") for each in inputs))


def words_of(proof: bytes) -> tuple[Any, ...]:
    """The eight words of a proof as the ABI nests them."""
    a, b, c, d, e, f, g, h = (int.from_bytes(proof[i : i + 32], "big") for i in range(0, 256, 32))
    return ((a, b), ((c, d), (e, f)), (g, h))


def block_hash(number: int) -> bytes:
    """As pyrevm has it."""
    return keccak256(str(number).encode())


def terms_of(setup: Setup, contract: bytes, token: bytes, inputs: int) -> Terms:
    return Terms(
        chain_id=1,
        contract=contract,
        token=token,
        repair_reward_percentage=setup.repair_reward,
        max_slashes=setup.max_slashes,
        slash_percentage=setup.slash,
        validator_reward_percentage=setup.validator_reward,
        period=setup.period,
        timeout=setup.timeout,
        downtime=setup.downtime,
        downtime_product=setup.downtime_product,
        zkey_hash=setup.zkey_hash,
        max_reservations=setup.max_reservations,
        duration_limit=setup.duration_limit,
        extensions=Extensions(31),
        proof_inputs=inputs,
        dispersal=Dispersal(
            setup.h_bps,
            setup.tail_bps,
            setup.ttl,
            setup.min_age,
            setup.require_registration,
            setup.repair_window,
        ),
        lazy_repair=LazyRepair(setup.threshold, setup.max_delay, setup.min_margin),
    )


class Disagreement(AssertionError):
    """Contract and model differ; the message says in what, and after which calls."""


@dataclass(frozen=True)
class Step:
    caller: bytes
    name: str  # of the contract's function
    values: tuple[Any, ...]
    error: str


class Twin:
    def __init__(self, setup: Setup, inputs: int = 3) -> None:
        self.setup = setup
        self.machine = Machine()
        self.token = deployed(self.machine, "TestToken")
        made = input_verifier()
        verifier = self.machine.deploy(bytes.fromhex(made["bytecode"][2:]), ["uint256"], [inputs])
        values = (setup.config, self.token.at, verifier, setup.additions)
        self.market = deployed(self.machine, "Marketplace", MARKETPLACE_TYPES, values)
        self.here = bytes.fromhex(self.market.at[2:])
        self.terms = terms_of(setup, self.here, bytes.fromhex(self.token.at[2:]), inputs)
        self.state = State()
        self.steps: list[Step] = []
        self.told: list[str] = []  # names of the events of the last call
        self.requests: list[RequestId] = []
        self.slots: list[SlotId] = []
        self.place_of: dict[SlotId, tuple[RequestId, int]] = {}
        for each in PEOPLE:
            tokens = POOR_TOKENS if each == PEOPLE[-1] else TOKENS
            self.token.send(text(each), "mint", text(each), tokens)
            self.token.send(text(each), "approve", self.market.at, 2**256 - 1)
            self.state.tokens[each] = tokens
        self.supply = sum(self.state.tokens.values())

    # ---- calls ----

    def ledger(self, caller: bytes = PEOPLE[0], state: State | None = None) -> Ledger:
        block = Block(self.machine.number, self.machine.time, block_hash)
        state = self.state.copy() if state is None else state
        return Ledger(self.terms, state, block, caller, digest_verifier, self.setup.deposit)

    def send(
        self, caller: bytes, name: str, values: tuple[Any, ...], rule: Callable[[Ledger], Any]
    ) -> str:
        """The name of the error with which both refuse, or an empty text."""
        ledger = self.ledger(caller)
        expected, told_by_rule, error = None, [], ""
        try:
            expected = rule(ledger)
            told_by_rule = [_as_values(each) for each in ledger.events]
        except Reverted as refused:
            error = str(refused.facts["name"])
        value, told_by_contract, real_error = None, [], ""
        try:
            outcome = self.market.send(text(caller), name, *values)
            value = outcome.value if outcome.value != () else None
            told_by_contract = [
                (each.name, _plain(each.values))
                for each in outcome.events
                if each.name not in OF_OTHERS
            ]
        except Revert as refused:
            real_error = _error_name(str(refused))
        self.steps.append(Step(caller, name, values, real_error))
        self.same("error", real_error, error)
        self.same("events", told_by_contract, told_by_rule)
        self.same("returned", value, expected)
        self.told = [each for each, _ in told_by_contract]
        if not error:
            before, self.state = self.state, ledger.state
            market_rules.check_step(self, name, before, ledger)
        return error

    def request(self, caller: bytes, request: StorageRequest) -> str:
        error = self.send(
            caller,
            "requestStorage",
            (request_values(request),),
            lambda ledger: ledger.request_storage(request),
        )
        if not error:
            made = request_id(request)
            self.requests.append(made)
            for index in range(request.ask.slots):
                self.slots.append(slot_id(made, index))
                self.place_of[self.slots[-1]] = made, index
        return error

    def mine(self, blocks: int = 1, seconds: int = 0) -> None:
        self.machine.mine(blocks, seconds)
        self.steps.append(Step(b"", "mine", (blocks, seconds), ""))

    def right_proof(self, host: bytes, slot: SlotId, request: StorageRequest, index: int) -> bytes:
        """What the verifier takes for this slot in this block."""
        challenge = self.ledger().challenge(slot)
        inputs = [
            int.from_bytes(challenge[:31], "little"),
            int.from_bytes(request.content.merkle_root, "little"),
            index,
            int.from_bytes(host, "big"),
        ][: self.terms.proof_inputs]
        digest = keccak256(b"".join(each.to_bytes(32, "big") for each in inputs))
        return digest + bytes(224)

    # ---- comparing ----

    def same(self, what: str, contract: Any, model: Any) -> None:
        if contract != model:
            lines = "\n".join(map(str, self.steps[-12:]))
            at = f"block {self.machine.number}, time {self.machine.time}"
            raise Disagreement(
                f"{what}: the contract says {contract}, the model {model}; {at}, after\n{lines}"
            )

    def compare_money(self) -> None:
        for each in (*PEOPLE, self.here, GRAVE):
            balance = self.token.call("balanceOf", text(each))
            self.same(f"balance of {text(each)}", balance, self.state.tokens.get(each, 0))
        state = self.state
        self.same("totals", self.market.call("totals"), (state.received, state.sent, state.burned))
        self.same("burnable", self.market.call("burnable"), state.burnable)

    def compare_request(self, request: RequestId) -> None:
        ledger, ask = self.ledger(), self.market.call
        self.same("request state", ask("requestState", request), ledger.request_state(request))
        self.same("request end", ask("requestEnd", request), ledger.request_end(request))
        self.same("request expiry", ask("requestExpiry", request), ledger.request_expiry(request))
        values = request_values(ledger.request(request))
        self.same("request", _plain(ask("getRequest", request)), _plain(values))
        count, bitmap = ask("freeSlots", request)
        free = ledger.slots_to_repair(request)
        self.same("free slots", (count, bitmap[0]), (len(free), sum(1 << i for i in free)))

    def compare_slot(self, slot: SlotId) -> None:
        ledger, ask = self.ledger(), self.market.call
        self.same("host", bytes.fromhex(ask("getHost", slot)[2:]), ledger.host(slot) or bytes(20))
        self.same("collateral", ask("currentCollateral", slot), ledger.current_collateral(slot))
        self.same("missed", ask("missingProofs", slot), ledger.missing_proofs(slot))
        self.same("slash", ask("slashOf", slot), ledger.slash_of(slot))
        hosts, since = ask("reservationsOf", slot)
        held = ledger.reservations_of(slot)
        self.same(
            "reserved by", [bytes.fromhex(each[2:]) for each in hosts], [r.host for r in held]
        )
        self.same("reserved at", list(since), [r.reserved_at for r in held])
        record = self.state.slots.get(slot)
        is_free = record is None or record.state == 0
        error = self._refusal("getActiveSlot", slot)
        self.same("active slot", error, "Marketplace_SlotIsFree" if is_free else "")

    def compare_slots(self) -> None:
        """All at once, in two calls."""
        ledger = self.ledger()
        states = list(self.market.call("slotStates", self.slots))
        self.same("slot states", states, [ledger.slot_state(each) for each in self.slots])
        period, statuses = self.market.call("proofStatuses", self.slots)
        self.same("period", period, ledger.period)
        for each, (is_required, will_be, challenge, pointer) in zip(
            self.slots, statuses, strict=True
        ):
            status = ledger.proof_status(each)
            self.same("pointer", pointer, status.pointer)
            self.same("challenge", challenge, status.challenge)
            self.same("proof required", is_required, status.is_required)
            self.same("proof will be required", will_be, status.will_be_required)

    def compare_window(self, caller: bytes, request: RequestId, index: int) -> None:
        ledger = self.ledger(caller)
        can = self.market.call("canReserveSlot", request, index, sender=text(caller))
        self.same("can reserve", can, ledger.can_reserve(request, index))
        eligible = self.market.call("eligibleFrom", text(caller), request, index)
        self.same("eligible from", tuple(eligible), ledger.eligible_from(caller, request, index))

    def compare_missing(self, slot: SlotId, period: int) -> None:
        error = self._refusal("canMarkProofAsMissing", slot, period)
        ledger = self.ledger()
        self.same("can mark", error, ledger.why_not_missing(slot, period) or "")
        is_missing = self.market.call("isProofMissing", slot, period)
        self.same("is missing", is_missing, ledger.is_proof_missing(slot, period))

    def compare_lists(self, caller: bytes) -> None:
        ledger, me = self.ledger(caller), text(caller)
        requests = sorted(self.market.call("myRequests", sender=me))
        self.same("my requests", requests, sorted(ledger.my_requests()))
        slots = sorted(self.market.call("mySlots", sender=me))
        self.same("my slots", slots, sorted(ledger.my_slots()))
        for each in PEOPLE:
            its = ledger.delegation(caller, each)
            found = tuple(self.market.call("proofDelegation", me, text(each)))
            self.same("delegation", found, (its.is_allowed, its.revoked_at))
        since = self.market.call("registeredAt", me)
        self.same("registered at", since, ledger.registered_at(caller))

    def compare_all(self) -> None:
        self.compare_money()
        self.compare_slots()
        for request in self.requests:
            self.compare_request(request)
        for slot in self.slots:
            self.compare_slot(slot)
        for each in PEOPLE:
            self.compare_lists(each)

    def _refusal(self, name: str, *values: Any) -> str:
        try:
            self.market.call(name, *values)
        except Revert as refused:
            return str(refused)
        return ""


def text(address: bytes) -> str:
    return _TEXTS.get(address) or to_checksum_address(address)


_TEXTS = dict(zip(PEOPLE, ACCOUNTS, strict=True))


def _error_name(data: str) -> str:
    """Of errors that are not the marketplace's own."""
    if data.startswith(NO_TOKENS):
        return "ERC20InsufficientBalance"
    return "Panic" if data.startswith(PANIC) else data


def _as_values(event: Any) -> tuple[str, tuple[Any, ...]]:
    """An event of the model as the kit shows those of the contract."""
    values = [getattr(event, name) for name in event.__slots__]
    return type(event).__name__, tuple(
        ask_values(each) if isinstance(each, Ask) else each for each in values
    )


def _plain(values: Any) -> Any:
    """Addresses as bytes, as the model has them."""
    if isinstance(values, tuple | list):
        return tuple(_plain(each) for each in values)
    if isinstance(values, str):
        return bytes.fromhex(values[2:])
    return values

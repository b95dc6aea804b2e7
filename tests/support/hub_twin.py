"""The compiled hub and its model side by side: every call goes to both, and both must agree.

After each step everything is asked of both, and what holds whatever is called is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from quire.base.errors import Reverted
from quire.chain.hub import CHALLENGE_SECONDS, Claim, HubChannel, HubDomain
from quire.chain.memory.hub_rules import HubRules
from quire.chain.memory.moment import Block, Moment
from quire.chain.memory.state import State
from quire.chain.memory.world import accepts_all_but_zero
from quire.chain.values import NO_ADDRESS, Address
from support.contract_kit import TOKENS, Revert
from support.hub_world import CHAIN_ID, HubWorld, bytes_of
from support.hub_world import PEOPLE as TEXTS
from support.memory_world import TERMS

PEOPLE = tuple(bytes_of(each) for each in TEXTS)
PAIRS = [(payer, payee) for payer in PEOPLE for payee in PEOPLE]
PANIC = "4e487b71"
Told = tuple[str, tuple[Any, ...]]
NO_TOKENS = "e450d38c"  # ERC20InsufficientBalance


class Disagreement(AssertionError):
    """Contract and model differ; the message says in what, and after which calls."""


@dataclass(frozen=True)
class Step:
    caller: Address
    name: str
    values: tuple[Any, ...]
    error: str


class HubTwin:
    def __init__(self) -> None:
        self.world = HubWorld()
        self.domain = HubDomain(CHAIN_ID, bytes_of(self.world.hub.at))
        self.state = State(tokens=dict.fromkeys(PEOPLE, TOKENS))
        self.steps: list[Step] = []

    @property
    def now(self) -> int:
        return self.world.machine.time

    def rules(self, caller: Address, state: State | None = None) -> HubRules:
        block = Block(self.world.machine.number, self.now, lambda _: bytes(32))
        state = self.state.copy() if state is None else state
        return HubRules(Moment(TERMS, state, block, caller, accepts_all_but_zero), self.domain)

    def channel(self, payer: Address, payee: Address) -> HubChannel:
        return self.rules(payer, self.state).channel(payer, payee)

    # ---- calls; each gives the name of the error with which both refuse, or an empty text ----

    def deposit(self, caller: Address, amount: int) -> str:
        told = [("Deposited", (caller, amount))]
        return self.send(caller, "deposit", (amount,), lambda r: r.deposit(amount), told)

    def withdraw(self, caller: Address, amount: int) -> str:
        told = [("Withdrawn", (caller, amount))]
        return self.send(caller, "withdraw", (amount,), lambda r: r.withdraw(amount), told)

    def allocate(self, caller: Address, sums: Sequence[tuple[Address, int]]) -> str:
        told, deposits = [], {payee: self.channel(caller, payee).deposit for payee, _ in sums}
        for payee, amount in sums:
            deposits[payee] += amount
            told.append(("Allocated", (caller, payee, deposits[payee])))
        values = [payee for payee, _ in sums], [amount for _, amount in sums]
        return self.send(caller, "allocate", values, lambda r: r.allocate(sums), told)

    def claim(self, caller: Address, claims: Sequence[Claim]) -> str:
        told = [("Claimed", (each.payer, caller, each.cumulative)) for each in claims]
        values = (
            [each.payer for each in claims],
            [each.cumulative for each in claims],
            [each.signature for each in claims],
        )
        return self.send(caller, "claim", values, lambda r: r.claim(claims), told)

    def request_close(self, caller: Address, payee: Address) -> str:
        told = [("Closing", (caller, payee, self.now + CHALLENGE_SECONDS))]
        return self.send(caller, "requestClose", (payee,), lambda r: r.request_close(payee), told)

    def release(self, caller: Address, payee: Address) -> str:
        told = [("Released", (caller, payee, self.channel(caller, payee).free))]
        return self.send(caller, "release", (payee,), lambda r: r.release(payee), told)

    def set_delegate(self, caller: Address, signer: Address | None) -> str:
        rules = self.rules(caller, self.state)
        was, told = rules.delegation(caller), []
        if signer != was.signer:
            until = was.until if was.signer is None else self.now + CHALLENGE_SECONDS
            previous = was.signer or was.previous or NO_ADDRESS
            told.append(("DelegateSet", (caller, signer or NO_ADDRESS, previous, until)))
        values = (signer or NO_ADDRESS,)
        return self.send(caller, "setDelegate", values, lambda r: r.set_delegate(signer), told)

    def send(
        self,
        caller: Address,
        name: str,
        values: tuple[Any, ...],
        rule: Callable[[HubRules], None],
        told: list[Told],
    ) -> str:
        """`told`: the events, unless it is refused."""
        state = self.state.copy()
        error, real_error, events = "", "", []
        try:
            rule(self.rules(caller, state))
        except Reverted as refused:
            error, told = str(refused.facts["name"]), []
        try:
            outcome = self.world.send(caller_text(caller), name, *values)
            events = [(each.name, _plain(each.values)) for each in outcome.events]
        except Revert as refused:
            real_error = _error_name(str(refused))
        self.steps.append(Step(caller, name, values, real_error))
        self.same("error", real_error, error)
        self.same("events", events, told)
        if not error:
            before, self.state = self.state, state
            self.check(before)
        self.compare()
        return error

    # ---- comparing ----

    def same(self, what: str, contract: Any, model: Any) -> None:
        if contract != model:
            lines = "\n".join(map(str, self.steps[-12:]))
            raise Disagreement(
                f"{what}: the contract says {contract}, the model {model}; time {self.now}, after\n"
                f"{lines}"
            )

    def compare(self) -> None:
        world, rules = self.world, self.rules(PEOPLE[0], self.state)
        payers, payees = zip(*PAIRS, strict=True)
        found = world.hub.call("channels", payers, payees)
        expected = [rules.channel(*pair) for pair in PAIRS]
        self.same("channels", [HubChannel(*each) for each in found], expected)
        for text, account in zip(TEXTS, PEOPLE, strict=True):
            self.same("balance", world.balance(text), rules.balance(account))
            self.same("tokens", world.tokens(text), self.state.tokens[account])
            delegation = tuple(world.hub.call("delegation", account))
            its = rules.delegation(account)
            signers = [bytes_of(each) for each in delegation[:2]]
            self.same(
                "delegation",
                (*signers, delegation[2]),
                (its.signer or NO_ADDRESS, its.previous or NO_ADDRESS, its.until),
            )
        held = world.tokens(world.hub.at)
        self.same("held", held, self.state.tokens.get(self.domain.contract, 0))
        self.same("owed", held, self.state.hub.owed)

    def check(self, before: State) -> None:
        """What holds whatever is called."""
        for pair, channel in self.state.hub.channels.items():
            was = before.hub.channels.get(pair, HubChannel())
            assert was.claimed <= channel.claimed <= channel.deposit, self.steps[-1]
            is_released = channel.deposit < was.deposit
            assert not is_released or 0 < was.close_at <= self.now, self.steps[-1]


def _plain(values: Sequence[Any]) -> tuple[Any, ...]:
    """Addresses as bytes, as the model has them."""
    return tuple(bytes_of(each) if isinstance(each, str) else each for each in values)


def caller_text(account: Address) -> str:
    return TEXTS[PEOPLE.index(account)]


def _error_name(data: str) -> str:
    """Of errors that are not the hub's own."""
    if data.startswith(NO_TOKENS):
        return "ERC20InsufficientBalance"
    return "Panic" if data.startswith(PANIC) else data

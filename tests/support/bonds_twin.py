"""The compiled bonds and their model side by side, upon a marketplace and its model: every call
goes to both, and both must agree.

After each call everything is asked of both, and what holds whatever is called is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from eth_utils import to_checksum_address

from quire.base.errors import Reverted
from quire.chain.bonds import CLAIM_SECONDS, Bond, BondsDomain, Promise
from quire.chain.memory.bonds_rules import BondsRules
from quire.chain.memory.state import State
from quire.chain.values import Address
from support.bonds_world import AGGREGATORS as TEXTS
from support.bonds_world import NOTICE, SETUP, deploy_bonds, terms_of
from support.contract_kit import TOKENS, Revert
from support.contract_twin import PEOPLE, Step, Twin
from support.hub_world import CHAIN_ID, bytes_of

AGGREGATORS = tuple(map(bytes_of, TEXTS))
HOSTS = PEOPLE[1:3]
LOOKED_AT = 6  # of the promises that were made last
NO_TOKENS, PANIC = "e450d38c", "4e487b71"
Told: TypeAlias = tuple[str, tuple[Any, ...]]


class BondsTwin:
    def __init__(self) -> None:
        self.market = Twin(SETUP.but(max_slashes=4, slash=10))
        self.contract = deploy_bonds(self.market.machine, self.market.token, self.market.market)
        self.domain = BondsDomain(CHAIN_ID, bytes_of(self.contract.at))
        self.made: list[Promise] = []
        for each in AGGREGATORS:
            self.state.tokens[each] = TOKENS
            self.market.supply += TOKENS

    @property
    def state(self) -> State:
        return self.market.state

    @property
    def now(self) -> int:
        return self.market.machine.time

    def rules(self, caller: Address = HOSTS[0], state: State | None = None) -> BondsRules:
        return BondsRules(self.market.ledger(caller, state), self.domain)

    def bond(self, aggregator: Address) -> Bond:
        return self.rules().bond(aggregator)

    # ---- calls; each gives the name of the error with which both refuse, or an empty text ----

    def deposit(self, caller: Address, amount: int) -> str:
        def rule(rules: BondsRules) -> Told:
            rules.deposit(amount)
            return "Deposited", (caller, amount)

        return self.send(caller, "deposit", (amount,), rule)

    def announce(self, caller: Address, amount: int) -> str:
        def rule(rules: BondsRules) -> Told:
            rules.announce(amount)
            return "Announced", (caller, amount, self.now + NOTICE if amount else 0)

        return self.send(caller, "announce", (amount,), rule)

    def withdraw(self, caller: Address) -> str:
        def rule(rules: BondsRules) -> Told:
            leaving = rules.bond(caller).leaving
            rules.withdraw()
            return "Withdrawn", (caller, leaving)

        return self.send(caller, "withdraw", (), rule)

    def claim(self, caller: Address, promise: Promise, signature: bytes) -> str:
        def rule(rules: BondsRules) -> Told:
            paid = rules.claim(promise, signature)
            about = promise.slot_id, promise.period, promise.amount, paid
            return "Claimed", (promise.aggregator, caller, *about)

        self.made = [*self.made[1 - LOOKED_AT :], promise]
        return self.send(caller, "claim", (*terms_of(promise), signature), rule)

    def send(
        self,
        caller: Address,
        name: str,
        values: tuple[Any, ...],
        rule: Callable[[BondsRules], Told],
    ) -> str:
        """`rule` tells the event."""
        market, before = self.market, self.state
        ledger = market.ledger(caller)
        error, real_error, told, events = "", "", [], []
        try:
            told.append(rule(BondsRules(ledger, self.domain)))
        except Reverted as refused:
            error = str(refused.facts["name"])
        try:
            outcome = self.contract.send(to_checksum_address(caller), name, *values)
            events = [(each.name, _plain(each.values)) for each in outcome.events]
        except Revert as refused:
            real_error = _error_name(str(refused))
        market.steps.append(Step(caller, name, values, real_error))
        market.same("error", real_error, error)
        market.same("events", events, told)
        if not error:
            market.state = ledger.state
            self.check(before)
        self.compare()
        return error

    # ---- comparing ----

    def compare(self) -> None:
        rules, same = self.rules(), self.market.same
        for text, account in zip(TEXTS, AGGREGATORS, strict=True):
            same("bond", Bond(*self.contract.call("bondOf", text)), rules.bond(account))
        for each in self.made[-LOOKED_AT:]:
            asked = (each.aggregator, each.host, each.slot_id, each.period)
            same("claimed", self.contract.call("isClaimed", *asked), rules.is_claimed(each))
        for account in (*AGGREGATORS, *HOSTS, self.domain.contract):
            held = self.market.token.call("balanceOf", account)
            same("tokens", held, self.state.tokens.get(account, 0))
        held = self.market.token.call("balanceOf", self.contract.at)
        same("owed", held, self.state.bonds.owed)

    def check(self, before: State) -> None:
        """What holds whatever is called."""
        last = self.market.steps[-1]
        for account, bond in self.state.bonds.bonds.items():
            was = before.bonds.bonds.get(account, Bond())
            assert 0 <= bond.leaving <= bond.amount, last
            assert (bond.leaving == 0) == (bond.leaves_at == 0), last
            if bond.amount < was.amount and last.name == "withdraw":
                assert 0 < was.leaves_at <= self.now, last
                assert bond.amount == was.amount - was.leaving, last
        assert self.state.bonds.claimed >= before.bonds.claimed, last
        for _, _, slot, period in self.state.bonds.claimed - before.bonds.claimed:
            assert self.market.market.call("isProofMissing", slot, period), last
            assert self.now < self.market.terms.period_end(period) + CLAIM_SECONDS, last


def _plain(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Addresses as bytes, as the model has them."""
    return tuple(bytes_of(each) if isinstance(each, str) else each for each in values)


def _error_name(data: str) -> str:
    """Of errors that are not the contract's own."""
    if data.startswith(NO_TOKENS):
        return "ERC20InsufficientBalance"
    return "Panic" if data.startswith(PANIC) else data

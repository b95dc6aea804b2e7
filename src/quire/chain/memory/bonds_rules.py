"""The rules of the contract of bonds, executable.

A refused call raises Reverted; its fact `name` is the contract's error.

Source   market.md 6.4; contracts/README.md
"""

from __future__ import annotations

from dataclasses import replace

from quire.chain.bonds import (
    CLAIM_SECONDS,
    NOTICE_PERIODS,
    Bond,
    BondsDomain,
    Promise,
    promise_digest,
)
from quire.chain.memory.bonds_state import missed_of
from quire.chain.memory.ledger import Ledger
from quire.chain.memory.moment import need
from quire.chain.values import Address
from quire.kernels.signing import recover_address

MOST_TOKENS = (1 << 128) - 1  # of a bond


class BondsRules:
    """One call, by the caller of `ledger`, in its block. Thrown away with it when refused."""

    def __init__(self, ledger: Ledger, domain: BondsDomain) -> None:
        self.state = ledger.state.bonds
        self._ledger = ledger
        self._domain = domain
        self._caller = ledger.caller
        self._now = ledger.now

    # ---- what is ----

    def bond(self, account: Address) -> Bond:
        return self.state.bonds.get(account, Bond())

    def is_claimed(self, promise: Promise) -> bool:
        return missed_of(promise) in self.state.claimed

    # ---- aggregators ----

    def deposit(self, amount: int) -> None:
        mine = self.bond(self._caller)
        need(mine.amount + amount <= MOST_TOKENS, "Panic")
        self._put(self._caller, replace(mine, amount=mine.amount + amount))
        self._ledger.move(self._caller, self._domain.contract, amount)

    def announce(self, leaving: int) -> None:
        mine = self.bond(self._caller)
        need(leaving <= mine.amount, "Bonds_AboveBond")
        notice = CLAIM_SECONDS + NOTICE_PERIODS * self._ledger.terms.period
        leaves_at = self._now + notice if leaving else 0
        self._put(self._caller, replace(mine, leaving=leaving, leaves_at=leaves_at))

    def withdraw(self) -> None:
        mine = self.bond(self._caller)
        need(mine.leaving > 0, "Bonds_NothingAnnounced")
        need(self._now >= mine.leaves_at, "Bonds_TooEarly")
        self._put(self._caller, Bond(mine.amount - mine.leaving))
        self._ledger.move(self._domain.contract, self._caller, mine.leaving)

    # ---- hosts ----

    def claim(self, promise: Promise, signature: bytes) -> int:
        """What is paid."""
        terms, ledger, period = self._ledger.terms, self._ledger, promise.period
        promise = replace(promise, host=self._caller)
        signer = recover_address(signature, promise_digest(self._domain, promise))
        need(signer is not None and signer == promise.aggregator, "Bonds_BadSignature")
        need(promise.amount > 0, "Bonds_NothingPromised")
        need(self._now < terms.period_end(period) + CLAIM_SECONDS, "Bonds_TooLate")
        need(ledger.is_proof_missing(promise.slot_id, period), "Bonds_ProofNotMissing")
        its = ledger.delegation(self._caller, promise.aggregator)
        is_free = its.is_allowed and its.revoked_at < terms.period_start(period)
        need(is_free, "Bonds_NotDelegate")
        need(not self.is_claimed(promise), "Bonds_AlreadyClaimed")
        bond = self.bond(promise.aggregator)
        need(bond.amount > 0, "Bonds_NothingLeft")
        paid = min(promise.amount, ledger.slash_of(promise.slot_id), bond.amount)
        leaving = max(0, bond.leaving - paid)
        left = Bond(bond.amount - paid, leaving, bond.leaves_at if leaving else 0)
        self._put(promise.aggregator, left)
        self.state.claimed.add(missed_of(promise))
        ledger.move(self._domain.contract, self._caller, paid)
        return paid

    # ---- inside ----

    def _put(self, account: Address, bond: Bond) -> None:
        self.state.bonds[account] = bond

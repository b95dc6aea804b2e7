"""What a request will cost, told before anything is signed.

Source   market.md 2.1, 2.10 (gas), 2.6
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import InsufficientFunds
from quire.base.units import format_duration
from quire.chain.terms import Terms
from quire.chain.values import Ask
from quire.dataset.plan import REFERENCE_RATES, Wish, plan
from quire.market.bid import Bid

DAY = 86_400
GAS_APPROVE, GAS_REQUEST, GAS_WITHDRAW = 46_000, 458_000, 52_000  # of the reference, measured
GAS = GAS_APPROVE + GAS_REQUEST + GAS_WITHDRAW
HOST_MTTF, REPAIR_TIME = 365.25 * DAY, float(DAY)  # what a plan assumes of hosts, in seconds
EXPANSION = 1.5  # stored bytes for each byte of the dataset, when a plan chooses
PROOFS_A_DAY = 2.0  # of a slot, when a plan chooses


@dataclass(frozen=True, slots=True)
class Quote:
    """Amounts in the smallest unit of the token; sizes in bytes."""

    bid: Bid
    ask: Ask
    dataset_size: int  # bytes that the client gets back
    balance: int
    gas_balance: int  # wei
    period: int  # seconds of the contract's proof clock

    @property
    def max_price(self) -> int:
        """What the client pays in; what hosts do not earn comes back."""
        return self.ask.max_price

    @property
    def collateral(self) -> int:
        """What all hosts together pay in."""
        return self.ask.collateral_per_slot * self.ask.slots

    @property
    def paid_bytes(self) -> int:
        """Bytes that are paid for: slots with their padding."""
        return self.ask.slots * self.ask.slot_size

    @property
    def gas(self) -> int:
        """Estimate for the request, with approval, and the withdrawal at its end."""
        return GAS

    @property
    def proofs_per_slot(self) -> float:
        """How many proofs a host gives over the whole duration, on average."""
        return self.ask.duration / self.period / self.ask.proof_probability

    @property
    def missing(self) -> int:
        """Tokens that the account does not have for it; 0 when it can pay."""
        return max(0, self.max_price - self.balance)

    @property
    def duration_max(self) -> int:
        """Seconds that the account can pay for at this price."""
        return self.balance // (self.ask.price_per_slot_per_second * self.ask.slots)

    @property
    def price_max(self) -> int:
        """Price per byte per second that the account can pay for the whole duration."""
        return self.balance // (self.ask.slots * self.ask.slot_size * self.ask.duration)


def check_affordable(quote: Quote) -> None:
    """Raise InsufficientFunds, with what would work."""
    if quote.missing:
        seconds = quote.duration_max
        shorter = f"a duration of {seconds} s ({format_duration(seconds)})"
        works = [f"{quote.missing} more tokens"]
        if seconds > quote.bid.expiry:
            works.append(shorter)
        if quote.price_max:
            works.append(f"a price of {quote.price_max} per byte and second")
        raise InsufficientFunds(
            f"the request costs up to {quote.max_price} tokens and the account has "
            f"{quote.balance}; {' or '.join(works)} would work",
            price=quote.max_price,
            balance=quote.balance,
            missing=quote.missing,
        )
    if quote.gas_balance <= 0:
        raise InsufficientFunds(
            "the account has no coins of the chain to pay for transactions; about "
            f"{quote.gas} gas are needed"
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """Nodes, tolerance and proof probability that keep a wish."""

    nodes: int
    tolerance: int
    proof_probability: int
    nines: float  # that they give


def planned(
    wanted_nines: float, duration: int, size: int, block_size: int, terms: Terms
) -> Planned:
    """What keeps a dataset of `size` bytes for `duration` with a chance of 10^-nines to lose it.

    Raises   CannotPromise, InputError"""
    probability = max(1, round(DAY / PROOFS_A_DAY / terms.period))
    wish = Wish(
        size=size,
        nines=wanted_nines,
        period=float(duration),
        host_mttf=HOST_MTTF,
        proof_interval=float(probability * terms.period),
        misses=max(terms.max_slashes - 1, 0),
        repair_time=REPAIR_TIME,
        block_size=block_size,
    )
    found = plan(wish, EXPANSION, REFERENCE_RATES)
    return Planned(found.slots, found.m, probability, found.nines)

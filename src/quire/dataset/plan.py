"""From "keep this safe for so long" to a code, a proof rate, and what they cost.

    wish -> cheapest code with the wanted expansion that keeps the promise
         -> samples a proof, so that a partial loss is noticed too
         -> disk, bytes and CPU over the period

Pure; sizes in bytes, times in seconds. The contract's slots are padded to a power of two of blocks
(proofs.md 3.7), and the padding is paid for: the plan counts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from quire.base.errors import InputError
from quire.dataset.durability import (
    NINES_MAX,
    Hazards,
    Outlook,
    detection_probability,
    escape_probability,
    nines,
    outlook,
)

SLOTS_MAX = 256  # the depth of the dataset tree in the circuit
SAMPLES = (5, 20, 100)  # for which there are circuits
SLOTS_MORE = 1.5
PARTIAL_LOSS = 0.1  # of a slot's cells, to be noticed with this probability while a loss is:
PARTIAL_NOTICED = 0.99


class CannotPromise(InputError):
    """No code within the limits keeps the wish."""

    code = "cannot-promise"
    hint = "ask for fewer nines, allow more expansion, repair sooner, or put small files together"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted, and the world it is wanted in."""

    size: int  # bytes of the dataset
    nines: float  # 9 = a chance of 1e-9 to lose it within `period`
    period: float
    host_mttf: float  # mean time until a host loses its slot
    proof_interval: float  # mean time between two proofs of a slot
    misses: int  # missed proofs that are forgiven before a slot is freed
    repair_time: float  # mean time from a repair's decision to its end
    block_size: int = 65_536
    lazy: int = 1

    def __post_init__(self) -> None:
        if self.size < 1 or self.block_size < 1:
            raise InputError(f"a dataset of {self.size} bytes cannot be protected; it is empty")
        if not 0 < self.nines <= NINES_MAX:
            raise InputError(f"nines go from above 0 to {NINES_MAX}, not {self.nines}")
        if self.misses < 0:
            raise InputError(f"misses cannot be {self.misses}; 0 frees a slot at the first")

    @property
    def blocks(self) -> int:
        return -(-self.size // self.block_size)

    @property
    def hazards(self) -> Hazards:
        """A lost slot is noticed when the proof after the forgiven ones is missed."""
        detection = self.proof_interval * (self.misses + 1)
        return Hazards(self.host_mttf, detection, self.repair_time, self.lazy)


@dataclass(frozen=True, slots=True)
class Rates:
    """What work takes: bytes a second on one core, CPU seconds a proof by samples."""

    coding: float
    hashing: float
    proof_seconds: dict[int, float]


# Of the machine of docs/reference/figures.md.
REFERENCE_RATES = Rates(coding=6e9, hashing=1.2e8, proof_seconds={5: 0.6, 20: 2.2, 100: 9.2})


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the whole dataset over the whole period."""

    stored_bytes: int  # on the disks of all hosts
    paid_bytes: int  # what the contract counts, with slots padded to a power of two
    upload_bytes: int
    prepare_seconds: float  # CPU: coding and slot trees
    proofs: float
    proof_seconds: float  # CPU, all hosts together
    repair_bytes: float  # moved by repairs: k slots read, the lost ones written


@dataclass(frozen=True, slots=True)
class Plan:
    """A code, what it promises and what it costs."""

    k: int
    m: int
    samples: int
    outlook: Outlook
    keeps_wish: bool
    cost: Cost

    @property
    def slots(self) -> int:
        return self.k + self.m

    @property
    def expansion(self) -> float:
        return self.slots / self.k

    @property
    def nines(self) -> float:
        return nines(self.outlook.loss)


def plan(wish: Wish, expansion: float, rates: Rates) -> Plan:
    """The cheapest code whose (k + m) / k is at most `expansion` and that keeps the wish.

    Cheapest: the least that the contract counts, among the smallest code that keeps the wish and
    those with up to SLOTS_MORE times its slots. A few more rows often save much padding.

    Raises   InputError     the expansion is not above 1, or asks for more parity than data
             CannotPromise  no such code; the message says how far one gets
    """
    if not 1 < expansion <= 2:
        raise InputError(
            f"an expansion is above 1 and at most 2, not {expansion}: a code has as many parity "
            "rows as data rows at most"
        )
    kept: list[Plan] = []
    last: Plan | None = None
    for k, m in codes(wish, expansion):
        if kept and k + m > SLOTS_MORE * kept[0].slots:
            break
        last = evaluate(wish, k, m, rates)
        if last.keeps_wish:
            kept.append(last)
    if kept:
        return min(kept, key=lambda found: (found.cost.paid_bytes, found.slots))
    if last is None:
        raise CannotPromise(
            f"{wish.blocks} blocks of {wish.block_size} bytes cannot be spread with an expansion "
            f"of {expansion:g}"
        )
    raise CannotPromise(
        f"{wish.nines:g} nines cannot be had: {last.k} + {last.m}, the largest code for "
        f"{wish.blocks} blocks with an expansion of {expansion:g}, gives {last.nines:.1f}"
    )


def evaluate(wish: Wish, k: int, m: int, rates: Rates) -> Plan:
    """What a given code gives. Raises InputError when the dataset cannot have it."""
    if not 2 <= k <= wish.blocks or not 1 <= m <= k or k + m > SLOTS_MAX:
        raise InputError(
            f"{k} + {m} is no code for {wish.blocks} blocks: k goes from 2 to the number of "
            f"blocks, m from 1 to k, and both together to {SLOTS_MAX}"
        )
    found = outlook(k, m, wish.hazards, wish.period)
    samples = samples_for(wish)
    cost = _cost(wish, k, m, samples, found, rates)
    return Plan(k, m, samples, found, nines(found.loss) >= wish.nines, cost)


def codes(wish: Wish, expansion: float) -> list[tuple[int, int]]:
    """Every (k, m) within the limits, few slots first, with as much parity as the expansion
    allows."""
    found = []
    for k in range(2, min(wish.blocks, SLOTS_MAX) + 1):
        # The small term is for expansions such as 1.2, whose product is just below a whole number.
        m = int(k * (expansion - 1) + 1e-9)
        if m >= wish.lazy and k + m <= SLOTS_MAX:
            found.append((k, m))
    return found


def samples_for(wish: Wish) -> int:
    """The fewest samples with which a loss of PARTIAL_LOSS of a slot frees it, with probability
    PARTIAL_NOTICED, within seven times the mean time that a whole loss takes to be noticed."""
    proofs = int(7 * wish.hazards.detection / wish.proof_interval)
    for samples in SAMPLES:
        if escape_probability(PARTIAL_LOSS, samples, proofs, wish.misses) <= 1 - PARTIAL_NOTICED:
            return samples
    return SAMPLES[-1]


def proofs_until_noticed(lost: float, samples: int) -> float:
    """Mean number of proofs until one hits the lost cells. Infinite for no loss."""
    found = detection_probability(lost, samples)
    return float("inf") if found == 0 else 1 / found


def _cost(wish: Wish, k: int, m: int, samples: int, found: Outlook, rates: Rates) -> Cost:
    steps = ceil(wish.blocks / k)
    slot = steps * wish.block_size
    padded = (1 << (steps - 1).bit_length()) * wish.block_size
    slots = k + m
    proofs = slots * wish.period / wish.proof_interval
    return Cost(
        stored_bytes=slot * slots,
        paid_bytes=padded * slots,
        upload_bytes=slot * slots,
        prepare_seconds=slot * k / rates.coding + padded * slots / rates.hashing,
        proofs=proofs,
        proof_seconds=proofs * rates.proof_seconds[samples],
        repair_bytes=found.repairs * (k + found.rebuilt) * slot,
    )

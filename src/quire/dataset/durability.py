"""How safe a dataset is: what sampling finds, and how likely too many slots are lost at once.

Two parts. Audits: the chance that sampling cells finds a loss (spec: proofs.md 7.1). Dataset: the
Markov model of the Codex white paper (7.2). Its states are (l, f): l slots are lost, f of them were
noticed. A slot is lost every `mttf`, a loss is noticed every `detection`, and once `lazy` losses
are noticed all lost slots come back every `repair`. More than `m` lost slots at once is the end.

Everything is computed from positive terms only, so that probabilities of 1e-30 are as exact as
large ones. Times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, expm1, inf, isfinite, log, log1p

from quire.base.errors import InputError

NINES_MAX = 30


def detection_probability(lost: float, samples: int) -> float:
    """Chance that one proof of `samples` random cells hits one of the fraction `lost`.

    lost  0..1 of the cells of a slot   source: proofs.md 7.1, D = 1 - (1 - f)^n
    """
    _check_fraction(lost, "the lost fraction")
    return 1.0 if lost == 1 else -expm1(samples * log1p(-lost))


def escape_probability(lost: float, samples: int, proofs: int, misses: int = 0) -> float:
    """Chance to get through `proofs` proofs with at most `misses` of them failed."""
    found = detection_probability(lost, samples)
    if found == 1.0:
        return 1.0 if misses >= proofs else 0.0
    return _binomial_head(proofs, found, misses)


def samples_needed(lost: float, escape: float) -> int:
    """Cells to sample, over all proofs, so that a loss escapes with at most this probability."""
    _check_fraction(lost, "the lost fraction")
    _check_fraction(escape, "the probability of escape")
    if not 0 < lost < 1 or not 0 < escape < 1:
        raise InputError("samples can be counted only for a loss and an escape between 0 and 1")
    count = log(escape) / log1p(-lost)
    return int(count) + (count != int(count))


def snapshot_loss(slots: int, m: int, lost: float) -> float:
    """Chance that more than `m` of `slots` are lost, each with probability `lost`, no repair."""
    _check_fraction(lost, "the probability that a slot is lost")
    return sum(
        comb(slots, i) * lost**i * (1 - lost) ** (slots - i) for i in range(m + 1, slots + 1)
    )


def nines(loss: float) -> float:
    """How many nines a loss probability leaves: 1e-4 is four. Infinite for none."""
    return inf if loss <= 0 else -log(loss) / log(10)


@dataclass(frozen=True, slots=True)
class Hazards:
    """What a dataset is exposed to. Seconds; means of exponential times."""

    mttf: float  # until a slot is lost
    detection: float  # until a loss is noticed
    repair: float  # until lost slots are back, from the moment that it is due
    lazy: int = 1  # repair when so many losses are noticed

    def __post_init__(self) -> None:
        for name in ("mttf", "detection", "repair"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise InputError(f"{name} must be a time above zero, not {value}")
        if self.lazy < 1:
            raise InputError(f"repair begins at 1 noticed loss or more, not {self.lazy}")


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the model says of one code over one period."""

    loss: float  # probability that the dataset is lost within the period
    repairs: float  # repairs to expect in the period
    rebuilt: float  # slots that one repair brings back, on average


def outlook(k: int, m: int, hazards: Hazards, period: float) -> Outlook:
    """The chance to lose a dataset of k + m slots within `period` seconds, and its repairs.

    The process begins anew with each repair. So the losses in a period are those of a renewal
    process: with c the chance that a cycle ends in loss, u its mean length, v its mean squared
    length and w the mean time of a loss, N(T) = c * (T / u + v / (2 u^2) - w / u) losses are
    expected, and the chance of none is exp(-N). For a period that is short beside the time that a
    loss takes, N of a longer one and the chance without any repair are both upper bounds; the
    smaller is taken.

    Raises InputError   k or m below 1, lazy above m, the period not above zero
    """
    _check_code(k, m)
    if hazards.lazy > m:
        raise InputError(f"repair would begin at {hazards.lazy} losses, but {m} may be lost")
    if not (isfinite(period) and period > 0):
        raise InputError(f"a period must be above zero seconds, not {period}")
    cycle = _cycle(k + m, m, hazards)
    mean = cycle.length
    settled = max(period, 2 * cycle.loss_time)
    expected = cycle.loss * (
        settled / mean + cycle.squared / (2 * mean * mean) - cycle.loss_time / mean
    )
    unrepaired = snapshot_loss(k + m, m, -expm1(-period / hazards.mttf))
    loss = min(-expm1(-expected), unrepaired)
    return Outlook(loss, period / mean, cycle.rebuilt)


@dataclass(frozen=True, slots=True)
class _Moments:
    """Of what follows from a state until the cycle ends, by repair or by loss."""

    length: float = 0.0  # mean
    squared: float = 0.0  # mean of the square
    loss: float = 0.0  # chance that it ends in loss
    timed_loss: float = 0.0  # mean of the time, where it ends in loss
    rebuilt: float = 0.0  # mean of the slots that come back

    @property
    def loss_time(self) -> float:
        """Mean time of a loss, given that there is one."""
        return self.timed_loss / self.loss


_LOST = _Moments(loss=1.0)


def _cycle(slots: int, m: int, hazards: Hazards) -> _Moments:
    """From no loss to the end of the cycle. Within a cycle l and f only grow, so that every state
    follows from later ones."""
    known: dict[tuple[int, int], _Moments] = {}
    for lost in range(m, -1, -1):
        for noticed in range(lost, -1, -1):
            fails = (slots - lost) / hazards.mttf
            next_ = _LOST if lost == m else known[lost + 1, noticed]
            ways = [(fails, next_)]
            if noticed < lost:
                ways.append(((lost - noticed) / hazards.detection, known[lost, noticed + 1]))
            if noticed >= hazards.lazy:
                ways.append((1 / hazards.repair, _Moments(rebuilt=float(lost))))
            known[lost, noticed] = _before(ways)
    return known[0, 0]


def _before(ways: list[tuple[float, _Moments]]) -> _Moments:
    """The moments of a state that is left at these rates to these states."""
    total = sum(rate for rate, _ in ways)
    stay = 1 / total
    length = squared = loss = timed_loss = rebuilt = 0.0
    for rate, then in ways:
        share = rate / total
        length += share * then.length
        squared += share * then.squared
        loss += share * then.loss
        timed_loss += share * then.timed_loss
        rebuilt += share * then.rebuilt
    return _Moments(
        length=stay + length,
        squared=2 * stay * stay + 2 * stay * length + squared,
        loss=loss,
        timed_loss=stay * loss + timed_loss,
        rebuilt=rebuilt,
    )


def _binomial_head(count: int, chance: float, most: int) -> float:
    """Chance of at most `most` hits in `count` tries."""
    return sum(
        comb(count, i) * chance**i * (1 - chance) ** (count - i)
        for i in range(min(most, count) + 1)
    )


def _check_code(k: int, m: int) -> None:
    if k < 1 or m < 1:
        raise InputError(f"a code needs a data row and a parity row at least, not {k} + {m}")


def _check_fraction(value: float, what: str) -> None:
    if not 0 <= value <= 1:
        raise InputError(f"{what} is a number from 0 to 1, not {value}")

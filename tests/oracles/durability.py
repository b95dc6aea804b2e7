"""Slow twins of the durability model: a matrix exponential by uniformisation, and trials."""

from __future__ import annotations

from math import exp, log
from random import Random

State = tuple[int, int]


def rates(
    k: int, m: int, mttf: float, noticed: float, repair: float, lazy: int
) -> dict[State, list[tuple[State | None, float]]]:
    """Of each state (lost, noticed), where it goes and how fast; None is the loss."""
    found: dict[State, list[tuple[State | None, float]]] = {}
    for lost in range(m + 1):
        for seen in range(lost + 1):
            ways: list[tuple[State | None, float]] = [
                (None if lost == m else (lost + 1, seen), (k + m - lost) / mttf)
            ]
            if seen < lost:
                ways.append(((lost, seen + 1), (lost - seen) / noticed))
            if seen >= lazy:
                ways.append(((0, 0), 1 / repair))
            found[lost, seen] = ways
    return found


def loss_by_uniformisation(
    k: int, m: int, mttf: float, noticed: float, repair: float, lazy: int, period: float
) -> float:
    """Chance of loss within `period`: the discrete chain at the fastest rate, Poisson weighted."""
    chain = rates(k, m, mttf, noticed, repair, lazy)
    fastest = max(sum(rate for _, rate in ways) for ways in chain.values())
    now: dict[State, float] = {(0, 0): 1.0}
    lost_so_far, answer = 0.0, 0.0
    count = fastest * period
    steps = int(count + 12 * count**0.5 + 40)
    log_weight, weights = -count, []
    for step in range(steps):
        weights.append(exp(log_weight) if log_weight > -700 else 0.0)
        log_weight += log(count) - log(step + 1)
    for step in range(steps):
        answer += weights[step] * lost_so_far
        after: dict[State, float] = {}
        for state, chance in now.items():
            stays = 1.0
            for target, rate in chain[state]:
                share = rate / fastest
                stays -= share
                if target is None:
                    lost_so_far += chance * share
                else:
                    after[target] = after.get(target, 0.0) + chance * share
            after[state] = after.get(state, 0.0) + chance * stays
        now = after
    return answer


def losses_in_trials(
    rng: Random, trials: int, k: int, m: int, mttf: float, noticed: float, repair: float, lazy: int,
    period: float,
) -> int:  # fmt: skip
    """How many of so many simulated datasets are lost within `period`."""
    chain = rates(k, m, mttf, noticed, repair, lazy)
    lost = 0
    for _ in range(trials):
        at, state = 0.0, (0, 0)
        while True:
            ways = chain[state]
            total = sum(rate for _, rate in ways)
            at += rng.expovariate(total)
            if at > period:
                break
            target = rng.choices([way for way, _ in ways], [rate for _, rate in ways])[0]
            if target is None:
                lost += 1
                break
            state = target
    return lost

"""A verifying key whose secrets are known, so that any statement has a proof at once.

With alpha, beta, gamma, delta and the logarithms k of the input points known, A = r G1 and B = s G2
are free and C = (r s - alpha beta - gamma (k0 + sum x k)) / delta G1 fits them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

P = 21888242871839275222246405745257275088696311157297823662689037894645226208583
R = 21888242871839275222246405745257275088548364400416034343698204186575808495617

Number = tuple[int, int]  # real + i imag; of the first group only real
Point = tuple[Number, Number] | None  # None: at infinity

G1: Point = ((1, 0), (2, 0))
G2: Point = (
    (
        10857046999023057135944570762232829481370756359578518086990519993285655852781,
        11559732032986387107991004021392285783925812861821192530917403151452391805634,
    ),
    (
        8495653923123431417604973247489272438418190587263600148770280649306958101930,
        4082367875863433681332203403145435568316851327593401208105741076214120093531,
    ),
)


def _times(a: Number, b: Number) -> Number:
    return (a[0] * b[0] - a[1] * b[1]) % P, (a[0] * b[1] + a[1] * b[0]) % P


def _minus(a: Number, b: Number) -> Number:
    return (a[0] - b[0]) % P, (a[1] - b[1]) % P


def _over(a: Number, b: Number) -> Number:
    scale = pow(b[0] * b[0] + b[1] * b[1], -1, P)
    return _times(a, (b[0] * scale % P, -b[1] * scale % P))


def plus(p: Point, q: Point) -> Point:
    if p is None or q is None:
        return p or q
    (px, py), (qx, qy) = p, q
    if px == qx:
        if py != qy:
            return None
        slope = _over(_times((3, 0), _times(px, px)), _times((2, 0), py))
    else:
        slope = _over(_minus(qy, py), _minus(qx, px))
    x = _minus(_minus(_times(slope, slope), px), qx)
    return x, _minus(_times(slope, _minus(px, x)), py)


def times(point: Point, scalar: int) -> Point:
    found: Point = None
    for bit in bin(scalar % R)[2:]:
        found = plus(found, found)
        if bit == "1":
            found = plus(found, point)
    return found


def first(point: Point) -> tuple[int, int]:
    """As the contract takes a point of the first group."""
    assert point is not None
    return point[0][0], point[1][0]


def second(point: Point) -> tuple[Number, Number]:
    assert point is not None
    return point


@dataclass(frozen=True)
class Trapdoor:
    """The secrets of a key for as many public inputs as `logs` has numbers, less one."""

    alpha: int
    beta: int
    gamma: int
    delta: int
    logs: tuple[int, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        """The constructor argument of the verifier."""
        fixed = [second(times(G2, secret)) for secret in (self.beta, self.gamma, self.delta)]
        points = [first(times(G1, log)) for log in self.logs]
        return (first(times(G1, self.alpha)), *fixed, points)

    def prove(self, inputs: Sequence[int], rng: random.Random) -> tuple[Any, ...]:
        """A proof as the contract takes it."""
        r, s = rng.randrange(1, R), rng.randrange(1, R)
        spoken = self.logs[0] + sum(x * k for x, k in zip(inputs, self.logs[1:], strict=True))
        rest = r * s - self.alpha * self.beta - self.gamma * spoken
        c = rest * pow(self.delta, -1, R)
        return first(times(G1, r)), second(times(G2, s)), first(times(G1, c))


def trapdoor(inputs: int, seed: int = 1) -> Trapdoor:
    rng = random.Random(seed)
    draw = [rng.randrange(1, R) for _ in range(4 + 1 + inputs)]
    return Trapdoor(*draw[:4], tuple(draw[4:]))


KEY_TYPE = (
    "((uint256,uint256),((uint256,uint256),(uint256,uint256)),"
    "((uint256,uint256),(uint256,uint256)),((uint256,uint256),(uint256,uint256)),"
    "(uint256,uint256)[])"
)

"""Which columns of a coded dataset its owner codes again, and how sure that makes him.

Of `steps` columns at least one in a hundred has a wrong parity block; `count` are drawn without
putting back. The chance that none of them is a wrong one is

    miss(count) = C(steps - bad, count) / C(steps, count),    bad = ⌈steps / 100⌉

which is 0.99^count for many columns. The secret is drawn before anything is sent and told to
nobody, so that nobody knows which columns need to be right.
Source   market.md 6.5; docs/explain/verified-coding.md
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from quire.base.errors import InputError
from quire.dataset.geometry import Geometry

FRACTION = 0.01  # of the columns that are wrong, and are to be found
CONFIDENCE = 0.99
CONFIDENCE_MAX = 1 - 1e-9
SECRET_BYTES = 32
DIGESTS_LEAST = 32  # blocks whose Poseidon2 digest is computed here, forty times the work of coding
DIGESTS_SHARE = 100  # of so many blocks, one
DIGESTS_MOST = 460

_COLUMNS, _ROWS = b"columns", b"rows"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is looked at. `columns`: in order; `blocks`: (row, column) of those whose Poseidon2
    digest is computed too, each in one of the columns."""

    geometry: Geometry
    columns: tuple[int, ...]
    blocks: tuple[tuple[int, int], ...]

    def words(self) -> str:
        """For people."""
        steps, count = self.geometry.steps, len(self.columns)
        sure = 100 * (1 - miss(steps, count))
        # Rounded down: nobody is told more than there is.
        percent = "100" if count == steps else f"{int(sure * 10) / 10:.1f}"
        coded = f"{grouped(count)} of {grouped(steps)} columns coded again, {percent} %"
        rows = self.geometry.total - (self.geometry.rounded - self.geometry.original_blocks)
        return f"{coded}; digests of {grouped(len(self.blocks))} of {grouped(rows)} blocks"


def miss(steps: int, count: int, fraction: float = FRACTION) -> float:
    """The chance that `count` columns of `steps` show none of the wrong ones."""
    chance = 1.0
    for drawn in range(count):
        chance *= max(0, steps - _bad(steps, fraction) - drawn) / (steps - drawn)
    return chance


def needed(steps: int, confidence: float = CONFIDENCE, fraction: float = FRACTION) -> int:
    """How many columns are to be drawn. Raises InputError."""
    check_confidence(confidence)
    if steps < 1 or not 0 < fraction <= 1:
        raise InputError(f"of {steps} columns a share of {fraction} cannot be wrong")
    bad, chance = _bad(steps, fraction), 1.0
    for drawn in range(steps):
        if chance <= 1 - confidence:
            return drawn
        chance *= max(0, steps - bad - drawn) / (steps - drawn)
    return steps


def check_confidence(confidence: float) -> None:
    """Raises InputError, with the numbers that would work."""
    if not 0.5 <= confidence <= CONFIDENCE_MAX:
        raise InputError(
            f"a confidence of {confidence} cannot be had; 0.5 to 0.999999999 would work, "
            f"{CONFIDENCE} is what is usual"
        )


def draw(secret: bytes, geometry: Geometry, confidence: float = CONFIDENCE) -> Drawn:
    """What is looked at; the same of the same secret. Raises InputError."""
    if len(secret) != SECRET_BYTES:
        raise InputError(f"a secret of {len(secret)} bytes is none of {SECRET_BYTES}")
    steps = geometry.steps
    count = needed(steps, confidence)
    columns = _sample(_numbers(secret, _COLUMNS), steps, count)
    return Drawn(geometry, tuple(sorted(columns)), _blocks(secret, geometry, columns))


def grouped(number: int) -> str:
    """16 384, as people read it."""
    return f"{number:,}".replace(",", " ")


def _bad(steps: int, fraction: float) -> int:
    """The fewest columns that are such a share."""
    return max(1, min(steps, -int(-(fraction * steps) // 1)))


def _blocks(
    secret: bytes, geometry: Geometry, columns: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Rows of the drawn columns, one of each column before a second of any."""
    wanted = min(DIGESTS_MOST, max(DIGESTS_LEAST, geometry.total // DIGESTS_SHARE))
    numbers = _numbers(secret, _ROWS)
    found: list[tuple[int, int]] = []
    turns = -(-wanted // len(columns))
    orders = [
        _sample(numbers, geometry.slots, min(turns, geometry.slots))
        for _ in columns[: wanted if turns == 1 else len(columns)]
    ]
    for turn in range(min(turns, geometry.slots)):
        for column, order in zip(columns, orders, strict=False):
            row = order[turn]
            if not geometry.is_pad(geometry.index(row, column)):
                found.append((row, column))
    return tuple(sorted(found[:wanted]))


def _sample(numbers: Iterator[int], of: int, count: int) -> list[int]:
    """`count` different numbers below `of`, in the order in which they were drawn."""
    moved: dict[int, int] = {}  # a shuffle of which only what was moved is written down
    found = []
    for at in range(count):
        chosen = at + next(numbers) % (of - at)
        found.append(moved.get(chosen, chosen))
        moved[chosen] = moved.get(at, at)
    return found


def _numbers(secret: bytes, what: bytes) -> Iterator[int]:
    """Of 128 bits, so that a remainder is as good as even."""
    at = 0
    while True:
        digest = sha256(secret + what + at.to_bytes(8, "big")).digest()
        yield int.from_bytes(digest[:16], "big")
        yield int.from_bytes(digest[16:], "big")
        at += 1

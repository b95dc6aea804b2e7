"""Who may reserve a slot, and from when on: the expanding window.

Every reservation of a slot has a random place, drawn when nobody could know it before. A host may
take it once its own place is near enough; what is near enough grows from nothing to everything:

    F(x) = x·h / (x·h + (1-x)·(1-h))         x: the part of the window that has passed
                                             h: F(1/2), the share of hosts let in by half time

All arithmetic is the contract's, to the last bit: whole numbers, divisions rounded down.

Source   market.md 3.5
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from quire.base.errors import InputError
from quire.chain.values import ID_BYTES, Address, RequestId
from quire.kernels.keccak import keccak256

H_UNITS = 10_000  # h and tail are given in 1/10000
MOST_H = H_UNITS - 1
ONE = 1 << 64  # x, when the whole window has passed
MOST_DISTANCE = (1 << 256) - 1
NONCE_TAG = b"DISP"  # a request whose nonce begins with it brings its own h
NONCE_RANDOM_BYTES = ID_BYTES - len(NONCE_TAG) - 2
NEW_HOSTS_PER_REACTION = 0.5


def position(host: Address) -> int:
    """Where a host stands, 256 bits: everybody's place is its own, whatever its address."""
    return int.from_bytes(keccak256(host.rjust(32, b"\0")), "big")


def source(seed: bytes, request_id: RequestId, slot_index: int, reservation: int) -> int:
    """The place of a reservation, 256 bits. `reservation` counts a slot's reservations from 0."""
    words = slot_index.to_bytes(32, "big") + reservation.to_bytes(32, "big")
    return int.from_bytes(keccak256(seed + request_id + words), "big")


def distance(place: int, host: Address) -> int:
    return place ^ position(host)


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to `end`, unix seconds of the chain. `h_bps` 0: open to all from the start.

    In the last `tail_bps` of it everybody is let in."""

    start: int
    end: int
    h_bps: int
    tail_bps: int

    @property
    def tail_from(self) -> int:
        """The first second at which everybody is let in."""
        return self.start if self.h_bps == 0 else self.start - (-self._length // H_UNITS)

    @property
    def _length(self) -> int:
        """Until the tail, in 1/10000 of a second."""
        return max(0, self.end - self.start) * (H_UNITS - self.tail_bps)

    def reach(self, now: int) -> int:
        """Every distance below it is let in. More than MOST_DISTANCE when everybody is."""
        if now >= self.tail_from:
            return MOST_DISTANCE + 1
        passed = max(0, now - self.start) * H_UNITS
        return reach_of(passed * ONE // self._length, self.h_bps)

    def lets_in(self, away: int, now: int) -> bool:
        """Whether a host that is `away` from the reservation's place may take it."""
        return away < self.reach(now)

    def opens_at(self, away: int) -> int:
        """The first second at which `lets_in` is true; it stays true."""
        seconds = range(self.start, self.tail_from)
        return self.start + bisect_left(seconds, away + 1, key=self.reach)


def reach_of(x: int, h_bps: int) -> int:
    """F of x in 1/2^64, as a share of all distances. Never rounded up, so never too early."""
    inside = x * h_bps
    outside = (ONE - x) * (H_UNITS - h_bps)
    return MOST_DISTANCE // (inside + outside) * inside


def h_of_request(nonce: bytes, default: int) -> int:
    """h of a request, in 1/10000; `default` is the contract's. 0: open."""
    if not nonce.startswith(NONCE_TAG):
        return default
    h_bps = int.from_bytes(nonce[len(NONCE_TAG) : len(NONCE_TAG) + 2], "big")
    return h_bps if h_bps <= MOST_H else default


def nonce_with_h(h_bps: int, random: bytes) -> bytes:
    """A nonce that gives its request another h than the contract's; 26 random bytes go into it.

    Raises InputError when h is none."""
    if not 0 <= h_bps <= MOST_H:
        raise InputError(f"h is {h_bps}; it is given in 1/10000, from 0 (open) to {MOST_H}")
    if len(random) != NONCE_RANDOM_BYTES:
        raise InputError(f"a nonce with h takes {NONCE_RANDOM_BYTES} random bytes")
    return NONCE_TAG + h_bps.to_bytes(2, "big") + random


def choose_h(
    hosts: int, window: float, reaction: float, new_hosts: float = NEW_HOSTS_PER_REACTION
) -> int:
    """h, in 1/10000, with which about `new_hosts` of `hosts` become near enough within the time
    that an ordinary host needs to react, so that being fast wins little. Seconds.

    window    how long the window is
    reaction  from a new block to a host's own transaction in one
    """
    if hosts < 1 or window <= 0 or reaction <= 0 or new_hosts <= 0:
        raise InputError(
            f"no h follows from {hosts} hosts, a window of {window} s, {reaction} s to react and"
            f" {new_hosts} new hosts in that time: all of them must be more than 0"
        )
    h = new_hosts * window / (hosts * reaction + new_hosts * window)
    return min(MOST_H, max(1, round(H_UNITS * h)))


def may_hold(max_slot_loss: int) -> int:
    """How many slots of one request one host may reserve and hold until the tail begins: losing
    it alone must not be the end of the dataset."""
    return max(1, max_slot_loss)

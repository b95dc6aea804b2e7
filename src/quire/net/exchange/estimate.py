"""How fast one peer is, and what follows: how much to ask it for, how long to wait.

Speed is bytes over busy time, both fading with each sample, so that a pause between requests does
not count against the peer and a change shows after some ten samples.
"""

from __future__ import annotations

from math import exp

from quire.net.exchange.limits import ExchangeLimits

_FADE = 0.85  # of what a sample weighs after the next one
_RTT_SHARE = 0.25  # of a new round trip in the average
_DEVIATION_SHARE = 0.25  # of a new deviation from the prediction in the average
_DEVIATIONS = 4  # beyond the prediction is late: about one reply in a hundred, as TCP has it


class PeerEstimate:
    """Throughput and round trip of one peer, from what was observed."""

    def __init__(self, limits: ExchangeLimits) -> None:
        self._limits = limits
        self._bytes = 0.0
        self._seconds = 0.0
        self._rtt_seconds: float | None = None
        self._deviation_seconds = 0.0
        self._last_at = 0.0
        self._penalty = 1.0  # halved by each timeout, recovers with deliveries

    @property
    def bytes_per_second(self) -> float | None:
        """None before the first delivery."""
        return self._bytes / self._seconds * self._penalty if self._seconds > 0 else None

    @property
    def rtt_seconds(self) -> float:
        """The average round trip of small messages; 0 when never seen."""
        return self._rtt_seconds or 0.0

    def answered(self, seconds: float) -> None:
        """A small message took this long, there and back."""
        old = self._rtt_seconds
        self._rtt_seconds = seconds if old is None else old + _RTT_SHARE * (seconds - old)

    def delivered(
        self, size_bytes: int, asked_at: float, now: float, predicted: float | None = None
    ) -> None:
        """A reply with data has arrived; `predicted` is the cost that was expected when asking."""
        if predicted is not None:
            off = abs(now - asked_at - predicted)
            self._deviation_seconds += _DEVIATION_SHARE * (off - self._deviation_seconds)
        busy_since = max(asked_at, self._last_at)
        self._last_at = now
        self._bytes = self._bytes * _FADE + size_bytes
        # A microsecond at least: several replies may arrive in one read of the socket.
        self._seconds = self._seconds * _FADE + max(now - busy_since, 1e-6)
        self._penalty = min(1.0, self._penalty * 1.25)

    def timed_out(self) -> None:
        """A request was not answered: trust the peer with half as much."""
        self._penalty = max(self._penalty / 2, 1 / 64)

    def window_bytes(self) -> int:
        """How much to have asked for and not received."""
        limits, speed = self._limits, self.bytes_per_second
        if speed is None:
            return max(limits.peer_window_min, int(limits.peer_window_first * self._penalty))
        target = speed * (self.rtt_seconds + limits.window_seconds)
        return int(min(max(target, limits.peer_window_min), limits.peer_window_max))

    def piece_blocks(self, block_size: int) -> int:
        """Blocks of one request: a power of two."""
        limits, speed = self._limits, self.bytes_per_second
        target = limits.piece_bytes_first if speed is None else speed * limits.piece_seconds
        blocks = int(min(target, limits.piece_bytes)) // block_size
        return 1 << max(blocks.bit_length() - 1, 0)

    def cost_seconds(self, size_bytes: int) -> float | None:
        """How long that many bytes will take from now on; None when not known."""
        speed = self.bytes_per_second
        return None if speed is None else size_bytes / speed + self.rtt_seconds

    def late_seconds(self, size_bytes: int) -> float:
        """How long a reply that has this much, itself included, before it usually takes at most."""
        limits, cost = self._limits, self.cost_seconds(size_bytes)
        if cost is None:
            return limits.late_first_seconds + 2 * self.rtt_seconds
        usual = _DEVIATIONS * self._deviation_seconds
        return cost + max(usual, self.rtt_seconds, limits.late_min_seconds)

    def timeout_seconds(self, size_bytes: int) -> float:
        """How long to wait for a reply that has this much, itself included, before it."""
        cost = self.cost_seconds(size_bytes)
        if cost is None:
            return self._limits.timeout_first_seconds
        return min(
            max(3 * cost, self._limits.timeout_min_seconds), self._limits.timeout_max_seconds
        )


class RateMeter:
    """Bytes a second over the last few seconds, for people to read."""

    def __init__(self, now: float, memory_seconds: float = 3.0) -> None:
        self._memory = memory_seconds
        self._rate = 0.0
        self._at = now
        self._began = now

    def add(self, size_bytes: int, now: float) -> None:
        self._rate = self.rate(now) + size_bytes / self._memory
        self._at = now

    def rate(self, now: float) -> float:
        return self._rate * exp(-(now - self._at) / self._memory)

    def shown(self, now: float) -> float:
        """The rate, corrected for a meter that has not yet run for its whole memory."""
        filled = 1.0 - exp(-max(now - self._began, 0.05) / self._memory)
        return self.rate(now) / filled

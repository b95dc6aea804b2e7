"""What the cache policy is compared with: least recently used, and the best that can be had.

Each takes a load, the capacity and the size of a key, and returns the share of bytes that were
there when they were asked for.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeAlias

from quire.store.cache_policy import CachePolicy

Size: TypeAlias = Callable[[int], int]
NEVER = 1 << 60


def ours(load: Sequence[int], capacity: int, size: Size) -> float:
    policy: CachePolicy[int] = CachePolicy(capacity)
    hit = 0
    for key in load:
        if policy.asked(key):
            hit += size(key)
        else:
            policy.add(key, size(key))
            policy.evict()
    return hit / sum(map(size, load))


def lru(load: Sequence[int], capacity: int, size: Size) -> float:
    held: OrderedDict[int, None] = OrderedDict()
    used = hit = 0
    for key in load:
        if key in held:
            held.move_to_end(key)
            hit += size(key)
            continue
        held[key] = None
        used += size(key)
        while used > capacity:
            used -= size(held.popitem(last=False)[0])
    return hit / sum(map(size, load))


def best(load: Sequence[int], capacity: int, size: Size) -> float:
    """Belady's: what is asked for again the latest goes first, which nobody can know. With sizes
    that differ it is very good, and the best is not known."""
    following = [NEVER] * len(load)
    seen: dict[int, int] = {}
    for at in range(len(load) - 1, -1, -1):
        following[at] = seen.get(load[at], NEVER)
        seen[load[at]] = at
    held: dict[int, int] = {}
    latest: list[tuple[int, int]] = []
    used = hit = 0
    for at, key in enumerate(load):
        if key in held:
            hit += size(key)
        else:
            used += size(key)
        held[key] = following[at]
        heapq.heappush(latest, (-following[at], key))
        while used > capacity:
            when, gone = heapq.heappop(latest)
            if held.get(gone) == -when:
                del held[gone]
                used -= size(gone)
    return hit / sum(map(size, load))

"""The cache keeps what is asked for often, no more than fits, and leaves alone what is spared."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quire.store.cache_policy import CachePolicy


def filled(capacity: int, keys: range) -> CachePolicy[int]:
    policy: CachePolicy[int] = CachePolicy(capacity)
    for key in keys:
        policy.add(key, 1)
        policy.evict()
    return policy


def test_what_is_asked_for_once_passes_by_what_is_popular() -> None:
    policy = filled(100, range(100))
    for key in range(80):
        policy.asked(key)
    for key in range(1000, 1400):  # a scan
        policy.add(key, 1)
        policy.evict()
    assert all(key in policy for key in range(80))
    assert policy.used_bytes == 100


def test_what_comes_back_soon_is_remembered() -> None:
    policy = filled(10, range(12))
    assert 0 not in policy
    policy.add(0, 1)
    policy.evict()
    for key in range(100, 120):
        policy.add(key, 1)
        policy.evict()
    assert 0 in policy


def test_what_was_popular_once_gives_way() -> None:
    policy = filled(20, range(20))
    for _ in range(10):
        for key in range(20):
            policy.asked(key)
    for turn in range(6):
        for key in range(100, 120):
            if not policy.asked(key):
                policy.add(key, 1)
                policy.evict()
        if turn > 4:
            assert sum(key in policy for key in range(20)) < 10


def test_what_is_spared_stays_and_goes_when_it_is_spared_no_more() -> None:
    policy = filled(10, range(10))
    policy.capacity_bytes = 4
    assert policy.evict(lambda key: True) == []
    assert set(policy.evict(lambda key: key < 5)) == set(range(5, 10))
    assert policy.used_bytes == 5
    assert len(policy.evict()) == 1


def test_a_key_that_grows_counts_with_its_new_size() -> None:
    policy = filled(10, range(4))
    policy.add(3, 5)
    assert (policy.size(3), policy.used_bytes) == (5, 8)
    policy.add(3, 8)
    assert policy.evict() == [0]


def test_one_that_is_larger_than_the_cache_goes_at_once() -> None:
    policy: CachePolicy[str] = CachePolicy(10)
    policy.add("large", 11)
    assert policy.evict() == ["large"]
    assert policy.used_bytes == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "add", "remove", "evict", "spare", "shrink"]),
        st.integers(0, 20),
        st.integers(1, 12),
    ),
    max_size=80,
)


@given(STEPS)
def test_sizes_add_up_whatever_happens(steps: list[tuple[str, int, int]]) -> None:
    policy, held = CachePolicy[int](30), {}
    for what, key, size in steps:
        if what == "ask":
            assert policy.asked(key) == (key in held)
        elif what == "add":
            policy.add(key, size)
            held[key] = size
        elif what == "remove":
            policy.remove(key)
            held.pop(key, None)
        else:
            policy.capacity_bytes = 10 + size if what == "shrink" else 30
            spared = (lambda each: each % 2 == 0) if what == "spare" else (lambda each: False)
            gone = policy.evict(spared)
            assert len(set(gone)) == len(gone)
            assert not any(spared(each) for each in gone)
            for each in gone:
                del held[each]
            is_over = policy.used_bytes > policy.capacity_bytes
            assert not is_over or all(map(spared, held))
        assert {each: policy.size(each) for each in held} == held
        assert policy.used_bytes == sum(held.values())
        assert len(policy) == len(held)


@given(STEPS)
def test_the_same_calls_keep_the_same(steps: list[tuple[str, int, int]]) -> None:
    def play() -> list[list[int]]:
        policy, gone = CachePolicy[int](20), []
        for what, key, size in steps:
            if what == "ask":
                policy.asked(key)
            else:
                policy.add(key, size)
                gone.append(policy.evict())
        return gone

    assert play() == play()

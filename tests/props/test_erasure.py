"""Any K of K + M rows give all of them, and the slow twin gives the same bytes."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import erasure as oracle
from quire.kernels import erasure


@st.composite
def codes(draw, k_max: int) -> tuple[int, int]:
    k = draw(st.integers(1, k_max))
    return k, draw(st.integers(1, k))


def check(k, m, row_bytes, seed):
    rng = random.Random(seed)
    data = [rng.randbytes(row_bytes) for _ in range(k)]
    rows = [*data, *erasure.encode(data, m)]
    numbers = rng.sample(range(k + m), k)
    assert erasure.rebuild(k, m, {n: rows[n] for n in numbers}, range(k + m)) == rows
    return rng, rows, numbers


@settings(deadline=None)
@given(codes(30), st.integers(1, 8), st.integers(0, 1 << 32))
def test_in_the_field_of_bytes(code, chunks, seed):
    k, m = code
    rng, rows, numbers = check(k, m, 64 * chunks, seed)
    wanted = rng.sample(range(k + m), min(3, k + m))
    twin = oracle.rebuild(k, m, {n: rows[n] for n in numbers}, wanted)
    assert twin == [rows[n] for n in wanted]


@settings(deadline=None, max_examples=15)
@given(codes(120), st.integers(0, 1 << 32))
def test_in_the_field_of_pairs_of_bytes(code, seed):
    k, m = code[0] + 136, code[1] + 120
    assert erasure.field_bits(k, m) == 16
    rng, rows, numbers = check(k, m, 64, seed)
    wanted = rng.sample(range(k + m), 2)
    twin = oracle.rebuild(k, m, {n: rows[n] for n in numbers}, wanted)
    assert twin == [rows[n] for n in wanted]


@settings(deadline=None, max_examples=20)
@given(codes(200), st.integers(1, 3), st.integers(0, 1 << 32))
def test_with_many_rows(code, chunks, seed):
    check(*code, 64 * chunks, seed)


@settings(deadline=None, max_examples=10)
@given(codes(12), st.integers(8_000, 20_000), st.integers(0, 1 << 32))
def test_with_rows_long_enough_for_all_cores(code, chunks, seed):
    check(*code, 64 * chunks, seed)

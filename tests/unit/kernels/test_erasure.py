"""The erasure code against known answers, its slow twin, and bad input."""

import hashlib
import random
import threading

import pytest

from oracles import erasure as oracle
from quire.base.errors import InputError
from quire.kernels import erasure
from support.vectors import accepted, load, rejected

rng = random.Random(5)  # the same data in every run


def data_of(row):
    by_row, by_byte, by_page = {"a": (131, 7, 13), "b": (101, 31, 17)}[row["rule"]]
    return [
        bytes((by_row * i + by_byte * j + by_page * (j >> 8)) & 255 for j in range(row["rowBytes"]))
        for i in range(row["k"])
    ]


@accepted("leopard.json")
def test_parity_is_that_of_the_reference(row):
    parity = erasure.encode(data_of(row), row["m"])
    assert parity[0][:64].hex() == row["parity0First64"]
    assert hashlib.sha256(b"".join(parity)).hexdigest() == row["paritySha256"]


@accepted("leopard.json")
def test_all_data_comes_back_from_the_last_rows(row):
    data, k, m = data_of(row), row["k"], row["m"]
    rows = dict(enumerate([*data, *erasure.encode(data, m)]))
    last = {number: rows[number] for number in range(m, k + m)}
    assert erasure.rebuild(k, m, last, range(k + m)) == list(rows.values())


def test_the_twin_multiplies_as_the_reference():
    for bits in (8, 16):
        field = oracle.field_of(bits)
        for factors, product in load("leopard.json")[f"products{bits}"].items():
            a, b = (int(factor, 0) for factor in factors.split("*"))
            assert field.mul(a, b) == product


def test_the_twin_has_the_generators_of_the_reference():
    for row in load("leopard.json")["generators"]:
        data = range(oracle.nextpow2(row["m"]), oracle.nextpow2(row["m"]) + row["k"])
        for parity, expected in enumerate(row["rows"]):
            found = oracle.coefficients(row["k"], row["m"], data, parity)
            assert found[: len(expected)] == expected


def test_the_twin_rebuilds_with_the_coefficients_of_the_reference():
    for row in load("leopard.json")["coefficients"]:
        found = oracle.coefficients(row["k"], row["m"], row["available"], row["target"])
        assert found == row["coefficients"]


@pytest.mark.parametrize(
    ("k", "m", "bits"),
    [
        (1, 1, 8),
        (200, 56, 16),
        (193, 64, 16),
        (129, 127, 16),
        (192, 64, 8),
        (128, 128, 8),
        (255, 1, 8),
        (256, 1, 16),
        (32_768, 32_768, 16),
    ],
)
def test_the_field_follows_from_the_rounded_counts(k, m, bits):
    assert erasure.field_bits(k, m) == bits == oracle.field_bits(k, m)
    erasure.check_code(k, m)


@rejected("leopard.json")
def test_what_cannot_be_coded_is_refused(row):
    rows = dict.fromkeys(row["rows"], bytes(row["rowBytes"]))
    with pytest.raises(InputError):
        erasure.rebuild(row["k"], row["m"], rows, row["wanted"])


@pytest.mark.parametrize(("k", "m"), [(0, 0), (1, 0), (2, 3), (65_536, 1), (-1, 1), (1 << 70, 1)])
def test_counts_that_no_code_has_are_refused(k, m):
    with pytest.raises(InputError, match=r"no code|negative or huge"):
        erasure.check_code(k, m)


@pytest.mark.parametrize(
    ("rows", "m", "what"),
    [
        ([], 1, "no code of 0"),
        ([bytes(64)], 2, "no code of 1"),
        ([bytes(64)] * 2, 0, "no code of 2"),
        ([bytes(64)] * 2, -1, "negative"),
        ([bytes(64), bytes(128)], 1, "row 1 has 128 bytes"),
        ([b"", b""], 1, "rows of 0 bytes"),
        ([bytes(63)] * 2, 1, "rows of 63 bytes"),
    ],
)
def test_rows_that_cannot_be_encoded_are_refused(rows, m, what):
    with pytest.raises(InputError, match=what):
        erasure.encode(rows, m)


def test_rows_of_several_lengths_do_not_rebuild():
    with pytest.raises(InputError, match="row 3 has 128 bytes"):
        erasure.rebuild(3, 2, {0: bytes(64), 1: bytes(64), 3: bytes(128)}, [2])


def test_a_strided_row_is_refused():
    with pytest.raises(InputError, match="contiguous"):
        erasure.encode([memoryview(bytes(128))[::2], bytes(64)], 1)


def test_every_kind_of_buffer_is_read():
    rows = [rng.randbytes(640) for _ in range(3)]
    parity = oracle.encode(rows, 2)
    for kind in (bytes, bytearray, memoryview):
        assert erasure.encode([kind(row) for row in rows], 2) == parity
        given = {0: kind(rows[0]), 4: kind(parity[1]), 3: kind(parity[0])}
        assert erasure.rebuild(3, 2, given, [1, 2]) == rows[1:]


def test_a_wanted_row_that_is_there_is_copied():
    rows = [rng.randbytes(64) for _ in range(3)]
    everything = dict(enumerate([*rows, *erasure.encode(rows, 2)]))
    assert erasure.rebuild(3, 2, everything, [4, 0]) == [everything[4], everything[0]]
    assert erasure.rebuild(3, 2, everything, []) == []


def test_joined_blocks_are_coded_as_one_by_one():
    rows = [rng.randbytes(4096 * 3) for _ in range(5)]
    whole = erasure.encode(rows, 3)
    for at in range(0, len(rows[0]), 4096):
        part = erasure.encode([memoryview(row)[at : at + 4096] for row in rows], 3)
        assert [row[at : at + 4096] for row in whole] == part


def test_many_threads_share_the_cores():
    rows = [rng.randbytes(1 << 20) for _ in range(6)]
    expected = erasure.encode(rows, 3)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(erasure.encode(rows, 3))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 8

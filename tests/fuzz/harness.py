"""Runs a fuzz target: under atheris as a script, over seeds and mutations under pytest.

A target is a module with `check(data)`, which must return or raise an AssertionError, and
`VECTORS`, the files in `vectors/` whose rows are its seeds. `SEEDS` are more of them.
"""

import gc
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType

VECTOR_DIRECTORY = Path(__file__).parents[2] / "vectors"
MAX_SEED_BYTES = 4096
# Whose branches guide the fuzzer. All that is imported would take a minute to prepare.
INSTRUMENTED = {"quire", "ipaddress", "tomllib", "urllib"}


def seeds(files: tuple[str, ...], more: tuple[bytes, ...] = ()) -> list[bytes]:
    """The bytes and texts of all rows, the refused ones too."""
    found: dict[bytes, None] = {b"": None, **dict.fromkeys(more)}
    for file in files:
        vectors = json.loads((VECTOR_DIRECTORY / file).read_text())
        for row in vectors["accept"] + vectors["reject"]:
            for key in ("hex", "proof"):
                if key in row:
                    found[bytes.fromhex(row[key])] = None
            if "text" in row:
                found[row["text"].encode("utf-8", "surrogatepass")] = None
    return [seed for seed in found if len(seed) <= MAX_SEED_BYTES]


def mutations(corpus: list[bytes], rng: random.Random, count: int) -> Iterator[bytes]:
    """Seeds changed in one to four places."""
    for _ in range(count):
        data = bytearray(rng.choice(corpus))
        for _ in range(rng.randint(1, 4)):
            _mutate(data, corpus, rng)
        yield bytes(data)


def _mutate(data: bytearray, corpus: list[bytes], rng: random.Random) -> None:
    at = rng.randint(0, len(data))
    match rng.randrange(8):
        case 0 if data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        case 1 if data:
            data[at % len(data)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        case 2:
            del data[at : at + rng.randint(1, 8)]
        case 3:
            data[at:at] = rng.randbytes(rng.randint(1, 8))
        case 4:
            del data[at:]
        case 5:
            data[at:at] = b"\xff" * rng.randint(1, 10) + b"\x01"  # a large varint
        case 6:
            other = rng.choice(corpus)
            begin = rng.randint(0, len(other))
            data[at:at] = other[begin : begin + rng.randint(1, 64)]
        case _:
            data[at:at] = data[at : at + rng.randint(1, 32)]


def main(
    check: Callable[[bytes], None], files: tuple[str, ...], more: tuple[bytes, ...] = ()
) -> None:
    """Fuzz for ever, or as the arguments of libFuzzer say, as `-runs=20000`."""
    import atheris

    corpus = seeds(files, more)
    for seed in corpus:
        check(seed)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        """One time in eight begin anew from a seed, else as libFuzzer does."""
        rng = random.Random(seed)
        if rng.randrange(8):
            return atheris.Mutate(data, max_size)
        return next(mutations(corpus, rng, 1))[:max_size]

    for function in [each for each in gc.get_objects() if isinstance(each, FunctionType)]:
        if str(function.__module__).partition(".")[0] in INSTRUMENTED:
            atheris.instrument_func(function)
    atheris.Setup([*sys.argv, "-max_len=8192", "-len_control=0"], check, custom_mutator=mutate)
    atheris.Fuzz()

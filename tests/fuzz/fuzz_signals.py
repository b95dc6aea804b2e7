"""Fuzz `flat_signals`: whole rows of canonical elements, or a refusal, for any JSON."""

import json

from quire.base.errors import BadEncoding
from quire.formats.felt import check_felt
from quire.formats.signals import flat_signals

VECTORS = ()
SEEDS = (
    b'{"a": [["1", "2"], ["3", "4"]], "b": 5}',
    b'{"a": [[[[[[[[[1]]]]]]]]]}',
    b'{"a": [[1], [2, 3]], "b": [], "c": -1, "d": true, "e": 1e300, "f": null}',
)


def check(data: bytes) -> None:
    try:
        signals = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(signals, dict):
        return
    try:
        flat = flat_signals(signals)
    except BadEncoding:
        return
    assert [name for name, _ in flat] == list(signals)
    for _, values in flat:
        assert len(values) % 32 == 0
        for at in range(0, len(values), 32):
            check_felt(values[at : at + 32])


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)

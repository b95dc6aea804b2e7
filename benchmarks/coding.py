"""The erasure code beside copying, beside other implementations, and on every instruction set.

The C++ library is not built here: its figures were recorded on another day, on another machine
(AVX2, one thread, processor time), and are shown as such.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.report import Row, skipped

WORK = ("encode", "rebuild all that can be lost", "rebuild one row")
OTHERS = ("reed-solomon-simd", "leopard-codec")

# MB/s of data by K, M: encode, decode with M rows lost, decode with one row lost.
RECORDED = {
    (3, 2): (17_900, 3_815, 3_817),
    (10, 10): (7_287, 1_644, 1_870),
    (20, 10): (6_367, 1_133, 1_175),
    (192, 64): (3_336, 1_329, 1_504),
    (200, 56): (2_548, 513, 534),
}
# The best of the other libraries that were recorded with it, and what they encoded.
RECORDED_BEST = {(10, 10): 8_789, (192, 64): 4_085, (200, 56): 3_149}


def coding() -> list[Row]:
    """Three rows for each code: 64 KiB rows, one thread, processor time."""
    binary = Path(os.environ["CARGO_TARGET_DIR"], "release", "examples", "coding_speed")
    if not binary.exists():
        return [skipped("erasure code", f"{binary.name} is not built")]
    done = subprocess.run([binary], stdout=subprocess.PIPE, check=True, text=True)
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    return [_row(run, which) for run in runs for which in range(len(WORK))]


def _row(run: dict[str, Any], which: int) -> Row:
    code = run["k"], run["m"]
    paths = [name for name in run if isinstance(run[name], list) and name not in OTHERS]
    best = run[paths[0]][which]
    said = [f"{paths[0]}"]
    said += [f"{name} {run[name][which]:,} MB/s" for name in paths[1:]]
    said += [
        f"{best / run[name][which]:.1f} times {name}{_caution(run, name)}"
        for name in OTHERS
        if name in run
    ]
    if code in RECORDED:
        recorded = RECORDED[code][which]
        said.append(f"{best / recorded:.1f} times C++ leopard as recorded ({recorded:,})")
    if which == 0 and code in RECORDED_BEST:
        said.append(f"{best / RECORDED_BEST[code]:.1f} times the best recorded")
    if which == 2:
        said.append(f"{best / run[paths[0]][1]:.0f} times our own decode of all")
    return Row(
        f"{WORK[which]}, {code[0]}+{code[1]}",
        best,
        "MB/s",
        run["memcpy"],
        "memcpy of the data",
        _aim(code, which),
        "; ".join(said),
    )


def _caution(run: dict[str, Any], name: str) -> str:
    """That crate has no 8-bit field: it does other work than ours there."""
    return " (other field)" if name == "reed-solomon-simd" and run["bits"] == 8 else ""


def _aim(code: tuple[int, int], which: int) -> str:
    if which == 0:
        return "≥ 10,000 MB/s" if code == (10, 10) else "≥ the best recorded"
    return "≥ 20 times a decode by leopard" if which == 2 else ""

"""`python -m benchmarks [--only NAME,NAME] [--size 1g] [--memory 64m,1g,8g]`: all, or those named.

Prints tables, JSON and Markdown. Nothing but this machine is involved; tens of gigabytes of disk
are used below `--directory` and given back at the end.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.coding import coding
from benchmarks.encryption import encryption
from benchmarks.idle import idle
from benchmarks.lines import lines
from benchmarks.maintenance import maintenance
from benchmarks.memory import memory
from benchmarks.merkle import merkle
from benchmarks.network import network
from benchmarks.peers import peers
from benchmarks.poseidon2 import poseidon2
from benchmarks.proofs import proofs
from benchmarks.protect import protect
from benchmarks.proving import proving
from benchmarks.report import Cell, Report, Row
from benchmarks.retail import retail
from benchmarks.small import small
from benchmarks.transfer import upload_and_download
from benchmarks.vouchers import vouchers
from benchmarks.weak_client import weak_client
from benchmarks.workers import workers
from quire.base.units import parse_size


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench BENCH='...'", description=__doc__)
    parser.add_argument("--only", default="", help="sections, by commas (all of them)")
    parser.add_argument("--size", default="1g", help="bytes of the transfers (1g)")
    parser.add_argument("--memory", default="64m,1g,8g", help="sizes of the memory runs")
    parser.add_argument("--protect", default="256m,1g,8g", help="sizes of its memory runs")
    parser.add_argument("--weak", default="64m,1g,8g", help="sizes that weak clients have coded")
    parser.add_argument("--datasets", type=int, default=10_000, help="number of small datasets")
    parser.add_argument("--peers", default="1m,64m,1g", help="sizes beside other systems")
    parser.add_argument("--samples", default="5,20", help="of storage proofs; 100 takes minutes")
    parser.add_argument("--directory", type=Path, help="where the nodes keep their data")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/latest.json"))
    wanted = parser.parse_args()
    size = parse_size(wanted.size)
    benches: dict[str, Callable[[Path], list[Row] | list[Cell]]] = {
        "merkle": lambda directory: merkle(),
        "encryption": lambda directory: encryption(),
        "coding": lambda directory: coding(),
        "transfer": lambda directory: upload_and_download(directory, size),
        "network": lambda directory: network(directory, size),
        "lines": lines,
        "small": lambda directory: small(directory, wanted.datasets),
        "maintenance": maintenance,
        "idle": lambda directory: idle(directory, wanted.datasets),
        "memory": lambda directory: memory(directory, _sizes(wanted.memory)),
        "poseidon2": lambda directory: poseidon2(),
        "proving": proving,
        "protect": lambda directory: protect(directory, size, _sizes(wanted.protect)),
        "proofs": lambda directory: proofs(directory, _numbers(wanted.samples)),
        "workers": workers,
        "vouchers": lambda directory: vouchers(),
        "retail": retail,
        "weak": lambda directory: weak_client(directory, _sizes(wanted.weak)),
        "peers": lambda directory: peers(directory, _sizes(wanted.peers)),
    }
    names = [name for name in wanted.only.split(",") if name] or list(benches)
    unknown = [name for name in names if name not in benches]
    if unknown:
        parser.error(f"no section named {', '.join(unknown)}; there are {', '.join(benches)}")
    report, began = Report(), time.monotonic()
    for name in names:
        print(f"{time.monotonic() - began:5.0f} s  {name} ...", flush=True)
        with tempfile.TemporaryDirectory(prefix="quire-bench-", dir=wanted.directory) as place:
            report.add(benches[name](Path(place)))
        report.save(wanted.output)  # what is there is there, should a later one fail
    report.show()
    print(json.dumps(report.data()))
    print(report.markdown())
    print(f"{time.monotonic() - began:.0f} s in all")


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(parse_size(part) for part in text.split(","))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    main()

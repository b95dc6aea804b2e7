"""`python -m benchmarks [--size 1g] [--memory 64m,1g,8g] [NAME ...]`: all of them, or those named.

Prints a table and JSON. Nothing but this machine is involved; a few gigabytes of disk are used
below `--directory` and given back at the end.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.maintenance import maintenance
from benchmarks.memory import memory
from benchmarks.merkle import merkle
from benchmarks.network import network
from benchmarks.report import Row, as_data, save, show
from benchmarks.small import small
from benchmarks.transfer import upload_and_download
from quire.base.units import parse_size


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench BENCH='...'", description=__doc__)
    parser.add_argument("names", nargs="*", help="merkle transfer network small maintenance memory")
    parser.add_argument("--size", default="1g", help="bytes of the transfers (1g)")
    parser.add_argument("--memory", default="64m,1g,8g", help="sizes of the memory runs")
    parser.add_argument("--datasets", type=int, default=10_000, help="number of small datasets")
    parser.add_argument("--directory", type=Path, help="where the nodes keep their data")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/latest.json"))
    wanted = parser.parse_args()
    size = parse_size(wanted.size)
    sizes = tuple(parse_size(part) for part in wanted.memory.split(","))
    benches: dict[str, Callable[[Path], list[Row]]] = {
        "merkle": lambda directory: merkle(),
        "transfer": lambda directory: upload_and_download(directory, size),
        "network": lambda directory: network(directory, size),
        "small": lambda directory: small(directory, wanted.datasets),
        "maintenance": maintenance,
        "memory": lambda directory: memory(directory, sizes),
    }
    unknown = [name for name in wanted.names if name not in benches]
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(benches)}")
    rows: list[Row] = []
    for name in wanted.names or benches:
        print(f"running {name} ...", flush=True)
        with tempfile.TemporaryDirectory(prefix="quire-bench-", dir=wanted.directory) as place:
            rows += benches[name](Path(place))
    show(rows)
    save(rows, wanted.output)
    print(json.dumps(as_data(rows)))


if __name__ == "__main__":
    main()

"""`python -m demo [--part A] [--file PATH]`; `make demo PART=A FILE=path` calls it."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from demo.aggregator import run_aggregator
from demo.archive import make_archive
from demo.diagram_a import run_diagram_a
from demo.diagram_b import run_diagram_b
from demo.retail import run_retail
from demo.slots import run_slots
from quire.base.errors import QuireError

PARTS = {
    "A": run_diagram_a,
    "B": run_diagram_b,
    "C": run_retail,
    "D": run_aggregator,
    "SLOTS": run_slots,
}
MAIN = ["A", "B", "C", "D"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--part", default="", help="A, B, C, D, slots or all; default: A, B, C, D")
    parser.add_argument(
        "--file", type=Path, help="the file to store; default: an archive of real files"
    )
    wanted = parser.parse_args()
    asked = wanted.part.upper()
    parts = list(PARTS) if asked == "ALL" else [asked] if asked else MAIN
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]}; there is {', '.join(PARTS)}")
    if wanted.file is not None and not wanted.file.is_file():
        parser.error(f"{wanted.file} is not a file")
    console = Console()
    directory = Path(tempfile.mkdtemp(prefix="quire-demo-"))
    try:
        file = wanted.file or make_archive(directory / "python-library.tar")
        for number, part in enumerate(parts):
            if number:
                console.print()
            asyncio.run(PARTS[part](console, directory, file))
    except QuireError as error:
        console.print(f"[bold red]the demo failed:[/] {error.message}", soft_wrap=True)
        if error.hint:
            console.print(f"hint: {error.hint}", soft_wrap=True)
        console.print(f"what the nodes wrote is kept in {directory}", soft_wrap=True)
        return error.exit
    except KeyboardInterrupt:
        console.print("interrupted")
        shutil.rmtree(directory)
        return 130
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())

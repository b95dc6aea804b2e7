"""`python -m demo [--part A] [--file PATH] [--keep]`; `make demo PART=A FILE=path` calls it."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from demo.archive import make_archive
from demo.diagram_a import run_diagram_a
from demo.slots import run_slots
from quire.base.errors import QuireError

PARTS = {"A": run_diagram_a, "SLOTS": run_slots}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--part", default="A", help="which demo: A (default) or all")
    parser.add_argument(
        "--file", type=Path, help="the file to store; default: an archive of real files"
    )
    wanted = parser.parse_args()
    parts = list(PARTS) if wanted.part.lower() == "all" else [wanted.part.upper()]
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]}; there is {', '.join(PARTS)}")
    if wanted.file is not None and not wanted.file.is_file():
        parser.error(f"{wanted.file} is not a file")
    console = Console()
    with tempfile.TemporaryDirectory(prefix="quire-demo-") as place:
        directory = Path(place)
        try:
            file = wanted.file or make_archive(directory / "python-library.tar")
            for part in parts:
                asyncio.run(PARTS[part](console, directory, file))
        except QuireError as error:
            console.print(f"[bold red]the demo failed:[/] {error.message}")
            if error.hint:
                console.print(f"hint: {error.hint}")
            return error.exit
        except KeyboardInterrupt:
            console.print("interrupted")
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

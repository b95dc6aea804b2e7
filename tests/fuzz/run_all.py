"""Every fuzz target under atheris, one after the other, with figures: `run_all.py RUNS [TARGET]...`

An input that makes a target fail is kept beside the report of libFuzzer, and the exit code is 1.
"""

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def main(runs: int, names: list[str]) -> int:
    failed = []
    began = time.monotonic()
    names = names or sorted(path.stem for path in HERE.glob("fuzz_*.py"))
    for name in names:
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(HERE / f"{name}.py"), f"-runs={runs}", "-verbosity=0"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        seconds = time.monotonic() - start
        verdict = "ok" if done.returncode == 0 else "FAILED"
        print(f"{name:26} {runs:>9} inputs {seconds:7.1f} s  {verdict}", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stdout[-2000:], done.stderr[-6000:], sep="\n", flush=True)
    print(
        f"{len(names)} targets, {len(names) * runs} inputs, {time.monotonic() - began:.0f} s, "
        f"{len(failed)} failed{': ' if failed else ''}{', '.join(failed)}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))

"""Storage proofs of so many samples: set-up, key, witness, proof, verification; beside others.

The others do the same circuit and witness in the same run: ark-groth16 as it is published (built
once, `benchmarks/ark_groth16`), and snarkjs, which proves with our key. Rates are in CPU time.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.processes import measure
from benchmarks.proof_run import BATCH
from benchmarks.report import Row, skipped
from support.npm import installed

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT / "benchmarks" / "ark_groth16"
SNARKJS = ROOT / "tests" / "interop" / "snarkjs"
PEER_PROOFS = 2
AIM_CPU_MS, AIM_MEGABYTES = 2000, 200


def proofs(directory: Path, all_samples: tuple[int, ...] = (5, 20)) -> list[Row]:
    found: list[Row] = []
    for samples in all_samples:
        place = directory / str(samples)
        place.mkdir()
        setup = measure("proof_run", "setup", place, samples)
        ours = measure("proof_run", "prove", place, samples)
        found += _rows(samples, setup, ours)
        if samples == all_samples[0]:
            found += _batch(measure("proof_run", "batch", place, samples), ours)
        found += _beside(place, samples, setup, ours)
    return found


def _rows(samples: int, setup: dict[str, Any], ours: dict[str, Any]) -> list[Row]:
    name = f"{samples} samples"
    first = samples == 5
    return [
        Row(
            f"{name}: set-up",
            1e3 * setup["setup_cpu"],
            "CPU ms",
            detail=f"{setup['setup']:.1f} s; {ours['constraints']:.0f} constraints, key of "
            f"{ours['zkey_bytes'] / 1e6:.0f} MB; peak {setup['peak_mb']:.0f} MB",
        ),
        Row(f"{name}: key load", 1e3 * ours["load"], "ms", aim="< 200 ms"),
        Row(f"{name}: witness", 1e3 * ours["witness_cpu"], "CPU ms"),
        Row(
            f"{name}: proof",
            1e3 * ours["prove_cpu"],
            "CPU ms",
            aim=f"<= {AIM_CPU_MS} CPU ms" if first else "",
            detail=f"{ours['prove']:.2f} s on {os.cpu_count()} cores, verified",
        ),
        Row(
            f"{name}: peak memory of key, witness and proof",
            ours["peak_mb"],
            "MB",
            aim=f"<= {AIM_MEGABYTES} MB" if first else "",
        ),
        Row(f"{name}: verify", 1e3 * ours["verify_cpu"], "CPU ms"),
    ]


def _batch(batch: dict[str, Any], ours: dict[str, Any]) -> list[Row]:
    return [
        Row(
            f"verify {BATCH} proofs as a batch",
            BATCH / batch["batch_cpu"],
            "proofs / CPU s",
            1 / ours["verify_cpu"],
            "one by one",
            detail=f"{1e3 * batch['batch_cpu']:.0f} CPU ms; with one bad proof, found by "
            f"bisection, {1e3 * batch['search_cpu']:.0f}",
        )
    ]


def _beside(place: Path, samples: int, setup: dict[str, Any], ours: dict[str, Any]) -> list[Row]:
    """Rates of the same work; more is better."""
    name, rows = f"{samples} samples", []
    if shutil.which("cargo"):
        ark = _ark(place)
        peer, memory = "ark-groth16", f"peak with set-up {ark['peak_mb']:.0f} MB"
        for what, mine, theirs in (
            ("keys in a CPU minute", setup["setup_cpu"], ark["setup_cpu"]),
            ("proofs in a CPU minute", ours["prove_cpu"], ark["prove_cpu"]),
            ("verified in a CPU minute", ours["verify_cpu"], ark["verify_cpu"]),
        ):
            rows.append(Row(f"{name}: {what}", 60 / mine, "", 60 / theirs, peer, detail=memory))
    else:
        rows.append(skipped(f"{name} beside ark-groth16", "there is no cargo"))
    if shutil.which("node"):
        cpu, peak = _snarkjs(place, "prove", "our.zkey", "our.wtns", "proof.json", "public.json")
        whole = ours["load_cpu"] + ours["prove_cpu"]
        detail = f"with key load on both sides, its start too; peak {peak:.0f} MB"
        what = f"{name}: proofs in a CPU minute"
        rows.append(Row(what, 60 / whole, "", 60 / cpu, "snarkjs", detail=detail))
    else:
        rows.append(skipped(f"{name} beside snarkjs", "there is no Node.js"))
    return rows


def _ark(place: Path) -> dict[str, float]:
    """ark-groth16 in a process of its own."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    target = Path(os.environ.get("CARGO_TARGET_DIR") or cache / "quire" / "bench-ark-groth16")
    build = ["cargo", "build", "--release", "--locked", "-q"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    subprocess.run(build, cwd=PEER, env=environment, check=True)
    program = target / "release" / "quire-bench-ark-groth16"
    command = [program, place / "our.r1cs", place / "our.wtns", str(PEER_PROOFS)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout))


def _snarkjs(place: Path, step: str, *files: str) -> tuple[float, float]:
    """CPU seconds and peak megabytes of one command of snarkjs."""
    program = installed(SNARKJS) / "node_modules" / "snarkjs" / "build" / "cli.cjs"
    command = ["node", str(program), "groth16", step, *files]
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"snarkjs failed after {time.monotonic() - started:.0f} s")
    return _cpu(used), used.ru_maxrss / 1024


def _cpu(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime

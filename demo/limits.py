"""A small machine inside this one: so much memory and so much of a processor for some processes.

With control groups (version 1 or 2) where they can be made, which takes root on most systems: the
kernel then holds the processes to it. Elsewhere the processes are stopped half of the time, and
whoever uses more memory than there is is found out at the end.

    python -m demo.limits GROUP... -- COMMAND...    runs a command inside groups
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from quire.base.units import MIB, format_size

ROOT = Path("/sys/fs/cgroup")
MICROSECONDS = 100_000  # in which the share of a processor is given
TURN_SECONDS = 0.05


@dataclass(slots=True)
class SmallMachine:
    """`memory` in bytes, `share` of one processor. `groups`: directories of control groups."""

    memory: int
    share: float
    groups: list[Path] = field(default_factory=list)
    _throttles: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    def make(cls, name: str, *, memory: int = 128 * MIB, share: float = 0.5) -> SmallMachine:
        machine = cls(memory, share)
        quota = int(share * MICROSECONDS)
        own = _own_groups()
        version2 = {"memory.max": str(memory), "cpu.max": f"{quota} {MICROSECONDS}"}
        version1 = (
            ("memory", {"memory.limit_in_bytes": str(memory)}),
            ("cpu", {"cpu.cfs_period_us": str(MICROSECONDS), "cpu.cfs_quota_us": str(quota)}),
        )
        tries = [[(ROOT / own.get("", ""), version2)]]
        tries.append([(ROOT / kind / own.get(kind, ""), limits) for kind, limits in version1])
        for parts in tries:
            try:
                for parent, limits in parts:
                    machine._make_group(parent / f"quire-{name}-{os.getpid()}", limits)
                break
            except OSError:
                machine.remove()
        return machine

    def _make_group(self, group: Path, limits: dict[str, str]) -> None:
        group.mkdir()
        self.groups.append(group)
        for file, value in limits.items():
            if not (group / file).exists():
                raise FileNotFoundError(group / file)
            (group / file).write_text(value)

    @property
    def words(self) -> str:
        how = "by control groups" if self.groups else "by stopping it half of the time"
        return f"{format_size(self.memory)} of memory and {self.share:g} of a processor, {how}"

    def under(self) -> list[str]:
        """What a command is put under to run inside."""
        if not self.groups:
            return []
        path = os.pathsep.join(part for part in sys.path if part)
        groups = [str(group) for group in self.groups]
        return ["env", f"PYTHONPATH={path}", sys.executable, "-m", "demo.limits", *groups, "--"]

    def hold(self, pid: int) -> None:
        """Hold a process to its share of the processor where the kernel does not."""
        if not self.groups:
            task = asyncio.get_running_loop().create_task(self._throttle(pid), name="throttle")
            self._throttles.append(task)

    async def _throttle(self, pid: int) -> None:
        is_stopped = False
        with suppress(ProcessLookupError):
            try:
                while True:
                    os.kill(pid, signal.SIGCONT if is_stopped else signal.SIGSTOP)
                    is_stopped = not is_stopped
                    seconds = TURN_SECONDS * (1 - self.share if is_stopped else self.share)
                    await asyncio.sleep(seconds)
            finally:
                os.kill(pid, signal.SIGCONT)

    async def let_go(self) -> None:
        for task in self._throttles:
            task.cancel()
        await asyncio.gather(*self._throttles, return_exceptions=True)
        self._throttles.clear()

    def remove(self) -> None:
        """Once every process in it has ended."""
        for group in self.groups:
            group.rmdir()
        self.groups.clear()


def peak_memory(pid: int) -> int:
    """The most resident bytes that a process ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _own_groups() -> dict[str, str]:
    """Where this process is, by controller; "" is version 2."""
    found = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        for kind in kinds.split(","):
            found[kind] = path.lstrip("/")
    return found


def _run_inside(arguments: Sequence[str]) -> None:
    at = arguments.index("--")
    for group in arguments[:at]:
        (Path(group) / "cgroup.procs").write_text(str(os.getpid()))
    command = arguments[at + 1 :]
    os.execvp(command[0], command)  # noqa: S606 - the command of our own caller


if __name__ == "__main__":
    _run_inside(sys.argv[1:])

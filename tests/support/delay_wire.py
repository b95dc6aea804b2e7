"""A line between two network namespaces that delays packets; needs root and /dev/net/tun.

    namespace A: tun --[ delay ]--> tun :namespace B

Unlike a proxy it does not end connections: slow start, acknowledgements and the repair of losses
see the whole round trip. Rate and loss are the namespaces' own (tbf, nftables: `netns.py`).

    with running_wires([Wire("a", "b", "10.9.0.1", "10.9.0.2", 0.010)]): ...

Packets are handed over in runs of up to 64 KiB (segmentation offload), which carries gigabits.
`is_exact` turns that off: where loss strikes it must strike single packets.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # when run as a program

from support.delay_line import DelayLine, Shape

_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_CHECKSUM, _TSO4 = 0x01, 0x02
_LARGEST = 10 + 65_536
_AT_ONCE = 64  # packets read in one go, before others have their turn


@dataclass(frozen=True, slots=True)
class Wire:
    """A line between two namespaces, an address at each end."""

    a: str
    b: str
    a_address: str
    b_address: str
    delay_seconds: float  # each way
    is_exact: bool = False


class _End:
    """The tun device of one end, in its namespace."""

    def __init__(self, name: str, namespace: str, address: str, peer: str, is_exact: bool) -> None:
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        flags = _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR
        fcntl.ioctl(self.fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        fcntl.ioctl(self.fd, _TUNSETOFFLOAD, 0 if is_exact else _CHECKSUM | _TSO4)
        _ip("link", "set", "dev", name, "netns", namespace)
        _ip("-n", namespace, "addr", "add", address, "peer", peer, "dev", name)
        _ip("-n", namespace, "link", "set", "dev", name, "up", "txqueuelen", "10000")

    def write(self, packets: list[bytes]) -> None:
        """What the system does not take is lost, as on any line."""
        for packet in packets:
            with contextlib.suppress(OSError):
                os.write(self.fd, packet)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _carry(source: _End, line: DelayLine[bytes]) -> None:
    for _ in range(_AT_ONCE):
        try:
            packet = os.read(source.fd, _LARGEST)
        except OSError:
            return
        line.push(packet, len(packet))


async def _run(wires: list[Wire]) -> None:
    loop, rng = asyncio.get_running_loop(), Random(0)
    for number, wire in enumerate(wires):
        name = f"w{os.getpid()}n{number}"
        shape = Shape(wire.delay_seconds)
        ends = (
            _End(f"{name}a", wire.a, wire.a_address, wire.b_address, wire.is_exact),
            _End(f"{name}b", wire.b, wire.b_address, wire.a_address, wire.is_exact),
        )
        for source, sink in (ends, ends[::-1]):
            line: DelayLine[bytes] = DelayLine(shape, rng, sink.write)
            loop.add_reader(source.fd, _carry, source, line)
    print("ready", flush=True)
    await asyncio.Event().wait()


@contextlib.contextmanager
def running_wires(wires: list[Wire]) -> Iterator[None]:
    """Carry packets in a process of its own for the length of the block; then the devices go."""
    command = [sys.executable, __file__, json.dumps([asdict(wire) for wire in wires])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the wires could not be made; this needs root and /dev/net/tun")
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wires", help="JSON: a list of wires")
    asyncio.run(_run([Wire(**each) for each in json.loads(parser.parse_args().wires)]))


if __name__ == "__main__":
    main()

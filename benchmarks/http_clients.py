"""Several clients at once, each a blocking socket in a thread. Runs as its own process.

    python -m benchmarks.http_clients '{"method": "PUT", "urls": [...], "size_bytes": ...,
                                        "clients": 16, "requests": 1, "seconds": 45}'

Client i takes `urls[i % len(urls)]`; `{n}` in it becomes a number that no other request has. Prints
one JSON line: bytes received or acknowledged, seconds, finished and wanted requests, median
milliseconds, answers.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass, field
from statistics import median

from benchmarks.http_load import OutOfTime, get, put


@dataclass
class Cell:
    """What clients have done together."""

    bytes: int = 0
    took_ms: list[float] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def _client(number: int, wanted: dict[str, object], cell: Cell, until: float) -> None:
    urls, size = list(wanted["urls"]), int(wanted["size_bytes"])  # type: ignore[call-overload]
    requests = int(wanted["requests"])  # type: ignore[call-overload]
    for request in range(requests):
        serial = number * requests + request
        url = urls[number % len(urls)].replace("{n}", str(serial))
        began = time.perf_counter()
        try:
            if wanted["method"] == "GET":
                moved, answer = get(url, until)
            else:
                seed = int(wanted["seed"]) + serial  # type: ignore[call-overload]
                moved, answer = put(url, size, seed, str(wanted["method"]), until)
        except OutOfTime as late:
            with cell.lock:  # of an upload nothing counts before it is acknowledged
                cell.bytes += late.moved if wanted["method"] == "GET" else 0
            return
        except (OSError, SystemExit) as problem:
            cell.problems.append(str(problem))
            return
        with cell.lock:
            cell.bytes += moved
            cell.took_ms.append((time.perf_counter() - began) * 1e3)
            cell.answers.append(answer)


def run(wanted: dict[str, object]) -> dict[str, object]:
    clients, requests = int(wanted["clients"]), int(wanted["requests"])  # type: ignore[call-overload]
    cell, started = Cell(), time.perf_counter()
    until = started + float(wanted["seconds"])  # type: ignore[arg-type]
    threads = [
        threading.Thread(target=_client, args=(i, wanted, cell, until)) for i in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "bytes": cell.bytes,
        "seconds": time.perf_counter() - started,
        "finished": len(cell.answers),
        "wanted": clients * requests,
        "median_ms": median(cell.took_ms) if cell.took_ms else None,
        "answers": cell.answers,
        "problems": cell.problems,
    }


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))

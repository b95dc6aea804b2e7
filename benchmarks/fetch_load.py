"""Ask a node for a dataset and wait until it has it all. Runs as its own process.

    python -m benchmarks.fetch_load API CID SECONDS

Prints one JSON line: verified bytes, seconds, and whether that was all. After SECONDS the fetch
is stopped and what it got until then counts.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any
from urllib.request import Request, urlopen


def _call(method: str, url: str) -> Any:
    with urlopen(Request(url, method=method), timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def fetch(api: str, cid: str, most_seconds: float) -> dict[str, object]:
    """Seconds run from asking for the fetch until the node reports the dataset complete."""
    url = f"{api}/api/quire/v1/datasets/{cid}/fetch"
    started = time.perf_counter()
    state = _call("POST", url)
    while state["state"] in ("searching", "fetching"):
        if time.perf_counter() - started > most_seconds:
            break
        time.sleep(0.02)
        state = _call("GET", url)
    seconds = time.perf_counter() - started
    if state["state"] not in ("fetching", "complete"):
        raise SystemExit(f"the fetch did not complete: {state}")
    if state["state"] != "complete":
        _call("DELETE", url)
    return {
        "bytes": state["verifiedBytes"],
        "seconds": seconds,
        "is_complete": state["state"] == "complete",
        "peers": len(state["peers"]),
    }


if __name__ == "__main__":
    print(json.dumps(fetch(sys.argv[1], sys.argv[2], float(sys.argv[3]))))

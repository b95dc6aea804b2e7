"""Schemathesis over the generated OpenAPI document against a real node: whatever is sent, the
answer is a documented one, in a documented type and shape, and no 5xx but 503, 504 and 507.

Every route of the document takes part by itself, also one that is added tomorrow.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from quire.faces.local import LocalNode
from support.cluster import QUIRE, ask, put

HERE = Path(__file__).parent
# Of each operation, after those of the coverage phase.
EXAMPLES = os.environ.get("QUIRE_EXAMPLES", "25")
CONFORM = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,allow_header_conformance"
)
# At the compatible bases a method that a path does not know is 404, as in the reference.
CHECKS = {"/api/codex/v1": CONFORM, QUIRE: f"{CONFORM},unsupported_method"}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    directory = tmp_path_factory.mktemp("schemathesis") / "node"
    with LocalNode(directory, arguments=["--request-timeout", "1s"]) as started:
        yield started


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("base", CHECKS)
def test_no_answer_is_undocumented(node, tmp_path, base):
    known = [put(node, b"x" * 200_000), put(node, b""), put(node, bytes(range(256)))]
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "schemathesis.cli"]
    command += ["--config-file", str(HERE / "schemathesis.toml"), "run"]
    command += [f"{node.api}{QUIRE}/openapi.json", "--include-path-regex", f"^{base}/"]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES]
    command += ["--generation-deterministic"]
    command += ["--exclude-by", "/x-endless == true", "--checks", CHECKS[base]]
    command += ["--continue-on-failure", "--request-timeout", "20", "--no-color"]
    command += ["--report", "json", "--report-json-path", str(report)]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "KNOWN_CIDS": json.dumps(known),
        "KNOWN_UPLOADS": json.dumps([begun_upload(node), begun_upload(node)]),
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
    }
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5000:]
    documented = [
        operation
        for path, operations in ask(node, "/openapi.json")["paths"].items()
        for operation in operations.values()
        if path.startswith(f"{base}/") and "x-endless" not in operation
    ]
    check_report(json.loads(report.read_text()), len(documented))


def begun_upload(node):
    """The id of a resumable upload that waits for its bytes."""
    head = {"Tus-Resumable": "1.0.0", "Upload-Length": "50"}
    request = Request(f"{node.api}{QUIRE}/uploads", method="POST", headers=head)
    with urlopen(request, timeout=60) as answer:
        return answer.headers["Location"].rpartition("/")[2]


def check_report(report, documented):
    """Nothing was left out, and data went both ways: the checks have seen good answers too."""
    assert report["complete"]
    assert report["operations"]["tested"] == documented
    assert (report["failures"], report["errors"]) == ([], [])
    rates = report["valid_rates"].values()
    accepted = sum(phase["accepted"] for phases in rates for phase in phases.values())
    generated = report["test_cases"]["generated"]
    print(f"{documented} operations, {generated} requests, {accepted} of them accepted")
    assert accepted > 2 * documented

"""Loading the libraries that sign leaves the limit of recursion, which refuses nested JSON."""

import subprocess
import sys

SCRIPT = """
import sys
from quire.chain.wallet import Wallet
before = sys.getrecursionlimit()
Wallet(bytes(31) + b"\\x01")
assert "py_ecc" in sys.modules, "the guard has nothing to guard any more"
print(before, sys.getrecursionlimit())
"""


def test_a_node_that_signs_still_refuses_what_is_nested_too_deep():
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    before, after = told.stdout.split()
    assert before == after

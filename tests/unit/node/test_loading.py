"""What a node without a chain does not load: the libraries of Ethereum are slow to import."""

import os
import subprocess
import sys

from quire.faces.cli.main import COMMANDS

MODULES = ", ".join(sorted({f"quire.faces.cli.{module}" for module in COMMANDS.values()}))
SCRIPT = f"""
import sys
import {MODULES}
heavy = ("eth_account", "eth_abi", "web3", "Crypto")
print(sorted(name for name in sys.modules if name.split(".")[0] in heavy)[:3])
"""


def test_libraries_of_ethereum_are_loaded_only_when_a_chain_is_used():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        check=True,
    )
    assert done.stdout == "[]\n"

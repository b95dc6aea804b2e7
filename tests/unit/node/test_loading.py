"""What a node does not load before it is used: libraries of Ethereum, slow to import, and ciphers,
which take memory."""

import os
import subprocess
import sys

from quire.faces.cli.main import COMMANDS

MODULES = ", ".join(sorted({f"quire.faces.cli.{module}" for module in COMMANDS.values()}))
SCRIPT = f"""
import sys
import {MODULES}
heavy = ("eth_account", "eth_abi", "web3", "Crypto", "cryptography")
print(sorted(name for name in sys.modules if name.split(".")[0] in heavy)[:3])
"""


def test_libraries_of_ethereum_and_of_ciphers_are_loaded_only_when_they_are_used():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        check=True,
    )
    assert done.stdout == "[]\n"

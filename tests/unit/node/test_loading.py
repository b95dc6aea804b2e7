"""What a node without a chain does not load: the libraries of Ethereum are slow to import."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys
import {module}
heavy = [name for name in sys.modules if name.split(".")[0] in ("eth_account", "eth_abi", "web3")]
print(sorted(heavy)[:3])
"""


@pytest.mark.parametrize("module", ["quire.faces.cli.main", "quire.faces.cli.node"])
def test_libraries_of_ethereum_are_loaded_only_when_a_chain_is_used(module):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(module=module)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        check=True,
    )
    assert done.stdout == "[]\n"

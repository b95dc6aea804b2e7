"""Without Ray, or without a cluster, a node says what is to be done; it never loads Ray unasked."""

from __future__ import annotations

import subprocess
import sys

import pytest

from quire.base.errors import BadConfig
from quire.node.config import NodeConfig
from quire.node.working import check_workers
from quire.services.workers import ray


def test_a_node_without_ray_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadConfig, match=r"pip install 'quire\[ray\]', or set workers = local"):
        check_workers(NodeConfig(workers="ray:auto"))
    check_workers(NodeConfig())


def test_the_adapter_does_not_load_ray_before_it_connects() -> None:
    told = "import sys, quire.node.working; print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"

"""Doctor: what is wrong with the surroundings, and what to do about it."""

import os
import socket

import pytest

from quire.node.config_load import load_config
from quire.node.doctor import examine


def findings(directory, *, is_running=False, **flags):
    settings = {"data-dir": str(directory)} | {k.replace("_", "-"): v for k, v in flags.items()}
    found = examine(load_config({"api-port": 0} | settings, {}, None), is_running=is_running)
    return {finding.check: finding for finding in found}


def test_a_place_where_nothing_was_yet_is_fine_and_stays_untouched(tmp_path):
    found = findings(tmp_path / "new")
    assert {f.state for f in found.values()} <= {"ok", "warning"}
    assert not (tmp_path / "new").exists()


def test_a_key_that_others_can_read_is_a_problem_with_its_remedy(tmp_path):
    key = tmp_path / "key"
    key.write_bytes(bytes(36))
    os.chmod(key, 0o644)
    finding = findings(tmp_path)["key"]
    assert finding.state == "problem"
    assert finding.remedy == f"chmod 600 {key}"


def test_a_port_that_is_taken_is_a_problem(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert findings(tmp_path, api_port=port)["API port"].state == "problem"
        assert "API port" not in findings(tmp_path, api_port=port, is_running=True)


def test_a_store_that_does_not_open_is_a_problem(tmp_path):
    store = tmp_path / "store"
    store.mkdir(parents=True)
    (store / "meta.sqlite").write_bytes(b"this is no database" * 100)
    assert findings(tmp_path)["store"].state == "problem"


@pytest.mark.parametrize(("mode", "state"), [(0o755, "warning"), (0o700, "ok")])
def test_a_directory_that_others_can_read_is_told(tmp_path, mode, state):
    os.chmod(tmp_path, mode)
    assert findings(tmp_path)["data directory"].state == state


def test_an_unknown_profile_is_a_problem(tmp_path):
    assert findings(tmp_path, profile="nothing")["profile"].state == "problem"


def test_a_quota_larger_than_the_disk_is_told(tmp_path):
    assert findings(tmp_path, storage_quota="900p")["disk"].state == "warning"

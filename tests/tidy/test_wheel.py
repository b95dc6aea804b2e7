"""A wheel has what the package reads of itself. maturin takes every file of the package that git
does not ignore, and what `include` and `exclude` say otherwise."""

import subprocess
import tomllib

import pytest

from quire.chain.anvil_program import LOCKED
from quire.chain.artefact import NAMES
from quire.node.profile import profile_names
from support.source import PACKAGE, ROOT, tracked_files

READ = [
    *(f"chain/artefacts/{name}.json" for name in NAMES),
    *(f"chain/anvil/{name}" for name in LOCKED),
    *(f"node/profiles/{name}.toml" for name in profile_names()),
    "py.typed",
    "_core.pyi",
]


def test_the_wheel_is_made_of_the_whole_package() -> None:
    how = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["maturin"]
    assert (how["python-source"], how["module-name"]) == ("src", "quire._core")
    assert not {"include", "exclude", "sdist-include"} & set(how)


@pytest.mark.parametrize("name", READ)
def test_what_the_package_reads_of_itself_is_in_the_wheel(name: str) -> None:
    assert PACKAGE / name in tracked_files()


def test_no_file_of_the_package_is_in_git_and_yet_ignored() -> None:
    ignored = subprocess.run(
        ["git", "ls-files", "--cached", "--ignored", "--exclude-standard", "src"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ignored.stdout == ""


def test_nothing_else_lies_in_the_package() -> None:
    others = [path for path in tracked_files() if PACKAGE in path.parents and path.suffix != ".py"]
    assert sorted(path.relative_to(PACKAGE).as_posix() for path in others) == sorted(READ)

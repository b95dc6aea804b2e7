"""Putting a tree: what is looked through before, and files that change meanwhile."""

import os

import pytest

from quire.base.errors import InputError
from quire.faces.cli.tree_put import directory_pieces, name_of_tree
from quire.faces.cli.tree_scan import scan
from quire.flow.directory_build import planned_size
from support.directories import everything


def looked_through(top, **options):
    return scan(top, **{"keep_times": True, "skip_special": False} | options)[0]


async def sent(found):
    reports = []
    pieces = [
        piece async for piece in directory_pieces(found, lambda done, note: reports.append(done))
    ]
    return b"".join(pieces), reports


@pytest.fixture
def top(tmp_path):
    top = tmp_path / "top"
    (top / "dir").mkdir(parents=True)
    (top / "a").write_bytes(b"first")
    (top / "dir" / "b").write_bytes(bytes(3_000_000))
    (top / "link").symlink_to("/")
    return top


async def test_the_size_is_known_before_and_progress_ends_there(top):
    found = looked_through(top)
    data, reports = await sent(found)
    assert len(data) == planned_size([each.entry for each in found]) == reports[-1]
    assert reports == sorted(reports)
    assert [e.path for e in await everything(data)] == ["a", "dir", "dir/b", "link"]


def longer(path):
    path.write_bytes(b"first and more")


def touched(path):
    os.utime(path, ns=(1, 1))


def replaced(path):
    other = path.with_name("other")
    other.write_bytes(b"other")
    os.utime(other, ns=(path.stat().st_mtime_ns,) * 2)
    other.replace(path)


def linked(path):
    path.unlink()
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("change", [longer, touched, replaced, linked, os.unlink])
async def test_a_file_that_changed_since_is_refused_by_name(top, change):
    found = looked_through(top)
    change(top / "a")
    with pytest.raises(InputError, match=r"top/a.*(changed|cannot be read any more)"):
        await sent(found)


async def test_a_file_that_changes_while_it_is_read_is_refused(top):
    found = looked_through(top)
    pieces = directory_pieces(found, lambda *_: None)
    await anext(pieces)
    with (top / "dir" / "b").open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match="changed"):
        [piece async for piece in pieces]


def test_every_file_that_cannot_be_read_is_named(top, monkeypatch):
    (top / "c").write_bytes(b"secret")
    real = os.access
    closed = (str(top / "a"), str(top / "c"))
    monkeypatch.setattr(os, "access", lambda p, *a, **n: p not in closed and real(p, *a, **n))
    with pytest.raises(InputError, match="2 names") as caught:
        looked_through(top, skip_special=True)
    assert all(f"{path}: Permission denied" in caught.value.message for path in closed)


def test_without_times_two_moments_make_one_tree(top):
    def entries():
        return [each.entry for each in looked_through(top, keep_times=False)]

    before = entries()
    os.utime(top / "a", ns=(5, 5))
    assert entries() == before


def test_the_dataset_is_named_after_the_tree(top, monkeypatch):
    assert name_of_tree(top) == "top.tar"
    monkeypatch.chdir(top)
    assert name_of_tree(type(top)()) == "top.tar"

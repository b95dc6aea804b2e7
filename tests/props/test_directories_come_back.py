"""What is put into a directory comes out of it: by walking, by path, by level, and as tar."""

import hashlib
import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from quire.flow.directory_tar import tar_size
from quire.formats.directory import DIRECTORY, FILE, SYMLINK, TAR_END, Entry
from quire.formats.directory_writer import DirectoryWriter
from quire.formats.tar import encode_header, padding
from support.directories import at_once, entries_of, made_of_tar, opened

NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1)
names = NAMES.map(lambda name: name[:40]).filter(lambda name: name not in (".", ".."))
paths = st.lists(names | st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)
modes = st.integers(0, 0o777)
times = st.integers(-(10**18), 4 * 10**18)
targets = names


@st.composite
def trees(draw):
    """Entries with their bytes, by path; nothing lies below a file."""
    found = {}
    for path in draw(st.lists(paths, max_size=12, unique=True)):
        above = ["/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 1)]
        if any(found.get(each, (None, None))[0] not in (None, DIRECTORY) for each in above):
            continue
        if path in found:
            continue
        is_parent = any(known.startswith(path + "/") for known in found)
        kind = DIRECTORY if is_parent else draw(st.sampled_from([DIRECTORY, FILE, SYMLINK]))
        data = draw(st.binary(max_size=2000)) if kind == FILE else b""
        found[path] = (kind, data)
    return {
        path: (
            Entry(
                path,
                kind,
                draw(modes),
                draw(times),
                len(data),
                text=draw(targets) if kind == SYMLINK else "",
            ),
            data,
        )
        for path, (kind, data) in found.items()
    }


def written(tree):
    writer, out = DirectoryWriter(), bytearray()
    for entry, data in tree.values():
        out += writer.begin(entry) + data + writer.end(hashlib.sha256(data).digest())
    out += writer.finish()
    assert writer.position == len(out)
    return bytes(out)


def same(found, entry, data, whole):
    assert (found.kind, found.mode, found.mtime) == (entry.kind, entry.mode, entry.mtime)
    assert found.text == entry.text
    assert whole[found.offset : found.offset + found.size] == data


async def looked_up(whole, tree):
    directory = await opened(whole)
    for path, (entry, data) in tree.items():
        same(await directory.find(path), entry, data, whole)
        below = [e.path async for e in directory.walk(path)]
        assert below[0] == path
        assert {p for p in tree if p.startswith(path + "/")} <= set(below[1:])
    level = await directory.children()
    assert [e.name for e in level] == sorted({path.split("/")[0] for path in tree})
    for entry in level:
        inner = await directory.children(entry.path)
        assert all(e.path.rpartition("/")[0] == entry.path for e in inner)


@given(trees())
def test_entries_and_bytes(tree):
    whole = written(tree)
    found = {entry.path: entry for entry in entries_of(whole)}
    for path, (entry, data) in tree.items():
        same(found[path], entry, data, whole)
    at_once(looked_up(whole, tree))


@given(trees())
def test_tar_readers_see_the_same(tree):
    whole = written(tree)
    with tarfile.open(fileobj=io.BytesIO(whole), errors="strict") as tar:
        for path, (entry, data) in tree.items():
            info = tar.getmember(path)
            assert info.mode == entry.mode
            assert info.linkname == (entry.text if entry.kind == SYMLINK else "")
            if entry.kind == FILE:
                assert tar.extractfile(info).read() == data


@given(trees(), st.sampled_from([1, 7, 512, 100_000]))
def test_a_tar_of_it_makes_it_again(tree, piece):
    whole = written(tree)
    entries = entries_of(whole)
    tar = bytearray()
    for entry in entries:
        tar += encode_header(entry)
        tar += whole[entry.offset : entry.offset + entry.size] + padding(entry.size)
    tar += TAR_END
    assert at_once(sizes(whole)) == len(tar)
    again = made_of_tar(bytes(tar), piece)
    implied = {e.path for e in entries if e.mode is None}
    for before, after in zip(entries, entries_of(again), strict=True):
        if before.path not in implied:
            expected = (before.path, before.kind, before.mode, before.mtime, before.digest)
            assert (after.path, after.kind, after.mode, after.mtime, after.digest) == expected


async def sizes(whole):
    size, _ = await tar_size(await opened(whole), "")
    return size

"""Directories: known answers, refusals, order, alignment, the archive inside."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from quire.base.errors import BadEncoding, InputError
from quire.formats.cid import manifest_cid, tree_cid
from quire.formats.directory import (
    DIRECTORY,
    FILE,
    FOOTER_BYTES,
    KIND_WORDS,
    MEDIA_TYPE,
    SYMLINK,
    Entry,
    decode_footer,
)
from quire.formats.directory_listed import decode_in_block, decode_in_manifest
from quire.formats.directory_writer import ALIGN_BYTES, ALIGN_FROM_BYTES, DirectoryWriter
from quire.formats.manifest import Manifest, encode_manifest
from quire.kernels.hashing import merkle_root, sha256_blocks
from support.directories import entries_of, made_of_tar
from support.trees import a_directory, a_link, directory_bytes
from support.vectors import accepted, rejected


@accepted("directory.json")
def test_known_directories(row):
    found = [
        {
            "path": e.path,
            "kind": KIND_WORDS[e.kind],
            "mode": e.mode,
            "mtimeNs": e.mtime,
            "size": e.size,
            "offset": e.offset,
            "sha256": e.digest.hex(),
            "text": e.text,
        }
        for e in entries_of(bytes.fromhex(row["hex"]))
    ]
    assert found == row["entries"]


@rejected("directory.json")
def test_what_is_no_directory(row):
    with pytest.raises(BadEncoding):
        entries_of(bytes.fromhex(row["hex"]))


@accepted("tar.json")
def test_known_archives(row):
    made = entries_of(made_of_tar(bytes.fromhex(row["hex"])))
    assert set(row["paths"]) <= {entry.path for entry in made}


@rejected("tar.json")
def test_archives_that_are_refused(row):
    with pytest.raises(InputError):
        made_of_tar(bytes.fromhex(row["hex"]))


def decode_listed(row):
    decode = decode_in_manifest if row["kind"] == "manifest" else decode_in_block
    return decode(bytes.fromhex(row["hex"]))


@accepted("directory_listed.json")
def test_foreign_directories(row):
    found = decode_listed(row)
    assert [[e.path, str(e.cid)] for e in found.entries] == row["entries"]


@rejected("directory_listed.json")
def test_foreign_directories_that_are_refused(row):
    with pytest.raises(BadEncoding):
        decode_listed(row)


@accepted("manifest.json")
def test_a_manifest_without_entries_is_no_foreign_directory(row):
    if not row.get("protected"):
        assert decode_in_manifest(bytes.fromhex(row["hex"])) is None


@pytest.mark.parametrize("path", ["big", "é" * 40, "x/" * 60 + "big"])
@pytest.mark.parametrize("before", [0, 1, 511, 512, 513, 60_000, 65_000, 65_535])
def test_a_large_file_begins_on_a_block_border(path, before):
    data = directory_bytes({"0": bytes(before), path: bytes(ALIGN_FROM_BYTES), "zz": b"1"})
    found = {entry.path: entry for entry in entries_of(data)}
    assert found[path].offset % ALIGN_BYTES == 0
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getmember(path).offset_data == found[path].offset
        assert tar.getmember("zz").offset_data == found["zz"].offset


def test_the_order_of_writing_does_not_change_the_index():
    entries = [Entry(path, FILE) for path in ("a", "a.b", "a-b/c", "b/c")]

    def index_of(ordered):
        writer, out = DirectoryWriter(), b""
        for entry in ordered:
            out += writer.begin(entry) + writer.end()
        return entries_of(out + writer.finish())

    assert index_of(entries) == index_of(entries[::-1])
    assert [e.path for e in index_of(entries)] == ["a", "a-b", "a-b/c", "a.b", "b", "b/c"]


@pytest.mark.parametrize(
    "entries",
    [
        [a_directory("a"), a_directory("a")],
        [a_link("a", "t"), a_directory("a/b")],
        [a_directory("a/b"), a_link("a", "t")],
        [a_directory("..")],
        [a_link("a", "")],
        [a_directory("a", 0o1777)] * 2,
    ],
)
def test_a_writer_refuses_what_a_reader_would(entries):
    def write():
        writer = DirectoryWriter()
        for entry in entries:
            writer.begin(entry)
            writer.end()
        writer.finish()

    with pytest.raises(InputError):
        write()


def test_the_names_of_a_large_tree_lie_in_pages():
    files = {f"d{i // 100:03}/{'n' * 90}{i:05}": b"" for i in range(2000)}
    data = directory_bytes(files)
    assert [e.path for e in entries_of(data) if e.kind == FILE] == sorted(files)


def test_the_example_in_the_documentation_is_right():
    page = (Path(__file__).parents[3] / "docs/reference/directory-format.md").read_text()
    example = page.partition("## Example")[2].split("```")[1]
    shown, last = {}, ""
    for line in example.strip().splitlines():
        label, value = line[:7].strip(), line[7:].partition("   (")[0].strip()
        label = label or last
        shown[label] = shown.get(label, "") + value
        last = label
    second, hello = 1_700_000_000 * 10**9, b"hello\n"
    writer, data = DirectoryWriter(), b""
    data += writer.begin(Entry("docs", DIRECTORY, 0o755, second)) + writer.end()
    file = Entry("docs/hello.txt", FILE, 0o644, second + 500_000_000, len(hello))
    data += writer.begin(file) + hello + writer.end(hashlib.sha256(hello).digest())
    link = Entry("latest", SYMLINK, 0o777, second, text="docs/hello.txt")
    data += writer.begin(link) + writer.end() + writer.finish()
    footer = decode_footer(data[-FOOTER_BYTES:], len(data))
    root = merkle_root(sha256_blocks(data, 65_536))
    manifest = Manifest(tree_cid(root), 65_536, len(data), mimetype=MEDIA_TYPE)
    assert (len(data), footer.tar_bytes) == (4294, 4096)
    assert shown == {
        "page": data[footer.tar_bytes : footer.table_offset].hex(),
        "table": data[footer.table_offset : -FOOTER_BYTES].hex(),
        "footer": data[-FOOTER_BYTES:].hex(),
        "CID": str(manifest_cid(encode_manifest(manifest))),
    }

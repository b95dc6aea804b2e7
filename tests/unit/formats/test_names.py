"""File names and media types."""

import pytest

from quire.base.errors import InputError
from quire.formats.names import (
    base_name,
    check_filename,
    check_mimetype,
    check_received_filename,
    is_known_mimetype,
    is_mimetype,
)
from support.vectors import accepted, rejected


@accepted("names.json")
def test_good_names_pass_and_odd_ones_only_in_manifests(row):
    check_received_filename(row["text"])
    if row["received"]:
        with pytest.raises(InputError):
            check_filename(row["text"])
    else:
        check_filename(row["text"])


@rejected("names.json")
def test_bad_names_are_refused(row):
    with pytest.raises(InputError, match="the file name"):
        check_filename(row["text"])


@pytest.mark.parametrize(
    "name", ["", "a\nb", "a*.txt", "CON.txt", "a .txt", "a.txt ", "x" * 260, "\ud800", "dir/"]
)
def test_manifests_may_not_carry_these(name):
    with pytest.raises(InputError):
        check_received_filename(name)


@pytest.mark.parametrize(
    ("name", "base"), [("a", "a"), ("d/a", "a"), ("d\\a", "a"), ("../../etc/passwd", "passwd")]
)
def test_the_base_name_has_no_directory(name, base):
    assert base_name(name) == base


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("text/plain", "text/plain"),
        ("Text/PLAIN", "Text/PLAIN"),
        ("text/plain; charset=utf-8", "text/plain"),
        ("image/svg+xml", "image/svg+xml"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("chemical/x-pdb", "chemical/x-pdb"),
    ],
)
def test_media_types_are_kept_without_parameters(value, kept):
    assert check_mimetype(value) == kept
    assert is_mimetype(kept)
    assert is_known_mimetype(kept)


NOT_MEDIA = ["", "text", "text/", "/plain", "a b/c", "text/pl ain", "hello/world", "t/é", ";"]


@pytest.mark.parametrize("value", [*NOT_MEDIA, "text/plain\n", "text/plain/x"])
def test_other_values_are_no_media_types(value):
    with pytest.raises(InputError):
        check_mimetype(value)


def test_a_media_type_may_not_be_endless():
    assert check_mimetype("text/" + "x" * 123)
    for length in (124, 127, 128, 10_000):
        with pytest.raises(InputError):
            check_mimetype("text/" + "x" * length)

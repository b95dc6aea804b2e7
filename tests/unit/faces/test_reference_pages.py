"""The reference pages list what the code has: every route, every setting, every alias."""

import re
from pathlib import Path

import pytest

from quire.faces.rest.events import EventStreams
from quire.faces.rest.table import all_routes
from quire.node.config import default_text, settings
from quire.node.profile import load_profile, profile_names
from quire.node.reference_options import ALIASES, WITHOUT_EFFECT

PAGES = Path(__file__).parents[3] / "docs" / "reference"


def rows(page):
    """The cells of every table row of a page."""
    lines = (PAGES / page).read_text("utf-8").splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in cells]


def row_of(route):
    codes = " ".join(str(code) for code in sorted(route.answers))
    return [f"`{route.method} {route.path}`", route.bases, route.summary, codes]


def test_the_page_of_the_api_lists_every_route():
    listed = [row for row in rows("rest.md") if re.match("`[A-Z]+ /", row[0])]
    assert listed.pop()[0] == "`GET /openapi.json`"
    expected = [row_of(route) for route in all_routes(EventStreams())]
    missing = ["| " + " | ".join(row) + " |" for row in expected if row not in listed]
    assert not missing, "\n".join(["rows to add to docs/reference/rest.md:", *missing])
    assert [row for row in listed if row not in expected] == []


@pytest.mark.parametrize("name", profile_names())
def test_the_page_of_the_api_names_the_bases_of_every_profile(name):
    bases = ", ".join(f"`{base}`" for base in load_profile(name).rest_bases)
    assert any(name in row[0].split(", ") and row[1] == bases for row in rows("rest.md"))


def test_the_page_of_settings_lists_every_setting():
    found = [row for row in rows("settings.md") if len(row) == 4 and row[0].startswith("`")]
    listed = {row[0].split("`")[1]: row for row in found}
    assert list(listed) == list(settings())
    for name, setting in settings().items():
        written, kind, default, help_text = listed[name]
        assert written == f"`{name}`" + (f" (`-{setting.short}`)" if setting.short else "")
        assert (kind, help_text) == (setting.kind, setting.help)
        assert default.strip("`").replace("\\|", "|") == default_text(name)


def test_the_page_of_settings_lists_the_reference_s_options():
    pairs = {row[0].strip("`"): row[1].strip("`") for row in rows("settings.md") if len(row) == 2}
    assert ALIASES.items() <= pairs.items()
    assert WITHOUT_EFFECT.items() <= pairs.items()

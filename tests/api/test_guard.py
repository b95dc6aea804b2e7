"""Token and CORS: who may call."""

import base64
import os

import pytest

from quire.base.errors import BadConfig, UnsafePermissions
from quire.faces.rest.server import RestFace
from support.http import send
from support.live import live_node, make_node

TOKEN = "a-token-of-some-length"
BASE = "/api/codex/v1"


def token_file(tmp_path, text=TOKEN, mode=0o600):
    path = tmp_path / "token"
    path.write_text(text + "\n")
    os.chmod(path, mode)
    return str(path)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Token {TOKEN}",
        "Basic !!!",
        "Basic " + base64.b64encode(b"user:wrong").decode(),
        "Bearer t\u00f6ken",
        "Basic t\u00f6ken",
    ],
)
async def test_without_the_token_nothing_is_answered_but_health(tmp_path, header):
    async with live_node(tmp_path / "n", api_token_file=token_file(tmp_path)) as (_, url):
        headers = {} if header is None else {"Authorization": header}
        for path in (f"{BASE}/space", "/api/quire/v1/events", "/api/quire/v1/metrics"):
            reply = await send(url, "GET", path, headers)
            assert reply.status == 401
            assert reply.headers["www-authenticate"].startswith("Bearer")
        assert (await send(url, "POST", f"{BASE}/data", headers, b"x")).status == 401
        assert (await send(url, "GET", "/api/quire/v1/health", headers)).status == 200


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {TOKEN}",
        f"bearer {TOKEN}",
        "Basic " + base64.b64encode(f"any:{TOKEN}".encode()).decode(),
    ],
)
async def test_with_the_token_everything_is_answered(tmp_path, header):
    async with live_node(tmp_path / "n", api_token_file=token_file(tmp_path)) as (_, url):
        headers = {"Authorization": header}
        assert (await send(url, "GET", f"{BASE}/space", headers)).status == 200
        document = await send(url, "GET", "/api/quire/v1/openapi.json", headers)
        assert "securitySchemes" in document.text


@pytest.mark.parametrize(
    ("text", "mode", "error"),
    [(TOKEN, 0o644, UnsafePermissions), ("short", 0o600, BadConfig), ("", 0o600, BadConfig)],
)
async def test_a_token_file_that_protects_nothing_is_refused(tmp_path, text, mode, error):
    node = await make_node(tmp_path / "n", api_token_file=token_file(tmp_path, text, mode))
    with pytest.raises(error):
        RestFace(node)
    await node.store.close()


async def test_a_token_file_that_is_not_there_is_refused(tmp_path):
    node = await make_node(tmp_path / "n", api_token_file=str(tmp_path / "none"))
    with pytest.raises(BadConfig):
        RestFace(node)
    await node.store.close()


@pytest.mark.parametrize(
    ("allowed", "origin", "shown"),
    [
        ("*", "http://a.example", "*"),
        ("http://a.example", "http://a.example", "http://a.example"),
        ("a.example", "https://a.example", "https://a.example"),
        ("a.example:81", "http://a.example:81", "http://a.example:81"),
        ("http://b.example, a.example", "http://a.example", "http://a.example"),
        ("http://b.example, a.example", "http://c.example", None),
        ("http://b.example, *", "http://c.example", "*"),
        ("http://a.example", "http://b.example", None),
        ("http://a.example", "https://a.example", None),
        (None, "http://a.example", None),
    ],
)
async def test_an_origin_is_allowed_or_served_without_a_word(tmp_path, allowed, origin, shown):
    flags = {} if allowed is None else {"api_cors_origin": allowed}
    async with live_node(tmp_path, **flags) as (_, url):
        for path in (f"{BASE}/space", f"{BASE}/data/notacid"):
            reply = await send(url, "GET", path, {"Origin": origin})
            assert reply.headers.get("access-control-allow-origin") == shown
            assert reply.status in (200, 400)


async def test_two_origins_are_refused_when_origins_count(tmp_path):
    two = [("Origin", "http://a"), ("Origin", "http://b")]
    async with live_node(tmp_path, api_cors_origin="*") as (_, url):
        reply = await send(url, "GET", f"{BASE}/space", more=two)
        assert reply.text == "Only a single Origin header must be specified"
    async with live_node(tmp_path / "n") as (_, url):
        assert (await send(url, "GET", f"{BASE}/space", more=two)).status == 200


@pytest.mark.parametrize(("method", "path"), [("POST", "/data"), ("DELETE", "/data/zDv")])
async def test_a_foreign_page_may_not_change_the_node(tmp_path, method, path):
    async with live_node(tmp_path) as (node, url):
        for origin in ("http://evil.example", "null", "http://[no-url"):
            reply = await send(url, method, BASE + path, {"Origin": origin}, b"x")
            assert reply.status == 403
        assert await node.store.datasets() == []


async def test_the_node_s_own_page_and_allowed_pages_may(tmp_path):
    async with live_node(tmp_path, api_cors_origin="http://a.example") as (_, url):
        for origin in (url, "http://a.example"):
            reply = await send(url, "POST", f"{BASE}/data", {"Origin": origin}, b"x")
            assert reply.status == 200


async def test_preflights_name_methods_and_headers(tmp_path):
    async with live_node(tmp_path, api_cors_origin="*") as (_, url):
        reply = await send(url, "OPTIONS", f"{BASE}/data", {"Origin": "http://a.example"})
        assert reply.status == 204
        assert reply.headers["access-control-allow-methods"] == "POST, GET, OPTIONS"
        assert "content-disposition" in reply.headers["access-control-allow-headers"]
        other = await send(url, "OPTIONS", f"{BASE}/space", {"Origin": "http://a.example"})
        assert other.status == 204


@pytest.mark.parametrize("path", [f"{BASE}/data", f"{BASE}/data/zDv", f"{BASE}/connect/x",
                                  "/api/quire/v1/uploads", "/api/quire/v1/events"])  # fmt: skip
async def test_a_page_may_send_and_read_what_it_needs(tmp_path, path):
    needed = ("authorization", "content-type", "content-disposition", "range", "if-none-match",
              "tus-resumable", "upload-offset", "upload-length", "upload-metadata")  # fmt: skip
    read = ("content-disposition", "content-range", "etag", "accept-ranges", "location",
            "upload-offset", "tus-resumable", "quire-cid", "x-request-id")  # fmt: skip
    async with live_node(tmp_path, api_cors_origin="http://a.example") as (_, url):
        asked = {"Origin": "http://a.example", "Access-Control-Request-Method": "POST",
                 "Access-Control-Request-Headers": ",".join(needed)}  # fmt: skip
        reply = await send(url, "OPTIONS", path, asked)
        assert reply.status == 204
        assert reply.headers["access-control-allow-origin"] == "http://a.example"
        assert reply.headers["vary"] == "Origin"
        allowed = reply.headers["access-control-allow-headers"].split(", ")
        assert set(needed) <= set(allowed)
        assert reply.headers["access-control-max-age"] == "86400"
        shown = await send(url, "HEAD", path, {"Origin": "http://a.example"})
        exposed = shown.headers["access-control-expose-headers"].split(", ")
        assert set(read) <= set(exposed)


async def test_a_token_does_not_stand_in_the_way_of_a_preflight(tmp_path):
    settings = {"api_token_file": token_file(tmp_path), "api_cors_origin": "*"}
    async with live_node(tmp_path / "n", **settings) as (_, url):
        asked = {"Origin": "http://a.example", "Access-Control-Request-Method": "DELETE"}
        reply = await send(url, "OPTIONS", f"{BASE}/data/zDv", asked)
        assert reply.status == 204
        assert "DELETE" in reply.headers["access-control-allow-methods"]
        refused = await send(url, "DELETE", f"{BASE}/data/zDv", {"Origin": "http://a.example"})
        assert refused.status == 401
        assert refused.headers["access-control-allow-origin"] == "*"

"""Calls to a node that answers late, wrongly, in another order, or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from quire.base.errors import BadConfig, ChainUnreachable, RpcRefused
from quire.chain.rpc import connect
from support.fake_node import ErrorObject, FakeNode, HangUp, Silence, fake_node

SCHEMES = pytest.mark.parametrize("scheme", ["ws", "http"])
SECONDS = 20.0


def echo(method: str, params: list[Any]) -> Any:
    return [method, *params]


def soon(seconds: float = 0.3) -> float:
    return asyncio.get_running_loop().time() + seconds


@SCHEMES
async def test_a_call_is_answered(scheme: str) -> None:
    async with fake_node(echo) as node:
        rpc = connect(f"{scheme}://{node.url}")
        assert await rpc.call("eth_a", [1, "x"]) == ["eth_a", 1, "x"]
        await rpc.close()


@SCHEMES
async def test_a_batch_is_answered_in_its_order_with_refusals_in_place(scheme: str) -> None:
    def answers(method: str, params: list[Any]) -> Any:
        if params == [3]:
            raise ErrorObject({"code": 3, "message": "execution reverted", "data": "0xdeadbeef"})
        return params

    async with fake_node(answers) as node:
        rpc = connect(f"{scheme}://{node.url}")
        replies = await rpc.batch([("eth_n", [n]) for n in range(250)])
        assert isinstance(replies[3], RpcRefused)
        assert replies[3].data == b"\xde\xad\xbe\xef"
        assert [r for r in replies if not isinstance(r, RpcRefused)] == [
            [n] for n in range(250) if n != 3
        ]
        assert max(node.batches) == (100 if scheme == "http" else 1)
        assert await rpc.batch([]) == []
        await rpc.close()


@SCHEMES
async def test_silence_ends_at_the_deadline(scheme: str) -> None:
    def answers(method: str, params: list[Any]) -> Any:
        raise Silence

    async with fake_node(answers) as node:
        rpc = connect(f"{scheme}://{node.url}")
        with pytest.raises(ChainUnreachable, match=f"{scheme}://127.0.0.1.*no answer in time"):
            await rpc.call("eth_a", [], soon())
        await rpc.close()


@SCHEMES
async def test_a_call_is_made_again_when_the_connection_ends(scheme: str) -> None:
    turns: list[str] = []

    def answers(method: str, params: list[Any]) -> Any:
        turns.append(method)
        if len(turns) < 3:
            raise HangUp
        return "done"

    async with fake_node(answers) as node:
        rpc = connect(f"{scheme}://{node.url}")
        assert await rpc.call("eth_a") == "done"
        assert len(turns) == 3
        await rpc.close()


@SCHEMES
async def test_what_is_not_safe_to_repeat_is_not_repeated(scheme: str) -> None:
    def answers(method: str, params: list[Any]) -> Any:
        raise HangUp

    async with fake_node(answers) as node:
        rpc = connect(f"{scheme}://{node.url}")
        with pytest.raises(ChainUnreachable):
            await rpc.call("evm_mine")
        assert len(node.asked) == 1
        await rpc.close()


@SCHEMES
async def test_user_password_and_path_are_sent_and_never_shown(scheme: str) -> None:
    async with fake_node(echo) as node:
        rpc = connect(f"{scheme}://me:hidden@{node.url}/v3/secret?key=secret")
        await rpc.call("eth_a")
        assert node.authorization == "Basic bWU6aGlkZGVu"
        assert rpc.shown_url == f"{scheme}://{node.url}"
        await rpc.close()
        node.status = 401
        rpc = connect(f"{scheme}://me:hidden@{node.url}/v3/secret?key=secret")
        with pytest.raises(ChainUnreachable, match="HTTP status 401") as caught:
            await rpc.call("eth_a")
        assert "secret" not in str(caught.value)
        assert "hidden" not in str(caught.value)
        await rpc.close()


@SCHEMES
async def test_a_node_that_is_overloaded_is_asked_again(scheme: str) -> None:
    async with fake_node(echo) as node:
        node.status = 503
        rpc = connect(f"{scheme}://{node.url}")
        call = asyncio.create_task(rpc.call("eth_a"))
        async with asyncio.timeout(SECONDS):
            while node.connections < 2:
                await asyncio.sleep(0.01)
        node.status = 200
        assert await call == ["eth_a"]
        await rpc.close()


@SCHEMES
async def test_a_node_that_has_had_too_many_calls_is_asked_again_later(scheme: str) -> None:
    turns: list[str] = []

    def answers(method: str, params: list[Any]) -> Any:
        turns.append(method)
        if len(turns) < 4:
            raise ErrorObject({"code": -32005, "message": "Too Many Requests, slow down"})
        return "done"

    async with fake_node(answers) as node:
        rpc = connect(f"{scheme}://{node.url}")
        assert await rpc.call("eth_a") == "done"
        assert len(turns) == 4
        await rpc.close()


@SCHEMES
@pytest.mark.parametrize("raw", ["garbage", "[1]", '{"id": 1}', "{}", "[" * 3000, "\x00"])
async def test_what_is_no_json_rpc_is_refused(scheme: str, raw: str) -> None:
    async with fake_node(echo) as node:
        node.raw = raw
        rpc = connect(f"{scheme}://{node.url}")
        with pytest.raises(ChainUnreachable, match=f"{scheme}://127"):
            await rpc.call("eth_a", [], soon(5))
        await rpc.close()


@SCHEMES
async def test_an_answer_has_a_greatest_size(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("rpc_http", "rpc_ws"):
        monkeypatch.setattr(f"quire.chain.{module}.MAX_ANSWER_BYTES", 10_000)
    async with fake_node(lambda method, params: "x" * params[0]) as node:
        rpc = connect(f"{scheme}://{node.url}")
        assert await rpc.call("eth_a", [9_000]) == "x" * 9_000
        with pytest.raises(ChainUnreachable, match="more than 10000 bytes"):
            await rpc.call("eth_a", [200_000])
        assert await rpc.call("eth_a", [9_000]) == "x" * 9_000
        await rpc.close()


@SCHEMES
async def test_an_error_without_id_is_of_all_calls_that_wait(scheme: str) -> None:
    async with fake_node(echo) as node:
        node.raw = '{"id": null, "error": {"code": -32600, "message": "Invalid request"}}'
        rpc = connect(f"{scheme}://{node.url}")
        with pytest.raises(RpcRefused, match="Invalid request"):
            await rpc.call("eth_a")
        await rpc.close()


async def test_nobody_at_the_address_is_said_at_the_deadline() -> None:
    rpc = connect("ws://127.0.0.1:1")
    with pytest.raises(ChainUnreachable, match="cannot be reached"):
        await rpc.call("eth_a", [], soon())
    await rpc.close()


@pytest.mark.parametrize(
    "url",
    [
        *("", "127.0.0.1:8545", "ftp://x", "ws://", "http://:80", "ws://[::1", "ws://x:99999"),
        *("ws://\x1b[2J:1", "ws://no\udc80text"),
    ],
)
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(BadConfig, match=r"ws://127\.0\.0\.1:8545"):
        connect(url)


def test_the_address_is_shown_without_what_may_be_secret() -> None:
    assert connect("http://u:p@[::1]:8545/k?x=y").shown_url == "http://[::1]:8545"
    assert connect("https://rpc.example/v3/key").shown_url == "https://rpc.example"


async def test_new_heads_are_told_of_again_after_the_connection_was_lost() -> None:
    told = asyncio.Event()

    async def ring(node: FakeNode) -> None:
        told.clear()
        await node.tell("0x1", {"number": "0x1"})
        async with asyncio.timeout(SECONDS):
            await told.wait()

    async with fake_node(lambda method, params: "0x1") as node:
        rpc = connect(f"ws://{node.url}")
        rpc.on_head(told.set)
        await rpc.call("eth_a")
        await ring(node)
        told.clear()
        await node.drop()
        async with asyncio.timeout(SECONDS):
            await told.wait()  # so that whoever listens asks, which makes a new connection
        await rpc.call("eth_a")
        await ring(node)
        assert [method for method, _ in node.asked].count("eth_subscribe") == 2
        assert rpc.tells_heads
        await rpc.close()


async def test_a_node_without_subscriptions_has_to_be_asked() -> None:
    def answers(method: str, params: list[Any]) -> Any:
        if method == "eth_subscribe":
            raise ErrorObject({"code": -32601, "message": "the method does not exist"})
        return "0x1"

    async with fake_node(answers) as node:
        rpc = connect(f"ws://{node.url}")
        rpc.on_head(lambda: None)
        assert await rpc.call("eth_a") == "0x1"
        assert not rpc.tells_heads
        await rpc.close()

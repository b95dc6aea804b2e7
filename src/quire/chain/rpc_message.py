"""JSON-RPC 2.0 as the nodes of chains speak it: what is sent and what comes back, without sockets.

The data of a revert stands in different places (market.md 1.4): geth and Anvil put it into
`error.data`, Hardhat into `error.data.data`, some put a word before it ("Reverted 0x…").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from quire.base.errors import ChainUnreachable, RpcRefused

Call: TypeAlias = tuple[str, Sequence[Any]]  # method and parameters
Reply: TypeAlias = Any  # a result, or an RpcRefused

REVERT_CODE = 3
SHOWN_CHARACTERS = 300
NESTED_ERRORS = 4
PATIENCE_WORDS = ("rate limit", "too many requests", "request limit", "requests per second")


@dataclass(frozen=True, slots=True)
class Answer:
    """`serial` is None where the node could not read what it was asked."""

    serial: int | None
    reply: Reply


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that was subscribed to: new heads, the only thing that is."""

    result: Any


def encode_calls(serials: Sequence[int], calls: Sequence[Call]) -> bytes:
    """A batch, as an array; a single call as an object."""
    messages = [
        {"jsonrpc": "2.0", "id": serial, "method": method, "params": params}
        for serial, (method, params) in zip(serials, calls, strict=True)
    ]
    return msgspec.json.encode(messages[0] if len(messages) == 1 else messages)


def decode_message(data: bytes | str) -> list[Answer | Notice]:
    """What one message holds. Raises ChainUnreachable when it is no JSON-RPC."""
    try:
        message = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise ChainUnreachable("the answer is no JSON") from None
    return [_part(part) for part in (message if isinstance(message, list) else [message])]


def _part(part: Any) -> Answer | Notice:
    if not isinstance(part, dict):
        raise ChainUnreachable("the answer is no JSON-RPC")
    serial = part.get("id")
    params = part.get("params")
    if "error" in part and part["error"] is not None:
        return Answer(serial if type(serial) is int else None, refusal(part["error"]))
    if type(serial) is int and "result" in part:
        return Answer(serial, part["result"])
    if isinstance(params, dict) and isinstance(params.get("subscription"), str):
        return Notice(params.get("result"))
    raise ChainUnreachable("the answer is no JSON-RPC")


def result_of(reply: Reply) -> Any:
    """The result of a call. Raises RpcRefused when it is none."""
    if isinstance(reply, RpcRefused):
        raise reply
    return reply


def refusal(error: Any) -> RpcRefused:
    """The error object of an answer as an error of ours."""
    if not isinstance(error, dict):
        error = {"message": error}
    code = error.get("code")
    text = error.get("message")
    message = _printable(text[:SHOWN_CHARACTERS]) if isinstance(text, str) else "no reason given"
    return RpcRefused(
        f"The chain's node refused: {message}",
        rpc_code=code if type(code) is int else 0,
        data=revert_data(error),
    )


def asks_for_patience(reply: Reply) -> bool:
    """Whether the node has had too many calls. It does so with other codes too, or with the code of
    too many logs; so the words count."""
    if not isinstance(reply, RpcRefused) or reply.data is not None:
        return False
    text = reply.message.lower()
    return any(words in text for words in PATIENCE_WORDS)


def revert_data(error: dict[str, Any]) -> bytes | None:
    """What a contract gave as reason: b"" for none, None where nothing was reverted."""
    is_revert = error.get("code") == REVERT_CODE
    found: bytes | None = None
    node: Any = error
    for _ in range(NESTED_ERRORS):
        if not isinstance(node, dict):
            break
        text = node.get("message")
        is_revert = is_revert or (isinstance(text, str) and "revert" in text.lower())
        node = node.get("data")
        if isinstance(node, str):
            found = _hexadecimal(node)
            is_revert = is_revert or node.startswith("Reverted")
    return (found or b"") if is_revert else None


def _hexadecimal(text: str) -> bytes | None:
    digits = text.removeprefix("Reverted").strip()
    if not digits.startswith("0x"):
        return None
    try:
        return bytes.fromhex(digits[2:])
    except ValueError:
        return None


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)

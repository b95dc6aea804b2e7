"""Routes of payment channels: part of the table of routes."""

from __future__ import annotations

from quire.faces.rest import channel_shapes as s
from quire.faces.rest import channels
from quire.faces.rest.reply import JSON
from quire.faces.rest.route import Answer, Handler, Route
from quire.node.why_channel import WhyChannel

_NO_HUB = {503: Answer("this node has no chain, or no hub on it, or is busy with the channel")}
_CHAIN = {502: Answer("the chain does not answer")}
_SENT = _CHAIN | {409: Answer("the contract refuses"), 507: Answer("no space is left on the disk")}
_POOR = {402: Answer("the account has too little")}
_BAD = {400: Answer("a bad account or amount")}
_BODY = _BAD | {413: Answer("the body is too large")}
_NONE = _BAD | {404: Answer("there is no such channel")}
_ONE = Answer("the channel", JSON, s.PaidChannel)
_FUNDS = Answer("what the account has now", JSON, s.FundsBody)


def channel_routes() -> list[Route]:
    rows: list[tuple[str, str, Handler, str, dict[int, Answer], bool]] = [
        ("GET", "/channels", channels.show_all, "List payment channels, as payer and as payee",
         {200: Answer("channels, oldest first", JSON, s.ChannelList)}, False),
        ("POST", "/channels/{payee}/topup", channels.top_up, "Let a channel have room",
         {200: _ONE} | _POOR | _SENT | _BODY, True),
        ("POST", "/channels/{payee}/close", channels.close, "Ask for what is left in a channel",
         {200: _ONE} | _NONE | _SENT, False),
        ("POST", "/channels/{payee}/release", channels.release,
         "Take what is left after the challenge", {200: _ONE} | _NONE | _SENT, False),
        ("POST", "/channels/claim", channels.claim, "Claim what payers have promised",
         {200: Answer("what it brought", JSON, s.ClaimedBody)} | _POOR | _SENT, False),
        ("POST", "/channels/deposit", channels.deposit, "Put tokens into the hub",
         {200: _FUNDS} | _POOR | _SENT | _BODY, True),
        ("POST", "/channels/withdraw", channels.withdraw, "Take tokens out of the hub",
         {200: _FUNDS} | _POOR | _SENT | _BODY, True),
        ("GET", "/channels/{account}/why", channels.explain,
         "The causal chain of a payment channel, in words",
         {200: Answer("the explanation", JSON, WhyChannel)} | _NONE, False),
    ]  # fmt: skip
    return [
        Route(method, path, handler, summary, answers | _NO_HUB, tag="channels", bases="quire",
              body=JSON if has_body else "")
        for method, path, handler, summary, answers, has_body in rows
    ]  # fmt: skip

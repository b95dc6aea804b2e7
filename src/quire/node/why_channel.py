"""Why is it so with a payment channel? In words, from what the node knows now; in both roles."""

from __future__ import annotations

from typing import Any

import msgspec

from quire.base.errors import NotFound
from quire.base.units import format_time
from quire.chain.abi import address_text, id_text
from quire.chain.values import Address
from quire.channels.account import words_of_account
from quire.node.node import Node
from quire.node.retail import Retail
from quire.node.why import LAST_EVENTS, clock_time, wait_in_words

LAST_BILLS = 5


class WhyChannel(msgspec.Struct, frozen=True, rename="camel"):
    """The answer about an account on the other side of a channel. `sentences` is for people."""

    account: str
    sentences: list[str]
    waits: list[dict[str, Any]]
    events: list[dict[str, Any]]


async def why_channel(node: Node, account: Address) -> WhyChannel:
    """Raises NotFound when this node has no channel with it."""
    subject = id_text(account)
    sentences: list[str] = []
    if node.retail is not None:
        sentences += _as_payer(node.retail, account)
        sentences += _as_payee(node.retail, account)
    waits, events = node.waits.of(subject), node.events.history(subject)[-LAST_EVENTS:]
    if not sentences and not waits and not events:
        raise NotFound(
            f"this node has no payment channel with {address_text(account)}; quire channels"
        )
    sentences += [wait_in_words(wait) for wait in waits]
    sentences += [f"{clock_time(event.at)} {event.message}." for event in events]
    return WhyChannel(
        address_text(account), sentences, waits, [event.as_dict() for event in events]
    )


def _as_payer(retail: Retail, payee: Address) -> list[str]:
    payments = retail.payments
    channel = payments.channel(payee)
    if channel is None:
        return []
    found = [f"This node pays it through a channel that is {channel.at.value}: "]
    found[0] += f"{payments.words(channel)}; there is room for {max(0, channel.room)} more."
    bills = payments.bills(payee)
    if bills:
        last = ", ".join(f"{bill.key} ({bill.amount})" for bill in bills[-LAST_BILLS:])
        found.append(f"{len(bills)} bills are promised, the last ones: {last}.")
    if channel.taken_over:
        found.append(
            f"{channel.taken_over} tokens of that were promised before the journal was set back."
        )
    waits_for, trouble = payments.next_deadline(payee), payments.trouble(payee)
    if waits_for is not None:
        found.append(f"Next: {waits_for[0]}, until {format_time(waits_for[1])}.")
    if trouble:
        found.append(f"The last trouble: {trouble}.")
    return found


def _as_payee(retail: Retail, payer: Address) -> list[str]:
    account = retail.income.account(payer)
    if account not in retail.income.accounts():
        return []
    policy = retail.claiming.policy
    found = [f"It pays this node: {words_of_account(account)}."]
    if account.unclaimed and not policy.is_due(account):
        found.append(f"It is claimed when more than {policy.worth} tokens are, or before a close.")
    return found

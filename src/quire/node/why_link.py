"""Why is it so with a link, one sealed replica, or with a file that is kept as replicas? In words,
from what the node knows now, as client and as provider."""

from __future__ import annotations

from typing import Any

import msgspec

from quire.base.errors import NotFound
from quire.base.units import format_size, format_time
from quire.chain.abi import address_text
from quire.node.node import Node
from quire.node.why import LAST_EVENTS, clock_time, wait_in_words
from quire.node.why_upload import link_in_words, upload_in_words
from quire.point.values import LinkId
from quire.services.providing.provider import Provider
from quire.services.providing.view import client_views, next_bill
from quire.services.retail.upload_status import UploadStatus


class WhyLink(msgspec.Struct, frozen=True, rename="camel"):
    """The answer about a link or an upload. `sentences` is for people."""

    link_id: str
    sentences: list[str]
    waits: list[dict[str, Any]]
    events: list[dict[str, Any]]


async def why_link(node: Node, link_id: LinkId) -> WhyLink:
    """Raises NotFound when this node has nothing to do with it."""
    subject = link_id.hex()
    sentences: list[str] = []
    if node.retail is not None and node.retail.provider is not None:
        sentences += _lease(node.retail.provider, link_id)
    if node.retail is not None and node.retail.keeping is not None:
        for upload in node.retail.keeping.uploads.every():
            sentences += _upload(upload, subject)
    waits, events = node.waits.of(subject), node.events.history(subject)[-LAST_EVENTS:]
    if not sentences and not waits and not events:
        raise NotFound(
            f"this node has nothing to do with {subject}; quire leases and quire uploads show links"
        )
    sentences += [wait_in_words(wait) for wait in waits]
    sentences += [f"{clock_time(event.at)} {event.message}." for event in events]
    return WhyLink(subject, sentences, waits, [event.as_dict() for event in events])


def _upload(upload: UploadStatus, subject: str) -> list[str]:
    """As the client who keeps a file, when it is the upload or one of its links."""
    if upload.upload_id == subject:
        return upload_in_words(upload)
    links = [link for link in upload.links if link.link_id == subject]
    return [sentence for link in links for sentence in link_in_words(upload, link)]


def _lease(provider: Provider, link_id: LinkId) -> list[str]:
    """As the provider of the replica."""
    leases = provider.leases
    lease = leases.find(link_id)
    if lease is None:
        return []
    order, key = lease.order, link_id.hex()
    client, price = address_text(order.client), lease.offer.offer.price_byte_second
    size, until = format_size(order.sealed_bytes), format_time(lease.expires_at)
    found = [
        f"This node keeps it for {client} ({order.peer}).",
        f"It is {lease.at.name}: {leases.words(lease)}.",
        f"{size} in {order.blocks} blocks, {price} tokens a byte and second, until {until}.",
    ]
    bill = next_bill(lease)
    if bill is not None:
        found.append(f"Its next bill is {bill.amount} tokens, due {format_time(bill.due_at)}.")
    found += [
        f"The client has {view.replicas} replicas here and {view.words}."
        for view in client_views(leases, provider.income)
        if view.client == order.client
    ]
    if trouble := leases.machines.trouble(key):
        found.append(f"It is tried again, because: {trouble.message}.")
    return found

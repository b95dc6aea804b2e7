"""How a provider answers what a client asks about a link: a code, and what has to happen first.

The same question has the same answer however often it comes. `event` is to be posted, and durable,
before an OK is sent. What only the disk, the chain or the price list knows is an argument.

Source   point.md 6.4, 6.5
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.formats.replica_codes import LeaseState
from quire.point.lease import (
    RECEIVED,
    SIGNED,
    Given,
    Lease,
    LeaseEvent,
    LeaseOrder,
    MapTaken,
    RenewAsked,
    SignAsked,
)
from quire.point.values import BLOCK_BYTES, CHUNK_BLOCKS_MOST, Code, SignedOffer


@dataclass(frozen=True, slots=True)
class Answer:
    """`begin`: a new lease is to be made."""

    code: Code
    text: str = ""
    event: LeaseEvent | None = None
    begin: Lease | None = None


OK = Answer(Code.OK)


def unless_ours(lease: Lease | None, peer: str) -> Answer | None:
    """What is answered when there is no such lease of that client any more."""
    if lease is None or lease.order.peer != peer:
        return Answer(Code.UNKNOWN_LINK, "no such link is known here")
    if lease.at is LeaseState.DELETED:
        if lease.receipt is not None:
            return Answer(Code.EXPIRED, f"it was deleted: {lease.why}")
        return Answer(Code.UNKNOWN_LINK, f"the reservation ended: {lease.why}")
    return None


def answer_store(lease: Lease | None, order: LeaseOrder, now: int, free_bytes: int) -> Answer:
    """STORE_CHUNK_REQUEST. The offer named must be a valid one of ours."""
    if lease is not None and (lease.at is not LeaseState.DELETED or lease.receipt is not None):
        if lease.order.peer != order.peer:
            return Answer(Code.CONFLICT, "another client has a link of this id")
        if lease.at is LeaseState.DELETED:
            return Answer(Code.EXPIRED, f"it was deleted: {lease.why}")
        if lease.order != order:
            return Answer(Code.CONFLICT, "this link was reserved under other terms")
        return OK
    offer = order.offer.offer
    if not 1 <= order.blocks <= CHUNK_BLOCKS_MOST:
        return Answer(Code.REFUSED, f"a replica has 1 to {CHUNK_BLOCKS_MOST} blocks")
    if -(-order.sealed_bytes // BLOCK_BYTES) != order.blocks:
        return Answer(Code.REFUSED, f"{order.sealed_bytes} bytes are not {order.blocks} blocks")
    if not 0 < order.expires_at - now <= offer.max_seconds:
        return Answer(
            Code.REFUSED, f"it would end in {order.expires_at - now} s; at most {offer.max_seconds}"
        )
    if order.sealed_bytes > free_bytes:
        return Answer(Code.NO_SPACE, f"{order.sealed_bytes} bytes; {free_bytes} are free")
    return Answer(Code.OK, begin=Lease(order, order.offer))


def answer_map(
    lease: Lease, root: bytes, sealed_bytes: int, leaves: int, *, is_funded: bool
) -> Answer:
    """STORE_CHUNK_SEGMENTS; that the leaves make the root is seen when they are stored. OK comes
    with the blocks that are here. `is_funded`: the client's channel has room for the first bill."""
    if lease.root and lease.root != root:
        return Answer(Code.CONFLICT, "this link has another root")
    if lease.at in SIGNED:
        return Answer(Code.ALREADY_STORED)
    if lease.root:
        return OK
    if (sealed_bytes, leaves) != (lease.order.sealed_bytes, lease.order.blocks):
        return Answer(
            Code.BAD_MAP,
            f"{leaves} hashes for {sealed_bytes} bytes; reserved were {lease.order.blocks} blocks "
            f"for {lease.order.sealed_bytes}",
        )
    if not is_funded:
        return Answer(Code.PAYMENT_REQUIRED, "the payment channel has no room for the first bill")
    return Answer(Code.OK, event=MapTaken(root))


def answer_data(lease: Lease, index: int, count: int) -> Answer:
    """STORE_CHUNK_DATA, before its hashes are compared with the map. Blocks that are here already
    are welcome: their ack was lost."""
    if not lease.root:
        return Answer(Code.NOT_FOUND, "no map was sent for this link")
    if not 0 <= index < index + count <= lease.order.blocks:
        return Answer(Code.REFUSED, f"there is no block {index + count - 1}")
    return OK


def answer_sign(lease: Lease, root: bytes, now: int) -> Answer:
    """STORE_CHUNK_SIGNATURE_REQUEST. INCOMPLETE comes with the blocks that are here; OK with the
    receipt over the state's `receipt`, always the same."""
    if not lease.root:
        return Answer(Code.NOT_FOUND, "no map was sent for this link")
    if lease.root != root:
        return Answer(Code.CONFLICT, "this link has another root")
    if lease.at in SIGNED:
        return OK
    if lease.at is not LeaseState.COMPLETE:
        return Answer(Code.INCOMPLETE, f"{lease.received} of {lease.order.blocks} blocks are here")
    if now >= lease.order.expires_at:
        return Answer(Code.EXPIRED, "its term is over")
    return Answer(Code.OK, event=SignAsked(now))


def answer_audit(lease: Lease, root: bytes) -> Answer:
    if lease.root != root or lease.at not in RECEIVED:
        return Answer(Code.NOT_FOUND, "there is no such replica of this link")
    return OK


def answer_renew(lease: Lease, expires_at: int, offer: SignedOffer | None, now: int) -> Answer:
    """RENEW. `offer`: ours that was named, None when it does not hold any more."""
    if lease.receipt is None:
        return Answer(Code.REFUSED, "there is no receipt that could be renewed")
    if lease.order.expires_at < expires_at == lease.expires_at:
        return OK  # it was renewed so before
    if expires_at <= lease.expires_at:
        return Answer(Code.REFUSED, f"it is kept until {lease.expires_at} already")
    if offer is None:
        return Answer(Code.PRICE, "that offer does not hold any more")
    if lease.is_unpaid:
        return Answer(Code.PAYMENT_REQUIRED, lease.why)
    if expires_at - now > offer.offer.max_seconds:
        return Answer(
            Code.REFUSED, f"it would end in {expires_at - now} s; at most {offer.offer.max_seconds}"
        )
    return Answer(Code.OK, event=RenewAsked(expires_at, offer, now))


def answer_release(_lease: Lease) -> Answer:
    return Answer(Code.OK, event=Given())

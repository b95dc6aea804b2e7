"""Links to step by hand: a client, a provider with its offer, an order, a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

from quire.chain.hub import HubDomain
from quire.formats.peer_id import encode_peer_id, peer_id_of
from quire.kernels.signing import address_of, public_key_of, sign, sign_recoverable
from quire.point.link import LinkOrder, LinkState
from quire.point.link_machine import LinkMachine
from quire.point.offer import sign_offer
from quire.point.receipt import sign_receipt
from quire.point.values import BLOCK_BYTES, Offer, Receipt, ReceiptTerms

NOW = 1_900_000_000
DOMAIN = HubDomain(31337, b"\x0b" * 20)
CLIENT_KEY, PAYEE_KEY, PEER_KEY = b"\xc1" * 32, b"\xa1" * 32, b"\xb1" * 32
CLIENT, PAYEE = address_of(CLIENT_KEY), address_of(PAYEE_KEY)
PEER_ID = peer_id_of(public_key_of(PEER_KEY))
PEER = encode_peer_id(PEER_ID)
LINK_ID, UPLOAD_ID, ROOT = bytes(range(16)), b"\x55" * 16, b"\x99" * 32
BLOCKS, SEALED_BYTES = 5, 4 * BLOCK_BYTES + 1000
DAY = 86400
MACHINE = LinkMachine(CLIENT, DOMAIN)

OFFER = Offer(
    peer_id=PEER_ID,
    payee=PAYEE,
    chain_id=DOMAIN.chain_id,
    contract=DOMAIN.contract,
    price_byte_second=3,
    price_get_byte=2,
    fee_put_byte=7,
    free_bytes=1 << 40,
    max_seconds=365 * DAY,
    credit_bytes=1 << 20,
    valid_until=NOW + 600,
    operator=b"operator",
)
SIGN_PAYEE, SIGN_PEER = partial(sign_recoverable, PAYEE_KEY), partial(sign, PEER_KEY)
SIGNED_OFFER = sign_offer(OFFER, SIGN_PAYEE, SIGN_PEER)


def offered(**changes: Any):
    """The offer with other terms, signed."""
    return sign_offer(replace(OFFER, **changes), SIGN_PAYEE, SIGN_PEER)


def order(**changes: Any) -> LinkOrder:
    made = LinkOrder(
        LINK_ID, UPLOAD_ID, 0, PEER, ("/ip4/127.0.0.1/tcp/1",), 0, 0, 0, SEALED_BYTES, NOW, 2 * DAY
    )
    return replace(made, **changes)


def link(order_changes: dict[str, Any] | None = None, **changes: Any) -> LinkState:
    made = order(**(order_changes or {}))
    return replace(LinkState(made, SIGNED_OFFER, made.expires_at, True), **changes)


def terms(state: LinkState, **changes: Any) -> ReceiptTerms:
    """What an honest provider signs for a link."""
    made = ReceiptTerms(
        link_id=state.order.link_id,
        client=CLIENT,
        provider=PAYEE,
        peer=sha256(PEER_ID).digest(),
        sealed_root=state.sealed_root or ROOT,
        sealed_bytes=state.order.sealed_bytes,
        block_size=BLOCK_BYTES,
        starts_at=NOW,
        expires_at=state.order.expires_at,
        price_byte_second=state.offer.offer.price_byte_second,
        offer_hash=state.offer.digest,
    )
    return replace(made, **changes)


def receipt(state: LinkState, key: bytes = PAYEE_KEY, **changes: Any) -> Receipt:
    return sign_receipt(partial(sign_recoverable, key), DOMAIN, terms(state, **changes))


def go(state: LinkState, *events: Any) -> tuple[LinkState, Sequence[Any]]:
    """The state after these events, and what the last of them asks for."""
    effects: Sequence[Any] = ()
    for event in events:
        state, effects = MACHINE.step(state, event)
    return state, effects

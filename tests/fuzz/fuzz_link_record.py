"""Fuzz `LinkMachine.decode`: what is accepted is written the same way, and the machine goes on."""

from dataclasses import replace

from quire.base.errors import BadEncoding
from quire.base.machine import TimedOut
from quire.chain.hub import HubDomain
from quire.formats.peer_id import encode_peer_id
from quire.point.billing import Term
from quire.point.link import At, LinkOrder, LinkState, Renewal
from quire.point.link_machine import LinkMachine
from quire.point.link_record import decode_link
from quire.point.values import Offer, Receipt, ReceiptTerms, SignedOffer

VECTORS = ()
MACHINE = LinkMachine(bytes(20), HubDomain(1, bytes(20)))
_PEER = bytes.fromhex("002508021221") + b"\x03" + b"\x11" * 32
_OFFER = SignedOffer(
    Offer(_PEER, bytes(20), 1, bytes(20), 3, 2, 1, 4, 5, 6, 7), b"data", bytes(32), b"", b""
)
_TERMS = ReceiptTerms(
    bytes(16), bytes(20), bytes(20), bytes(32), bytes(32), 70000, 65536, 5, 90, 3, bytes(32)
)
_ORDER = LinkOrder(bytes(16), bytes(16), 0, encode_peer_id(_PEER), (), 0, 0, 0, 70000, 5, 86400)
_NEW = LinkState(_ORDER, _OFFER, 90, True)
_HELD = replace(
    _NEW,
    at=At.RENEWING,
    acked=b"\x03",
    sealed_root=bytes(32),
    receipt=Receipt(_TERMS, bytes(65)),
    terms=(Term(5, 90, 5, 1 << 70),),
    renewal=Renewal(100, offer=_OFFER),
)
SEEDS = (MACHINE.encode(_NEW), MACHINE.encode(_HELD), b'{"format":1,"link":{}}')


def check(data: bytes) -> None:
    try:
        link = MACHINE.decode(data)
    except BadEncoding:
        return
    assert decode_link(MACHINE.encode(link)) == link
    MACHINE.resume(link)
    MACHINE.words(link)
    MACHINE.deadline(link)
    MACHINE.step(link, TimedOut())


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)

"""Fuzz `LeaseMachine.decode`: what is accepted is written the same way, and the machine goes on."""

from dataclasses import replace

from quire.base.errors import BadEncoding
from quire.base.machine import TimedOut
from quire.formats.replica_codes import LeaseState
from quire.point.billing import Term
from quire.point.lease import Lease, LeaseOrder
from quire.point.lease_machine import LeaseMachine
from quire.point.lease_record import decode_lease
from quire.point.values import Offer, ReceiptTerms, SignedOffer

VECTORS = ()
MACHINE = LeaseMachine()
_PEER = bytes.fromhex("002508021221") + b"\x03" + b"\x11" * 32
_OFFER = SignedOffer(
    Offer(_PEER, bytes(20), 1, bytes(20), 3, 2, 1, 4, 5, 6, 7), b"data", bytes(32), b"", b""
)
_TERMS = ReceiptTerms(
    bytes(16), bytes(20), bytes(20), bytes(32), bytes(32), 70000, 65536, 5, 90, 3, bytes(32)
)
_NEW = Lease(LeaseOrder(bytes(16), "peer", bytes(20), 70000, 2, 90, _OFFER), _OFFER)
_STORED = replace(
    _NEW,
    at=LeaseState.STORED,
    root=bytes(32),
    received=2,
    receipt=_TERMS,
    terms=(Term(5, 90, 5, 1 << 70),),
)
SEEDS = (MACHINE.encode(_NEW), MACHINE.encode(_STORED), b'{"format":1,"lease":{}}')


def check(data: bytes) -> None:
    try:
        lease = MACHINE.decode(data)
    except BadEncoding:
        return
    assert decode_lease(MACHINE.encode(lease)) == lease
    MACHINE.resume(lease)
    MACHINE.words(lease)
    MACHINE.deadline(lease)
    MACHINE.step(lease, TimedOut())


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)

"""Fuzz `PurchaseMachine.decode`: what is accepted is a state that every method can take."""

from quire.base.errors import BadEncoding
from quire.market.purchase import At, Purchase, PurchaseMachine

VECTORS = ()
MACHINE = PurchaseMachine()
SEEDS = (
    MACHINE.encode(Purchase(b"\x2a" * 32, At.UNKNOWN)),
    MACHINE.encode(Purchase(b"\x2a" * 32, At.FINISHED, expires_at=1_800_000_600, error="no")),
    (
        b'{"request_id":"KioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKio=","at":"started","request":'
        b'{"client":"AAECAwQFBgcICQoLDA0ODxAREhM=","ask":{"proof_probability":4,'
        b'"price_per_byte_per_second":1000,"collateral_per_byte":1,"slots":6,"slot_size":65536,'
        b'"duration":3600,"max_slot_loss":2},"content":{"cid":"Ac0=","merkle_root":"AAE="},'
        b'"expiry":600,"nonce":"BwcH"},"expires_at":1800000600,"ends_at":1800003600}'
    ),
)


def check(data: bytes) -> None:
    try:
        state = MACHINE.decode(data)
    except BadEncoding:
        return
    assert MACHINE.decode(MACHINE.encode(state)) == state
    MACHINE.words(state)
    MACHINE.deadline(state)
    MACHINE.resume(state)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)

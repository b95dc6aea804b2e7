"""Fuzz `SaleMachine.decode`: what is accepted is written the same way, and the machine goes on."""

from quire.base.errors import BadEncoding
from quire.market.sale import At, Deal, Sale
from quire.market.sale_machine import SaleMachine
from quire.market.sale_record import decode_sale

VECTORS = ()
MACHINE = SaleMachine()
SALE = Sale(bytes(32), 3, bytes(range(32)))
DEAL = Deal(b"\x01\xcd" + bytes(36), 1 << 20, 1 << 80, 1 << 20, 1_800_000_600, 1_800_003_600)
SEEDS = (
    MACHINE.encode(SALE),
    MACHINE.encode(
        Sale(
            bytes(32),
            3,
            bytes(32),
            At.FILLING,
            "why",
            DEAL,
            bytes(32),
            7,
            bytes(256),
            8,
            9,
            1,
            2,
            3,
        )
    ),
    b'{"format":1,"sale":{}}',
)


def check(data: bytes) -> None:
    try:
        sale = MACHINE.decode(data)
    except BadEncoding:
        return
    assert decode_sale(MACHINE.encode(sale)) == sale
    MACHINE.resume(sale)
    MACHINE.words(sale)
    MACHINE.deadline(sale)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)

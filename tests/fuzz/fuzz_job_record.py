"""Fuzz `JobMachine.decode` and `OrderMachine.decode`: what is accepted is written the same way, and
the machine goes on.
"""

from quire.aggregation.job_machine import JobMachine
from quire.aggregation.job_record import decode_job
from quire.aggregation.order_machine import OrderMachine
from quire.aggregation.order_record import decode_order
from quire.base.errors import BadEncoding
from quire.base.machine import TimedOut
from quire.formats.record import decode_record, encode_record
from support.aggregator_messages import JOBS, ORDERS

VECTORS = ()
MACHINES = ((JobMachine(), decode_job), (OrderMachine(), decode_order))
SEEDS = (
    *(MACHINES[0][0].encode(job) for job in JOBS),
    *(MACHINES[1][0].encode(order) for order in ORDERS),
    b"[1,{}]",
)


def check(data: bytes) -> None:
    for machine, decode in MACHINES:
        try:
            state = machine.decode(data)
        except BadEncoding:
            continue
        assert decode(machine.encode(state)) == state
        machine.resume(state)
        machine.words(state)
        machine.deadline(state)
        machine.step(state, TimedOut())
    try:
        value = decode_record(data, list[int], "list", 1)
    except BadEncoding:
        return
    assert decode_record(encode_record(1, value), list[int], "list", 1) == value


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)

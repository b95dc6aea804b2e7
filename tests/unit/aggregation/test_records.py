"""Jobs and orders in the journal, and messages on the wire: what is written is read back."""

from __future__ import annotations

import pytest

from quire.aggregation.job_machine import JobMachine
from quire.aggregation.offer import decode_offer, encode_offer
from quire.aggregation.order_machine import OrderMachine
from quire.aggregation.receipt import decode_receipt, encode_receipt
from quire.base.errors import BadEncoding
from quire.formats.aggregator import decode_answer, decode_request
from support.aggregator_messages import (
    ANSWERS,
    JOBS,
    ORDERS,
    RECEIPT,
    REQUESTS,
    Service,
    an_offer,
)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: f"{job.at.name}-{type(job.work).__name__}")
def test_a_job_is_read_back(job):
    machine = JobMachine()
    assert machine.decode(machine.encode(job)) == job


@pytest.mark.parametrize("order", ORDERS, ids=lambda o: f"{o.at}-{type(o.work).__name__}")
def test_an_order_is_read_back(order):
    machine = OrderMachine()
    assert machine.decode(machine.encode(order)) == order


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_read_back(name):
    assert decode_request(b"".join(REQUESTS[name].segments())) == REQUESTS[name]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_back(name):
    assert decode_answer(b"".join(ANSWERS[name].segments())) == ANSWERS[name]


@pytest.mark.parametrize("service", Service)
def test_an_offer_is_read_back(service):
    offer = an_offer(service).offer
    assert decode_offer(encode_offer(offer)) == offer


def test_a_receipt_is_read_back_unless_it_names_another_manifest():
    data = encode_receipt(RECEIPT)
    assert decode_receipt(data) == RECEIPT
    with pytest.raises(BadEncoding, match="is not that of the CID"):
        decode_receipt(data.replace(b"a manifest", b"A manifest"))

"""What is said of a dataset or a slot for which something was ordered of an aggregator."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from quire.aggregation.order import At
from quire.aggregation.receipt import encode_receipt
from quire.aggregation.values import Service
from quire.chain.abi import id_text
from quire.node.aggregation import Aggregation
from quire.node.why_orders import coded_of, orders_about
from support.aggregator_messages import MANIFEST, RECEIPT, WORD, an_order


def having(*orders: Any) -> Aggregation:
    found = SimpleNamespace(all=lambda: list(orders), words=lambda order: f"{order.at} in words")
    return cast(Aggregation, SimpleNamespace(orders=found))


def test_without_orders_there_is_nothing_to_say():
    assert orders_about(None, str(MANIFEST)) == []
    assert orders_about(having(), str(MANIFEST)) == []


def test_orders_of_a_slot_are_told_under_its_id():
    order = replace(an_order(Service.SUBMIT, At.WAITING), subject=id_text(WORD))
    (said,) = orders_about(having(order, an_order(Service.PROVE)), id_text(WORD))
    assert said.startswith(f"Order {order.key} at {order.peer}, bringing the proof of slot 0x")
    assert said.endswith("waiting, waiting in words.")


def test_what_was_coded_is_told_under_both_datasets():
    receipt = encode_receipt(RECEIPT)
    order = replace(an_order(Service.ENCODE, At.SERVING), subject="zOriginal", result=receipt)
    assert coded_of(order) == RECEIPT.encoded
    assert len(orders_about(having(order), "zOriginal")) == 1
    assert len(orders_about(having(order), str(RECEIPT.encoded))) == 1
    assert orders_about(having(order), "zAnother") == []


def test_a_result_that_is_no_receipt_names_nothing():
    assert coded_of(an_order(Service.ENCODE, At.CHECKING)) is None
    assert coded_of(an_order(Service.ENCODE, At.WAITING)) is None
    assert coded_of(an_order(Service.PROVE, At.SETTLED)) is None

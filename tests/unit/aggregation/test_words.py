"""Orders and jobs in the words of people."""

from __future__ import annotations

from dataclasses import replace

from quire.aggregation.values import EncodeWork, Service
from quire.aggregation.words import (
    REASONS,
    deadline_in_words,
    price_in_words,
    subject_of,
    work_in_words,
)
from quire.base.units import MIB
from quire.chain.abi import id_text
from quire.formats.aggregator_codes import Reason
from support.aggregator_messages import MANIFEST, WORD, WORKS, a_job, an_offer


def test_every_reason_has_words():
    assert list(REASONS) == list(Reason)


def test_work_says_what_is_done_and_to_what():
    work = EncodeWork(MANIFEST, 4, 2, 64 * MIB, 65536)
    assert work_in_words(work) == f"coding {MANIFEST} (64.0 MiB) with 4 + 2 rows"
    pushed = EncodeWork(None, 4, 2, 64 * MIB, 65536)
    assert work_in_words(pushed) == "coding a dataset that is pushed (64.0 MiB) with 4 + 2 rows"
    assert "making a proof" in work_in_words(WORKS[Service.PROVE])
    assert id_text(WORD) in work_in_words(WORKS[Service.SUBMIT])


def test_a_price_says_what_is_due_when():
    offer = an_offer(Service.ENCODE).offer
    halves = price_in_words(replace(offer, price=1500, price_first=1000))
    assert "1,500 tokens to 0x" in halves
    assert halves.endswith(": 1,000 once checked, 500 when hosts have the blocks")
    assert price_in_words(replace(offer, price=5, price_first=5)).endswith(", once checked")


def test_a_deadline_says_how_long_it_is_until_then():
    assert deadline_in_words(1000, 880).endswith(", in 2 min 00 s")
    assert deadline_in_words(1000, 1005).endswith(", 5.0 s ago")


def test_a_job_is_about_what_orders_are_about():
    job = a_job(Service.SUBMIT)
    assert subject_of(job) == id_text(WORD)
    assert subject_of(a_job(Service.PROVE)) == ""
    coding = a_job(Service.ENCODE)
    assert subject_of(replace(coding, work=EncodeWork(MANIFEST, 4, 2, 1, 65536))) == str(MANIFEST)
    assert subject_of(replace(coding, work=EncodeWork(None, 4, 2, 1, 65536))) == ""

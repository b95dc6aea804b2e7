"""One message of each kind of `/quire/aggregator/1.0.0`, and jobs and orders in several states."""

from __future__ import annotations

from dataclasses import replace

from quire.aggregation.job import Job
from quire.aggregation.order import At, Order
from quire.aggregation.values import (
    EncodedReceipt,
    EncodeWork,
    Offer,
    ProveWork,
    Service,
    SignedOffer,
    SubmitWork,
)
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest
from quire.formats.aggregator_answers import (
    EncodedAnswer,
    Progress,
    PromiseAnswer,
    ProofAnswer,
    SubmittedAnswer,
)
from quire.formats.aggregator_asking import (
    AcceptEncode,
    AcceptProve,
    AcceptSubmit,
    Cancel,
    Customer,
    Dispute,
    PushBlocks,
    QuoteRequest,
    Release,
    Seal,
    StatusRequest,
)
from quire.formats.aggregator_codes import Code, Reason, Stage
from quire.formats.cid import manifest_cid
from quire.formats.peer_id import encode_peer_id
from quire.formats.signed_offer import OfferAnswer

JOB = bytes(range(16))
WORD = bytes(range(32))
ACCOUNT = b"\xaa" * 20
CUSTOMER = Customer(ACCOUNT, WORD, b"i" * 65)
MANIFEST = manifest_cid(b"a manifest")
PEER = bytes.fromhex("002508021221") + b"\x03" + b"\x11" * 32

QUOTES = {
    "encode": QuoteRequest(Service.ENCODE, 1 << 30, 65536, 4, 2, 1_800_000_000),
    "prove": QuoteRequest(Service.PROVE),
    "submit": QuoteRequest(Service.SUBMIT, deadline=1_800_000_000),
}
REQUESTS = {
    **{name: AggregatorRequest(bytes(16), quote) for name, quote in QUOTES.items()},
    "accept encode": AggregatorRequest(JOB, AcceptEncode(CUSTOMER, MANIFEST, 1_800_000_000)),
    "accept pushed": AggregatorRequest(JOB, AcceptEncode(CUSTOMER, None, 1_800_000_000)),
    "push": AggregatorRequest(JOB, PushBlocks(7, bytes(2 * 65536))),
    "seal": AggregatorRequest(JOB, Seal(b"a manifest")),
    "accept prove": AggregatorRequest(JOB, AcceptProve(CUSTOMER, WORD, b"w" * 900, 1_800_000_000)),
    "accept submit": AggregatorRequest(
        JOB, AcceptSubmit(CUSTOMER, WORD, 77, WORD, b"p" * 256, 1_800_000_000)
    ),
    "status": AggregatorRequest(JOB, StatusRequest()),
    "release": AggregatorRequest(JOB, Release(1)),
    "dispute": AggregatorRequest(JOB, Dispute(Reason.PARITY, "column 3 is wrong", 3, b"\x01")),
    "cancel": AggregatorRequest(JOB, Cancel()),
}
ANSWERS = {
    "plain": AggregatorAnswer(Code.OK),
    "busy": AggregatorAnswer(Code.BUSY, "come back later", retry_after_ms=1500),
    "offer": AggregatorAnswer(Code.OK, "", OfferAnswer(b"offer", b"s" * 65, b"d" * 71)),
    "progress": AggregatorAnswer(Code.OK, "", Progress(Stage.WORKING, 412, "column 7 of 17", 96)),
    "encoded": AggregatorAnswer(Code.OK, "", EncodedAnswer(b"receipt", b"s" * 65)),
    "proof": AggregatorAnswer(Code.OK, "", ProofAnswer(b"p" * 256)),
    "promise": AggregatorAnswer(Code.OK, "", PromiseAnswer(10**24, b"s" * 65)),
    "submitted": AggregatorAnswer(Code.OK, "", SubmittedAnswer(WORD, 123)),
}

RECEIPT = EncodedReceipt(
    JOB, WORD, ACCOUNT, manifest_cid(b"original"), MANIFEST, b"a manifest", MANIFEST, MANIFEST
)

WORKS = {
    Service.ENCODE: EncodeWork(MANIFEST, 4, 2, 1 << 30, 65536),
    Service.PROVE: ProveWork(WORD, bytes(128)),
    Service.SUBMIT: SubmitWork(WORD, 77, WORD, b"p" * 256, 10**20),
}


def an_offer(service: Service) -> SignedOffer:
    """Not signed in truth."""
    first = 60 if service is Service.ENCODE else 100
    offer = Offer(
        PEER, ACCOUNT, 31337, ACCOUNT, service, WORD, 100, first, 1 << 40, WORD, 9, 60, 1 << 40
    )
    return SignedOffer(offer, b"data", WORD, b"s" * 65, b"d" * 71)


def a_job(service: Service, at: Stage = Stage.WORKING) -> Job:
    result = b"" if at <= Stage.WORKING or at in (Stage.FAILED, Stage.CANCELLED) else b"result"
    peer, offer = encode_peer_id(PEER), an_offer(service)
    return Job(JOB, at, peer, ACCOUNT, offer, WORKS[service], 1000, 3600, 86400, result=result)


def an_order(service: Service, at: At = At.FUNDING) -> Order:
    waiting = (At.FUNDING, At.ASKING, At.WAITING)
    result = b"" if at in waiting else b"result"
    peer, offer = encode_peer_id(PEER), an_offer(service)
    order = Order(JOB, at, peer, (), ACCOUNT, "a file", offer, WORKS[service], 1000, 86400)
    ending = At.LATE if at is At.CLAIMING else None
    return replace(order, result=result, secret=WORD, ending=ending)


JOBS = tuple(a_job(service, at) for service in Service for at in Stage)
ORDERS = tuple(an_order(service, at) for service in Service for at in At)

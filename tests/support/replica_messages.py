"""One message of each kind of `/quire/replica/1.0.0`."""

from __future__ import annotations

from quire.formats.replica import ReplicaAnswer, ReplicaRequest
from quire.formats.replica_answers import (
    AuditAnswer,
    BlockRun,
    Blocks,
    Have,
    LinkState,
    ReceiptAnswer,
    Reserved,
)
from quire.formats.replica_asking import (
    AuditRequest,
    GetRequest,
    MapGet,
    MapPut,
    OfferRequest,
    ReleaseRequest,
    RenewRequest,
    SegmentData,
    SegmentMap,
    SignRequest,
    StatusRequest,
    StoreRequest,
)
from quire.formats.replica_blob import MapBlob
from quire.formats.replica_codes import Code, LeaseState
from quire.formats.replica_parts import BLOCK_BYTES
from quire.formats.signed_offer import OfferAnswer

LINK = bytes(range(16))
ROOT = bytes(range(32))
ACCOUNT = b"\xaa" * 20
BLOB = MapBlob(b"k" * 32, 7, b"n" * 12, b"cipher", b"s" * 64)

REQUESTS = {
    "offer": ReplicaRequest(LINK, OfferRequest(1 << 24, 86400)),
    "store": ReplicaRequest(
        LINK, StoreRequest(100_000, 2, 1_800_000_000, ACCOUNT, ROOT, b"i" * 65)
    ),
    "map": ReplicaRequest(LINK, SegmentMap(ROOT, b"\x01" * 32 + b"\x02" * 32, 100_000)),
    "data": ReplicaRequest(LINK, SegmentData(3, bytes(2 * BLOCK_BYTES))),
    "sign": ReplicaRequest(LINK, SignRequest(ROOT)),
    "status": ReplicaRequest(LINK, StatusRequest()),
    "get": ReplicaRequest(LINK, GetRequest(ROOT, (0, 1, 200))),
    "get, paid": ReplicaRequest(LINK, GetRequest(ROOT, (5,), ACCOUNT, b"i" * 65)),
    "audit": ReplicaRequest(LINK, AuditRequest(ROOT, b"n" * 32, (1, 7, 9))),
    "renew": ReplicaRequest(LINK, RenewRequest(1_900_000_000, ROOT)),
    "release": ReplicaRequest(LINK, ReleaseRequest()),
    "map put": ReplicaRequest(LINK, MapPut(BLOB)),
    "map get": ReplicaRequest(bytes(16), MapGet(ROOT)),
}

RUNS = (BlockRun(0, bytes(2 * BLOCK_BYTES), b"p" * 64), BlockRun(9, bytes(BLOCK_BYTES), b""))

ANSWERS = {
    "plain": ReplicaAnswer(Code.OK),
    "busy": ReplicaAnswer(Code.BUSY, "come again", None, 1500),
    "bad hash": ReplicaAnswer(Code.BAD_HASH, "block 12 is another", None, 0, 12),
    "offer": ReplicaAnswer(Code.OK, "", OfferAnswer(b"offer", b"e" * 65, b"der")),
    "reserved": ReplicaAnswer(Code.OK, "", Reserved(1_800_000_000)),
    "have": ReplicaAnswer(Code.INCOMPLETE, "", Have(b"\x0f", False)),
    "receipt": ReplicaAnswer(Code.OK, "", ReceiptAnswer(b"typed", b"e" * 65)),
    "state": ReplicaAnswer(
        Code.OK, "", LinkState(LeaseState.STORED, Have(b"\xff\x03", True), ROOT, 1_800_000_000, 77)
    ),
    "state, nothing yet": ReplicaAnswer(
        Code.OK, "", LinkState(LeaseState.RESERVED, Have(b"", False), b"", 0, 0)
    ),
    "blocks": ReplicaAnswer(Code.OK, "", Blocks(RUNS)),
    "audit": ReplicaAnswer(Code.OK, "", AuditAnswer(RUNS, b"d" * 32)),
    "map": ReplicaAnswer(Code.OK, "", BLOB),
}

"""What is answered to who puts or asks for a signed value, by providers and by all other nodes."""

from __future__ import annotations

from quire.dataset.envelope.signed_blob import SignedBlob
from quire.formats.replica import ReplicaAnswer
from quire.formats.replica_asking import MapGet, MapPut
from quire.formats.replica_blob import MapBlob
from quire.formats.replica_codes import Code
from quire.net.transport import PeerId
from quire.services.pointers import Pointers


async def answer_pointers(
    pointers: Pointers, peer: PeerId, asked: MapPut | MapGet
) -> ReplicaAnswer:
    """Raises DiskFull."""
    if isinstance(asked, MapPut):
        if await pointers.put(received(asked.blob), peer):
            return ReplicaAnswer(Code.OK)
        return ReplicaAnswer(
            Code.REFUSED, "it is not signed, too large, older than ours, or finds no room"
        )
    found = pointers.get(asked.locator)
    if found is None:
        return ReplicaAnswer(Code.NOT_FOUND, "no value is kept here under this locator")
    return ReplicaAnswer(Code.OK, "", to_send(found))


def received(blob: MapBlob) -> SignedBlob:
    return SignedBlob(blob.public_key, blob.version, blob.nonce, blob.ciphertext, blob.signature)


def to_send(blob: SignedBlob) -> MapBlob:
    return MapBlob(blob.public_key, blob.version, blob.nonce, blob.ciphertext, blob.signature)

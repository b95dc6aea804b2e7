"""Routes of storage proofs: part of the table of routes."""

from __future__ import annotations

from typing import Any

from quire.faces.rest import proof_shapes as p
from quire.faces.rest import proofs
from quire.faces.rest.reply import JSON
from quire.faces.rest.route import Answer, Handler, Param, Route


def proof_routes() -> list[Route]:
    """At Quire's own base only."""
    here = {400: Answer("the CID or a value cannot be read"), 404: Answer("it is not here")}
    cannot = {
        409: Answer("the circuit does not fit the dataset, or this node makes no proofs"),
        422: Answer("the key is damaged, or not the one that the network publishes"),
        503: Answer("too many proofs wait, or the node is stopping"),
    }
    claim = (
        Param("entropy", "what draws the cells: a hexadecimal number below the modulus of BN254"),
        Param("challenge", "instead of entropy: the 32 bytes of the contract, in hexadecimal"),
        Param("host", "address that the proof is worth something to: 0x and 40 digits"),
    )
    asked = (
        *claim,
        Param("circuit", "id of a circuit; the network's if not given"),
        Param("within", "how soon the proof is needed, such as 90s; 10 minutes if not given"),
    )
    expected = (
        Param("cid", "dataset on this node that the proofs are to be about"),
        Param("slot", "slot that they are to be about", "integer"),
        *claim,
    )
    status = Answer("the proof, or how far it is", JSON, p.ProofStatus)
    every = "/datasets/{cid}/slots/{slot}/proofs"
    one = f"{every}/{{proofId}}"
    routes: list[tuple[str, str, Handler, str, dict[int, Answer], tuple[Param, ...]]] = [
        ("POST", every, proofs.start, "Prove a slot, in the background",
         {202: status} | here | cannot, asked),
        ("GET", every, proofs.listed, "Proofs of a slot that were asked for",
         {200: Answer("proofs, newest first", JSON, p.ProofList)} | here, ()),
        ("GET", one, proofs.show, "One proof", {200: status} | here, ()),
        ("DELETE", one, proofs.cancel, "Stop making a proof",
         {204: Answer("it is not being made any more")} | here, ()),
        ("GET", "/datasets/{cid}/slots/{slot}/proof-input", proofs.evidence,
         "What a proof would be made from, for other provers",
         {200: Answer("input.json of the official circuit", JSON, dict[str, Any])} | here | cannot,
         (*claim[:2], asked[3])),
        ("GET", "/circuits", proofs.circuits, "Circuits and keys of this node",
         {200: Answer("circuits, the network's first", JSON, p.CircuitList)}, ()),
        ("POST", "/proofs/verify", proofs.verify, "Verify proofs, a batch at the cost of few",
         {200: Answer("a verdict on each", JSON, p.VerdictList),
          413: Answer("more than a request may carry"),
          422: Answer("a key, or the dataset, is not fit")} | here, expected),
    ]  # fmt: skip
    return [
        Route(method, path, handler, summary, answers, bases="quire", tag="proofs",
              params=params, body=JSON if path == "/proofs/verify" else "")
        for method, path, handler, summary, answers, params in routes
    ]  # fmt: skip

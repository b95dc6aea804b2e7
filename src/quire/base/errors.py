"""Every error that Quire raises on purpose, on one screen.

A message says what happened, to what, and what to do about it. The class carries what a face
needs: the HTTP status, the exit code of the command line, and whether trying again can help.
"""

from __future__ import annotations

from typing import ClassVar


class QuireError(Exception):
    """Base of every error this package raises on purpose."""

    code: ClassVar[str] = "quire"
    http: ClassVar[int] = 500
    exit: ClassVar[int] = 1
    retry: ClassVar[bool] = False
    hint: ClassVar[str] = ""

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    def as_dict(self) -> dict[str, object]:
        """The one shape used by the REST body, `--json` and the event log."""
        body: dict[str, object] = {
            "code": self.code,
            "message": self.message,
            "retry": self.retry,
        }
        if self.hint:
            body["hint"] = self.hint
        if self.facts:
            body["facts"] = {name: str(value) for name, value in self.facts.items()}
        return body


# What the caller sent is wrong (exit 2).
class InputError(QuireError):
    code, http, exit = "input", 400, 2


class BadEncoding(InputError):
    """Bytes or text that do not decode: varint, multibase, multihash, protobuf, multiaddr."""

    code = "bad-encoding"


class BadCid(InputError):
    code = "bad-cid"
    hint = "a dataset is named by its manifest CID, a text that begins with zDv"


class BadManifest(InputError):
    code, http = "bad-manifest", 422


class BadConfig(InputError):
    code = "bad-config"


class BadKey(InputError):
    """A proving or verifying key that is cut off, damaged, or of another circuit or curve."""

    code, http = "bad-key", 422
    hint = "quire circuit check says what is wrong with a key"


class BadCap(InputError):
    """A capability that does not decode, or whose checksum says that a character is wrong."""

    code = "bad-cap"
    hint = "copy the capability again, whole"


class WrongKey(InputError):
    """The capability's key is not the one that the data was encrypted with."""

    code, http = "wrong-key", 422


class BadProof(InputError):
    """Bytes that are no proof, or no public inputs of this key."""

    code, http = "bad-proof", 422


class WitnessDoesNotSatisfy(InputError):
    """The proof made from a witness does not verify."""

    code, http = "witness-does-not-satisfy", 422
    hint = "the key may belong to another circuit: quire circuit info"


class BadOffer(InputError):
    """Space cannot be offered like that."""

    code, http = "bad-offer", 422


class TooLarge(InputError):
    code, http = "too-large", 413


# What was asked for is not here (exit 3).
class NotFound(QuireError):
    code, http, exit = "not-found", 404, 3


class BlockMissing(NotFound):
    code, retry = "block-missing", True
    hint = "quire why <cid>"


class UnknownRequest(NotFound):
    """The contract knows no such storage request."""

    code = "unknown-request"
    hint = "quire purchases shows the requests of this node"


class SlotMissing(NotFound):
    """This node does not hold the slot, or not the tree over it."""

    code = "slot-missing"
    hint = "quire slots <cid> shows which slots this node holds"


class UnknownDataset(NotFound):
    code = "unknown-dataset"
    hint = "quire ls shows what this node holds; quire why <cid> shows what is being tried"


# The node understood and will not do it now (exit 4).
class Refused(QuireError):
    code, http, exit = "refused", 409, 4


class QuotaExceeded(Refused):
    code, http = "quota-exceeded", 507
    hint = "free space with quire rm, or give the node more with --storage-quota"


class DiskFull(Refused):
    code, http = "disk-full", 507
    hint = "free space on the disk that holds the data directory"


class Cancelled(Refused):
    """Long work was stopped by who asked for it."""

    code = "cancelled"


class Busy(Refused):
    code, http, retry = "busy", 503, True


class InsufficientFunds(Refused):
    """The account has too few tokens, or too little to pay for a transaction."""

    code, http = "insufficient-funds", 402


class ChannelTooSmall(Refused):
    """The payment channel cannot promise that much."""

    code, http = "channel-too-small", 402
    hint = "put more tokens into the channel: `quire channels topup`"


class VoucherRefused(Refused):
    """The payee does not take the voucher, or it is not one for this account."""

    code, http = "voucher-refused", 402


# Another node failed us (exit 5).
class PeerError(QuireError):
    code, http, exit, retry = "peer", 502, 5, True


class PeerLied(PeerError):
    """The peer sent data that does not verify. It is never asked again while the ban lasts."""

    code = "peer-lied"


class PeerSilent(PeerError):
    code = "peer-silent"


class PeerRefused(PeerError):
    code = "peer-refused"


class PeerBusy(PeerRefused):
    """It may be asked again; the fact `retry_after_seconds` says when."""

    code = "peer-busy"


class PeerGone(PeerError):
    """The connection or stream to the peer ended."""

    code = "peer-gone"


class ProtocolMismatch(PeerError):
    code, retry = "protocol-mismatch", False


# Data is bad: stop, quarantine, tell (exit 6).
class IntegrityError(QuireError):
    code, exit = "integrity", 6


class ProofInvalid(IntegrityError):
    code = "proof-invalid"


class StoreCorrupt(IntegrityError):
    code = "store-corrupt"


class SlotFileDamaged(IntegrityError):
    """The file of a slot's tree is not what was written. It can be made again from the blocks."""

    code = "slot-file-damaged"


# The surroundings are not fit to run in (exit 7).
class EnvironmentProblem(QuireError):
    code, exit = "environment", 7


class WorkersLost(EnvironmentProblem):
    """Who was to do heavy work died over it, again and again, or cannot be reached."""

    code, http, retry = "workers-lost", 503, True
    hint = "see that the workers run and have enough memory, or set workers = local"


class PortInUse(EnvironmentProblem):
    code = "port-in-use"
    hint = "another program listens there; choose another port"


class UnsafePermissions(EnvironmentProblem):
    code = "unsafe-permissions"
    hint = "chmod 600 the file"


class StoreLocked(EnvironmentProblem):
    code = "store-locked"
    hint = "another node uses this data directory; stop it or choose another --data-dir"


class NodeUnreachable(EnvironmentProblem):
    code = "node-unreachable"
    hint = "start one with: quire node"


# Time ran out (exit 8).
class DeadlineExceeded(QuireError):
    code, http, exit, retry = "deadline", 504, 8, True


# The chain (exit 9).
class ChainError(QuireError):
    code, http, exit = "chain", 502, 9


class ChainUnreachable(ChainError):
    """No answer from the chain's node, or one that is none."""

    code, retry = "chain-unreachable", True
    hint = "check --eth-provider; quire doctor asks it"


class RpcRefused(ChainError):
    """The chain's node answered a call with an error. `data`: what a contract that reverted gave
    as reason, b"" for none; None where nothing was reverted."""

    code = "rpc-refused"

    def __init__(self, message: str, *, rpc_code: int = 0, data: bytes | None = None) -> None:
        super().__init__(message, rpc_code=rpc_code)
        self.rpc_code = rpc_code
        self.data = data


class Reverted(ChainError):
    """The contract refused a transaction. The fact `name` is its error, "" when it gave none."""

    code, http = "reverted", 409


class NotMined(ChainError):
    """A transaction was sent and is in no block yet. It may still be."""

    code, retry = "not-mined", True


class WrongChain(EnvironmentProblem):
    """The chain, or the contract on it, is another than was asked for."""

    code = "wrong-chain"


# A mistake of ours (exit 70). Never caught except at the edge of the process.
class Bug(QuireError):
    code, exit = "bug", 70
    hint = "please report this, with the output of quire doctor"

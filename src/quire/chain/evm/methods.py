"""The calls of the contracts, by name: how they are asked and what they answer.

Source   market.md 1.2; the second part are our additions
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from quire.chain.abi import REQUEST, decode, encode
from quire.kernels.keccak import keccak256

SELECTOR_BYTES = 4
G1 = "(uint256,uint256)"
PROOF = f"({G1},({G1},{G1}),{G1})"
STATUS = "(bool,bool,bytes32,uint8)"
CONFIGURATION = "((uint8,uint8,uint8,uint8),(uint64,uint64,uint8,uint8,string),(uint8),uint64)"


class Method:
    """One function of a contract. Types as ABI writes them."""

    def __init__(self, name: str, inputs: Sequence[str], outputs: Sequence[str] = ()) -> None:
        self.name = name
        self.inputs = list(inputs)
        self.outputs = list(outputs)

    @property
    def signature(self) -> str:
        return f"{self.name}({','.join(self.inputs)})"

    @cached_property
    def selector(self) -> bytes:
        return keccak256(self.signature.encode())[:SELECTOR_BYTES]

    def data(self, *values: Any) -> bytes:
        """What is sent. Raises InputError."""
        return self.selector + encode(self.inputs, list(values))

    def read(self, answer: bytes) -> Any:
        """The one value of an answer, or all of them. Raises BadEncoding."""
        values = decode(self.outputs, answer)
        return values[0] if len(values) == 1 else values


REQUEST_STORAGE = Method("requestStorage", [REQUEST])
RESERVE_SLOT = Method("reserveSlot", ["bytes32", "uint64"])
CAN_RESERVE_SLOT = Method("canReserveSlot", ["bytes32", "uint64"], ["bool"])
FILL_SLOT = Method("fillSlot", ["bytes32", "uint64", PROOF])
FREE_SLOT = Method("freeSlot", ["bytes32"])
FREE_SLOT_TO = Method("freeSlot", ["bytes32", "address", "address"])
SUBMIT_PROOF = Method("submitProof", ["bytes32", PROOF])
CAN_MARK = Method("canMarkProofAsMissing", ["bytes32", "uint64"])
MARK = Method("markProofAsMissing", ["bytes32", "uint64"])
WITHDRAW_FUNDS = Method("withdrawFunds", ["bytes32"])
CONFIG = Method("configuration", [], [CONFIGURATION])
TOKEN = Method("token", [], ["address"])
CURRENT_COLLATERAL = Method("currentCollateral", ["bytes32"], ["uint256"])
GET_REQUEST = Method("getRequest", ["bytes32"], [REQUEST])
GET_ACTIVE_SLOT = Method("getActiveSlot", ["bytes32"], [f"({REQUEST},uint64)"])
GET_HOST = Method("getHost", ["bytes32"], ["address"])
MY_REQUESTS = Method("myRequests", [], ["bytes32[]"])
MY_SLOTS = Method("mySlots", [], ["bytes32[]"])
REQUEST_STATE = Method("requestState", ["bytes32"], ["uint8"])
SLOT_STATE = Method("slotState", ["bytes32"], ["uint8"])
REQUEST_END = Method("requestEnd", ["bytes32"], ["uint64"])
REQUEST_EXPIRY = Method("requestExpiry", ["bytes32"], ["uint64"])
IS_PROOF_REQUIRED = Method("isProofRequired", ["bytes32"], ["bool"])
WILL_PROOF_BE_REQUIRED = Method("willProofBeRequired", ["bytes32"], ["bool"])
GET_CHALLENGE = Method("getChallenge", ["bytes32"], ["bytes32"])
GET_POINTER = Method("getPointer", ["bytes32"], ["uint8"])
MISSING_PROOFS = Method("missingProofs", ["bytes32"], ["uint64"])

EXTENSIONS = Method("extensions", [], ["uint256"])
DISPERSAL = Method("dispersal", [], ["(uint16,uint16,uint32,uint32,bool,uint32)"])
LAZY_REPAIR = Method("lazyRepair", [], ["(uint8,uint64,uint8)"])
ELIGIBLE_FROM = Method("eligibleFrom", ["address", "bytes32", "uint64"], ["uint64", "uint8"])
SLOT_STATES = Method("slotStates", ["bytes32[]"], ["uint8[]"])
PROOF_STATUSES = Method("proofStatuses", ["bytes32[]"], ["uint64", f"{STATUS}[]"])
SUBMIT_PROOFS = Method("submitProofs", ["bytes32[]", f"{PROOF}[]"])
SET_PROOF_DELEGATE = Method("setProofDelegate", ["address", "bool"])
PROOF_DELEGATION = Method("proofDelegation", ["address", "address"], ["(bool,uint64)"])
MARK_MANY = Method("markProofsAsMissing", ["bytes32[]", "uint64[]"], ["uint256"])
OPEN_REPAIR = Method("openRepair", ["bytes32"])
REGISTER = Method("register", [])
REGISTRATION_DEPOSIT = Method("registrationDeposit", [], ["uint256"])
PROOF_INPUTS = Method("proofInputs", [], ["uint256"])

# Of the token (ERC-20).
BALANCE_OF = Method("balanceOf", ["address"], ["uint256"])
ALLOWANCE = Method("allowance", ["address", "address"], ["uint256"])
APPROVE = Method("approve", ["address", "uint256"], ["bool"])


def proof_value(proof: bytes) -> tuple[Any, ...]:
    """256 bytes, eight words, as the struct that contracts take."""
    assert len(proof) == 256
    a, b, c, d, e, f, g, h = (int.from_bytes(proof[i : i + 32]) for i in range(0, 256, 32))
    return ((a, b), ((c, d), (e, f)), (g, h))

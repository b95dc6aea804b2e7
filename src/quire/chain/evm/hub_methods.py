"""The calls of the hub of payment channels, and those of a token that it needs.

Source   contracts/src/ChannelHub.sol
"""

from __future__ import annotations

from quire.chain.evm.methods import Method

CHANNEL = "(uint128,uint128,uint64)"

DEPOSIT = Method("deposit", ["uint256"])
DEPOSIT_WITH_PERMIT = Method(
    "depositWithPermit", ["uint256", "uint256", "uint8", "bytes32", "bytes32"]
)
WITHDRAW = Method("withdraw", ["uint256"])
ALLOCATE = Method("allocate", ["address[]", "uint128[]"])
CLAIM = Method("claim", ["address[]", "uint128[]", "bytes[]"])
REQUEST_CLOSE = Method("requestClose", ["address"])
RELEASE = Method("release", ["address"])
SET_DELEGATE = Method("setDelegate", ["address"])
BALANCE_OF = Method("balanceOf", ["address"], ["uint256"])
CHANNELS = Method("channels", ["address[]", "address[]"], [f"{CHANNEL}[]"])
DELEGATES = Method("delegates", ["address[]"], ["address[]"])
TOKEN = Method("token", [], ["address"])
CHALLENGE = Method("CHALLENGE", [], ["uint64"])
SEPARATOR = Method("domainSeparator", [], ["bytes32"])

# Of a payer that is a contract (ERC-1271); its yes is this selector.
IS_VALID_SIGNATURE = Method("isValidSignature", ["bytes32", "bytes"], ["bytes4"])

# Of the token (EIP-2612).
NONCES = Method("nonces", ["address"], ["uint256"])
TOKEN_SEPARATOR = Method("DOMAIN_SEPARATOR", [], ["bytes32"])

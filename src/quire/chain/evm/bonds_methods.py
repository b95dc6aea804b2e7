"""The calls of the contract of bonds.

Source   contracts/src/SubmissionBonds.sol
"""

from __future__ import annotations

from quire.chain.evm.methods import Method

DEPOSIT = Method("deposit", ["uint128"])
ANNOUNCE = Method("announce", ["uint128"])
WITHDRAW = Method("withdraw", [])
CLAIM = Method("claim", ["address", "bytes32", "uint64", "uint256", "bytes"])
BOND_OF = Method("bondOf", ["address"], ["(uint128,uint128,uint64)"])
IS_CLAIMED = Method("isClaimed", ["address", "address", "bytes32", "uint64"], ["bool"])
MARKETPLACE = Method("marketplace", [], ["address"])
CLAIM_SECONDS = Method("CLAIM_SECONDS", [], ["uint64"])
NOTICE_SECONDS = Method("noticeSeconds", [], ["uint64"])
SEPARATOR = Method("domainSeparator", [], ["bytes32"])

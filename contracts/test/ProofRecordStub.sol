// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {MarketplaceConfig} from "../src/Configuration.sol";
import {IERC20} from "../src/IERC20.sol";
import {IProofRecord} from "../src/IProofRecord.sol";
import {ProofDelegation, SlotId} from "../src/Types.sol";
import {configOf} from "./Probes.sol";

/// What a marketplace tells of proofs, said by hand. A period has 10 seconds.
contract ProofRecordStub is IProofRecord {
    IERC20 public token;
    mapping(SlotId => mapping(uint64 => bool)) public isProofMissing;
    mapping(address host => mapping(address delegate => ProofDelegation)) private _delegations;

    constructor(IERC20 token_) {
        token = token_;
    }

    function configuration() external pure returns (MarketplaceConfig memory) {
        return configOf(10, 2, 20, 20);
    }

    /// Slots are worth something else each; the first nothing.
    function slashOf(SlotId slotId) external pure returns (uint256) {
        return uint256(SlotId.unwrap(slotId)) * 1e18;
    }

    function proofDelegation(
        address host,
        address delegate
    ) external view returns (ProofDelegation memory) {
        return _delegations[host][delegate];
    }

    function miss(SlotId slotId, uint64 period) external {
        isProofMissing[slotId][period] = true;
    }

    function appoint(address host, address delegate, bool isAllowed) external {
        ProofDelegation storage its = _delegations[host][delegate];
        its.isAllowed = isAllowed;
        if (!isAllowed) its.revokedAt = uint64(block.timestamp);
    }
}

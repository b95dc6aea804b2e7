// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {MarketplaceConfig} from "./Configuration.sol";
import {IERC20} from "./IERC20.sol";
import {ProofDelegation, SlotId} from "./Types.sol";

/// What the marketplace tells of proofs and of those who may submit them.
interface IProofRecord {
    function configuration() external view returns (MarketplaceConfig memory);

    function token() external view returns (IERC20);

    function isProofMissing(SlotId slotId, uint64 period) external view returns (bool);

    /// What one missed proof of the slot costs its host.
    function slashOf(SlotId slotId) external view returns (uint256);

    function proofDelegation(
        address host,
        address delegate
    ) external view returns (ProofDelegation memory);
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {SlotId} from "./Types.sol";
import {Settings} from "./Settings.sol";

/// Time is cut into periods. In each, a slot points at one of the last 256 blocks; the pointer moves
/// on with every block, so that it stays at the same block until it wraps. The hash of that block
/// decides whether a proof is due and what it has to be about. While the pointer is in the downtime
/// none is due: the challenge is then known well before it counts.
abstract contract Periods is Settings {
    error Proofs_InsufficientBlockHeight();

    constructor() {
        if (block.number <= 256) revert Proofs_InsufficientBlockHeight();
    }

    function getChallenge(SlotId slotId) external view returns (bytes32) {
        return _challenge(_pointer(slotId, _currentPeriod()));
    }

    function getPointer(SlotId slotId) external view returns (uint8) {
        return _pointer(slotId, _currentPeriod());
    }

    function _currentPeriod() internal view returns (uint64) {
        return uint64(block.timestamp) / _period;
    }

    /// The first second after a period.
    function _periodEnd(uint64 period) internal view returns (uint64) {
        return (period + 1) * _period;
    }

    function _pointer(SlotId slotId, uint64 period) internal view returns (uint8) {
        unchecked {
            uint256 jumped = uint256(period) * _downtimeProduct;
            return uint8(block.number + jumped + uint256(SlotId.unwrap(slotId)));
        }
    }

    function _challenge(uint8 pointer) internal view returns (bytes32 challenge) {
        bytes32 hash = blockhash(block.number - 1 - pointer);
        assert(hash != 0);
        assembly ("memory-safe") {
            mstore(0, hash)
            challenge := keccak256(0, 0x20)
        }
    }
}

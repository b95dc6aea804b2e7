// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {RequestId} from "./Types.sol";
import {Window} from "./Window.sol";

/// The window's functions, to be called from a test.
contract WindowHarness {
    function distance(
        bytes32 seed,
        RequestId requestId,
        uint64 slotIndex,
        uint8 reservation,
        address host
    ) external pure returns (uint256) {
        return Window.distance(seed, requestId, slotIndex, reservation, host);
    }

    function progress(
        uint256 start,
        uint256 end,
        uint256 tailBps,
        uint256 time
    ) external pure returns (uint256) {
        return Window.progress(start, end, tailBps, time);
    }

    function admits(uint256 x, uint256 hBps, uint256 far) external pure returns (bool) {
        return Window.admits(x, hBps, far);
    }

    function opening(
        uint256 start,
        uint256 end,
        uint256 tailBps,
        uint256 hBps,
        uint256 far
    ) external pure returns (uint256) {
        return Window.opening(start, end, tailBps, hBps, far);
    }
}

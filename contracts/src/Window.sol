// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {RequestId} from "./Types.sol";

/// The expanding window: a reservation starts from a random point, and who is nearer may come
/// earlier. The part of all hosts that may come at time x is F(x) = x h / (x h + (1 - x)(1 - h)).
library Window {
    uint256 internal constant WHOLE = 1 << 64; // x = 1
    uint256 private constant BPS = 10000;

    /// How far a host is from the point that a reservation starts from.
    function distance(
        bytes32 seed,
        RequestId requestId,
        uint64 slotIndex,
        uint8 reservation,
        address host
    ) internal pure returns (uint256) {
        bytes32 source = keccak256(abi.encode(seed, requestId, slotIndex, reservation));
        bytes32 position = keccak256(abi.encode(host));
        return uint256(source ^ position);
    }

    /// How much of the window has passed, 0 .. WHOLE; in its tail, all of it.
    function progress(
        uint256 start,
        uint256 end,
        uint256 tailBps,
        uint256 time
    ) internal pure returns (uint256) {
        if (time < start) return 0;
        uint256 passed = (time - start) * BPS;
        uint256 length = (end - start) * (BPS - tailBps);
        return passed >= length ? WHOLE : (passed * WHOLE) / length;
    }

    /// Whether a host at this distance may come when x has passed.
    function admits(uint256 x, uint256 hBps, uint256 far) internal pure returns (bool) {
        if (x >= WHOLE) return true;
        uint256 inside = x * hBps;
        uint256 all = inside + (WHOLE - x) * (BPS - hBps);
        return far < (type(uint256).max / all) * inside;
    }

    /// The first second at which a host at this distance may come.
    function opening(
        uint256 start,
        uint256 end,
        uint256 tailBps,
        uint256 hBps,
        uint256 far
    ) internal pure returns (uint256) {
        uint256 low = start;
        uint256 high = end;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (admits(progress(start, end, tailBps, middle), hBps, far)) high = middle;
            else low = middle + 1;
        }
        return low;
    }
}

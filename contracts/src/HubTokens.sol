// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {IERC20} from "./IERC20.sol";

/// Tokens in and out of the hub. Also those that answer nothing; one that answers `false`, or that
/// gives less than it was asked for, is refused.
abstract contract HubTokens {
    error Hub_NoToken();
    error Hub_TransferFailed();
    error Hub_FeeOnTransfer();

    IERC20 public immutable token;

    constructor(IERC20 token_) {
        if (address(token_).code.length == 0) revert Hub_NoToken();
        token = token_;
    }

    /// Take tokens from the caller, all of them. The last thing that a transaction does.
    function _pull(uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        _move(abi.encodeCall(IERC20.transferFrom, (msg.sender, address(this), amount)));
        if (token.balanceOf(address(this)) - before != amount) revert Hub_FeeOnTransfer();
    }

    /// Give tokens to the caller. The last thing that a transaction does.
    function _push(uint256 amount) internal {
        _move(abi.encodeCall(IERC20.transfer, (msg.sender, amount)));
    }

    /// With the token's own reason when it refuses.
    function _move(bytes memory data) private {
        address at = address(token);
        bool isDone;
        uint256 size;
        uint256 answer;
        assembly ("memory-safe") {
            isDone := call(gas(), at, 0, add(data, 0x20), mload(data), 0, 0x20)
            size := returndatasize()
            answer := mload(0)
        }
        if (isDone && (size == 0 || (size >= 0x20 && answer == 1))) return;
        if (isDone || size == 0) revert Hub_TransferFailed();
        assembly ("memory-safe") {
            let reason := mload(0x40)
            returndatacopy(reason, 0, size)
            revert(reason, size)
        }
    }
}

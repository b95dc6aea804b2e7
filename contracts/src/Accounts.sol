// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {IERC20} from "./IERC20.sol";

/// The tokens in the contract's care: balance == received - sent - burned, and `burnable` of it
/// belongs to nobody.
abstract contract Accounts {
    error Marketplace_TransferFailed();

    address private constant GRAVE = 0x000000000000000000000000000000000000dEaD;

    IERC20 public immutable token;
    uint256 private _received;
    uint256 private _sent;
    uint256 private _burned;
    uint256 public burnable;

    constructor(IERC20 token_) {
        token = token_;
    }

    /// All tokens that ever came in, were paid out, and were destroyed.
    function totals() external view returns (uint256 received, uint256 sent, uint256 burned) {
        return (_received, _sent, _burned);
    }

    /// Destroy what belongs to nobody.
    function burn() external returns (uint256 amount) {
        amount = burnable;
        if (amount == 0) return 0;
        burnable = 0;
        _burned += amount;
        if (!token.transfer(GRAVE, amount)) revert Marketplace_TransferFailed();
    }

    /// Take tokens from the caller. The last thing that a transaction does.
    function _pull(uint256 amount) internal {
        if (amount == 0) return;
        _received += amount;
        if (!token.transferFrom(msg.sender, address(this), amount)) {
            revert Marketplace_TransferFailed();
        }
    }

    /// Pay somebody. The last thing that a transaction does.
    function _pay(address recipient, uint256 amount) internal {
        if (amount == 0) return;
        _sent += amount;
        if (!token.transfer(recipient, amount)) revert Marketplace_TransferFailed();
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {Accounts} from "./Accounts.sol";
import {Settings} from "./Settings.sol";

/// Hosts that are known since a block, against a deposit: an address made up after a request is
/// known does not get near its slots.
abstract contract Registry is Settings, Accounts {
    error Registry_AlreadyRegistered();
    error Registry_NotRegistered();
    error Registry_TooEarly();

    event Registered(address indexed host);
    event Unregistered(address indexed host);

    /// The block in which a host registered; 0: it did not.
    mapping(address => uint64) public registeredAt;

    function register() external {
        if (registeredAt[msg.sender] != 0) revert Registry_AlreadyRegistered();
        registeredAt[msg.sender] = uint64(block.number);
        emit Registered(msg.sender);
        _pull(registrationDeposit);
    }

    /// Take the deposit back; not before the registration was old enough to count.
    function unregister() external {
        uint64 since = registeredAt[msg.sender];
        if (since == 0) revert Registry_NotRegistered();
        if (block.number < uint256(since) + _minAge) revert Registry_TooEarly();
        registeredAt[msg.sender] = 0;
        emit Unregistered(msg.sender);
        _pay(msg.sender, registrationDeposit);
    }

    /// Whether a host was registered long enough before a block.
    function _isSeasoned(address host, uint64 at) internal view returns (bool) {
        if (!_requireRegistration) return true;
        uint64 since = registeredAt[host];
        return since != 0 && uint256(since) + _minAge <= at;
    }
}

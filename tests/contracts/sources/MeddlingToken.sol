// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// A token that makes calls of its own while tokens move, or says that they did not.
contract MeddlingToken {
    mapping(address => uint256) public balanceOf;
    bool public isLying;
    address private _target;
    bytes[] private _calls;
    bool[] public outcomes;

    function mint(address holder, uint256 amount) external {
        balanceOf[holder] += amount;
    }

    function setLying(bool lies) external {
        isLying = lies;
    }

    /// At the next move, call `target` with each of these.
    function plan(address target, bytes[] calldata calls) external {
        _target = target;
        _calls = calls;
        delete outcomes;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        return _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        return _move(from, to, value);
    }

    /// The target sees this contract as client, host and validator.
    function act(address target, bytes calldata data) external {
        (bool isDone, bytes memory answer) = target.call(data);
        if (!isDone) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function outcomesOf() external view returns (bool[] memory) {
        return outcomes;
    }

    function _move(address from, address to, uint256 value) private returns (bool) {
        bytes[] memory calls = _calls;
        delete _calls;
        for (uint256 i = 0; i < calls.length; i++) {
            (bool isDone, ) = _target.call(calls[i]);
            outcomes.push(isDone);
        }
        balanceOf[from] -= value;
        balanceOf[to] += value;
        return !isLying;
    }
}

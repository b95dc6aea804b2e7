// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// A payer that is a contract (ERC-1271), and says of signatures what it was told to say.
contract Wallets {
    enum Mood {
        Honest,
        SaysNo,
        Reverts,
        Silent,
        Endless
    }

    bytes4 private constant YES = 0x1626ba7e;
    Mood private _mood;
    bytes32 private _digest;
    bytes32 private _signature;

    function be(Mood mood) external {
        _mood = mood;
    }

    /// Takes these bytes for this digest, and no others.
    function agree(bytes32 digest, bytes calldata signature) external {
        (_digest, _signature) = (digest, keccak256(signature));
    }

    function act(address target, bytes calldata data) external {
        (bool isDone, bytes memory answer) = target.call(data);
        if (!isDone) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (_mood == Mood.Reverts) revert("no");
        if (_mood == Mood.Silent) {
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        if (_mood == Mood.Endless) {
            assembly ("memory-safe") {
                return(0, 100000)
            }
        }
        if (_mood == Mood.SaysNo) return 0xffffffff;
        return digest == _digest && keccak256(signature) == _signature ? YES : bytes4(0);
    }
}

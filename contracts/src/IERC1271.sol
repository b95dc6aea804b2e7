// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// A contract that says which signatures are its own; the answer is then its selector.
interface IERC1271 {
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4);
}

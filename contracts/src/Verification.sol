// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {Groth16Proof, IGroth16Verifier} from "./IGroth16Verifier.sol";
import {SlotId} from "./Types.sol";
import {Periods} from "./Periods.sol";

/// Asks the verifier. What is to be proved is worked out here, never taken from the caller: entropy
/// of the challenge, root of the dataset, slot and, if the circuit binds it, the host.
///
/// Calls are written into memory word by word: encoding them in Solidity takes 2 k gas a proof.
abstract contract Verification is Periods {
    error Proofs_InvalidProof();

    uint256 private constant PROOF_BYTES = 256;

    address private immutable _verifier;
    uint256 internal immutable _inputCount;

    constructor(IGroth16Verifier verifier) {
        _verifier = address(verifier);
        _inputCount = verifier.inputCount();
    }

    /// How many public inputs a proof has: 4 where it is bound to its host, else 3.
    function proofInputs() external view returns (uint256) {
        return _inputCount;
    }

    /// A call of `verify`, and where in it the public inputs belong.
    function _callForOne(
        Groth16Proof calldata proof
    ) internal view returns (bytes memory call_, uint256 inputs) {
        uint256 count = _inputCount;
        bytes4 selector = IGroth16Verifier.verify.selector;
        call_ = _allocate(4 + PROOF_BYTES + 0x40 + 0x20 * count);
        assembly ("memory-safe") {
            let at := add(call_, 0x20)
            mstore(at, selector)
            calldatacopy(add(at, 4), proof, 0x100)
            mstore(add(at, 0x104), 0x120) // the offset of the inputs
            mstore(add(at, 0x124), count)
            inputs := add(at, 0x144)
        }
    }

    /// A call of `verifyBatch`, and where in it the public inputs of all proofs belong.
    function _callForMany(
        Groth16Proof[] calldata proofs
    ) internal view returns (bytes memory call_, uint256 inputs) {
        uint256 count = proofs.length * _inputCount;
        bytes4 selector = IGroth16Verifier.verifyBatch.selector;
        uint256 proofBytes = proofs.length * PROOF_BYTES;
        call_ = _allocate(4 + 0x80 + proofBytes + 0x20 * count);
        assembly ("memory-safe") {
            let at := add(call_, 0x20)
            mstore(at, selector)
            mstore(add(at, 0x04), 0x40) // the offset of the proofs
            mstore(add(at, 0x24), add(0x60, proofBytes)) // the offset of the inputs
            mstore(add(at, 0x44), proofs.length)
            calldatacopy(add(at, 0x64), proofs.offset, proofBytes)
            inputs := add(at, add(0x64, proofBytes))
            mstore(inputs, count)
            inputs := add(inputs, 0x20)
        }
    }

    /// Writes the public inputs of one proof to `at`. `root`: as a number.
    function _writeInputs(
        uint256 at,
        SlotId slotId,
        uint64 period,
        uint256 root,
        uint256 slotIndex,
        address host
    ) internal view {
        uint256 entropy = _swapBytes(_challenge(_pointer(slotId, period))) & (type(uint256).max >> 8);
        bool bindsHost = _inputCount == 4;
        assembly ("memory-safe") {
            mstore(at, entropy)
            mstore(add(at, 0x20), root)
            mstore(add(at, 0x40), slotIndex)
            if bindsHost {
                mstore(add(at, 0x60), host)
            }
        }
    }

    function _verify(bytes memory call_) internal view {
        address verifier = _verifier;
        bool isRight;
        assembly ("memory-safe") {
            isRight := staticcall(gas(), verifier, add(call_, 0x20), mload(call_), 0, 0x20)
            isRight := and(isRight, and(gt(returndatasize(), 0x1f), eq(mload(0), 1)))
        }
        if (!isRight) revert Proofs_InvalidProof();
    }

    /// Memory that is not cleared.
    function _allocate(uint256 size) private pure returns (bytes memory data) {
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(data, size)
            mstore(0x40, add(data, and(add(size, 0x3f), not(0x1f))))
        }
    }

    /// The other byte order.
    function _swapBytes(bytes32 word) internal pure returns (uint256 x) {
        uint256 mask8 = 0x00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF00FF;
        uint256 mask16 = 0x0000FFFF0000FFFF0000FFFF0000FFFF0000FFFF0000FFFF0000FFFF0000FFFF;
        uint256 mask32 = 0x00000000FFFFFFFF00000000FFFFFFFF00000000FFFFFFFF00000000FFFFFFFF;
        uint256 mask64 = 0x0000000000000000FFFFFFFFFFFFFFFF0000000000000000FFFFFFFFFFFFFFFF;
        x = uint256(word);
        x = ((x >> 8) & mask8) | ((x & mask8) << 8);
        x = ((x >> 16) & mask16) | ((x & mask16) << 16);
        x = ((x >> 32) & mask32) | ((x & mask32) << 32);
        x = ((x >> 64) & mask64) | ((x & mask64) << 64);
        x = (x >> 128) | (x << 128);
    }
}

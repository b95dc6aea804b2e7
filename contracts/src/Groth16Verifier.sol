// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import "./IGroth16Verifier.sol";

/// Checks Groth16 proofs over BN254 for one verifying key, which is part of the code.
contract Groth16Verifier is IGroth16Verifier {
    error Groth16Verifier_UnsupportedInputCount();

    uint256 private constant P =
        21888242871839275222246405745257275088696311157297823662689037894645226208583;
    uint256 private constant R =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant PAIR_BYTES = 192;

    uint256 public immutable inputCount;
    uint256 private immutable _alphaX;
    uint256 private immutable _alphaY;
    uint256 private immutable _betaXReal;
    uint256 private immutable _betaXImag;
    uint256 private immutable _betaYReal;
    uint256 private immutable _betaYImag;
    uint256 private immutable _gammaXReal;
    uint256 private immutable _gammaXImag;
    uint256 private immutable _gammaYReal;
    uint256 private immutable _gammaYImag;
    uint256 private immutable _deltaXReal;
    uint256 private immutable _deltaXImag;
    uint256 private immutable _deltaYReal;
    uint256 private immutable _deltaYImag;
    uint256 private immutable _ic0X;
    uint256 private immutable _ic0Y;
    uint256 private immutable _ic1X;
    uint256 private immutable _ic1Y;
    uint256 private immutable _ic2X;
    uint256 private immutable _ic2Y;
    uint256 private immutable _ic3X;
    uint256 private immutable _ic3Y;
    uint256 private immutable _ic4X;
    uint256 private immutable _ic4Y;

    constructor(VerifyingKey memory key) {
        uint256 count = key.ic.length;
        if (count != 4 && count != 5) revert Groth16Verifier_UnsupportedInputCount();
        inputCount = count - 1;
        (_alphaX, _alphaY) = (key.alpha1.x, key.alpha1.y);
        (_betaXReal, _betaXImag) = (key.beta2.x.real, key.beta2.x.imag);
        (_betaYReal, _betaYImag) = (key.beta2.y.real, key.beta2.y.imag);
        (_gammaXReal, _gammaXImag) = (key.gamma2.x.real, key.gamma2.x.imag);
        (_gammaYReal, _gammaYImag) = (key.gamma2.y.real, key.gamma2.y.imag);
        (_deltaXReal, _deltaXImag) = (key.delta2.x.real, key.delta2.x.imag);
        (_deltaYReal, _deltaYImag) = (key.delta2.y.real, key.delta2.y.imag);
        (_ic0X, _ic0Y) = (key.ic[0].x, key.ic[0].y);
        (_ic1X, _ic1Y) = (key.ic[1].x, key.ic[1].y);
        (_ic2X, _ic2Y) = (key.ic[2].x, key.ic[2].y);
        (_ic3X, _ic3Y) = (key.ic[3].x, key.ic[3].y);
        (_ic4X, _ic4Y) = count == 5 ? (key.ic[4].x, key.ic[4].y) : (0, 0);
    }

    function verify(
        Groth16Proof calldata proof,
        uint256[] calldata inputs
    ) external view returns (bool) {
        if (inputs.length != inputCount) return false;
        for (uint256 i = 0; i < inputs.length; i++) {
            if (inputs[i] >= R) return false;
        }
        if (proof.a.y >= P) return false;
        uint256 pairs = _allocate(4 * PAIR_BYTES);
        assembly ("memory-safe") {
            calldatacopy(pairs, proof, 0x40)
            mstore(add(pairs, 0x20), mod(sub(P, calldataload(add(proof, 0x20))), P))
            mstore(add(pairs, 0x40), calldataload(add(proof, 0x60)))
            mstore(add(pairs, 0x60), calldataload(add(proof, 0x40)))
            mstore(add(pairs, 0x80), calldataload(add(proof, 0xa0)))
            mstore(add(pairs, 0xa0), calldataload(add(proof, 0x80)))
            calldatacopy(add(pairs, 0x240), add(proof, 0xc0), 0x40)
        }
        _writeKey(pairs + PAIR_BYTES);
        _put(pairs + PAIR_BYTES, _alphaX, _alphaY);
        uint256[5] memory factors;
        factors[0] = 1;
        for (uint256 i = 0; i < inputs.length; i++) factors[i + 1] = inputs[i];
        return _sumInputs(pairs + 2 * PAIR_BYTES, factors) && _isOne(pairs, 4);
    }

    /// One pairing check for all: their equations are added up, each times a number that nobody
    /// could know before all proofs were written down.
    function verifyBatch(
        Groth16Proof[] calldata proofs,
        uint256[] calldata inputs
    ) external view returns (bool) {
        uint256 count = proofs.length;
        uint256 perProof = inputCount;
        if (inputs.length != count * perProof) return false;
        if (count == 0) return true;
        uint256 pairs = _allocate((count + 3) * PAIR_BYTES);
        uint256[5] memory factors;
        uint256 key = pairs + count * PAIR_BYTES;
        if (!_addUp(proofs, inputs, pairs, factors)) return false;
        _writeKey(key);
        _put(key, _alphaX, _alphaY);
        if (!_multiply(key, factors[0])) return false;
        return _sumInputs(key + PAIR_BYTES, factors) && _isOne(pairs, count + 3);
    }

    /// Writes (-ratio * A, B) of each proof to `pairs`, the sum of ratio * C where it is paired with
    /// delta, and to `factors` the sum of the ratios and of ratio * input.
    function _addUp(
        Groth16Proof[] calldata proofs,
        uint256[] calldata inputs,
        uint256 pairs,
        uint256[5] memory factors
    ) private view returns (bool isValid) {
        assembly ("memory-safe") {
            let count := proofs.length
            let perProof := div(inputs.length, count)
            let scratch := mload(0x40)
            // seed: all proofs and all inputs
            let proofBytes := mul(count, 0x100)
            let inputBytes := mul(inputs.length, 0x20)
            calldatacopy(scratch, proofs.offset, proofBytes)
            calldatacopy(add(scratch, proofBytes), inputs.offset, inputBytes)
            let seed := keccak256(scratch, add(proofBytes, inputBytes))

            isValid := 1
            let sum := add(pairs, add(mul(count, 192), 384)) // of ratio * C
            let ratio := 1
            let input := inputs.offset
            let proof := proofs.offset
            for { let i := 0 } lt(i, count) { i := add(i, 1) } {
                let pair := add(pairs, mul(i, 192))
                switch i
                case 0 {
                    // the first ratio is one
                    calldatacopy(pair, proof, 0x40)
                    let y := mload(add(pair, 0x20))
                    isValid := lt(y, P)
                    mstore(add(pair, 0x20), mod(sub(P, y), P)) // -A
                    calldatacopy(sum, add(proof, 0xc0), 0x40)
                }
                default {
                    // -ratio * A
                    calldatacopy(scratch, proof, 0x40)
                    mstore(add(scratch, 0x40), sub(R, ratio))
                    isValid := and(isValid, staticcall(gas(), 7, scratch, 0x60, pair, 0x40))
                    // sum += ratio * C
                    calldatacopy(scratch, add(proof, 0xc0), 0x40)
                    mstore(add(scratch, 0x40), ratio)
                    isValid := and(isValid, staticcall(gas(), 7, scratch, 0x60, scratch, 0x40))
                    mstore(add(scratch, 0x40), mload(sum))
                    mstore(add(scratch, 0x60), mload(add(sum, 0x20)))
                    isValid := and(isValid, staticcall(gas(), 6, scratch, 0x80, sum, 0x40))
                }
                // B
                mstore(add(pair, 0x40), calldataload(add(proof, 0x60)))
                mstore(add(pair, 0x60), calldataload(add(proof, 0x40)))
                mstore(add(pair, 0x80), calldataload(add(proof, 0xa0)))
                mstore(add(pair, 0xa0), calldataload(add(proof, 0x80)))
                // factors
                mstore(factors, addmod(mload(factors), ratio, R))
                for { let j := 1 } iszero(gt(j, perProof)) { j := add(j, 1) } {
                    let value := calldataload(input)
                    let at := add(factors, mul(j, 0x20))
                    isValid := and(isValid, lt(value, R))
                    mstore(at, addmod(mload(at), mulmod(ratio, value, R), R))
                    input := add(input, 0x20)
                }
                proof := add(proof, 0x100)
                // the next ratio: 128 bits that depend on everything and on i
                mstore(scratch, seed)
                mstore(add(scratch, 0x20), i)
                ratio := shr(128, keccak256(scratch, 0x40))
            }
        }
    }

    /// Three pairs with beta, gamma and delta; their points of the first group are left out.
    function _writeKey(uint256 pairs) private view {
        _put(pairs + 0x40, _betaXImag, _betaXReal);
        _put(pairs + 0x80, _betaYImag, _betaYReal);
        pairs += PAIR_BYTES;
        _put(pairs + 0x40, _gammaXImag, _gammaXReal);
        _put(pairs + 0x80, _gammaYImag, _gammaYReal);
        pairs += PAIR_BYTES;
        _put(pairs + 0x40, _deltaXImag, _deltaXReal);
        _put(pairs + 0x80, _deltaYImag, _deltaYReal);
    }

    /// Writes the sum of factor * IC to `at`.
    function _sumInputs(uint256 at, uint256[5] memory factors) private view returns (bool isValid) {
        _put(at, _ic0X, _ic0Y);
        isValid = factors[0] == 1 || _multiply(at, factors[0]);
        isValid = isValid && _addProduct(at, _ic1X, _ic1Y, factors[1]);
        isValid = isValid && _addProduct(at, _ic2X, _ic2Y, factors[2]);
        isValid = isValid && _addProduct(at, _ic3X, _ic3Y, factors[3]);
        if (inputCount == 4) isValid = isValid && _addProduct(at, _ic4X, _ic4Y, factors[4]);
    }

    /// The point at `at` += (x, y) * factor.
    function _addProduct(
        uint256 at,
        uint256 x,
        uint256 y,
        uint256 factor
    ) private view returns (bool isValid) {
        assembly ("memory-safe") {
            let scratch := mload(0x40)
            mstore(scratch, x)
            mstore(add(scratch, 0x20), y)
            mstore(add(scratch, 0x40), factor)
            isValid := staticcall(gas(), 7, scratch, 0x60, scratch, 0x40)
            mstore(add(scratch, 0x40), mload(at))
            mstore(add(scratch, 0x60), mload(add(at, 0x20)))
            isValid := and(isValid, staticcall(gas(), 6, scratch, 0x80, at, 0x40))
        }
    }

    /// The point at `at` *= factor.
    function _multiply(uint256 at, uint256 factor) private view returns (bool isValid) {
        assembly ("memory-safe") {
            let scratch := mload(0x40)
            mstore(scratch, mload(at))
            mstore(add(scratch, 0x20), mload(add(at, 0x20)))
            mstore(add(scratch, 0x40), factor)
            isValid := staticcall(gas(), 7, scratch, 0x60, at, 0x40)
        }
    }

    /// Whether the product of all pairings is one.
    function _isOne(uint256 pairs, uint256 count) private view returns (bool isOne) {
        assembly ("memory-safe") {
            isOne := staticcall(gas(), 8, pairs, mul(count, 192), 0, 0x20)
            isOne := and(isOne, mload(0))
        }
    }

    function _put(uint256 at, uint256 first, uint256 second) private pure {
        assembly ("memory-safe") {
            mstore(at, first)
            mstore(add(at, 0x20), second)
        }
    }

    function _allocate(uint256 size) private pure returns (uint256 at) {
        assembly ("memory-safe") {
            at := mload(0x40)
            mstore(0x40, add(at, size))
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

import {Groth16Proof, IGroth16Verifier} from "./IGroth16Verifier.sol";

/// For tests: every proof is right but the one whose eight words are zero.
contract TestVerifier is IGroth16Verifier {
    function inputCount() external pure returns (uint256) {
        return 3;
    }

    function verify(
        Groth16Proof calldata proof,
        uint256[] calldata
    ) external pure returns (bool) {
        return _isRight(proof);
    }

    function verifyBatch(
        Groth16Proof[] calldata proofs,
        uint256[] calldata
    ) external pure returns (bool) {
        for (uint256 i = 0; i < proofs.length; i++) {
            if (!_isRight(proofs[i])) return false;
        }
        return true;
    }

    function _isRight(Groth16Proof calldata proof) private pure returns (bool) {
        uint256 bits = proof.a.x | proof.a.y | proof.c.x | proof.c.y;
        bits |= proof.b.x.real | proof.b.x.imag | proof.b.y.real | proof.b.y.imag;
        return bits != 0;
    }
}

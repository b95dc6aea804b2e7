// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// For tests: a proof is right when its first word is the digest of the public inputs. So it shows
/// which inputs the marketplace asks about.
contract InputVerifier {
    struct G1Point {
        uint256 x;
        uint256 y;
    }
    struct Fp2Element {
        uint256 real;
        uint256 imag;
    }
    struct G2Point {
        Fp2Element x;
        Fp2Element y;
    }
    struct Groth16Proof {
        G1Point a;
        G2Point b;
        G1Point c;
    }

    uint256 public immutable inputCount;

    constructor(uint256 inputCount_) {
        inputCount = inputCount_;
    }

    function verify(
        Groth16Proof calldata proof,
        uint256[] calldata inputs
    ) public pure returns (bool) {
        return proof.a.x == uint256(keccak256(abi.encodePacked(inputs)));
    }

    function verifyBatch(
        Groth16Proof[] calldata proofs,
        uint256[] calldata inputs
    ) external view returns (bool) {
        for (uint256 i = 0; i < proofs.length; i++) {
            uint256[] calldata own = inputs[i * inputCount:(i + 1) * inputCount];
            if (!verify(proofs[i], own)) return false;
        }
        return true;
    }
}

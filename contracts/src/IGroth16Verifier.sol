// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

struct G1Point {
    uint256 x;
    uint256 y;
}

/// real + i * imag
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

struct VerifyingKey {
    G1Point alpha1;
    G2Point beta2;
    G2Point gamma2;
    G2Point delta2;
    G1Point[] ic; // one more than there are public inputs
}

interface IGroth16Verifier {
    /// How many public inputs a proof has.
    function inputCount() external view returns (uint256);

    function verify(
        Groth16Proof calldata proof,
        uint256[] calldata inputs
    ) external view returns (bool);

    /// Whether all proofs are right. `inputs`: those of the first proof, then of the second, ...
    function verifyBatch(
        Groth16Proof[] calldata proofs,
        uint256[] calldata inputs
    ) external view returns (bool);
}

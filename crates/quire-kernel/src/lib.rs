//! Pure kernels of Quire: batch SHA-256, the keyed Merkle tree, the erasure code and Poseidon2.
//!
//! Nothing here knows of Python, files or sockets. Every function has a slow Python twin in
//! `tests/oracles`, and agrees with it byte for byte. `unsafe` stands only in `sha256::shani`,
//! `sha256::avx512`, `leopard::simd` and `poseidon2::ifma`.

pub mod hash;
pub mod leopard;
pub mod merkle;
mod parallel;
pub mod poseidon2;
pub mod sha256;

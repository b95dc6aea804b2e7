//! Groth16 over BN254 for the storage proofs of Quire (proofs.md 4 to 5): circuits as `.r1cs`,
//! keys as snarkjs `.zkey`, witnesses as `.wtns`, proofs as the words of the contract.
//!
//! Nothing here knows of Python or of sockets; files are read and written where a name says so.

mod bytes;
pub mod circuit;
pub mod error;
pub mod r1cs;

pub use ark_bn254::Fr;
pub use error::{Error, Result};

//! Groth16 over BN254 for the storage proofs of Quire (proofs.md 4 to 5): circuits as `.r1cs`,
//! keys as snarkjs `.zkey`, witnesses as `.wtns`, proofs as the words of the contract.
//!
//! Nothing here knows of Python or of sockets; files are read and written where a name says so.
//! Read next: `r1cs.rs`, `zkey.rs`, then `prove.rs` and `verify.rs`.

pub mod addition;
#[cfg(target_arch = "x86_64")]
mod addition_ifma;
pub mod batch;
mod buckets;
mod bytes;
pub mod cancel;
pub mod circom_input;
pub mod circuit;
pub mod error;
mod fixed_base;
pub mod key_check;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod mapped;
pub mod msm;
pub mod ntt;
pub mod part_file;
pub mod points;
pub mod proof;
pub mod prove;
pub mod quotient;
#[cfg(target_arch = "x86_64")]
mod quotient_ifma;
pub mod r1cs;
pub mod seed;
pub mod setup;
pub mod verify;
pub mod vk;
pub mod wasm_host;
pub mod wtns;
pub mod zkey;
mod zkey_writer;

pub use ark_bn254::Fr;
pub use cancel::Cancel;
pub use error::{Error, Result};

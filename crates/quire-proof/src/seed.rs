//! Field elements drawn from a seed, and seeds of the system.

use ark_bn254::Fr;
use ark_ff::{PrimeField, Zero};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// 64 bytes of the system's randomness.
///
/// # Errors
/// `Io` when the system has none.
pub fn of_the_system() -> Result<[u8; 64]> {
    let mut seed = [0; 64];
    // SAFETY: the buffer is as long as is said; up to 256 bytes come whole or not at all.
    let got = unsafe { libc::getrandom(seed.as_mut_ptr().cast(), seed.len(), 0) };
    if got == seed.len() as isize { Ok(seed) } else { Err(Error::Io(std::io::Error::last_os_error().to_string())) }
}

/// SHA-256 in counter mode under a domain name.
pub struct Stream {
    state: Sha256,
    drawn: u64,
}

impl Stream {
    pub fn new(domain: &str, seed: &[u8]) -> Self {
        let mut state = Sha256::new();
        state.update((domain.len() as u64).to_le_bytes());
        state.update(domain.as_bytes());
        state.update((seed.len() as u64).to_le_bytes());
        state.update(seed);
        Stream { state, drawn: 0 }
    }

    /// Makes everything drawn later depend on these bytes too.
    pub fn absorb(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
    }

    pub fn bytes(&mut self) -> [u8; 32] {
        let mut state = self.state.clone();
        state.update(self.drawn.to_le_bytes());
        self.drawn += 1;
        state.finalize().into()
    }

    /// Uniform but for 2^-258: 512 bits reduced.
    pub fn scalar(&mut self) -> Fr {
        let wide = [self.bytes(), self.bytes()];
        Fr::from_le_bytes_mod_order(wide.as_flattened())
    }

    pub fn nonzero_scalar(&mut self) -> Fr {
        loop {
            let scalar = self.scalar();
            if !scalar.is_zero() {
                return scalar;
            }
        }
    }

    /// 128 bits.
    pub fn short(&mut self) -> u128 {
        let bytes = self.bytes();
        u128::from_le_bytes(bytes.as_chunks().0[0])
    }
}

//! The sponge over field elements (proofs.md 3.4).

use super::felt::Felt;
use super::field::Fe;
use super::scalar::{absorb, felt_of, permute};

/// How many elements enter the state before it is permuted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    One,
    Two,
}

impl Rate {
    pub(super) const fn capacity(self) -> [u64; 4] {
        let rate = match self {
            Self::One => 1,
            Self::Two => 2,
        };
        [256 * 3 + rate, 1, 0, 0]
    }
}

pub(super) const ONE: Felt = {
    let mut felt = [0; 32];
    felt[0] = 1;
    felt
};

/// The hash of canonical elements.
pub(super) fn sponge(felts: impl Iterator<Item = Felt>, rate: Rate) -> Felt {
    let mut state = [Fe::ZERO, Fe::ZERO, Fe::from_words(rate.capacity()).widened().reduced()];
    let mut felts = felts.chain(std::iter::once(ONE));
    while let Some(first) = felts.next() {
        absorb(&mut state[0], &first);
        if rate == Rate::Two
            && let Some(second) = felts.next()
        {
            absorb(&mut state[1], &second);
        }
        permute(&mut state);
    }
    felt_of(state[0])
}

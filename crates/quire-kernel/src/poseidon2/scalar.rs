//! One state after the other, on every processor.
//!
//! A part of a state is below 1.17 r between the steps. So its fifth power is below 2.34 r, and every
//! sum below is within the bound of [`Sum`].

use super::constants::{EXTERNAL_FE, EXTERNAL_ROUNDS, INTERNAL_FE};
use super::felt::{Felt, bytes_of, words_of};
use super::field::{Fe, Sum};

pub(super) type State = [Fe; 3];

const NONE: State = [Fe::ZERO; 3];
const HALF: usize = EXTERNAL_ROUNDS / 2;

/// Every linear layer takes the constants of the round that follows with it.
pub(super) fn permute(state: &mut State) {
    for constants in &EXTERNAL_FE[..HALF] {
        mix(state, constants);
        *state = state.map(Fe::fifth_power);
    }
    mix(state, &[INTERNAL_FE[0], Fe::ZERO, Fe::ZERO]);
    for constant in &INTERNAL_FE[1..] {
        state[0] = state[0].fifth_power();
        mix_sparsely(state, &[*constant, Fe::ZERO, Fe::ZERO]);
    }
    state[0] = state[0].fifth_power();
    mix_sparsely(state, &EXTERNAL_FE[HALF]);
    for constants in EXTERNAL_FE[HALF + 1..].iter().chain([&NONE]) {
        *state = state.map(Fe::fifth_power);
        mix(state, constants);
    }
}

/// The matrix [[2,1,1],[1,2,1],[1,1,2]].
#[inline(always)]
fn mix(state: &mut State, constants: &State) {
    let [x, y, z] = *state;
    let all = x.widened().plus(y).plus(z);
    for (part, constant) in state.iter_mut().zip(constants) {
        *part = all.plus(*part).plus(*constant).reduced();
    }
}

/// The matrix [[2,1,1],[1,2,1],[1,1,3]]. Only the first part is a fifth power.
#[inline(always)]
fn mix_sparsely(state: &mut State, constants: &State) {
    let [x, y, z] = *state;
    let all: Sum = x.plus(y.plus(z)).widened();
    *state = [
        all.plus(x).plus(constants[0]).reduced(),
        all.plus(y).plus(constants[1]).reduced(),
        all.plus(z).plus(z).plus(constants[2]).reduced(),
    ];
}

/// Below 1.17 r.
pub(super) fn fe_of(felt: &Felt) -> Fe {
    Fe::from_words(words_of(felt)).widened().reduced()
}

pub(super) fn felt_of(fe: Fe) -> Felt {
    bytes_of(&fe.to_words())
}

/// The first part of the permutation of a, b and the key.
pub(super) fn compress(a: &Felt, b: &Felt, key: u64) -> Felt {
    let mut state = [fe_of(a), fe_of(b), Fe::from_words([key, 0, 0, 0]).widened().reduced()];
    permute(&mut state);
    felt_of(state[0])
}

/// Add an element to a part of a state.
pub(super) fn absorb(part: &mut Fe, felt: &Felt) {
    *part = part.widened().plus(Fe::from_words(words_of(felt))).reduced();
}

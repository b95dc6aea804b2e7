//! One state after the other, on every processor.

use super::constants::{EXTERNAL_FE, EXTERNAL_ROUNDS, INTERNAL_FE};
use super::felt::{Felt, bytes_of, words_of};
use super::field::Fe;

pub(super) type State = [Fe; 3];

pub(super) fn permute(state: &mut State) {
    mix(state);
    for constants in &EXTERNAL_FE[..EXTERNAL_ROUNDS / 2] {
        external_round(state, constants);
    }
    for constant in &INTERNAL_FE {
        internal_round(state, *constant);
    }
    for constants in &EXTERNAL_FE[EXTERNAL_ROUNDS / 2..] {
        external_round(state, constants);
    }
}

fn external_round(state: &mut State, constants: &[Fe; 3]) {
    for (part, constant) in state.iter_mut().zip(constants) {
        *part = part.plus(*constant).fifth_power();
    }
    mix(state);
}

/// The matrix [[2,1,1],[1,2,1],[1,1,2]].
fn mix(state: &mut State) {
    let sum = state[0].plus(state[1]).plus(state[2]);
    *state = state.map(|part| part.plus(sum));
}

/// One S-box and the matrix [[2,1,1],[1,2,1],[1,1,3]].
fn internal_round(state: &mut State, constant: Fe) {
    let [x, y, z] = *state;
    let x = x.plus(constant).fifth_power();
    let sum = x.plus(y).plus(z);
    *state = [x.plus(sum), y.plus(sum), z.plus(z).plus(sum)];
}

pub(super) fn fe_of(felt: &Felt) -> Fe {
    Fe::from_words(words_of(felt))
}

pub(super) fn felt_of(fe: Fe) -> Felt {
    bytes_of(&fe.to_words())
}

/// The first part of the permutation of a, b and the key.
pub(super) fn compress(a: &Felt, b: &Felt, key: u64) -> Felt {
    let mut state = [fe_of(a), fe_of(b), Fe::from_words([key, 0, 0, 0])];
    permute(&mut state);
    felt_of(state[0])
}

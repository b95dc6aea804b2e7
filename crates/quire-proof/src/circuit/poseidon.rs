//! Poseidon2 over three elements as a gadget (proofs.md 3.2 to 3.4): 240 constraints and 240 wires
//! a permutation, three for each power of five.
//!
//! Which wires stand for the state decides how long the linear forms get. After an external round
//! the wires are the three new elements themselves. The internal rounds go in pairs: with y and z
//! before two rounds, and y″ and z″ after them, everything between is linear in these four,
//!     s = z″ - y″ - 5z,   s′ = y″ - 2y′ - z′
//! (s and s′ are the two powers of five), so y″ and z″ are the wires. No form has more than five
//! terms, where wires for s and s′ would let them grow to sixty.

use std::sync::LazyLock;

use ark_bn254::Fr;
use ark_ff::{BigInt, Field, One, PrimeField, Zero};
use quire_kernel::poseidon2::{EXTERNAL, INTERNAL};

use super::builder::{Builder, Num};

/// Elements taken in before each permutation of the sponge.
const RATE: usize = 2;

struct Constants {
    external: Vec<[Fr; 3]>,
    internal: Vec<Fr>,
    two: Fr,
    five: Fr,
    quarter: Fr,
    capacity: Fr,
}

static CONSTANTS: LazyLock<Constants> = LazyLock::new(|| {
    let element = |words: [u64; 4]| Fr::from_bigint(BigInt(words)).expect("round constants are field elements");
    Constants {
        external: EXTERNAL.map(|round| round.map(element)).to_vec(),
        internal: INTERNAL.map(element).to_vec(),
        two: Fr::from(2),
        five: Fr::from(5),
        quarter: Fr::from(4).inverse().expect("four is not zero"),
        capacity: Fr::from((1u128 << 64) + 256 * 3 + RATE as u128),
    }
});

pub type State<N> = [N; 3];

fn sum<N: Num>([x, y, z]: &State<N>) -> N {
    x.clone() + y.clone() + z.clone()
}

pub fn permutation<B: Builder>(b: &mut B, state: State<B::Num>) -> State<B::Num> {
    let constants = &*CONSTANTS;
    let half = constants.external.len() / 2;
    let total = sum(&state);
    let mut state = state.map(|element| element + total.clone());
    for round in &constants.external[..half] {
        state = external(b, state, round);
    }
    for pair in constants.internal.as_chunks().0 {
        state = internal_pair(b, state, *pair);
    }
    for round in &constants.external[half..] {
        state = external(b, state, round);
    }
    state
}

/// x² and x³.
fn powers(x: Fr) -> [Fr; 2] {
    let square = x.square();
    [square, square * x]
}

/// That `powers` are the square and the cube of `x`, and `fifth` is its fifth power. Cubes stand in
/// the left forms alone and squares in the right ones, so a prover's sums skip a third of the wires.
fn constrain_powers<B: Builder>(b: &mut B, x: &B::Num, [square, cube]: &[B::Num; 2], fifth: impl FnOnce() -> B::Num) {
    b.constrain(|| [x.clone(), x.clone(), square.clone()]);
    b.constrain(|| [x.clone(), square.clone(), cube.clone()]);
    b.constrain(|| [cube.clone(), square.clone(), fifth()]);
}

/// s + total, t + total, u + total for the three powers of five; so total is a quarter of the sum.
fn external<B: Builder>(b: &mut B, state: State<B::Num>, round: &[Fr; 3]) -> State<B::Num> {
    let [x, y, z] = state;
    let inputs = [x + round[0], y + round[1], z + round[2]];
    let [x2, x3, y2, y3, z2, z3, x, y, z] = b.solve(
        inputs.each_ref(),
        |inputs| {
            let [[x2, x3], [y2, y3], [z2, z3]] = inputs.map(powers);
            let fifths = [x3 * x2, y3 * y2, z3 * z2];
            let total = sum(&fifths);
            let [x, y, z] = fifths.map(|fifth| fifth + total);
            let wires = [x2, x3, y2, y3, z2, z3, x, y, z];
            (wires, wires)
        },
        |wires| wires,
    );
    let after = [x, y, z];
    let powers = [[x2, x3], [y2, y3], [z2, z3]];
    for (element, (input, powers)) in after.iter().zip(inputs.iter().zip(&powers)) {
        constrain_powers(b, input, powers, || element.clone() - sum(&after) * CONSTANTS.quarter);
    }
    after
}

/// The linear layer of an internal round, with the fifth power in place of x.
fn internal_layer<N: Num>([fifth, y, z]: State<N>) -> State<N> {
    let total = sum(&[fifth.clone(), y.clone(), z.clone()]);
    [total.clone() + fifth, total.clone() + y, total + z.clone() + z]
}

fn internal_pair<B: Builder>(b: &mut B, [x, y, z]: State<B::Num>, [first, second]: [Fr; 2]) -> State<B::Num> {
    let input = x + first;
    let [a2, a3, b2, b3, fifth, input_b, fifth_b, x, y, z] = b.solve(
        [&input, &y, &z],
        |[input, y, z]| {
            let [a2, a3] = powers(input);
            let fifth = a3 * a2;
            let [x, y, z] = internal_layer([fifth, y, z]);
            let input_b = x + second;
            let [b2, b3] = powers(input_b);
            let fifth_b = b3 * b2;
            let [x, y, z] = internal_layer([fifth_b, y, z]);
            ([a2, a3, b2, b3, y, z], [a2, a3, b2, b3, fifth, input_b, fifth_b, x, y, z])
        },
        |[a2, a3, b2, b3, y_after, z_after]| {
            let fifth = z_after.clone() - y_after.clone() - z.clone() * CONSTANTS.five;
            let [x, y, z] = internal_layer([fifth.clone(), y.clone(), z.clone()]);
            let fifth_b = y_after.clone() - y.clone() * CONSTANTS.two - z.clone();
            let [x_after, ..] = internal_layer([fifth_b.clone(), y, z]);
            [a2, a3, b2, b3, fifth, x + second, fifth_b, x_after, y_after, z_after]
        },
    );
    constrain_powers(b, &input, &[a2, a3], || fifth);
    constrain_powers(b, &input_b, &[b2, b3], || fifth_b);
    [x, y, z]
}

/// One element out of two under a key (proofs.md 3.4).
pub fn compress<B: Builder>(b: &mut B, left: B::Num, right: B::Num, key: B::Num) -> B::Num {
    let [root, ..] = permutation(b, [left, right, key]);
    root
}

/// The state before anything is taken in.
pub fn empty_sponge<N: Num>() -> State<N> {
    [N::from(Fr::zero()), N::from(Fr::zero()), N::from(CONSTANTS.capacity)]
}

/// Takes two elements in.
pub fn absorb<B: Builder>(b: &mut B, [x, y, z]: State<B::Num>, first: B::Num, second: B::Num) -> State<B::Num> {
    permutation(b, [x + first, y + second, z])
}

/// The sponge over these elements; a one ends them, and a zero if their count is even.
pub fn sponge<B: Builder>(b: &mut B, elements: impl IntoIterator<Item = B::Num>) -> B::Num {
    let mut state = empty_sponge();
    let mut rest = elements.into_iter().chain([B::Num::from(Fr::one())]).fuse();
    while let Some(first) = rest.next() {
        let second = rest.next().unwrap_or_else(|| B::Num::from(Fr::zero()));
        state = absorb(b, state, first, second);
    }
    let [hash, ..] = state;
    hash
}

//! Eight states side by side in AVX-512 IFMA: limb i of all of them lies in one register.
//!
//! An element is five limbs of 52 bits, times R = 2^260. Nothing is fully reduced before the end:
//! 2^260 is 84 r, and every value that is multiplied stays below that (bounds in [`permute`]).

mod element;

use super::batch::{Cell, Node};
use super::constants::{EXTERNAL, EXTERNAL_ROUNDS, INTERNAL};
use super::felt::{Felt, Words, bytes_of, felt_at, felt_count, words_of};
use super::field::{MODULUS, is_canonical, minus, power_of_two};
use super::sponge::{ONE, Rate};
use element::{F, LIMBS, Limbs, V, all_lanes, carried, fifth_powers, in_form, limbs_of, masked, product, reduced, sum};
use std::arch::x86_64::*;

pub(super) const LANES: usize = 8;
type State = [F; 3];

const INTO_FORM: Limbs = in_form(power_of_two(260));
const EXTERNAL_FORM: [[Limbs; 3]; EXTERNAL_ROUNDS] = {
    let mut all = [[[0; LIMBS]; 3]; EXTERNAL_ROUNDS];
    let mut i = 0;
    while i < 3 * EXTERNAL_ROUNDS {
        all[i / 3][i % 3] = in_form(EXTERNAL[i / 3][i % 3]);
        i += 1;
    }
    all
};
const INTERNAL_FORM: [Limbs; INTERNAL.len()] = {
    let mut all = [[0; LIMBS]; INTERNAL.len()];
    let mut i = 0;
    while i < INTERNAL.len() {
        all[i] = in_form(INTERNAL[i]);
        i += 1;
    }
    all
};
const CAPACITY: Limbs = in_form(Rate::Two.capacity());
/// The keys of nodes, 0 to 3.
const KEYS: [Limbs; 4] = [in_form([0; 4]), in_form([1, 0, 0, 0]), in_form([2, 0, 0, 0]), in_form([3, 0, 0, 0])];

/// Proof that the processor has AVX-512 F and IFMA.
#[derive(Clone, Copy)]
pub(super) struct Ifma(());

impl Ifma {
    pub(super) fn detect() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma");
        has_all.then_some(Self(()))
    }

    /// The hash of each cell; all of one length.
    pub(super) fn hash_cells<const W: usize>(self, cells: &[[Cell; LANES]; W]) -> [[Felt; LANES]; W] {
        // SAFETY: a value of `Ifma` exists only where the instructions do.
        unsafe { hash_cells(cells) }
    }

    /// The compression of each node.
    pub(super) fn compress<const W: usize>(self, nodes: &[[Node; LANES]; W]) -> [[Felt; LANES]; W] {
        // SAFETY: a value of `Ifma` exists only where the instructions do.
        unsafe { compress(nodes) }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn hash_cells<const W: usize>(cells: &[[Cell; LANES]; W]) -> [[Felt; LANES]; W] {
    let count = felt_count(cells[0][0].0.len());
    let zero = [_mm512_setzero_si512(); LIMBS];
    let mut states = [[zero, zero, all_lanes(&CAPACITY)]; W];
    for first in (0..=count).step_by(2) {
        for place in 0..2 {
            let mut felts = [zero; W];
            for (felt, cells) in felts.iter_mut().zip(cells) {
                *felt = load(&cells.map(|cell| padded_felt_at(cell.0, first + place)));
            }
            let felts = product(&felts, &[all_lanes(&INTO_FORM); W]);
            for (state, felt) in states.iter_mut().zip(&felts) {
                state[place] = sum(&state[place], &masked(felt));
            }
        }
        permute(&mut states);
    }
    first_felts(&states)
}

/// Element `index` of data and what the sponge appends to it.
#[inline(always)]
fn padded_felt_at(data: &[u8], index: usize) -> Felt {
    let count = felt_count(data.len());
    match index {
        _ if index < count => felt_at(data, index),
        _ if index == count => ONE,
        _ => [0; 32],
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn compress<const W: usize>(nodes: &[[Node; LANES]; W]) -> [[Felt; LANES]; W] {
    let zero = [_mm512_setzero_si512(); LIMBS];
    let (mut left, mut right, mut states) = ([zero; W], [zero; W], [[zero; 3]; W]);
    for (stream, nodes) in nodes.iter().enumerate() {
        left[stream] = load(&nodes.map(|node| node.left));
        right[stream] = load(&nodes.map(|node| node.right));
        states[stream][2] = gather(&nodes.map(|node| KEYS[usize::from(node.key)]));
    }
    let into_form = [all_lanes(&INTO_FORM); W];
    let (left, right) = (product(&left, &into_form), product(&right, &into_form));
    for (state, (left, right)) in states.iter_mut().zip(left.iter().zip(&right)) {
        state[0] = masked(left);
        state[1] = masked(right);
    }
    permute(&mut states);
    first_felts(&states)
}

/// The first element of each state, canonical.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn first_felts<const W: usize>(states: &[State; W]) -> [[Felt; LANES]; W] {
    let one = all_lanes(&[1, 0, 0, 0, 0]);
    let parts = states.map(|state| carried(&state[0]));
    product(&parts, &[one; W]).map(|part| {
        let columns = masked(&part).map(|column| to_array(column));
        std::array::from_fn(|lane| bytes_of(&canonical(columns.map(|column| column[lane]))))
    })
}

fn canonical(limbs: Limbs) -> Words {
    let [a, b, c, d, e] = limbs;
    let mut words = [a | b << 52, b >> 12 | c << 40, c >> 24 | d << 28, d >> 36 | e << 16];
    while !is_canonical(&words) {
        words = minus(&words, &MODULUS).0;
    }
    words
}

/// Bounds, as multiples of r, worked out round by round: S-boxes get at most 48.7; y and z are reduced
/// to 2.2 in every second internal round from at most 49.9; parts are below 10.3 in the end.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn permute<const W: usize>(states: &mut [State; W]) {
    for state in states.iter_mut() {
        mix(state);
    }
    for constants in &EXTERNAL_FORM[..EXTERNAL_ROUNDS / 2] {
        external_round(states, constants);
    }
    for (round, constant) in INTERNAL_FORM.iter().enumerate() {
        internal_round(states, constant);
        if round % 2 == 0 {
            for [_, y, z] in states.iter_mut() {
                *y = reduced(y);
                *z = reduced(z);
            }
        }
    }
    for constants in &EXTERNAL_FORM[EXTERNAL_ROUNDS / 2..] {
        external_round(states, constants);
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn external_round<const W: usize>(states: &mut [State; W], constants: &[Limbs; 3]) {
    for (part, constant) in constants.iter().enumerate() {
        let constant = all_lanes(constant);
        let parts: [F; W] = std::array::from_fn(|w| carried(&sum(&states[w][part], &constant)));
        let powers = fifth_powers(&parts);
        for (state, power) in states.iter_mut().zip(powers) {
            state[part] = power;
        }
    }
    for state in states {
        mix(state);
    }
}

/// The matrix [[2,1,1],[1,2,1],[1,1,2]].
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn mix(state: &mut State) {
    let all = sum(&sum(&state[0], &state[1]), &state[2]);
    for part in state {
        *part = sum(part, &all);
    }
}

/// One S-box and the matrix [[2,1,1],[1,2,1],[1,1,3]].
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn internal_round<const W: usize>(states: &mut [State; W], constant: &Limbs) {
    let constant = all_lanes(constant);
    let parts: [F; W] = std::array::from_fn(|w| carried(&sum(&states[w][0], &constant)));
    let powers = fifth_powers(&parts);
    for (state, x) in states.iter_mut().zip(powers) {
        let [_, y, z] = *state;
        let all = sum(&x, &sum(&y, &z));
        *state = [sum(&x, &all), sum(&y, &all), sum(&sum(&z, &z), &all)];
    }
}

/// One element a lane, plain integers.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn load(felts: &[Felt; LANES]) -> F {
    gather(&felts.map(|felt| limbs_of(words_of(&felt))))
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn gather(elements: &[Limbs; LANES]) -> F {
    std::array::from_fn(|i| {
        let column: [u64; LANES] = std::array::from_fn(|lane| elements[lane][i]);
        // SAFETY: reads the 64 bytes of the array; the instruction needs no alignment.
        unsafe { _mm512_loadu_si512(column.as_ptr().cast()) }
    })
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn to_array(column: V) -> [u64; LANES] {
    let mut lanes = [0u64; LANES];
    // SAFETY: writes the 64 bytes of the array; the instruction needs no alignment.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), column) };
    lanes
}

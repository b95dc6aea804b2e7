//! Eight states side by side in AVX-512 IFMA: limb i of all of them lies in one register.
//!
//! An element is five limbs of 52 bits, times R = 2^260. Nothing is fully reduced before the end:
//! 2^260 is 84 r, and every value that is multiplied stays below that (bounds in [`permute`]).

use super::batch::{Cell, Node};
use super::constants::{EXTERNAL, EXTERNAL_ROUNDS, INTERNAL};
use super::felt::{Felt, Words, bytes_of, felt_at, felt_count, words_of};
use super::field::{Fe, MODULUS, NEGATED_INVERSE, inverse_power_of_two, is_canonical, minus, power_of_two};
use super::sponge::{ONE, Rate};
use std::arch::x86_64::*;

pub(super) const LANES: usize = 8;
const LIMBS: usize = 5;
const MASK: u64 = (1 << 52) - 1;

type Limbs = [u64; LIMBS];
type V = __m512i;
/// Eight elements.
type F = [V; LIMBS];
type State = [F; 3];

const MODULUS_LIMBS: Limbs = limbs_of(MODULUS);
/// 2^260 - r.
const COMPLEMENT: Limbs = {
    let mut limbs = [0; LIMBS];
    let (mut i, mut carry) = (0, 1);
    while i < LIMBS {
        let sum = (!MODULUS_LIMBS[i] & MASK) + carry;
        limbs[i] = sum & MASK;
        carry = sum >> 52;
        i += 1;
    }
    limbs
};
/// 2^-208, 2^-156, 2^-104, 2^-52: what limbs 0 to 3 of a product count for at limb 4.
const FOLD: [Limbs; 4] = [
    limbs_of(inverse_power_of_two(208)),
    limbs_of(inverse_power_of_two(156)),
    limbs_of(inverse_power_of_two(104)),
    limbs_of(inverse_power_of_two(52)),
];
/// How many times r goes into a value, from its top limb.
const QUOTIENT: u64 = (1 << 52) / (MODULUS_LIMBS[4] + 1);
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

const fn limbs_of(words: Words) -> Limbs {
    let [a, b, c, d] = words;
    [a & MASK, (a >> 52 | b << 12) & MASK, (b >> 40 | c << 24) & MASK, (c >> 28 | d << 36) & MASK, d >> 16]
}

/// The element times 2^260, below r.
const fn in_form(words: Words) -> Limbs {
    limbs_of(Fe::from_words(words).times(Fe::from_words(power_of_two(260))).to_words())
}

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

/// Normalised fifth powers of carried elements.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn fifth_powers<const W: usize>(x: &[F; W]) -> [F; W] {
    let square = squares(x);
    let fifth = product(x, &squares(&square));
    std::array::from_fn(|w| masked(&fifth[w]))
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn product<const W: usize>(a: &[F; W], b: &[F; W]) -> [F; W] {
    std::array::from_fn(|w| product_of(&a[w], &b[w]))
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn squares<const W: usize>(a: &[F; W]) -> [F; W] {
    std::array::from_fn(|w| square_of(&a[w]))
}

/// Lower and upper halves of limb products: place i of `low` and place i - 1 of `high` count alike.
struct Wide {
    low: [V; 2 * LIMBS - 1],
    high: [V; 2 * LIMBS - 1],
}

impl Wide {
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn zero() -> Self {
        let zero = _mm512_setzero_si512();
        Self { low: [zero; 2 * LIMBS - 1], high: [zero; 2 * LIMBS - 1] }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn add(&mut self, place: usize, a: V, b: V) {
        self.low[place] = _mm512_madd52lo_epu64(self.low[place], a, b);
        self.high[place] = _mm512_madd52hi_epu64(self.high[place], a, b);
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn at(&self, place: usize) -> V {
        _mm512_add_epi64(self.low[place], self.high[place - 1])
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn product_of(a: &F, b: &F) -> F {
    let mut wide = Wide::zero();
    for place in 0..2 * LIMBS - 1 {
        for i in place.saturating_sub(LIMBS - 1)..LIMBS.min(place + 1) {
            wide.add(place, a[i], b[place - i]);
        }
    }
    montgomery(wide)
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn square_of(a: &F) -> F {
    let mut wide = Wide::zero();
    for (i, limb) in a.iter().enumerate() {
        for (j, other) in a.iter().enumerate().skip(i + 1) {
            wide.add(i + j, *limb, *other);
        }
    }
    for place in 1..2 * LIMBS - 2 {
        wide.low[place] = _mm512_add_epi64(wide.low[place], wide.low[place]);
        wide.high[place] = _mm512_add_epi64(wide.high[place], wide.high[place]);
    }
    for (i, limb) in a.iter().enumerate() {
        wide.add(2 * i, *limb, *limb);
    }
    montgomery(wide)
}

/// A product divided by 2^260 modulo r: carried, below the product / 2^260 + 2.24 r.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn montgomery(mut wide: Wide) -> F {
    let mut above = wide.low[0];
    for (i, fold) in FOLD.iter().enumerate() {
        if i > 0 {
            above = _mm512_add_epi64(wide.at(i), _mm512_srli_epi64::<52>(above));
        }
        for (j, limb) in fold.iter().enumerate() {
            wide.add(LIMBS - 1 + j, above, _mm512_set1_epi64(*limb as i64));
        }
    }
    above = _mm512_add_epi64(wide.at(4), _mm512_srli_epi64::<52>(above));
    let inverse = _mm512_set1_epi64((NEGATED_INVERSE & MASK) as i64);
    let factor = _mm512_madd52lo_epu64(_mm512_setzero_si512(), above, inverse);
    wide.low[4] = above;
    for (j, limb) in MODULUS_LIMBS.iter().enumerate() {
        wide.add(LIMBS - 1 + j, factor, _mm512_set1_epi64(*limb as i64));
    }
    let first = _mm512_add_epi64(wide.at(5), _mm512_srli_epi64::<52>(wide.low[4]));
    carried(&[first, wide.at(6), wide.at(7), wide.at(8), wide.high[8]])
}

/// Below 2.2 r, normalised, from a value below 84 r.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn reduced(a: &F) -> F {
    let mut a = carried(a);
    let quotient = _mm512_set1_epi64(QUOTIENT as i64);
    let times = _mm512_madd52hi_epu64(_mm512_setzero_si512(), a[4], quotient);
    a = masked(&a);
    for (i, limb) in COMPLEMENT.iter().enumerate() {
        let limb = _mm512_set1_epi64(*limb as i64);
        a[i] = _mm512_madd52lo_epu64(a[i], times, limb);
        if i + 1 < LIMBS {
            a[i + 1] = _mm512_madd52hi_epu64(a[i + 1], times, limb);
        }
    }
    let a = masked(&carried(&a));
    [a[0], a[1], a[2], a[3], _mm512_and_si512(a[4], _mm512_set1_epi64(MASK as i64))]
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn sum(a: &F, b: &F) -> F {
    std::array::from_fn(|i| _mm512_add_epi64(a[i], b[i]))
}

/// What is above 52 bits added to the next limb, and left where it is: multiplication looks at the
/// lower 52 bits only.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn carried(a: &F) -> F {
    let mut a = *a;
    for i in 0..LIMBS - 1 {
        a[i + 1] = _mm512_add_epi64(a[i + 1], _mm512_srli_epi64::<52>(a[i]));
    }
    a
}

/// A carried element without what is above 52 bits.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn masked(a: &F) -> F {
    let mask = _mm512_set1_epi64(MASK as i64);
    let [b, c, d, e, f] = *a;
    [_mm512_and_si512(b, mask), _mm512_and_si512(c, mask), _mm512_and_si512(d, mask), _mm512_and_si512(e, mask), f]
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn all_lanes(limbs: &Limbs) -> F {
    std::array::from_fn(|i| _mm512_set1_epi64(limbs[i] as i64))
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

//! The quotient polynomial in eight lanes (AVX-512 IFMA).
//!
//! Both transforms use the same roots. The first therefore finds the coefficients in reverse, and
//! the second the values in reverse, which the end puts right. As a whole they are one recursion:
//! a layer of the first, both halves, a layer of the second; a half that fits a cache stays there.
//! Roots and shifts are numbers times 2^260, so that products keep the 2^256 of the values.

use core::arch::x86_64::*;

use ark_bn254::Fr;
use ark_ff::{BigInt, Field, One};
use rayon::prelude::*;

use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::lanes::{self, LANES, Lanes, Scalars};
use crate::ntt;

/// Elements that the middle of the recursion works on: eight vectors.
const MIDDLE: usize = LANES * LANES;
/// Vectors of a half that is worth another thread.
const SPLIT: usize = 1 << 11;
/// Layers of sums after which they are reduced; 2^4 doublings stay below 16 times the order.
const LAZY_LAYERS: u32 = 4;

/// The smallest domain that there is code for.
pub const MIN_DOMAIN: usize = MIDDLE;

/// Eight consecutive elements; limb i of all of them in row i.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Eight([[u64; LANES]; 5]);

impl Eight {
    const ZERO: Eight = Eight([[0; LANES]; 5]);

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn load(&self) -> Lanes {
        let row = self.0.as_ptr().cast::<__m512i>();
        // SAFETY: five aligned rows of eight words.
        unsafe { [*row, *row.add(1), *row.add(2), *row.add(3), *row.add(4)] }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn store(&mut self, lanes: &Lanes) {
        let row = self.0.as_mut_ptr().cast::<__m512i>();
        for (i, limb) in lanes.iter().enumerate() {
            // SAFETY: five aligned rows of eight words.
            unsafe { *row.add(i) = *limb };
        }
    }
}

/// Roots and shifts for one size.
struct Plan {
    /// Roots of each layer, the smallest layer of eight first.
    layers: Vec<Vec<Eight>>,
    /// Roots of orders 8, 4 and 2, each with four, two and one powers.
    small: [[u64; 4]; 7],
    /// Shift of each group of [`MIDDLE`] coefficients.
    groups: Vec<[u64; 4]>,
    /// Shifts inside a group, by vector; and of the first vector of the first group.
    inside: [Eight; LANES],
    first: Eight,
}

/// A number times 2^260.
fn scaled(value: Fr) -> [u64; 4] {
    (value * Fr::from(16u64)).0.0
}

impl Plan {
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn new(domain: usize) -> Self {
        let log = domain.trailing_zeros();
        let mut layers = Vec::new();
        let mut roots = ntt::powers(Fr::from(16u64), ntt::root_of_unity(log), domain / 2);
        while roots.len() >= LANES {
            let eights = roots.as_chunks::<LANES>().0.iter().map(|eight| gathered(&eight.map(|root| root.0.0)));
            layers.push(eights.collect());
            roots = roots.into_iter().step_by(2).collect();
        }
        layers.reverse();
        let small = [(3, 0), (3, 1), (3, 2), (3, 3), (2, 0), (2, 1), (1, 0)]
            .map(|(log, power)| scaled(ntt::root_of_unity(log).pow([power])));
        let back = ntt::root_of_unity(log + 1).inverse().unwrap_or(Fr::one());
        // The shift to the power of -i is the negative of that to the power of size - i.
        let scale = -Fr::from(domain as u64).inverse().unwrap_or(Fr::one());
        let all = ntt::powers(scale, back, domain / MIDDLE);
        let groups = (0..domain / MIDDLE).map(|group| scaled(all[ntt::reversed(group, log - 6)])).collect();
        let shift = |vector: usize, lane: usize| {
            back.pow([(ntt::reversed(vector, 3) * domain / 8 + ntt::reversed(lane, 3) * domain / 64) as u64])
        };
        let inside: [Eight; LANES] =
            std::array::from_fn(|vector| gathered(&std::array::from_fn(|lane| scaled(shift(vector, lane)))));
        let first = gathered(&std::array::from_fn(|lane| scaled(if lane == 0 { -Fr::one() } else { shift(0, lane) })));
        Plan { layers, small, groups, inside, first }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn gathered(words: &[[u64; 4]; LANES]) -> Eight {
    let mut out = Eight::ZERO;
    out.store(&lanes::from_words(words));
    out
}

/// Values in natural order as vectors.
#[target_feature(enable = "avx512f,avx512ifma")]
fn spread(values: &[Fr]) -> Vec<Eight> {
    let eights = values.as_chunks::<LANES>().0.iter();
    eights
        .map(|eight| {
            let rows = eight.each_ref().map(|value| {
                // SAFETY: an element is four words.
                _mm512_zextsi256_si512(unsafe { _mm256_loadu_si256(value.0.0.as_ptr().cast()) })
            });
            let columns = lanes::transposed(&rows);
            let mut out = Eight::ZERO;
            out.store(&lanes::unpacked(&[columns[0], columns[1], columns[2], columns[3]]));
            out
        })
        .collect()
}

/// A layer of the first transform: sums and turned differences.
#[target_feature(enable = "avx512f,avx512ifma")]
fn layer_down(low: &mut [Eight], high: &mut [Eight], roots: &[Eight], reduce: bool) {
    for ((x, y), root) in low.iter_mut().zip(high).zip(roots) {
        let (a, b) = (x.load(), y.load());
        let sum = lanes::carried(lanes::plus(a, b));
        x.store(&if reduce { lanes::reduced::<Scalars>(sum) } else { sum });
        y.store(&lanes::product::<Scalars>(&lanes::difference::<Scalars>(a, b), &root.load()));
    }
}

/// A layer of the second transform: sum and difference with what was turned.
#[target_feature(enable = "avx512f,avx512ifma")]
fn layer_up(low: &mut [Eight], high: &mut [Eight], roots: &[Eight]) {
    for ((x, y), root) in low.iter_mut().zip(high).zip(roots) {
        let (a, turned) = (x.load(), lanes::product::<Scalars>(&y.load(), &root.load()));
        x.store(&lanes::carried(lanes::plus(a, turned)));
        y.store(&lanes::near_difference::<Scalars>(a, turned));
    }
}

fn is_reduced(depth: u32) -> bool {
    depth % LAZY_LAYERS == LAZY_LAYERS - 1
}

/// One layer of pieces of twice this half.
fn each_half(plan: &Plan, block: &mut [Eight], half: usize, layer: impl Fn(&mut [Eight], &mut [Eight], &[Eight])) {
    let roots = &plan.layers[half.trailing_zeros() as usize];
    for piece in block.chunks_exact_mut(2 * half) {
        let (low, high) = piece.split_at_mut(half);
        layer(low, high, roots);
    }
}

/// Both transforms of a block whose first element stands at `start`.
#[target_feature(enable = "avx512f,avx512ifma")]
fn both(plan: &Plan, block: &mut [Eight], start: usize, depth: u32) {
    if block.len() == LANES {
        for level in 0..3 {
            each_half(plan, block, LANES >> (level + 1), |low, high, roots| {
                layer_down(low, high, roots, is_reduced(depth + level));
            });
        }
        middle(plan, block, start / LANES);
        for half in [1, 2, 4] {
            each_half(plan, block, half, |low, high, roots| layer_up(low, high, roots));
        }
        return;
    }
    let half = block.len() / 2;
    let roots = &plan.layers[half.trailing_zeros() as usize];
    let (low, high) = block.split_at_mut(half);
    layer_down(low, high, roots, is_reduced(depth));
    if half >= SPLIT {
        rayon::join(|| both(plan, low, start, depth + 1), || both(plan, high, start + half, depth + 1));
    } else {
        both(plan, low, start, depth + 1);
        both(plan, high, start + half, depth + 1);
    }
    layer_up(low, high, roots);
}

/// The layers of four, two and one, the shift, and back: vector k then holds element k of each of
/// eight groups of eight.
#[target_feature(enable = "avx512f,avx512ifma")]
fn middle(plan: &Plan, block: &mut [Eight], group: usize) {
    let mut v = turned(&std::array::from_fn(|i| lanes::reduced::<Scalars>(block[i].load())));
    let root = |half: usize, power: usize| lanes::broadcast(&plan.small[8 - 2 * half + power]);
    for half in [4, 2, 1] {
        for k in (0..LANES).filter(|k| k & half == 0) {
            let (a, b) = (v[k], v[k + half]);
            v[k] = lanes::carried(lanes::plus(a, b));
            v[k + half] = lanes::product::<Scalars>(&lanes::difference::<Scalars>(a, b), &root(half, k % half));
        }
    }
    let shift = lanes::broadcast(&plan.groups[group]);
    for (k, vector) in v.iter_mut().enumerate() {
        let inside = if group == 0 && k == 0 { &plan.first } else { &plan.inside[k] };
        let by = lanes::product::<Scalars>(&shift, &inside.load());
        *vector = lanes::product::<Scalars>(vector, &by);
    }
    for half in [1, 2, 4] {
        for k in (0..LANES).filter(|k| k & half == 0) {
            let (a, turned) = (v[k], lanes::product::<Scalars>(&v[k + half], &root(half, k % half)));
            v[k] = lanes::carried(lanes::plus(a, turned));
            v[k + half] = lanes::near_difference::<Scalars>(a, turned);
        }
    }
    for (place, vector) in block.iter_mut().zip(turned(&v)) {
        place.store(&vector);
    }
}

/// Vectors to lanes and lanes to vectors, limb by limb.
#[target_feature(enable = "avx512f,avx512ifma")]
fn turned(v: &[Lanes; LANES]) -> [Lanes; LANES] {
    let mut out = *v;
    for limb in 0..5 {
        let mut rows = [v[0][0]; LANES];
        for k in 0..LANES {
            rows[k] = v[k][limb];
        }
        for (k, column) in lanes::transposed(&rows).into_iter().enumerate() {
            out[k][limb] = column;
        }
    }
    out
}

/// As `prove::quotient`: `A·B - C` at the odd roots, as numbers in standard form.
///
/// # Errors
/// `Cancelled`.
///
/// # Safety
/// The processor has AVX-512 IFMA.
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn quotient(a: Vec<Fr>, b: Vec<Fr>, cancel: &Cancel) -> Result<Vec<[u64; 4]>> {
    let plan = Plan::new(a.len());
    let (mut left, mut right) = (spread(&a), spread(&b));
    drop((a, b));
    let mut out = left.clone();
    out.par_iter_mut().zip(&right).for_each(|(a, b)| {
        // A product of a·2^256 and b·2^256 is c·2^252, here and at the end.
        a.store(&lanes::reduced::<Scalars>(lanes::product::<Scalars>(&a.load(), &b.load())));
    });
    [&mut left, &mut right, &mut out].into_par_iter().try_for_each(|values| {
        cancel.check()?;
        both(&plan, values, 0, 0);
        Ok::<_, Error>(())
    })?;
    let to_standard = Eight::of(256);
    let mut words = vec![[0u64; 4]; LANES * out.len()];
    let vectors = words.par_chunks_mut(LANES).zip(&out).zip(&left).zip(&right);
    vectors.for_each(|(((place, c), a), b)| {
        let product = lanes::product::<Scalars>(&a.load(), &b.load());
        let c = lanes::reduced::<Scalars>(c.load());
        let quotient = lanes::difference::<Scalars>(product, c);
        let standard = lanes::product::<Scalars>(&quotient, &to_standard.load());
        place.copy_from_slice(&lanes::to_words(&lanes::reduced::<Scalars>(standard)));
    });
    // The values stand in reverse, but for the first.
    words[1..].reverse();
    Ok(words)
}

impl Eight {
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn of(number: u64) -> Eight {
        gathered(&[BigInt::<4>::from(number).0; LANES])
    }
}

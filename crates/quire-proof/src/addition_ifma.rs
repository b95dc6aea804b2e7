//! Additions of affine points in eight lanes (AVX-512 IFMA), for G1 and G2.
//!
//! Coordinates stay as a key file holds them, x·2^256; products are with R = 2^260. So a stored
//! number n stands for n·2^-4, which is another point of another curve of the same form, unless x is
//! scaled by u² and y by u³. An addition needs the slope l, and u² only where l² meets x: with the
//! inverses scaled by 2^-2 each slope comes as l/4, its square as l²/16, and 4·(l/4) is taken for y.

use core::arch::x86_64::*;

use ark_bn254::Fq;
use ark_ff::{AdditiveGroup, BigInt, Field, PrimeField};

use crate::addition::{Group, NEGATIVE, Sum, add_special};
use crate::lanes::{self, Base, LANES, Lanes};

/// A coordinate in eight lanes: one part in G1, two in G2.
type Coordinate<const N: usize> = [Lanes; N];

/// Eight sums on their way.
struct Step<const N: usize> {
    x: Coordinate<N>,
    y: Coordinate<N>,
    dx: Coordinate<N>,
    dy: Coordinate<N>,
    /// Of `dx`.
    norm: Lanes,
    /// Product of the norms of all steps before.
    before: Lanes,
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn product<const N: usize>(a: &Coordinate<N>, b: &Coordinate<N>) -> Coordinate<N> {
    if N == 1 {
        return [lanes::product::<Base>(&a[0], &b[0]); N];
    }
    let minus = lanes::opposite::<Base>(b[N - 1]);
    let mut out = *a;
    out[0] = lanes::products::<Base>(&a[0], &b[0], &a[N - 1], &minus);
    out[N - 1] = lanes::products::<Base>(&a[0], &b[N - 1], &a[N - 1], &b[0]);
    out
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn square<const N: usize>(a: &Coordinate<N>) -> Coordinate<N> {
    if N == 1 {
        return [lanes::square::<Base>(&a[0]); N];
    }
    let sum = lanes::carried(lanes::plus(a[0], a[N - 1]));
    let difference = lanes::difference::<Base>(a[0], a[N - 1]);
    let twice = lanes::carried(lanes::plus(a[0], a[0]));
    let mut out = *a;
    out[0] = lanes::product::<Base>(&sum, &difference);
    out[N - 1] = lanes::product::<Base>(&twice, &a[N - 1]);
    out
}

/// A number of the base field that is zero only when `a` is.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn norm<const N: usize>(a: &Coordinate<N>) -> Lanes {
    if N == 1 { a[0] } else { lanes::products::<Base>(&a[0], &a[0], &a[N - 1], &a[N - 1]) }
}

/// The inverse of `a`, given that of its norm.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn inverse<const N: usize>(a: &Coordinate<N>, by_norm: &Lanes) -> Coordinate<N> {
    if N == 1 {
        return [*by_norm; N];
    }
    let minus = lanes::opposite::<Base>(a[N - 1]);
    let mut out = *a;
    out[0] = lanes::product::<Base>(&a[0], by_norm);
    out[N - 1] = lanes::product::<Base>(&minus, by_norm);
    out
}

/// x and y of eight points, in words.
type Rows<const N: usize> = [[[__m512i; 4]; N]; 2];

/// Loads the points of eight indices.
///
/// # Safety
/// The indices lie within the array; a point has N times 64 bytes.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
unsafe fn load<const N: usize>(start: *const u8, indices: &[u32; LANES]) -> Rows<N> {
    let mut out = [[[_mm512_setzero_si512(); 4]; N]; 2];
    for part in 0..N {
        let mut rows = [_mm512_setzero_si512(); LANES];
        for (row, index) in rows.iter_mut().zip(indices) {
            let at = (index & !NEGATIVE) as usize * 64 * N + 64 * part;
            // SAFETY: promised by the caller.
            *row = unsafe { _mm512_loadu_si512(start.add(at).cast()) };
        }
        let columns = lanes::transposed(&rows);
        for half in 0..2 {
            let number = 2 * part + half;
            out[number / N][number % N].copy_from_slice(&columns[4 * half..4 * half + 4]);
        }
    }
    out
}

/// Stores the points of the first lanes.
///
/// # Safety
/// The places lie within the array; a point has N times 64 bytes.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
unsafe fn store<const N: usize>(start: *mut u8, places: &[Sum], x: &Coordinate<N>, y: &Coordinate<N>) {
    for part in 0..N {
        let mut columns = [_mm512_setzero_si512(); 8];
        for half in 0..2 {
            let number = 2 * part + half;
            let coordinate = if number / N == 0 { x } else { y };
            columns[4 * half..4 * half + 4].copy_from_slice(&lanes::packed(&coordinate[number % N]));
        }
        for (sum, row) in places.iter().zip(lanes::transposed(&columns)) {
            // SAFETY: promised by the caller.
            unsafe { _mm512_storeu_si512(start.add(sum.to as usize * 64 * N + 64 * part).cast(), row) };
        }
    }
}

/// The lanes in which all words are zero.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn zeros<const N: usize>(words: &[[__m512i; 4]; N]) -> u8 {
    let mut any = _mm512_setzero_si512();
    for part in words {
        for word in part {
            any = _mm512_or_si512(any, *word);
        }
    }
    _mm512_cmpeq_epi64_mask(any, _mm512_setzero_si512())
}

/// Limbs of y, or of p - y where the mask says so; these may be negative.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn negated(negative: u8, y: Lanes) -> Lanes {
    let order = lanes::order::<Base>();
    let mut out = y;
    for i in 0..5 {
        out[i] = _mm512_mask_sub_epi64(y[i], negative, order[i], y[i]);
    }
    out
}

/// The lanes whose index asks for the negative.
fn signs(indices: &[u32; LANES]) -> u8 {
    indices.iter().enumerate().fold(0, |mask, (lane, index)| mask | ((index >> 31) as u8) << lane)
}

/// What [`prepare`] finds out about eight sums.
struct Prepared<const N: usize> {
    step: Step<N>,
    /// Lanes that the formula does not fit.
    special: u8,
}

/// # Safety
/// The indices lie within the arrays; a point has N times 64 bytes.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
unsafe fn prepare<const N: usize>(left: *const u8, right: *const u8, sums: &[Sum; LANES]) -> Prepared<N> {
    let [lefts, rights] = [sums.map(|sum| sum.left), sums.map(|sum| sum.right)];
    // SAFETY: promised by the caller.
    let [[x1, y1], [x2, y2]] = unsafe { [load::<N>(left, &lefts), load::<N>(right, &rights)] };
    let [negative1, negative2] = [signs(&lefts), signs(&rights)];
    let mut same = [[_mm512_setzero_si512(); 4]; N];
    for part in 0..N {
        for word in 0..4 {
            same[part][word] = _mm512_xor_si512(x1[part][word], x2[part][word]);
        }
    }
    let special = zeros(&same) | zeros(&x1) & zeros(&y1) | zeros(&x2) & zeros(&y2);
    let mut step = Step {
        x: [[_mm512_setzero_si512(); 5]; N],
        y: [[_mm512_setzero_si512(); 5]; N],
        dx: [[_mm512_setzero_si512(); 5]; N],
        dy: [[_mm512_setzero_si512(); 5]; N],
        norm: [_mm512_setzero_si512(); 5],
        before: [_mm512_setzero_si512(); 5],
    };
    for part in 0..N {
        step.x[part] = lanes::unpacked(&x1[part]);
        step.y[part] = negated(negative1, lanes::unpacked(&y1[part]));
        let y2 = negated(negative2, lanes::unpacked(&y2[part]));
        step.dx[part] = lanes::difference::<Base>(lanes::unpacked(&x2[part]), step.x[part]);
        step.dy[part] = lanes::difference::<Base>(y2, step.y[part]);
    }
    step.norm = norm(&step.dx);
    if special != 0 {
        // Anything but zero keeps the product of all norms from being zero.
        for (limb, one) in step.norm.iter_mut().zip([1, 0, 0, 0, 0]) {
            *limb = _mm512_mask_blend_epi64(special, *limb, _mm512_set1_epi64(one));
        }
    }
    Prepared { step, special }
}

/// The sums of eight points, given a quarter of the inverse of the norm of dx.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn finished<const N: usize>(step: &Step<N>, by_norm: &Lanes) -> [Coordinate<N>; 2] {
    let quarter = product(&inverse(&step.dx, by_norm), &step.dy);
    let squared = square(&quarter);
    let mut x = step.x;
    let mut back = step.x;
    for part in 0..N {
        // l²/16 - x1 - x2, with x2 = x1 + dx - 16p; 32p more keeps it positive.
        let twice = lanes::plus(step.x[part], step.x[part]);
        let rest = lanes::minus(lanes::minus(squared[part], twice), step.dx[part]);
        x[part] = lanes::reduced::<Base>(lanes::carried(lanes::lifted::<Base>(lanes::lifted::<Base>(rest))));
        back[part] = lanes::difference::<Base>(step.x[part], x[part]);
    }
    let rise = product(&quarter, &back);
    let mut y = step.y;
    for part in 0..N {
        let twice = lanes::plus(rise[part], rise[part]);
        let whole = lanes::minus(lanes::plus(twice, twice), step.y[part]);
        y[part] = lanes::reduced::<Base>(lanes::carried(lanes::lifted::<Base>(whole)));
    }
    [x, y]
}

/// A quarter of the inverse of each lane, all with R = 2^260.
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverses(all: &mut [Lanes]) {
    // A lane holds a·2^260 and shall hold 2^260/(4a): that is 2^518 over the number it holds.
    let scale = Fq::from(2u64).pow([518]);
    let mut values: Vec<Fq> = Vec::with_capacity(all.len() * LANES);
    for chain in all.iter() {
        let words = lanes::to_words(&lanes::reduced::<Base>(*chain));
        values.extend(words.map(|words| Fq::from_bigint(BigInt(words)).unwrap_or(Fq::ZERO)));
    }
    ark_ff::batch_inversion_and_mul(&mut values, &scale);
    for (chain, values) in all.iter_mut().zip(values.as_chunks::<LANES>().0) {
        *chain = lanes::from_words(&values.map(|value| value.into_bigint().0));
    }
}

/// Chains of products that run beside each other to hide their latency.
const CHAINS: usize = 2;

/// # Safety
/// As `Group::add_ifma`; a point of the group has N times 64 bytes.
#[target_feature(enable = "avx512f,avx512ifma")]
pub unsafe fn block<G: Group, const N: usize>(
    left: *const G::Point,
    right: *const G::Point,
    out: *mut G::Point,
    sums: &[Sum],
) {
    const { assert!(size_of::<G::Point>() == 64 * N) };
    let mut one = [_mm512_setzero_si512(); 5];
    one[0] = _mm512_set1_epi64(1);
    let mut chains = [one; CHAINS];
    let mut steps: Vec<Step<N>> = Vec::with_capacity(sums.len().div_ceil(LANES));
    let mut special = Vec::new();
    for (number, eight) in sums.chunks(LANES).enumerate() {
        // Lanes without a sum repeat the first one and are not stored.
        let full: [Sum; LANES] = std::array::from_fn(|lane| *eight.get(lane).unwrap_or(&eight[0]));
        // SAFETY: promised by the caller.
        let mut prepared = unsafe { prepare::<N>(left.cast(), right.cast(), &full) };
        for (lane, sum) in eight.iter().enumerate() {
            if prepared.special >> lane & 1 == 1 {
                // SAFETY: promised by the caller.
                let [p, q] = unsafe { [signed::<G>(left, sum.left), signed::<G>(right, sum.right)] };
                special.push((sum.to, add_special::<G>(p, q)));
            }
        }
        let chain = &mut chains[number % CHAINS];
        prepared.step.before = *chain;
        *chain = lanes::product::<Base>(chain, &prepared.step.norm);
        steps.push(prepared.step);
    }
    inverses(&mut chains);
    for (number, step) in steps.iter().enumerate().rev() {
        let chain = &mut chains[number % CHAINS];
        let by_norm = lanes::product::<Base>(chain, &step.before);
        *chain = lanes::product::<Base>(chain, &step.norm);
        let [x, y] = finished(step, &by_norm);
        let places = &sums[LANES * number..sums.len().min(LANES * (number + 1))];
        // SAFETY: promised by the caller.
        unsafe { store::<N>(out.cast(), places, &x, &y) };
    }
    for (place, point) in special {
        // SAFETY: promised by the caller.
        unsafe { out.add(place as usize).write(point) };
    }
}

/// # Safety
/// The index lies within the array.
unsafe fn signed<G: Group>(start: *const G::Point, index: u32) -> ark_ec::short_weierstrass::Affine<G::Curve> {
    // SAFETY: promised by the caller.
    let point = G::read(unsafe { &*start.add((index & !NEGATIVE) as usize) });
    if index & NEGATIVE == 0 { point } else { -point }
}

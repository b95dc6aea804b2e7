//! Many independent additions of affine points with one inversion for all of them.
//!
//! Adding two affine points takes the inverse of a difference of coordinates; the inverses of a
//! thousand differences cost one inversion and three products each (Montgomery's trick), so that an
//! addition comes to six products, half of what projective coordinates take.

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ff::Field;

#[cfg(target_arch = "x86_64")]
use crate::addition_ifma;
#[cfg(target_arch = "x86_64")]
use crate::lanes;
use crate::points::{self, G1_BYTES, G1Bytes, G2_BYTES, G2Bytes};

/// Set in an index: the negative of the point.
pub const NEGATIVE: u32 = 1 << 31;
/// Additions that share an inversion.
pub(crate) const BLOCK: usize = 1024;

/// `out[to] = left[left] + right[right]`, where [`NEGATIVE`] may be set in both.
#[derive(Debug, Clone, Copy)]
pub struct Sum {
    pub left: u32,
    pub right: u32,
    pub to: u32,
}

/// The kinds of machine that there is code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    Plain,
    Ifma,
}

impl Machine {
    /// The fastest that this processor is.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if lanes::available() {
            return Machine::Ifma;
        }
        Machine::Plain
    }
}

/// A group whose points stand in memory as in a key file.
pub trait Group: Sized + 'static {
    type Curve: SWCurveConfig<BaseField = Self::Coordinate, ScalarField = ark_bn254::Fr>;
    type Coordinate: Field;
    type Point: Copy + Send + Sync + PartialEq + 'static;
    const ZERO: Self::Point;

    fn read(point: &Self::Point) -> Affine<Self::Curve>;
    fn write(point: &Affine<Self::Curve>) -> Self::Point;

    /// A block of sums on AVX-512 IFMA.
    ///
    /// # Safety
    /// The processor has the features; every index lies within its array, and no point that is
    /// read is behind `out` unless it is the left of the very sum that is written there.
    #[cfg(target_arch = "x86_64")]
    unsafe fn add_ifma(left: *const Self::Point, right: *const Self::Point, out: *mut Self::Point, sums: &[Sum]);
}

#[derive(Debug)]
pub struct G1;
#[derive(Debug)]
pub struct G2;

impl Group for G1 {
    type Curve = ark_bn254::g1::Config;
    type Coordinate = Fq;
    type Point = G1Bytes;
    const ZERO: G1Bytes = [0; G1_BYTES];

    fn read(point: &G1Bytes) -> G1Affine {
        points::g1_of(point)
    }

    fn write(point: &G1Affine) -> G1Bytes {
        points::g1_to(point)
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn add_ifma(left: *const G1Bytes, right: *const G1Bytes, out: *mut G1Bytes, sums: &[Sum]) {
        // SAFETY: promised by the caller.
        unsafe { addition_ifma::block::<Self, 1>(left, right, out, sums) }
    }
}

impl Group for G2 {
    type Curve = ark_bn254::g2::Config;
    type Coordinate = Fq2;
    type Point = G2Bytes;
    const ZERO: G2Bytes = [0; G2_BYTES];

    fn read(point: &G2Bytes) -> G2Affine {
        points::g2_of(point)
    }

    fn write(point: &G2Affine) -> G2Bytes {
        points::g2_to(point)
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn add_ifma(left: *const G2Bytes, right: *const G2Bytes, out: *mut G2Bytes, sums: &[Sum]) {
        // SAFETY: promised by the caller.
        unsafe { addition_ifma::block::<Self, 2>(left, right, out, sums) }
    }
}

/// Sums of points of `left` and `right` into places of `out`; no two go to one place.
///
/// # Panics
/// When an index is out of range.
pub fn add<G: Group>(machine: Machine, left: &[G::Point], right: &[G::Point], out: &mut [G::Point], sums: &[Sum]) {
    check_indices(sums, left.len(), right.len(), out.len());
    match machine {
        #[cfg(target_arch = "x86_64")]
        Machine::Ifma if lanes::available() => {
            for block in sums.chunks(BLOCK) {
                // SAFETY: features and indices are checked; `out` is borrowed apart from the others.
                unsafe { G::add_ifma(left.as_ptr(), right.as_ptr(), out.as_mut_ptr(), block) };
            }
        }
        _ => {
            for block in sums.chunks(BLOCK) {
                for (place, point) in plain_block::<G>(left, right, block) {
                    out[place as usize] = point;
                }
            }
        }
    }
}

/// Adds points of `right` onto points of `all`: the left of each sum is where it goes.
///
/// # Panics
/// When an index is out of range, or the left of a sum is not its place.
pub fn add_onto<G: Group>(machine: Machine, all: &mut [G::Point], right: &[G::Point], sums: &[Sum]) {
    check_indices(sums, all.len(), right.len(), all.len());
    assert!(sums.iter().all(|sum| sum.left == sum.to), "sums onto their left");
    match machine {
        #[cfg(target_arch = "x86_64")]
        Machine::Ifma if lanes::available() => {
            for block in sums.chunks(BLOCK) {
                let start = all.as_mut_ptr();
                // SAFETY: features and indices are checked; a place is read only by its own sum.
                unsafe { G::add_ifma(start, right.as_ptr(), start, block) };
            }
        }
        _ => {
            for block in sums.chunks(BLOCK) {
                for (place, point) in plain_block::<G>(all, right, block) {
                    all[place as usize] = point;
                }
            }
        }
    }
}

fn check_indices(sums: &[Sum], left: usize, right: usize, out: usize) {
    let mut good = true;
    for sum in sums {
        good &= ((sum.left & !NEGATIVE) as usize) < left
            && ((sum.right & !NEGATIVE) as usize) < right
            && (sum.to as usize) < out;
    }
    assert!(good, "a sum of points out of range");
}

fn signed<G: Group>(all: &[G::Point], index: u32) -> Affine<G::Curve> {
    let point = G::read(&all[(index & !NEGATIVE) as usize]);
    if index & NEGATIVE == 0 { point } else { -point }
}

/// A sum in which a point is at infinity or both have the same x.
pub(crate) fn add_special<G: Group>(left: Affine<G::Curve>, right: Affine<G::Curve>) -> G::Point {
    if left.is_zero() {
        G::write(&right)
    } else if right.is_zero() {
        G::write(&left)
    } else {
        G::write(&Affine::from(Projective::from(left) + right))
    }
}

/// The places and sums of one block.
fn plain_block<G: Group>(left: &[G::Point], right: &[G::Point], sums: &[Sum]) -> Vec<(u32, G::Point)> {
    let mut done = Vec::with_capacity(sums.len());
    let mut open = Vec::with_capacity(sums.len());
    let mut inverses = Vec::with_capacity(sums.len());
    for sum in sums {
        let [p, q] = [signed::<G>(left, sum.left), signed::<G>(right, sum.right)];
        if p.is_zero() || q.is_zero() || p.x == q.x {
            done.push((sum.to, add_special::<G>(p, q)));
        } else {
            inverses.push(q.x - p.x);
            open.push((sum.to, p, q));
        }
    }
    ark_ff::batch_inversion(&mut inverses);
    for ((to, p, q), inverse) in open.iter().zip(&inverses) {
        let slope = (q.y - p.y) * inverse;
        let x = slope.square() - p.x - q.x;
        let y = slope * (p.x - x) - p.y;
        done.push((*to, G::write(&Affine::new_unchecked(x, y))));
    }
    done
}

#[cfg(test)]
#[path = "addition_tests.rs"]
mod tests;

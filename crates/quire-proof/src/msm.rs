//! Sums of points of a key, each times a scalar (Pippenger's method).
//!
//! A scalar is cut into digits of c bits between -2^(c-1) and 2^(c-1); scalars above half the order
//! are negated first, so that small negative ones have few digits too. For each place of digits the
//! points are sorted by digit; the points of one digit are added up as a tree, pairs of all digits
//! together, which makes long lists of independent additions for `addition.rs`. Zero digits and
//! points at infinity cost nothing, and many equal digits are no worse than distinct ones.

use ark_bn254::{Fr, G1Projective, G2Projective};
use ark_ec::short_weierstrass::Projective;
use ark_ff::{AdditiveGroup, BigInt, BigInteger, PrimeField};
use rayon::prelude::*;

use crate::addition::{self, G1, G2, Group, Machine, NEGATIVE, Sum};
use crate::buckets;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::points::{G1Bytes, G2Bytes};

/// Bits of a scalar after the larger half of them is negated, and one for what is carried.
const SCALAR_BITS: u32 = 254;
const MAX_WIDTH: u32 = 16;
/// Points whose tree is built at once, so that it stays in the cache of one core.
const TREE_POINTS: usize = 8192;

/// Scalars cut into digits of one width.
pub struct Digits {
    width: u32,
    /// Scalar and offset; the highest bit is the sign. The offset makes a digit of c bits less
    /// 2^(c-1) the signed digit, without carries from digit to digit.
    words: Vec<[u64; 4]>,
}

impl Digits {
    /// Of a width that is good for so many scalars.
    pub fn new(scalars: &[Fr]) -> Self {
        Self::of_width(scalars, best_width(scalars.len()))
    }

    /// # Panics
    /// When the width is not between 2 and 16.
    pub fn of_width(scalars: &[Fr], width: u32) -> Self {
        assert!((2..=MAX_WIDTH).contains(&width), "digits of {width} bits");
        let offset = offset(width);
        let words = scalars.par_iter().map(|scalar| shifted(scalar.into_bigint().0, &offset)).collect();
        Digits { width, words }
    }

    /// Of numbers below the order, in standard form.
    pub fn of_numbers(mut numbers: Vec<[u64; 4]>) -> Self {
        let width = best_width(numbers.len());
        let offset = offset(width);
        numbers.par_iter_mut().for_each(|number| *number = shifted(*number, &offset));
        Digits { width, words: numbers }
    }

    /// Digits of a scalar.
    pub fn places(&self) -> u32 {
        SCALAR_BITS.div_ceil(self.width)
    }

    /// The digit of a scalar at a place, with the scalar's sign.
    pub fn digit(&self, index: usize, place: u32) -> i32 {
        let words = &self.words[index];
        let (bit, word) = (place * self.width % 64, (place * self.width / 64) as usize);
        let low = words[word] >> bit;
        let high = if bit == 0 || word == 3 { 0 } else { words[word + 1] << (64 - bit) };
        let last = place + 1 == self.places();
        let value = if last { (words[3] & !SIGN) >> (place * self.width - 192) } else { low | high };
        let value =
            if last { value as i32 } else { (value as i32 & ((1 << self.width) - 1)) - (1 << (self.width - 1)) };
        if words[3] & SIGN == 0 { value } else { -value }
    }
}

const SIGN: u64 = 1 << 63;

fn best_width(count: usize) -> u32 {
    let cost = |width: u32| u64::from(SCALAR_BITS.div_ceil(width)) * (count as u64 + (1 << width));
    (3..=MAX_WIDTH).min_by_key(|width| cost(*width)).unwrap_or(MAX_WIDTH)
}

/// 2^(c-1) at every place but the last, which has no room above it.
fn offset(width: u32) -> BigInt<4> {
    let mut offset = BigInt::<4>::zero();
    for place in 0..SCALAR_BITS.div_ceil(width) - 1 {
        let bit = place * width + width - 1;
        offset.0[(bit / 64) as usize] |= 1 << (bit % 64);
    }
    offset
}

fn shifted(number: [u64; 4], offset: &BigInt<4>) -> [u64; 4] {
    let mut number = BigInt(number);
    let negative = number > Fr::MODULUS_MINUS_ONE_DIV_TWO;
    if negative {
        let mut opposite = Fr::MODULUS;
        opposite.sub_with_borrow(&number);
        number = opposite;
    }
    number.add_with_carry(offset);
    number.0[3] |= if negative { SIGN } else { 0 };
    number.0
}

pub fn g1(points: &[G1Bytes], digits: &Digits, from: usize, cancel: &Cancel) -> Result<G1Projective> {
    sum::<G1>(Machine::best(), points, digits, from, cancel)
}

pub fn g2(points: &[G2Bytes], digits: &Digits, from: usize, cancel: &Cancel) -> Result<G2Projective> {
    sum::<G2>(Machine::best(), points, digits, from, cancel)
}

/// The sum of all points, point i times scalar `from` + i.
///
/// # Errors
/// `Cancelled`.
///
/// # Panics
/// When there are more points than scalars behind `from`.
pub fn sum<G: Group>(
    machine: Machine,
    points: &[G::Point],
    digits: &Digits,
    from: usize,
    cancel: &Cancel,
) -> Result<Projective<G::Curve>> {
    assert!(points.len() + from <= digits.words.len() && points.len() < NEGATIVE as usize, "a scalar for each point");
    let zero = shifted([0; 4], &offset(digits.width));
    let active: Vec<u32> = (0..points.len() as u32)
        .into_par_iter()
        .filter(|index| points[*index as usize] != G::ZERO && digits.words[from + *index as usize] != zero)
        .collect();
    let places = (0..digits.places()).into_par_iter();
    let filled: Vec<Vec<G::Point>> = places
        .map(|place| Sorted::new(digits, from, &active, place).buckets::<G>(machine, points, cancel))
        .collect::<Result<_>>()?;
    let rows: Vec<Projective<G::Curve>> = buckets::weighted::<G>(machine, &filled, cancel)?;
    let mut total = Projective::<G::Curve>::ZERO;
    for row in rows.iter().rev() {
        for _ in 0..digits.width {
            total.double_in_place();
        }
        total += row;
    }
    Ok(total)
}

/// Points by the size of their digit at one place.
struct Sorted {
    /// Where the points of each digit end; digit 1 first.
    ends: Vec<u32>,
    points: Vec<u32>,
}

impl Sorted {
    fn new(digits: &Digits, from: usize, active: &[u32], place: u32) -> Self {
        let found: Vec<i32> = active.iter().map(|index| digits.digit(from + *index as usize, place)).collect();
        let mut ends = vec![0u32; 1 << (digits.width - 1)];
        for digit in found.iter().filter(|digit| **digit != 0) {
            ends[digit.unsigned_abs() as usize - 1] += 1;
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total - *end;
        }
        let mut points = vec![0u32; total as usize];
        for (index, digit) in active.iter().zip(&found).filter(|(_, digit)| **digit != 0) {
            let end = &mut ends[digit.unsigned_abs() as usize - 1];
            points[*end as usize] = if *digit < 0 { index | NEGATIVE } else { *index };
            *end += 1;
        }
        Sorted { ends, points }
    }

    /// The sum of the points of each digit.
    fn buckets<G: Group>(&self, machine: Machine, points: &[G::Point], cancel: &Cancel) -> Result<Vec<G::Point>> {
        let mut out = vec![G::ZERO; self.ends.len()];
        let mut tree = Tree::<G>::new(machine);
        let mut start = 0;
        for (bucket, end) in self.ends.iter().enumerate() {
            tree.runs.extend((*end > start).then_some(Run { bucket: bucket as u32, count: end - start }));
            tree.entries.extend_from_slice(&self.points[start as usize..*end as usize]);
            start = *end;
            if tree.entries.len() >= TREE_POINTS || bucket + 1 == self.ends.len() {
                cancel.check()?;
                tree.add_up(points, &mut out);
            }
        }
        Ok(out)
    }
}

/// Points that go into one bucket, one run after the other.
struct Run {
    bucket: u32,
    count: u32,
}

/// Halves all runs, round by round, until each is one point.
struct Tree<G: Group> {
    machine: Machine,
    runs: Vec<Run>,
    entries: Vec<u32>,
    sums: Vec<Sum>,
    now: Vec<G::Point>,
    next: Vec<G::Point>,
}

impl<G: Group> Tree<G> {
    fn new(machine: Machine) -> Self {
        Tree { machine, runs: Vec::new(), entries: Vec::new(), sums: Vec::new(), now: Vec::new(), next: Vec::new() }
    }

    fn add_up(&mut self, points: &[G::Point], out: &mut [G::Point]) {
        let entries = std::mem::take(&mut self.entries);
        self.round(points, |at| entries[at as usize], out);
        self.entries = entries;
        self.entries.clear();
        while !self.runs.is_empty() {
            std::mem::swap(&mut self.now, &mut self.next);
            let now = std::mem::take(&mut self.now);
            self.round(&now, |at| at, out);
            self.now = now;
        }
    }

    /// One round from `from`, whose point of entry i is `entry(i)`, into `next`.
    fn round(&mut self, from: &[G::Point], entry: impl Fn(u32) -> u32, out: &mut [G::Point]) {
        self.sums.clear();
        let mut single = Vec::new();
        let (mut read, mut written, mut kept) = (0, 0, 0);
        for at in 0..self.runs.len() {
            let Run { bucket, count } = self.runs[at];
            for pair in 0..count / 2 {
                let first = read + 2 * pair;
                self.sums.push(Sum { left: entry(first), right: entry(first + 1), to: written + pair });
            }
            if count == 1 {
                out[bucket as usize] = signed::<G>(from, entry(read));
            } else {
                let half = count.div_ceil(2);
                if count % 2 == 1 {
                    single.push((written + half - 1, entry(read + count - 1)));
                }
                self.runs[kept] = Run { bucket, count: half };
                kept += 1;
                written += half;
            }
            read += count;
        }
        self.runs.truncate(kept);
        self.next.resize(written as usize, G::ZERO);
        addition::add::<G>(self.machine, from, from, &mut self.next, &self.sums);
        for (place, index) in single {
            self.next[place as usize] = signed::<G>(from, index);
        }
    }
}

fn signed<G: Group>(points: &[G::Point], index: u32) -> G::Point {
    let point = points[(index & !NEGATIVE) as usize];
    if index & NEGATIVE == 0 { point } else { G::write(&-G::read(&point)) }
}

#[cfg(test)]
#[path = "msm_tests.rs"]
mod tests;

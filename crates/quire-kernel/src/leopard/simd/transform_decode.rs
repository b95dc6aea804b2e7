//! Lost rows by transforms.
//!
//! Every row at hand is multiplied by the value of the error locator at its position; the formal
//! derivative of the polynomial through them gives, divided by the locator, the lost rows.

use super::places::{Place, Rows, Scaled, Scratch};
use super::scratch::{Memory, tile_of};
use super::transform::{FORWARD, INVERSE, Shape, cut};
use super::{CHUNK, Kernel, Work};
use crate::leopard::code::Code;
use crate::leopard::skews::skews;

/// The factors of one code and one set of rows at hand.
pub(in super::super) struct Decoder<K: Kernel> {
    kernel: K,
    code: Code,
    skews: Vec<K::Table>,
    /// By position: what a row at hand is multiplied with, and a wanted one in the end.
    factors: Vec<K::Table>,
}

impl<K: Kernel> Decoder<K> {
    /// `locator` is that of all positions without a row at hand (see `coefficients`).
    pub fn new(kernel: K, code: Code, locator: &[u32], at_hand: &[usize]) -> Self {
        let field = code.field();
        let mut factors: Vec<u16> = locator.iter().map(|&log| field.exp(field.order - log)).collect();
        at_hand.iter().map(|&row| code.position(row)).for_each(|at| factors[at] = field.exp(locator[at]));
        let tables = |factors: Vec<u16>| factors.into_iter().map(|factor| kernel.table(factor)).collect();
        Self { kernel, code, skews: tables(skews(field, code.positions())), factors: tables(factors) }
    }

    /// Fill the wanted rows from K others, all of one length in whole chunks; row numbers with rows.
    pub fn decode(&self, at_hand: &[usize], inputs: &[&[u8]], wanted: &[usize], outputs: &mut [&mut [u8]]) {
        let len = inputs[0].len();
        assert!(at_hand.len() == inputs.len() && wanted.len() == outputs.len() && len.is_multiple_of(CHUNK));
        assert!(inputs.iter().all(|row| row.len() == len) && outputs.iter().all(|row| row.len() == len));
        let n = self.code.positions();
        let (mut sources, mut targets) = (vec![std::ptr::null_mut(); n], vec![std::ptr::null_mut(); n]);
        for (&row, input) in at_hand.iter().zip(inputs) {
            sources[self.code.position(row)] = input.as_ptr().cast_mut();
        }
        for (&row, output) in wanted.iter().zip(outputs) {
            targets[self.code.position(row)] = output.as_mut_ptr();
        }
        let tile = tile_of(n);
        let (mut memory, mut spare) = (Memory::new(n, tile), Memory::new(2, tile));
        let (places, spare) = (memory.places(), spare.places());
        let (zeros, waste) = (spare.base, spare.base.wrapping_add(tile));
        for from in (0..len).step_by(tile) {
            let width = tile.min(len - from);
            self.inverse(Rows { rows: &sources, from, spare: zeros }, places, width);
            self.kernel.vectorize(Derivative { kernel: self.kernel, positions: n, places, width });
            self.forward(places, Rows { rows: &targets, from, spare: waste }, width);
        }
    }

    fn passes(&self, width: usize) -> impl DoubleEndedIterator<Item = Shape<'_, K::Table>> {
        let (n, limit, skews) = (self.code.positions(), self.code.span() + self.code.k(), &self.skews[..]);
        let shape = move |(log, distance)| Shape { log, distance, limit, skews, is_first: true, width };
        cut(n.trailing_zeros(), K::RADIX_LOG).map(shape)
    }

    fn inverse(&self, rows: Rows<'_>, places: Scratch, width: usize) {
        let mut passes = self.passes(width);
        let Some(first) = passes.next() else { return };
        let positions = first.limit.next_multiple_of(1 << first.log)..self.code.positions();
        self.kernel.vectorize(Clear { kernel: self.kernel, positions, places, width });
        first.run::<INVERSE, _, _>(self.kernel, Scaled { rows, factors: &self.factors }, places);
        passes.for_each(|pass| pass.run::<INVERSE, _, _>(self.kernel, places, places));
    }

    fn forward(&self, places: Scratch, rows: Rows<'_>, width: usize) {
        let mut passes = self.passes(width).rev();
        let Some(last) = passes.next_back() else { return };
        passes.for_each(|pass| pass.run::<FORWARD, _, _>(self.kernel, places, places));
        last.run::<FORWARD, _, _>(self.kernel, places, Scaled { rows, factors: &self.factors });
    }
}

/// Zeros at some positions.
struct Clear<K> {
    kernel: K,
    positions: std::ops::Range<usize>,
    places: Scratch,
    width: usize,
}

impl<K: Kernel> Work for Clear<K> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for position in self.positions {
            for at in (0..self.width).step_by(K::BYTES) {
                // SAFETY: within `vectorize`; whole vectors within the width.
                unsafe {
                    Scratch::write(self.kernel, Place::<K>::cursor(&self.places, position), at, self.kernel.zero())
                }
            }
        }
    }
}

/// The formal derivative: to each position is added, for each of its bits that is zero, the position
/// with that bit.
struct Derivative<K> {
    kernel: K,
    positions: usize,
    places: Scratch,
    width: usize,
}

impl<K: Kernel> Work for Derivative<K> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { kernel, positions, places, width } = self;
        let at_position = |position: usize| Place::<K>::cursor(&places, position);
        for position in 0..positions {
            for at in (0..width).step_by(K::BYTES) {
                // SAFETY: within `vectorize`; whole vectors within the width. What is read lies higher
                // than all that has been written.
                unsafe {
                    let mut sum = Scratch::read(kernel, at_position(position), at);
                    let mut clear = !position & (positions - 1);
                    while clear != 0 {
                        let bit = clear & clear.wrapping_neg();
                        sum = kernel.xor(sum, Scratch::read(kernel, at_position(position + bit), at));
                        clear ^= bit;
                    }
                    Scratch::write(kernel, at_position(position), at, sum);
                }
            }
        }
    }
}

//! Parity by transforms.
//!
//! Data goes in chunks of `span` rows. Each chunk gets the inverse transform that begins at its
//! positions; the sum of all gets the forward transform that begins at 0, which gives the parity.

use super::places::{Place, Rows, Scratch, Sum};
use super::scratch::{Memory, tile_of};
use super::transform::{FORWARD, INVERSE, Shape, cut};
use super::{CHUNK, Kernel};
use crate::leopard::code::Code;
use crate::leopard::skews::skews;

/// The factors of one code.
pub(in super::super) struct Encoder<K: Kernel> {
    kernel: K,
    code: Code,
    skews: Vec<K::Table>,
}

impl<K: Kernel> Encoder<K> {
    /// # Panics
    /// For a code of one parity row, whose parity is the plain sum.
    pub fn new(kernel: K, code: Code) -> Self {
        assert!(code.m() > 1, "one parity row needs no transform");
        let skews = skews(code.field(), code.positions()).into_iter().map(|factor| kernel.table(factor)).collect();
        Self { kernel, code, skews }
    }

    /// Fill the rows of `parity` from those of `data`, all of one length in whole chunks.
    pub fn encode(&self, data: &[&[u8]], parity: &mut [&mut [u8]]) {
        let (code, span) = (self.code, self.code.span());
        let len = data[0].len();
        assert!(data.len() == code.k() && parity.len() == code.m() && len.is_multiple_of(CHUNK));
        assert!(data.iter().all(|row| row.len() == len) && parity.iter().all(|row| row.len() == len));
        let data: Vec<*mut u8> = data.iter().map(|row| row.as_ptr().cast_mut()).collect();
        let parity: Vec<*mut u8> = parity.iter_mut().map(|row| row.as_mut_ptr()).collect();
        let tile = tile_of(span);
        let (mut sums, mut rest, mut spare) = (Memory::new(span, tile), Memory::new(span, tile), Memory::new(2, tile));
        let (sums, rest, spare) = (sums.places(), rest.places(), spare.places());
        let (zeros, waste) = (spare.base, spare.base.wrapping_add(tile));
        for from in (0..len).step_by(tile) {
            let width = tile.min(len - from);
            for (chunk, rows) in data.chunks(span).enumerate() {
                let rows = Rows { rows, from, spare: zeros };
                let skews = &self.skews[(chunk + 1) * span..];
                if chunk == 0 {
                    self.inverse(skews, rows, sums, sums, width);
                } else {
                    self.inverse(skews, rows, rest, Sum(sums), width);
                }
            }
            self.forward(sums, Rows { rows: &parity, from, spare: waste }, width);
        }
    }

    /// From rows to `target`, by way of `between`.
    fn inverse(&self, skews: &[K::Table], rows: Rows<'_>, between: Scratch, target: impl Place<K>, width: usize) {
        let span = self.code.span();
        let pass = |log, distance| Shape { log, distance, limit: span, skews, is_first: false, width };
        let mut passes = cut(span.trailing_zeros(), K::RADIX_LOG).map(|(log, distance)| pass(log, distance));
        let (Some(first), last) = (passes.next(), passes.next_back()) else { return };
        let Some(last) = last else { return first.run::<INVERSE, _, _>(self.kernel, rows, target) };
        first.run::<INVERSE, _, _>(self.kernel, rows, between);
        passes.for_each(|pass| pass.run::<INVERSE, _, _>(self.kernel, between, between));
        last.run::<INVERSE, _, _>(self.kernel, between, target);
    }

    /// From `sums`, which are spoiled, to the parity rows.
    fn forward(&self, sums: Scratch, parity: Rows<'_>, width: usize) {
        let (span, skews, limit) = (self.code.span(), &self.skews[..], self.code.m());
        let pass = |log, distance| Shape { log, distance, limit, skews, is_first: true, width };
        let mut passes = cut(span.trailing_zeros(), K::RADIX_LOG).map(|(log, distance)| pass(log, distance)).rev();
        let Some(last) = passes.next_back() else { return };
        passes.for_each(|pass| pass.run::<FORWARD, _, _>(self.kernel, sums, sums));
        last.run::<FORWARD, _, _>(self.kernel, sums, parity);
    }
}

//! Which way a task is done, and on how many cores.

use super::code::{CHUNK_BYTES, Code};
use super::coefficients::{coefficients, locator_without};
use super::path::{Path, Task};
use super::simd::Kernel;
use super::simd::combine::{Combine, Factors};
use super::simd::transform_decode::Decoder;
use super::simd::transform_encode::Encoder;
use crate::parallel::pool_is_ours;
use rayon::prelude::*;

/// Below this many bytes in all rows waking a second core costs more than it brings.
const PARALLEL_BYTES: usize = 4 << 20;

/// A task of one core has at least this many bytes in all rows.
const TASK_BYTES: usize = 1 << 20;

/// From this many parity rows on, transforms encode faster than the matrix. Measured in both fields
/// with AVX-512 and GFNI: at 10 rows the matrix is 1.5 times as fast, at 16 the transform 1.3 times.
const TRANSFORM_PARITY: usize = 14;

/// Products of the matrix that take as long as one position in one layer of the decoder: in GF(2^8)
/// and in GF(2^16), where a product costs more and a layer does not. Measured as above.
const PRODUCTS_8: usize = 4;
const PRODUCTS_16: usize = 1;

/// The two ways to make rows of others. Both give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Every row by its own linear combination of K others.
    Matrix,
    /// All rows at once by fast transforms.
    Transform,
}

impl Method {
    /// The faster one for all parity rows.
    pub fn of_encoding(code: Code) -> Self {
        if code.m() >= TRANSFORM_PARITY { Self::Transform } else { Self::Matrix }
    }

    /// The faster one for so many lost rows.
    pub fn of_rebuilding(code: Code, lost: usize) -> Self {
        let n = code.positions();
        let layers = n * n.trailing_zeros() as usize * if code.bits() == 8 { PRODUCTS_8 } else { PRODUCTS_16 };
        if lost * code.k() > layers { Self::Transform } else { Self::Matrix }
    }
}

/// The wanted rows, of which none is at hand, from K others.
pub(super) struct Rows<'a, 'row> {
    pub code: Code,
    pub at_hand: &'a [usize],
    pub inputs: &'a [&'a [u8]],
    pub wanted: &'a [usize],
    pub outputs: &'a mut [&'row mut [u8]],
}

impl Rows<'_, '_> {
    /// In the fastest way, on all cores where that pays.
    pub fn make(self) {
        let method = if self.is_encoding() {
            Method::of_encoding(self.code)
        } else {
            Method::of_rebuilding(self.code, self.wanted.len())
        };
        self.go(Path::best(), method, true);
    }

    /// On this core alone.
    pub fn make_by(self, path: Path, method: Method) {
        self.go(path, method, false);
    }

    fn go(self, path: Path, method: Method, many_cores: bool) {
        if !self.outputs.is_empty() {
            path.run(self.code.bits(), Making { rows: self, method, many_cores });
        }
    }

    /// Whether this is the encoding of all parity.
    fn is_encoding(&self) -> bool {
        let k = self.code.k();
        self.at_hand.iter().copied().eq(0..k) && self.wanted.iter().copied().eq(k..self.code.rows())
    }
}

struct Making<'a, 'row> {
    rows: Rows<'a, 'row>,
    method: Method,
    many_cores: bool,
}

impl Task for Making<'_, '_> {
    fn run<K: Kernel>(self, kernel: K) {
        let is_encoding = self.rows.is_encoding();
        let Self { rows: Rows { code, at_hand, inputs, wanted, outputs }, method, many_cores } = self;
        if method == Method::Matrix || code.m() == 1 {
            let factors = Factors::new(kernel, inputs.len(), &coefficients(code, at_hand, wanted));
            by_columns(many_cores, inputs, outputs, |inputs, outputs| {
                kernel.vectorize(Combine { kernel, factors: &factors, inputs, outputs });
            });
        } else if is_encoding {
            let encoder = Encoder::new(kernel, code);
            by_columns(many_cores, inputs, outputs, |inputs, outputs| encoder.encode(inputs, outputs));
        } else {
            let locator = locator_without(code, at_hand);
            let decoder = Decoder::new(kernel, code, &locator, at_hand);
            by_columns(many_cores, inputs, outputs, |inputs, outputs| {
                decoder.decode(at_hand, inputs, wanted, outputs);
            });
        }
    }
}

/// `work` on all columns, in pieces on several cores where that pays.
fn by_columns(
    many_cores: bool,
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    work: impl Fn(&[&[u8]], &mut [&mut [u8]]) + Sync,
) {
    let (rows, len) = (inputs.len() + outputs.len(), inputs[0].len());
    if !many_cores || rows * len < PARALLEL_BYTES || !pool_is_ours() {
        return work(inputs, outputs);
    }
    let piece = (TASK_BYTES / rows).next_multiple_of(CHUNK_BYTES).max(CHUNK_BYTES);
    let mut columns: Vec<Vec<&mut [u8]>> = (0..len.div_ceil(piece)).map(|_| Vec::new()).collect();
    for row in outputs {
        columns.iter_mut().zip(row.chunks_mut(piece)).for_each(|(column, part)| column.push(part));
    }
    columns.par_iter_mut().enumerate().for_each(|(at, outputs)| {
        let inputs: Vec<&[u8]> = inputs.iter().map(|row| &row[at * piece..len.min((at + 1) * piece)]).collect();
        work(&inputs, outputs);
    });
}

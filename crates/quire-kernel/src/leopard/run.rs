//! Which way a task is done, and on how many cores.

use super::code::Code;
use super::coefficients::{coefficients, locator_without};
use super::path::{Path, Task};
use super::simd::Kernel;
use super::simd::combine::{Combine, Factors};
use super::simd::transform_decode::Decoder;
use super::simd::transform_encode::Encoder;

/// The two ways to make rows of others. Both give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Every row by its own linear combination.
    Matrix,
    /// All rows at once by fast transforms.
    Transform,
}

/// The wanted rows, of which none is at hand, from K others.
pub(super) struct Rows<'a, 'row> {
    pub code: Code,
    pub method: Method,
    pub at_hand: &'a [usize],
    pub inputs: &'a [&'a [u8]],
    pub wanted: &'a [usize],
    pub outputs: &'a mut [&'row mut [u8]],
}

impl Rows<'_, '_> {
    pub fn make(self, path: Path) {
        if !self.outputs.is_empty() {
            path.run(self.code.bits(), self);
        }
    }

    /// Whether this is the encoding of all parity.
    fn is_encoding(&self) -> bool {
        let k = self.code.k();
        self.at_hand.iter().copied().eq(0..k) && self.wanted.iter().copied().eq(k..self.code.rows())
    }
}

impl Task for Rows<'_, '_> {
    fn run<K: Kernel>(self, kernel: K) {
        let is_encoding = self.is_encoding();
        let Self { code, method, at_hand, inputs, wanted, outputs } = self;
        if method == Method::Matrix || code.m() == 1 {
            let factors = Factors::new(kernel, inputs.len(), &coefficients(code, at_hand, wanted));
            kernel.vectorize(Combine { kernel, factors: &factors, inputs, outputs });
        } else if is_encoding {
            Encoder::new(kernel, code).encode(inputs, outputs);
        } else {
            let locator = locator_without(code, at_hand);
            Decoder::new(kernel, code, &locator, at_hand).decode(at_hand, inputs, wanted, outputs);
        }
    }
}

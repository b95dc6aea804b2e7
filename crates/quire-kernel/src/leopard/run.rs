//! Which kernel runs, and on how many cores.

use super::code::Code;
use super::path::{Path, Task};
use super::simd::Kernel;
use super::simd::combine::{Combine, Factors};

/// `outputs[i]` becomes the sum over j of `inputs[j] * factors[i * inputs.len() + j]`.
pub(super) fn combine(path: Path, code: Code, inputs: &[&[u8]], factors: &[u16], outputs: &mut [&mut [u8]]) {
    if !outputs.is_empty() {
        path.run(code.bits(), Matrix { inputs, factors, outputs });
    }
}

struct Matrix<'a, 'row> {
    inputs: &'a [&'a [u8]],
    factors: &'a [u16],
    outputs: &'a mut [&'row mut [u8]],
}

impl Task for Matrix<'_, '_> {
    fn run<K: Kernel>(self, kernel: K) {
        let Self { inputs, factors, outputs } = self;
        let factors = Factors::new(kernel, inputs.len(), factors);
        kernel.vectorize(Combine { kernel, factors: &factors, inputs, outputs });
    }
}

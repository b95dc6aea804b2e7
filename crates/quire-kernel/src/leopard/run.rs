//! Which kernel runs, and on how many cores.

use super::code::Code;
use super::simd::combine::{Combine, Factors};
use super::simd::{Kernel, Portable8, Portable16};

/// `outputs[i]` becomes the sum over j of `inputs[j] * factors[i * inputs.len() + j]`.
pub(super) fn combine(code: Code, inputs: &[&[u8]], factors: &[u16], outputs: &mut [&mut [u8]]) {
    if outputs.is_empty() {
        return;
    }
    if code.bits() == 8 {
        combine_with(Portable8, inputs, factors, outputs);
    } else {
        combine_with(Portable16, inputs, factors, outputs);
    }
}

fn combine_with<K: Kernel>(kernel: K, inputs: &[&[u8]], factors: &[u16], outputs: &mut [&mut [u8]]) {
    let factors = Factors::new(kernel, inputs.len(), factors);
    let mut outputs: Vec<&mut [u8]> = outputs.iter_mut().map(|row| &mut **row).collect();
    kernel.vectorize(Combine { kernel, factors: &factors, inputs, outputs: &mut outputs });
}

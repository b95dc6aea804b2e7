//! Linear combinations of rows: each output is a sum of inputs times factors.

use super::{Kernel, Work};

/// Outputs summed in one pass over the inputs, at most.
const GROUP: usize = 12;

/// The factors of all outputs, in the order in which they are used.
pub(in super::super) struct Factors<K: Kernel> {
    inputs: usize,
    outputs: usize,
    /// For each group of outputs, for each input, the factors of the group.
    tables: Vec<K::Table>,
    group: usize,
}

impl<K: Kernel> Factors<K> {
    /// `factors[output * inputs + input]`.
    pub fn new(kernel: K, inputs: usize, factors: &[u16]) -> Self {
        let outputs = factors.len() / inputs;
        assert_eq!(factors.len(), inputs * outputs);
        let groups = outputs.div_ceil(GROUP.min(K::SUMS)).max(1);
        let group = outputs.div_ceil(groups).max(1);
        let mut tables = Vec::with_capacity(factors.len());
        for rows in factors.chunks(group * inputs) {
            for input in 0..inputs {
                tables.extend(rows.iter().skip(input).step_by(inputs).map(|&factor| kernel.table(factor)));
            }
        }
        Self { inputs, outputs, tables, group }
    }
}

/// Outputs over inputs, all of one length in whole chunks of 64 bytes.
pub(in super::super) struct Combine<'a, 'row, K: Kernel> {
    pub kernel: K,
    pub factors: &'a Factors<K>,
    pub inputs: &'a [&'row [u8]],
    pub outputs: &'a mut [&'row mut [u8]],
}

impl<K: Kernel> Work for Combine<'_, '_, K> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { kernel, factors, inputs, outputs } = self;
        let len = inputs.first().map_or(0, |row| row.len());
        assert!(len.is_multiple_of(64) && inputs.iter().all(|row| row.len() == len));
        assert!(outputs.iter().all(|row| row.len() == len));
        assert!(inputs.len() == factors.inputs && outputs.len() == factors.outputs);
        let group_tables = factors.tables.chunks(factors.group * factors.inputs);
        for (group, tables) in outputs.chunks_mut(factors.group).zip(group_tables) {
            for (output, row) in group.iter_mut().enumerate() {
                for at in (0..len).step_by(K::BYTES) {
                    let tables = tables.iter().skip(output).step_by(tables.len() / inputs.len());
                    // SAFETY: within `vectorize`; `at + BYTES` is within every row.
                    unsafe {
                        let mut sum = kernel.zero();
                        for (input, table) in inputs.iter().zip(tables) {
                            let operand = kernel.operand(kernel.load(input.as_ptr().add(at)));
                            sum = kernel.xor(sum, kernel.mul(operand, table));
                        }
                        kernel.store(row.as_mut_ptr().add(at), sum);
                    }
                }
            }
        }
    }
}

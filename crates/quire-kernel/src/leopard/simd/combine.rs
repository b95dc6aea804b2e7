//! Linear combinations of rows: each output is a sum of inputs times factors.

use super::{CHUNK, Kernel, Work};

/// The inputs of a stripe stay in the second-level cache while groups of outputs are made of them.
const STRIPE_BYTES: usize = 256 << 10;

/// The factors of all outputs, in the order in which they are used.
pub(in super::super) struct Factors<K: Kernel> {
    inputs: usize,
    outputs: usize,
    /// Outputs that are summed in one pass.
    group: usize,
    /// For each group, for each input, the factors of the group's outputs.
    tables: Vec<K::Table>,
}

impl<K: Kernel> Factors<K> {
    /// From `factors[output * inputs + input]`.
    ///
    /// # Panics
    /// Without inputs or outputs.
    pub fn new(kernel: K, inputs: usize, factors: &[u16]) -> Self {
        let outputs = factors.len() / inputs;
        assert!(outputs > 0 && factors.len() == inputs * outputs);
        let groups = outputs.div_ceil(K::OUTPUTS);
        let group = outputs.div_ceil(groups);
        let mut tables = Vec::with_capacity(factors.len());
        for rows in factors.chunks(group * inputs) {
            for input in 0..inputs {
                tables.extend(rows.iter().skip(input).step_by(inputs).map(|&factor| kernel.table(factor)));
            }
        }
        Self { inputs, outputs, group, tables }
    }
}

/// Outputs over inputs, all of one length in whole chunks.
pub(in super::super) struct Combine<'a, 'row, K: Kernel> {
    pub kernel: K,
    pub factors: &'a Factors<K>,
    pub inputs: &'a [&'a [u8]],
    pub outputs: &'a mut [&'row mut [u8]],
}

impl<K: Kernel> Work for Combine<'_, '_, K> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { kernel, factors, inputs, outputs } = self;
        assert!(inputs.len() == factors.inputs && outputs.len() == factors.outputs);
        let len = inputs[0].len();
        assert!(len.is_multiple_of(CHUNK) && inputs.iter().all(|row| row.len() == len));
        assert!(outputs.iter().all(|row| row.len() == len));
        let stripe = if factors.group == factors.outputs { len } else { stripe_of(inputs.len()) };
        for from in (0..len).step_by(stripe.max(1)) {
            let to = len.min(from + stripe);
            let group_tables = factors.tables.chunks(factors.group * factors.inputs);
            for (outputs, tables) in outputs.chunks_mut(factors.group).zip(group_tables) {
                // SAFETY: within `vectorize`; all rows have `len` bytes and the stripe is within.
                unsafe { sum_group(kernel, tables, inputs, outputs, from, to) }
            }
        }
    }
}

fn stripe_of(inputs: usize) -> usize {
    (STRIPE_BYTES / inputs / CHUNK * CHUNK).clamp(4 * CHUNK, 32 << 10)
}

/// # Safety
/// Within `vectorize`; `from..to` is whole chunks within every row; `tables` has a factor for each
/// input and output.
#[inline(always)]
unsafe fn sum_group<K: Kernel>(
    kernel: K,
    tables: &[K::Table],
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    from: usize,
    to: usize,
) {
    macro_rules! by_count {
        ($($count:literal)*) => {
            match outputs.len() {
                $($count if $count <= K::OUTPUTS => {
                    let outputs: [*mut u8; $count] = std::array::from_fn(|at| outputs[at].as_mut_ptr());
                    // SAFETY: as promised to us.
                    unsafe {
                        match K::VECTORS {
                            // Of many rows that lie alike in the cache, lines are gone before they
                            // are used up, unless several are taken at once.
                            _ if $count == 1 => sum_columns::<K, $count, 4>(kernel, tables, inputs, outputs, from, to),
                            2 => sum_columns::<K, $count, 2>(kernel, tables, inputs, outputs, from, to),
                            _ => sum_columns::<K, $count, 1>(kernel, tables, inputs, outputs, from, to),
                        }
                    }
                })*
                _ => unreachable!("a group is no larger than the registers allow"),
            }
        };
    }
    by_count!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// # Safety
/// As for [`sum_group`], with as many outputs as there are in `tables` for each input.
#[inline(always)]
unsafe fn sum_columns<K: Kernel, const OUTPUTS: usize, const VECTORS: usize>(
    kernel: K,
    tables: &[K::Table],
    inputs: &[&[u8]],
    outputs: [*mut u8; OUTPUTS],
    from: usize,
    to: usize,
) {
    let tables = tables.as_chunks::<OUTPUTS>().0;
    let mut at = from;
    // SAFETY: as promised to us; `at` plus the vectors' bytes stays within `to`.
    unsafe {
        while at + VECTORS * K::BYTES <= to {
            sum_vectors::<K, OUTPUTS, VECTORS>(kernel, tables, inputs, outputs, at);
            at += VECTORS * K::BYTES;
        }
        while at < to {
            sum_vectors::<K, OUTPUTS, 1>(kernel, tables, inputs, outputs, at);
            at += K::BYTES;
        }
    }
}

/// # Safety
/// As for [`sum_group`]; `at` plus the vectors' bytes is within every row.
#[inline(always)]
unsafe fn sum_vectors<K: Kernel, const OUTPUTS: usize, const VECTORS: usize>(
    kernel: K,
    tables: &[[K::Table; OUTPUTS]],
    inputs: &[&[u8]],
    outputs: [*mut u8; OUTPUTS],
    at: usize,
) {
    // SAFETY: as promised to us.
    unsafe {
        let mut sums = [[kernel.zero(); VECTORS]; OUTPUTS];
        let operands = |input: &[u8]| -> [K::Operand; VECTORS] {
            std::array::from_fn(|v| kernel.operand(kernel.load(input.as_ptr().add(at + v * K::BYTES))))
        };
        let mut left = inputs.iter().zip(tables);
        if K::TERNARY {
            while left.len() >= 2 {
                let (Some((a, a_tables)), Some((b, b_tables))) = (left.next(), left.next()) else { break };
                let (a, b) = (operands(a), operands(b));
                for output in 0..OUTPUTS {
                    for v in 0..VECTORS {
                        let sum = kernel.xor(sums[output][v], kernel.mul(a[v], &a_tables[output]));
                        sums[output][v] = kernel.xor(sum, kernel.mul(b[v], &b_tables[output]));
                    }
                }
            }
        }
        for (input, tables) in left {
            let operands = operands(input);
            for output in 0..OUTPUTS {
                for v in 0..VECTORS {
                    sums[output][v] = kernel.xor(sums[output][v], kernel.mul(operands[v], &tables[output]));
                }
            }
        }
        for (output, sums) in outputs.into_iter().zip(sums) {
            for (v, sum) in sums.into_iter().enumerate() {
                kernel.store(output.add(at + v * K::BYTES), sum);
            }
        }
    }
}

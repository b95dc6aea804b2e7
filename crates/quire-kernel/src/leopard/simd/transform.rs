//! Several layers of a transform in one pass over memory.
//!
//! A layer of distance d takes the vectors at p and p + d through a *butterfly*, for all p without
//! that bit. A pass does two, four or eight vectors through one, two or three layers in registers.

use super::places::Place;
use super::{Kernel, Work};

/// Distances rise: `w[p + d] += w[p]`, then `w[p] += w[p + d] * factor`.
pub(super) const INVERSE: bool = false;

/// Distances fall: `w[p] += w[p + d] * factor`, then `w[p + d] += w[p]`.
pub(super) const FORWARD: bool = true;

/// `log` layers, the smallest of which has `distance`, on all blocks that begin below `limit`.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a, T> {
    pub log: u32,
    pub distance: usize,
    pub limit: usize,
    /// The factor of the butterfly at p with distance d is `skews[p + d - 1]`.
    pub skews: &'a [T],
    /// The transform begins at position 0 of the field, where the first factor of a layer is zero.
    pub is_first: bool,
    /// Bytes of every position, whole chunks.
    pub width: usize,
}

impl<T> Shape<'_, T> {
    /// One pass over memory: `source` and `target` have all positions of those blocks.
    pub fn run<const WAY: bool, K: Kernel<Table = T>, S: Place<K>>(self, kernel: K, source: S, target: impl Place<K>) {
        kernel.vectorize(Pass::<WAY, K, S, _> { kernel, shape: self, source, target });
    }
}

struct Pass<'a, const WAY: bool, K: Kernel, S, T> {
    kernel: K,
    shape: Shape<'a, K::Table>,
    source: S,
    target: T,
}

/// How a transform of 2^`log` positions is cut into passes: layers of each, from distance 1 on.
pub(super) fn cut(log: u32, most: u32) -> impl DoubleEndedIterator<Item = (u32, usize)> + Clone {
    let passes = log.div_ceil(most);
    (0..passes).map(move |pass| {
        let (from, to) = (log * pass / passes, log * (pass + 1) / passes);
        (to - from, 1 << from)
    })
}

impl<const WAY: bool, K: Kernel, S: Place<K>, T: Place<K>> Work for Pass<'_, WAY, K, S, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.shape.log {
            1 => self.blocks::<2>(),
            2 if K::RADIX_LOG >= 2 => self.blocks::<4>(),
            3 if K::RADIX_LOG >= 3 => self.blocks::<8>(),
            _ => unreachable!("a pass has one to RADIX_LOG layers"),
        }
    }
}

impl<const WAY: bool, K: Kernel, S: Place<K>, T: Place<K>> Pass<'_, WAY, K, S, T> {
    #[inline(always)]
    fn blocks<const RADIX: usize>(self) {
        for start in (0..self.shape.limit).step_by(RADIX * self.shape.distance) {
            if S::IS_INNER && T::IS_INNER && self.shape.is_first && start == 0 {
                self.block::<RADIX, true>(start);
            } else {
                self.block::<RADIX, false>(start);
            }
        }
    }

    #[inline(always)]
    fn block<const RADIX: usize, const FIRST: bool>(&self, start: usize) {
        let Shape { distance, width, .. } = self.shape;
        // All butterflies of a block, whatever their offset below the distance, share factors.
        let skews = &self.shape.skews[start..][..RADIX * distance - 1];
        let factors: [K::Table; RADIX] = std::array::from_fn(|at| skews[(at * distance).max(1) - 1]);
        for position in start..start + distance {
            if !(0..RADIX).any(|at| self.target.keeps(position + at * distance)) {
                continue;
            }
            let sources = std::array::from_fn(|at| self.source.cursor(position + at * distance));
            let targets = std::array::from_fn(|at| self.target.cursor(position + at * distance));
            for at in (0..width).step_by(K::BYTES) {
                // SAFETY: within `vectorize`; whole vectors within the width.
                unsafe { self.vectors::<RADIX, FIRST>(sources, targets, at, &factors) }
            }
        }
    }

    /// # Safety
    /// Within `vectorize`; `at` plus the vector's bytes is within the width.
    #[inline(always)]
    unsafe fn vectors<const RADIX: usize, const FIRST: bool>(
        &self,
        sources: [S::Cursor; RADIX],
        targets: [T::Cursor; RADIX],
        at: usize,
        factors: &[K::Table; RADIX],
    ) {
        // SAFETY: as promised to us.
        unsafe {
            let mut w: [K::Vector; RADIX] = std::array::from_fn(|i| S::read(self.kernel, sources[i], at));
            // Written out, so that every vector stays in a register.
            macro_rules! layer {
                ($half:literal: $($low:literal)*) => {
                    $(if $low + $half < RADIX {
                        let (low, high) = (w[$low], w[$low + $half]);
                        let factor = &factors[$low / (2 * $half) * 2 * $half + $half];
                        let is_zero = FIRST && $low < $half;
                        (w[$low], w[$low + $half]) = self.butterfly(low, high, factor, is_zero);
                    })*
                };
            }
            if WAY == FORWARD {
                layer!(4: 0 1 2 3);
                layer!(2: 0 1 4 5);
                layer!(1: 0 2 4 6);
            } else {
                layer!(1: 0 2 4 6);
                layer!(2: 0 1 4 5);
                layer!(4: 0 1 2 3);
            }
            for (target, vector) in targets.into_iter().zip(w) {
                T::write(self.kernel, target, at, vector);
            }
        }
    }

    /// # Safety
    /// Within `vectorize`.
    #[inline(always)]
    unsafe fn butterfly(
        &self,
        mut low: K::Vector,
        mut high: K::Vector,
        factor: &K::Table,
        is_zero: bool,
    ) -> (K::Vector, K::Vector) {
        let kernel = self.kernel;
        // SAFETY: as promised to us.
        unsafe {
            if WAY == INVERSE {
                high = kernel.xor(high, low);
            }
            if !is_zero {
                low = kernel.xor(low, kernel.mul(kernel.operand(high), factor));
            }
            if WAY == FORWARD {
                high = kernel.xor(high, low);
            }
        }
        (low, high)
    }
}

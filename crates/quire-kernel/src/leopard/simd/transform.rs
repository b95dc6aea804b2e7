//! Several layers of a transform in one pass over memory.
//!
//! A layer of distance d takes the vectors at p and p + d through a *butterfly*, for all p without
//! that bit. A pass does two, four or eight vectors through one, two or three layers in registers.

use super::places::{Source, Target};
use super::{Kernel, Work};

/// Which way the butterflies go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Distances rise: `w[p + d] += w[p]`, then `w[p] += w[p + d] * factor`.
    Inverse,
    /// Distances fall: `w[p] += w[p + d] * factor`, then `w[p + d] += w[p]`.
    Forward,
}

/// `log` layers, the smallest of which has `distance`, on all blocks that begin below `limit`.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a, T> {
    pub way: Way,
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
    pub fn run<K: Kernel<Table = T>>(self, kernel: K, source: impl Source<K>, target: impl Target<K>) {
        kernel.vectorize(Pass { kernel, shape: self, source, target });
    }
}

struct Pass<'a, K: Kernel, S, T> {
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

impl<K: Kernel, S: Source<K>, T: Target<K>> Work for Pass<'_, K, S, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match (self.shape.way, self.shape.log) {
            (Way::Inverse, 1) => self.blocks::<2, false>(),
            (Way::Forward, 1) => self.blocks::<2, true>(),
            (Way::Inverse, 2) => self.blocks::<4, false>(),
            (Way::Forward, 2) => self.blocks::<4, true>(),
            (Way::Inverse, 3) if K::RADIX_LOG >= 3 => self.blocks::<8, false>(),
            (Way::Forward, 3) if K::RADIX_LOG >= 3 => self.blocks::<8, true>(),
            _ => unreachable!("a pass has one to RADIX_LOG layers"),
        }
    }
}

impl<K: Kernel, S: Source<K>, T: Target<K>> Pass<'_, K, S, T> {
    #[inline(always)]
    fn blocks<const RADIX: usize, const FORWARD: bool>(self) {
        for start in (0..self.shape.limit).step_by(RADIX * self.shape.distance) {
            if self.shape.is_first && start == 0 {
                self.block::<RADIX, FORWARD, true>(start);
            } else {
                self.block::<RADIX, FORWARD, false>(start);
            }
        }
    }

    #[inline(always)]
    fn block<const RADIX: usize, const FORWARD: bool, const FIRST: bool>(&self, start: usize) {
        // All butterflies of a block, whatever their offset below the distance, share factors.
        let skews = &self.shape.skews[start..][..RADIX * self.shape.distance - 1];
        let factors: [&K::Table; RADIX] = std::array::from_fn(|at| &skews[(at * self.shape.distance).max(1) - 1]);
        for position in start..start + self.shape.distance {
            if !(0..RADIX).any(|at| self.target.keeps(position + at * self.shape.distance)) {
                continue;
            }
            let mut at = 0;
            // SAFETY: within `vectorize`; whole vectors within the width.
            unsafe {
                while K::VECTORS == 2 && at + 2 * K::BYTES <= self.shape.width {
                    self.vectors::<RADIX, FORWARD, FIRST, 2>(position, at, &factors);
                    at += 2 * K::BYTES;
                }
                while at < self.shape.width {
                    self.vectors::<RADIX, FORWARD, FIRST, 1>(position, at, &factors);
                    at += K::BYTES;
                }
            }
        }
    }

    /// # Safety
    /// Within `vectorize`; `at` plus the vectors' bytes is within the width.
    #[inline(always)]
    unsafe fn vectors<const RADIX: usize, const FORWARD: bool, const FIRST: bool, const VECTORS: usize>(
        &self,
        position: usize,
        at: usize,
        factors: &[&K::Table; RADIX],
    ) {
        // SAFETY: as promised to us.
        unsafe {
            let mut w: [[K::Vector; VECTORS]; RADIX] = std::array::from_fn(|i| {
                let position = position + i * self.shape.distance;
                std::array::from_fn(|v| self.source.read(self.kernel, position, at + v * K::BYTES))
            });
            let mut half = if FORWARD { RADIX / 2 } else { 1 };
            while half >= 1 && half < RADIX {
                for pair in 0..RADIX / 2 {
                    let low = pair / half * 2 * half + pair % half;
                    let is_zero = FIRST && low < half;
                    self.butterfly::<FORWARD, RADIX, VECTORS>(&mut w, low, half, is_zero, factors);
                }
                half = if FORWARD { half / 2 } else { half * 2 };
            }
            for (i, w) in w.into_iter().enumerate() {
                let position = position + i * self.shape.distance;
                for (v, vector) in w.into_iter().enumerate() {
                    self.target.write(self.kernel, position, at + v * K::BYTES, vector);
                }
            }
        }
    }

    /// # Safety
    /// Within `vectorize`.
    #[inline(always)]
    unsafe fn butterfly<const FORWARD: bool, const RADIX: usize, const VECTORS: usize>(
        &self,
        w: &mut [[K::Vector; VECTORS]; RADIX],
        low: usize,
        half: usize,
        is_zero: bool,
        factors: &[&K::Table; RADIX],
    ) {
        let (kernel, high) = (self.kernel, low + half);
        let factor = factors[low / (2 * half) * 2 * half + half];
        for v in 0..VECTORS {
            // SAFETY: as promised to us.
            unsafe {
                if !FORWARD {
                    w[high][v] = kernel.xor(w[high][v], w[low][v]);
                }
                if !is_zero {
                    w[low][v] = kernel.xor(w[low][v], kernel.mul(kernel.operand(w[high][v]), factor));
                }
                if FORWARD {
                    w[high][v] = kernel.xor(w[high][v], w[low][v]);
                }
            }
        }
    }
}

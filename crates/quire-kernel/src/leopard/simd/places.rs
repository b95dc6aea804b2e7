//! Where the vectors of a transform come from and go to, by position of the codeword.

use super::Kernel;

/// A source of vectors. The rules of [`Kernel`] hold; `at` is within the width of the place.
pub(super) trait Source<K: Kernel>: Copy {
    unsafe fn read(&self, kernel: K, position: usize, at: usize) -> K::Vector;
}

/// A destination of vectors, under the same rules.
pub(super) trait Target<K: Kernel>: Copy {
    unsafe fn write(&self, kernel: K, position: usize, at: usize, vector: K::Vector);

    /// Whether what is written to the position is kept.
    #[inline(always)]
    fn keeps(&self, _position: usize) -> bool {
        true
    }
}

/// Memory of our own: `stride` bytes a position.
#[derive(Clone, Copy)]
pub(super) struct Scratch {
    pub base: *mut u8,
    pub stride: usize,
}

impl<K: Kernel> Source<K> for Scratch {
    #[inline(always)]
    unsafe fn read(&self, kernel: K, position: usize, at: usize) -> K::Vector {
        // SAFETY: as promised to us.
        unsafe { kernel.get(self.base.add(position * self.stride + at)) }
    }
}

impl<K: Kernel> Target<K> for Scratch {
    #[inline(always)]
    unsafe fn write(&self, kernel: K, position: usize, at: usize, vector: K::Vector) {
        // SAFETY: as promised to us.
        unsafe { kernel.put(self.base.add(position * self.stride + at), vector) }
    }
}

/// The same memory, where vectors are added to what is there.
#[derive(Clone, Copy)]
pub(super) struct Sum(pub Scratch);

impl<K: Kernel> Target<K> for Sum {
    #[inline(always)]
    unsafe fn write(&self, kernel: K, position: usize, at: usize, vector: K::Vector) {
        // SAFETY: as promised to us.
        unsafe {
            let before = self.0.read(kernel, position, at);
            self.0.write(kernel, position, at, kernel.xor(before, vector));
        }
    }
}

/// Rows from column `from` on, by position; null where there is none.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub rows: &'a [*mut u8],
    pub from: usize,
}

impl Rows<'_> {
    #[inline(always)]
    fn row(&self, position: usize) -> Option<*mut u8> {
        self.rows.get(position).copied().filter(|row| !row.is_null())
    }
}

impl<K: Kernel> Source<K> for Rows<'_> {
    #[inline(always)]
    unsafe fn read(&self, kernel: K, position: usize, at: usize) -> K::Vector {
        // SAFETY: as promised to us; a row that is there has all the columns.
        unsafe {
            match self.row(position) {
                Some(row) => kernel.load(row.add(self.from + at)),
                None => kernel.zero(),
            }
        }
    }
}

impl<K: Kernel> Target<K> for Rows<'_> {
    #[inline(always)]
    unsafe fn write(&self, kernel: K, position: usize, at: usize, vector: K::Vector) {
        if let Some(row) = self.row(position) {
            // SAFETY: as promised to us; a row that is there has all the columns.
            unsafe { kernel.store(row.add(self.from + at), vector) }
        }
    }

    #[inline(always)]
    fn keeps(&self, position: usize) -> bool {
        self.row(position).is_some()
    }
}

/// Rows that are multiplied on the way, each by its own factor.
#[derive(Clone, Copy)]
pub(super) struct Scaled<'a, K: Kernel> {
    pub rows: Rows<'a>,
    pub factors: &'a [K::Table],
}

impl<K: Kernel> Source<K> for Scaled<'_, K> {
    #[inline(always)]
    unsafe fn read(&self, kernel: K, position: usize, at: usize) -> K::Vector {
        // SAFETY: as promised to us.
        unsafe {
            match self.rows.row(position) {
                Some(row) => {
                    let vector = kernel.load(row.add(self.rows.from + at));
                    kernel.mul(kernel.operand(vector), &self.factors[position])
                }
                None => kernel.zero(),
            }
        }
    }
}

impl<K: Kernel> Target<K> for Scaled<'_, K> {
    #[inline(always)]
    unsafe fn write(&self, kernel: K, position: usize, at: usize, vector: K::Vector) {
        if let Some(row) = self.rows.row(position) {
            // SAFETY: as promised to us.
            unsafe {
                let product = kernel.mul(kernel.operand(vector), &self.factors[position]);
                kernel.store(row.add(self.rows.from + at), product);
            }
        }
    }

    #[inline(always)]
    fn keeps(&self, position: usize) -> bool {
        self.rows.row(position).is_some()
    }
}

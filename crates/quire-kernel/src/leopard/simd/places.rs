//! Where the vectors of a transform come from and go to, by position of the codeword.

use super::Kernel;

/// A place for every position. The rules of [`Kernel`] hold; `at` is within the width of the place.
pub(super) trait Place<K: Kernel>: Copy {
    /// Whether the first block of a transform is worth code of its own.
    const IS_INNER: bool = false;

    /// What stands for a position while its columns are gone through.
    type Cursor: Copy;

    fn cursor(&self, position: usize) -> Self::Cursor;

    /// Whether there is anything at the position, or what is written there is kept.
    #[inline(always)]
    fn keeps(&self, _position: usize) -> bool {
        true
    }

    unsafe fn read(kernel: K, cursor: Self::Cursor, at: usize) -> K::Vector;

    unsafe fn write(kernel: K, cursor: Self::Cursor, at: usize, vector: K::Vector);
}

/// Memory of our own: `stride` bytes a position.
#[derive(Clone, Copy)]
pub(super) struct Scratch {
    pub base: *mut u8,
    pub stride: usize,
}

impl<K: Kernel> Place<K> for Scratch {
    const IS_INNER: bool = true;
    type Cursor = *mut u8;

    #[inline(always)]
    fn cursor(&self, position: usize) -> *mut u8 {
        self.base.wrapping_add(position * self.stride)
    }

    #[inline(always)]
    unsafe fn read(kernel: K, cursor: *mut u8, at: usize) -> K::Vector {
        // SAFETY: as promised to us.
        unsafe { kernel.get(cursor.add(at)) }
    }

    #[inline(always)]
    unsafe fn write(kernel: K, cursor: *mut u8, at: usize, vector: K::Vector) {
        // SAFETY: as promised to us.
        unsafe { kernel.put(cursor.add(at), vector) }
    }
}

/// The same memory, where vectors are added to what is there.
#[derive(Clone, Copy)]
pub(super) struct Sum(pub Scratch);

impl<K: Kernel> Place<K> for Sum {
    type Cursor = *mut u8;

    #[inline(always)]
    fn cursor(&self, position: usize) -> *mut u8 {
        Place::<K>::cursor(&self.0, position)
    }

    #[inline(always)]
    unsafe fn read(kernel: K, cursor: *mut u8, at: usize) -> K::Vector {
        // SAFETY: as promised to us.
        unsafe { kernel.get(cursor.add(at)) }
    }

    #[inline(always)]
    unsafe fn write(kernel: K, cursor: *mut u8, at: usize, vector: K::Vector) {
        // SAFETY: as promised to us.
        unsafe { kernel.put(cursor.add(at), kernel.xor(kernel.get(cursor.add(at)), vector)) }
    }
}

/// Rows from column `from` on, by position; null where there is none.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub rows: &'a [*mut u8],
    pub from: usize,
    /// A tile that stands for missing rows: zeros where rows are read, anything where written.
    pub spare: *mut u8,
}

impl Rows<'_> {
    #[inline(always)]
    fn row(&self, position: usize) -> Option<*mut u8> {
        self.rows.get(position).copied().filter(|row| !row.is_null())
    }

    #[inline(always)]
    fn start(&self, position: usize) -> *mut u8 {
        self.row(position).map_or(self.spare, |row| row.wrapping_add(self.from))
    }
}

impl<K: Kernel> Place<K> for Rows<'_> {
    type Cursor = *mut u8;

    #[inline(always)]
    fn cursor(&self, position: usize) -> *mut u8 {
        self.start(position)
    }

    #[inline(always)]
    fn keeps(&self, position: usize) -> bool {
        self.row(position).is_some()
    }

    #[inline(always)]
    unsafe fn read(kernel: K, cursor: *mut u8, at: usize) -> K::Vector {
        // SAFETY: as promised to us.
        unsafe { kernel.load(cursor.add(at)) }
    }

    #[inline(always)]
    unsafe fn write(kernel: K, cursor: *mut u8, at: usize, vector: K::Vector) {
        // SAFETY: as promised to us.
        unsafe { kernel.store(cursor.add(at), vector) }
    }
}

/// Rows that are multiplied on the way, each by its own factor.
#[derive(Clone, Copy)]
pub(super) struct Scaled<'a, K: Kernel> {
    pub rows: Rows<'a>,
    pub factors: &'a [K::Table],
}

impl<'a, K: Kernel> Place<K> for Scaled<'a, K> {
    type Cursor = (*mut u8, &'a K::Table);

    #[inline(always)]
    fn cursor(&self, position: usize) -> Self::Cursor {
        (self.rows.start(position), &self.factors[position])
    }

    #[inline(always)]
    fn keeps(&self, position: usize) -> bool {
        self.rows.row(position).is_some()
    }

    #[inline(always)]
    unsafe fn read(kernel: K, (row, factor): Self::Cursor, at: usize) -> K::Vector {
        // SAFETY: as promised to us.
        unsafe { kernel.mul(kernel.operand(kernel.load(row.add(at))), factor) }
    }

    #[inline(always)]
    unsafe fn write(kernel: K, (row, factor): Self::Cursor, at: usize, vector: K::Vector) {
        // SAFETY: as promised to us.
        unsafe { kernel.store(row.add(at), kernel.mul(kernel.operand(vector), factor)) }
    }
}

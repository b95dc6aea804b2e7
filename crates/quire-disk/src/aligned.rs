//! One aligned buffer per thread, used again and again.

use crate::ALIGNMENT;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::ptr::NonNull;

/// Large enough for the disk to be busy, small enough to stay in the processor's cache.
const BUFFER_BYTES: usize = 1 << 20;

struct Aligned(NonNull<u8>);

impl Aligned {
    const LAYOUT: Layout = match Layout::from_size_align(BUFFER_BYTES, ALIGNMENT) {
        Ok(layout) => layout,
        Err(_) => panic!("a power of two"),
    };

    fn new() -> Self {
        // SAFETY: the layout has a size above zero.
        let memory = unsafe { alloc_zeroed(Self::LAYOUT) };
        Self(NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(Self::LAYOUT)))
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: allocated with this size, initialised, and borrowed mutably through `self`.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr(), BUFFER_BYTES) }
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with the same layout.
        unsafe { dealloc(self.0.as_ptr(), Self::LAYOUT) }
    }
}

thread_local! {
    static BUFFER: RefCell<Aligned> = RefCell::new(Aligned::new());
}

/// Calls `work` with the buffer of this thread. Must not be nested.
pub fn with_buffer<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| work(buffer.bytes()))
}

//! A file mapped into memory, read only.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;

use crate::error::{Error, Result};

/// The bytes of a file that must not be cut while it is mapped.
#[derive(Debug)]
pub struct Mapped {
    start: *const u8,
    length: usize,
}

// SAFETY: the pages are read only and private to this value, which alone unmaps them.
unsafe impl Send for Mapped {}
// SAFETY: as above; shared reads of memory that nobody writes.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// # Errors
    /// `Io` when the file cannot be opened or mapped, or is empty.
    pub fn open(path: &Path) -> Result<Self> {
        let named = |error: std::io::Error| Error::Io(format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(named)?;
        let length = file.metadata().map_err(named)?.len() as usize;
        if length == 0 {
            return Err(Error::Io(format!("{} is empty", path.display())));
        }
        // SAFETY: a fresh private mapping of a file that is open for reading; no address is asked for.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(named(std::io::Error::last_os_error()));
        }
        Ok(Mapped { start: start.cast(), length })
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is this long and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: exactly what `open` mapped, and nobody holds a slice of it any more.
        unsafe { libc::munmap(self.start.cast_mut().cast(), self.length) };
    }
}

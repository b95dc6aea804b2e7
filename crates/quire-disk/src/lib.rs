//! Positioned reads and writes that go past the page cache where the system allows it.
//!
//! Blocks are written once and read seldom, in large runs. Sending them through the page cache costs
//! a copy and a page allocation for each 4 KiB, and pushes out what is read often. So runs that are
//! aligned go straight between the disk and an aligned buffer of the thread (`O_DIRECT`). A read takes
//! what the page cache happens to hold.

mod aligned;

use aligned::with_buffer;
use std::io;
use std::os::fd::RawFd;

/// What offset and length must be multiples of; a page, which no common disk exceeds.
pub const ALIGNMENT: usize = 4096;

/// Where the bytes of a read came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// All of them were in the page cache already.
    Cache,
    /// Read through the page cache, which holds them now.
    Filled,
    /// Read past the page cache.
    Direct,
}

/// Files of one name: `direct` was opened with `O_DIRECT`, or is negative where that is refused.
#[derive(Debug, Clone, Copy)]
pub struct Files {
    pub cached: RawFd,
    pub direct: RawFd,
}

impl Files {
    fn allows_direct(self, offset: u64, length: usize) -> bool {
        self.direct >= 0 && offset.is_multiple_of(ALIGNMENT as u64) && length.is_multiple_of(ALIGNMENT)
    }
}

/// Writes all of `data` at `offset`. Not durable until the file is synced.
///
/// # Errors
/// What the system reports; part of the data may have been written then.
pub fn write_at(files: Files, offset: u64, data: &[u8]) -> io::Result<()> {
    if !files.allows_direct(offset, data.len()) {
        return write_all(files.cached, offset, data);
    }
    with_buffer(|buffer| {
        let mut at = offset;
        for piece in data.chunks(buffer.len()) {
            let staged = &mut buffer[..piece.len()];
            staged.copy_from_slice(piece);
            write_all(files.direct, at, staged)?;
            at += piece.len() as u64;
        }
        Ok(())
    })
}

/// Reads into `out` from `offset`; how much there was before the end of the file, and its source.
///
/// # Errors
/// What the system reports.
pub fn read_at(files: Files, offset: u64, out: &mut [u8], fill_cache: bool) -> io::Result<(usize, Source)> {
    let is_cached = is_cached(files.cached, offset, out.len());
    if fill_cache || is_cached != Some(false) || !files.allows_direct(offset, out.len()) {
        let count = read_all(files.cached, offset, out)?;
        return Ok((count, if is_cached == Some(true) { Source::Cache } else { Source::Filled }));
    }
    let done = with_buffer(|buffer| -> io::Result<usize> {
        let size = buffer.len();
        let mut done = 0;
        for piece in out.chunks_mut(size) {
            let staged = &mut buffer[..piece.len()];
            let count = read_all(files.direct, offset + done as u64, staged)?;
            piece[..count].copy_from_slice(&staged[..count]);
            done += count;
            if count < piece.len() {
                break;
            }
        }
        Ok(done)
    })?;
    Ok((done, Source::Direct))
}

/// Whether the page cache holds all of the range; `None` where the system cannot tell.
#[cfg(target_os = "linux")]
fn is_cached(fd: RawFd, offset: u64, length: usize) -> Option<bool> {
    /// Same number on every architecture; Linux 6.5 and newer.
    const SYS_CACHESTAT: libc::c_long = 451;
    let range = [offset, length as u64];
    let mut counts = [0u64; 5]; // cached, dirty, under writeback, evicted, recently evicted
    // SAFETY: the structures have the layout that the call reads and writes.
    let code = unsafe { libc::syscall(SYS_CACHESTAT, fd, range.as_ptr(), counts.as_mut_ptr(), 0) };
    (code == 0).then(|| counts[0] >= (length as u64).div_ceil(ALIGNMENT as u64))
}

#[cfg(not(target_os = "linux"))]
fn is_cached(_fd: RawFd, _offset: u64, _length: usize) -> Option<bool> {
    None
}

fn write_all(fd: RawFd, offset: u64, data: &[u8]) -> io::Result<()> {
    let mut done = 0;
    while done < data.len() {
        let rest = &data[done..];
        let at = (offset + done as u64) as libc::off_t;
        // SAFETY: `rest` is readable for its length.
        let count = unsafe { libc::pwrite(fd, rest.as_ptr().cast(), rest.len(), at) };
        match count {
            0 => return Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            1.. => done += count as usize,
            _ => retry_if_interrupted()?,
        }
    }
    Ok(())
}

fn read_all(fd: RawFd, offset: u64, out: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < out.len() {
        let at = (offset + done as u64) as libc::off_t;
        let rest = &mut out[done..];
        // SAFETY: `rest` is writable for its length.
        let count = unsafe { libc::pread(fd, rest.as_mut_ptr().cast(), rest.len(), at) };
        match count {
            0 => break,
            1.. => done += count as usize,
            _ => retry_if_interrupted()?,
        }
    }
    Ok(done)
}

fn retry_if_interrupted() -> io::Result<()> {
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests;

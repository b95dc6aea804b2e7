use super::*;
use std::fs::{File, OpenOptions, remove_file};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

struct Pair {
    path: PathBuf,
    cached: File,
    direct: Option<File>,
}

impl Pair {
    fn new() -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let name = format!("quire-disk-{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let cached = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
        let direct = OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT).open(&path).ok();
        Self { path, cached, direct }
    }

    fn files(&self) -> Files {
        Files { cached: self.cached.as_raw_fd(), direct: self.direct.as_ref().map_or(-1, AsRawFd::as_raw_fd) }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        remove_file(&self.path).unwrap();
    }
}

fn sample(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + (i >> 8) * 17) as u8).collect()
}

#[test]
fn what_was_written_is_read_by_every_way() {
    let pair = Pair::new();
    let data = sample((3 << 20) + 5 * ALIGNMENT);
    write_at(pair.files(), ALIGNMENT as u64, &data).unwrap();
    for fill_cache in [false, true, false] {
        let mut out = vec![0; data.len()];
        let (count, _) = read_at(pair.files(), ALIGNMENT as u64, &mut out, fill_cache).unwrap();
        assert_eq!(count, data.len());
        assert!(out == data);
    }
}

#[test]
fn runs_that_are_not_aligned_are_written_and_read_too() {
    let pair = Pair::new();
    let data = sample(10_001);
    write_at(pair.files(), 77, &data).unwrap();
    let mut out = vec![0; data.len()];
    assert_eq!(read_at(pair.files(), 77, &mut out, false).unwrap().0, data.len());
    assert!(out == data);
}

#[test]
fn a_read_stops_at_the_end_of_the_file() {
    let pair = Pair::new();
    write_at(pair.files(), 0, &sample(2 * ALIGNMENT)).unwrap();
    let mut out = vec![0; 4 * ALIGNMENT];
    assert_eq!(read_at(pair.files(), ALIGNMENT as u64, &mut out, false).unwrap().0, ALIGNMENT);
    assert_eq!(read_at(pair.files(), 8 * ALIGNMENT as u64, &mut out, false).unwrap().0, 0);
}

#[test]
fn without_direct_access_everything_still_works() {
    let pair = Pair::new();
    let files = Files { direct: -1, ..pair.files() };
    let data = sample(1 << 20);
    write_at(files, 0, &data).unwrap();
    let mut out = vec![0; data.len()];
    let (count, source) = read_at(files, 0, &mut out, false).unwrap();
    assert_eq!(count, data.len());
    assert_ne!(source, Source::Direct);
    assert!(out == data);
}

#[test]
fn a_read_that_filled_the_cache_makes_the_next_one_a_hit() {
    let pair = Pair::new();
    write_at(pair.files(), 0, &sample(1 << 20)).unwrap();
    let mut out = vec![0; 1 << 20];
    read_at(pair.files(), 0, &mut out, true).unwrap();
    assert_eq!(read_at(pair.files(), 0, &mut out, false).unwrap().1, Source::Cache);
}

#[test]
fn a_file_that_is_not_open_is_an_error() {
    let files = Files { cached: -1, direct: -1 };
    assert!(write_at(files, 0, &[1]).is_err());
    assert!(read_at(files, 0, &mut [0], false).is_err());
}

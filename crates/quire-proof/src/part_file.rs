//! Files that appear whole or not at all.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes a file beside its place, makes it durable, and moves it there. Nothing is left behind
/// when `write` fails.
///
/// # Errors
/// What `write` returns; `Io`.
pub fn write_whole<T>(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<T>) -> Result<T> {
    let part = PartFile::new(path);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&part.path)?);
    let value = write(&mut out)?;
    let file = out.into_inner().map_err(|error| Error::Io(error.to_string()))?;
    file.sync_all()?;
    std::fs::rename(&part.path, path)?;
    Ok(value)
}

/// A file beside its final place that is removed if it is still there.
struct PartFile {
    path: PathBuf,
}

impl PartFile {
    fn new(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        PartFile { path: name.into() }
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        // Nothing is left to remove once it has been moved.
        let _ = std::fs::remove_file(&self.path);
    }
}

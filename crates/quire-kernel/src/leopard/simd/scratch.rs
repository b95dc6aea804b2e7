//! Memory for a tile of every position.

use super::CHUNK;
use super::places::Scratch;

/// A tile of all positions stays in a second-level cache, and mostly in the first.
const TILE_BYTES: usize = 64 << 10;

/// Bytes of every row that are worked on at a time: enough to make up for the start of each pass.
pub(super) fn tile_of(positions: usize) -> usize {
    (TILE_BYTES / positions / CHUNK).clamp(8, 16) * CHUNK
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; CHUNK]);

/// Aligned memory of `stride` bytes for each of so many positions.
pub(super) struct Memory {
    lines: Vec<Line>,
    stride: usize,
}

impl Memory {
    /// `stride` is whole chunks.
    pub fn new(positions: usize, stride: usize) -> Self {
        assert!(stride.is_multiple_of(CHUNK));
        Self { lines: vec![Line([0; CHUNK]); positions * stride / CHUNK], stride }
    }

    pub fn places(&mut self) -> Scratch {
        Scratch { base: self.lines.as_mut_ptr().cast(), stride: self.stride }
    }
}

//! The same work on all cores, where it is large enough to pay.
//!
//! One pool of as many threads as there are cores serves every caller, so that many callers at once
//! share the cores instead of multiplying threads. A process forked from one that has used the pool
//! has none of its threads and works alone.

use crate::sha256::{self, Digest};
use rayon::prelude::*;
use std::sync::OnceLock;

/// Below this many bytes waking a second core costs more than it brings.
const PARALLEL_BYTES: usize = 2 << 20;

/// A task is at least this large, and whole wide groups.
const TASK_BYTES: usize = 1 << 20;
const GROUP: usize = 16;

/// As [`sha256::digest_pieces`], on all cores.
pub(crate) fn digest_pieces(data: &[u8], piece_len: usize, suffix: &[u8], out: &mut [Digest]) {
    if data.len() < PARALLEL_BYTES || piece_len == 0 || !pool_is_ours() {
        return sha256::digest_pieces(data, piece_len, suffix, out);
    }
    let pieces = (TASK_BYTES / piece_len).next_multiple_of(GROUP).max(GROUP);
    data.par_chunks(pieces * piece_len)
        .zip(out.par_chunks_mut(pieces))
        .for_each(|(data, out)| sha256::digest_pieces(data, piece_len, suffix, out));
}

/// Whether the pool's threads, which start with its first use, belong to this process.
pub(crate) fn pool_is_ours() -> bool {
    static OWNER: OnceLock<u32> = OnceLock::new();
    *OWNER.get_or_init(std::process::id) == std::process::id()
}

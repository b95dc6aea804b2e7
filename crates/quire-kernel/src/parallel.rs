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
    if data.len() < PARALLEL_BYTES || piece_len == 0 {
        return sha256::digest_pieces(data, piece_len, suffix, out);
    }
    let pieces = (TASK_BYTES / piece_len).next_multiple_of(GROUP).max(GROUP);
    fill(out, pieces, |first, out| {
        let data = &data[first * piece_len..][..out.len() * piece_len];
        sha256::digest_pieces(data, piece_len, suffix, out);
    });
}

/// Call `work` for every `task` places with the index of the first of them, on all cores; here and
/// for all at once when there is one task or no pool.
pub(crate) fn fill<T: Send>(out: &mut [T], task: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    if out.len() <= task || !pool_is_ours() {
        return work(0, out);
    }
    out.par_chunks_mut(task).enumerate().for_each(|(index, out)| work(index * task, out));
}

/// Whether the pool's threads, which start with its first use, belong to this process.
pub(crate) fn pool_is_ours() -> bool {
    static OWNER: OnceLock<u32> = OnceLock::new();
    *OWNER.get_or_init(std::process::id) == std::process::id()
}

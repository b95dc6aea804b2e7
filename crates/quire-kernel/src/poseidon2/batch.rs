//! Many hashes of one kind, on one path and on all cores.

use super::Path;
use super::felt::{Felt, felts_of};
#[cfg(target_arch = "x86_64")]
use super::ifma::{Ifma, LANES};
use super::scalar::compress;
use super::sponge::{Rate, sponge};
use crate::parallel;

/// From how many hashes on eight at once are faster than one after the other.
#[cfg(target_arch = "x86_64")]
const WIDE_FROM: usize = 2;

/// Something that has a hash.
pub(super) trait Hashed: Copy {
    /// So many make a task that is worth waking a core for, and are whole wide groups.
    const TASK: usize;

    fn hash(self) -> Felt;

    #[cfg(target_arch = "x86_64")]
    fn hash_wide<const STREAMS: usize>(engine: Ifma, items: &[[Self; LANES]; STREAMS]) -> [[Felt; LANES]; STREAMS];
}

/// Data of a slot: hashed by the sponge of rate 2. All of one call are of one length.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a>(pub(super) &'a [u8]);

impl Hashed for Cell<'_> {
    const TASK: usize = 64;

    fn hash(self) -> Felt {
        sponge(felts_of(self.0), Rate::Two)
    }

    #[cfg(target_arch = "x86_64")]
    fn hash_wide<const STREAMS: usize>(engine: Ifma, items: &[[Self; LANES]; STREAMS]) -> [[Felt; LANES]; STREAMS] {
        engine.hash_cells(items)
    }
}

/// What a node of a tree is made of; hashed by keyed compression. The key is 0 to 3.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) left: Felt,
    pub(super) right: Felt,
    pub(super) key: u8,
}

impl Hashed for Node {
    const TASK: usize = 256;

    fn hash(self) -> Felt {
        compress(&self.left, &self.right, self.key.into())
    }

    #[cfg(target_arch = "x86_64")]
    fn hash_wide<const STREAMS: usize>(engine: Ifma, items: &[[Self; LANES]; STREAMS]) -> [[Felt; LANES]; STREAMS] {
        engine.compress(items)
    }
}

/// The hash of the item of each index.
pub(super) fn hash_all<T: Hashed>(path: Path, item: impl Fn(usize) -> T + Sync, out: &mut [Felt]) {
    parallel::fill(out, T::TASK, |first, out| {
        let item = |index: usize| item(first + index);
        for index in hash_wide(path, &item, out)..out.len() {
            out[index] = item(index).hash();
        }
    });
}

/// Groups while they pay; returns how many items are then done. The empty places of a last group
/// repeat its last item.
#[cfg(target_arch = "x86_64")]
fn hash_wide<T: Hashed>(path: Path, item: &impl Fn(usize) -> T, out: &mut [Felt]) -> usize {
    let (Path::Ifma, Some(engine)) = (path, Ifma::detect()) else { return 0 };
    let mut done = 0;
    while out.len() - done >= WIDE_FROM {
        let last = out.len() - 1;
        let lane = |stream: usize, lane: usize| item((done + LANES * stream + lane).min(last));
        let rest = &mut out[done..];
        let wide: [[Felt; LANES]; 2];
        let hashes = if rest.len() > LANES {
            wide = T::hash_wide(engine, &[0, 1].map(|stream| std::array::from_fn(|place| lane(stream, place))));
            wide.as_flattened()
        } else {
            let [hashes] = T::hash_wide(engine, &[std::array::from_fn(|place| lane(0, place))]);
            wide = [hashes; 2];
            &wide[0]
        };
        let count = hashes.len().min(rest.len());
        rest[..count].copy_from_slice(&hashes[..count]);
        done += count;
    }
    done
}

#[cfg(not(target_arch = "x86_64"))]
fn hash_wide<T: Hashed>(_path: Path, _item: &impl Fn(usize) -> T, _out: &mut [Felt]) -> usize {
    0
}

//! Many hashes of one kind, on one path.

use super::Path;
use super::felt::Felt;
#[cfg(target_arch = "x86_64")]
use super::ifma::{Ifma, LANES};
use super::scalar::compress;
use super::sponge::hash_cell;

/// From how many hashes on eight at once are faster than one after the other.
#[cfg(target_arch = "x86_64")]
const WIDE_FROM: usize = 2;

/// What one node of a tree is made of.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) left: Felt,
    pub(super) right: Felt,
    pub(super) key: u8,
}

/// The node of each index.
pub(super) fn compress_nodes(path: Path, node: impl Fn(usize) -> Node, out: &mut [Felt]) {
    let done = wide(path, out, |engine, nodes| engine.compress(nodes), |engine, nodes| engine.compress(nodes), &node);
    for (index, hash) in out.iter_mut().enumerate().skip(done) {
        let Node { left, right, key } = node(index);
        *hash = compress(&left, &right, key.into());
    }
}

/// The hash of each cell.
pub(super) fn hash_cells(path: Path, cells: &[u8], cell_size: usize, out: &mut [Felt]) {
    let cell = |index: usize| &cells[index * cell_size..][..cell_size];
    let done =
        wide(path, out, |engine, cells| engine.hash_cells(cells), |engine, cells| engine.hash_cells(cells), &cell);
    for (index, hash) in out.iter_mut().enumerate().skip(done) {
        *hash = hash_cell(cell(index));
    }
}

/// Two streams of eight while there are more than eight left, then one; how many are then done.
#[cfg(target_arch = "x86_64")]
fn wide<T: Copy>(
    path: Path,
    out: &mut [Felt],
    two: impl Fn(Ifma, &[[T; LANES]; 2]) -> [[Felt; LANES]; 2],
    one: impl Fn(Ifma, &[[T; LANES]; 1]) -> [[Felt; LANES]; 1],
    item: &impl Fn(usize) -> T,
) -> usize {
    let (Path::Ifma, Some(engine)) = (path, Ifma::detect()) else { return 0 };
    let mut done = 0;
    while out.len() - done >= WIDE_FROM {
        let rest = &mut out[done..];
        let lane = |stream: usize, lane: usize| item(done + (LANES * stream + lane).min(rest.len() - 1));
        if rest.len() > LANES {
            let hashes = two(engine, &std::array::from_fn(|stream| std::array::from_fn(|place| lane(stream, place))));
            let count = rest.len().min(2 * LANES);
            rest[..count].copy_from_slice(&hashes.as_flattened()[..count]);
            done += count;
        } else {
            let [hashes] = one(engine, &[std::array::from_fn(|place| lane(0, place))]);
            let count = rest.len();
            rest.copy_from_slice(&hashes[..count]);
            done += count;
        }
    }
    done
}

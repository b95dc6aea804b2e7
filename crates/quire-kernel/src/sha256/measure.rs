//! From how many messages on the wide way is faster than pairs, on this very processor.

use super::avx512::Avx512;
use super::{Digest, Path, digest_pieces_on};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const GROUP: usize = 16;
const PIECE: usize = 2048;
const TRIES: usize = 5;

/// A number from 1 to 16, or `usize::MAX` when the wide way is never faster. Takes some 60 µs the
/// first time.
pub(super) fn wide_from() -> usize {
    static WIDE_FROM: OnceLock<usize> = OnceLock::new();
    *WIDE_FROM.get_or_init(|| {
        if Avx512::detect().is_none() {
            return usize::MAX;
        }
        let data = vec![0x5A; GROUP * PIECE];
        let group = fastest(Path::Avx512, &data);
        let pairs = fastest(Path::ShaNi, &data);
        break_even(group, pairs)
    })
}

/// The smallest count whose pairs take longer than one wide group.
fn break_even(group: Duration, all_pairs: Duration) -> usize {
    (1..=GROUP)
        .find(|count| all_pairs.as_nanos() * count.div_ceil(2) as u128 > group.as_nanos() * 8)
        .unwrap_or(usize::MAX)
}

/// The best of several tries, so that an interruption does not decide.
fn fastest(path: Path, data: &[u8]) -> Duration {
    let mut out = [Digest::default(); GROUP];
    let try_once = |_| {
        let begin = Instant::now();
        digest_pieces_on(path, data, PIECE, &[], &mut out);
        begin.elapsed()
    };
    (0..TRIES).map(try_once).min().expect("at least one try")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn micros(n: u64) -> Duration {
        Duration::from_micros(n)
    }

    #[test]
    fn a_wide_group_pays_from_where_pairs_take_longer() {
        assert_eq!(break_even(micros(4), micros(8)), 9);
        assert_eq!(break_even(micros(1), micros(8)), 3);
        assert_eq!(break_even(micros(7), micros(8)), 15);
    }

    #[test]
    fn a_wide_group_that_is_slower_never_pays() {
        assert_eq!(break_even(micros(9), micros(8)), usize::MAX);
        assert_eq!(break_even(micros(8), micros(8)), usize::MAX);
    }
}

//! SHA-256 of many messages of one length, as many at once as the processor can.
//!
//! A [`Path`] is one way to do it. Which is fastest for how many messages is measured once per
//! process; every path gives the same digests, and tests force each of them.

mod engine;
mod plan;

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod measure;
#[cfg(target_arch = "x86_64")]
mod shani;

use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// One way to hash several messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// One after the other, by the `sha2` crate, which has its own fast ways. Works everywhere.
    Portable,
    /// Two interleaved in SHA-NI instructions; an odd last one goes by `Portable`.
    ShaNi,
    /// Sixteen side by side in AVX-512 registers, the last group however full it is.
    Avx512,
}

impl Path {
    /// Every path.
    pub const ALL: [Self; 3] = [Self::Portable, Self::ShaNi, Self::Avx512];

    /// Whether this processor has the instructions.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi => shani::ShaNi::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::Avx512::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }
}

/// Digest of each `piece_len` bytes of `data` followed by `suffix`, in the fastest way.
///
/// # Panics
/// When `data` is not `out.len()` pieces or the suffix is longer than 55 bytes.
pub fn digest_pieces(data: &[u8], piece_len: usize, suffix: &[u8], out: &mut [Digest]) {
    check(data, piece_len, out);
    #[cfg(target_arch = "x86_64")]
    let done = {
        let wide_from = if out.len() > 1 { measure::wide_from() } else { usize::MAX };
        digest_x86(wide_from, 2, data, piece_len, suffix, out)
    };
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    digest_portable(&data[done * piece_len..], piece_len, suffix, &mut out[done..]);
}

/// The same on one path, for tests and measurements. Falls back to `Portable` when the processor
/// does not have the path.
///
/// # Panics
/// As [`digest_pieces`].
pub fn digest_pieces_on(path: Path, data: &[u8], piece_len: usize, suffix: &[u8], out: &mut [Digest]) {
    check(data, piece_len, out);
    #[cfg(target_arch = "x86_64")]
    let done = match path {
        Path::Portable => 0,
        Path::ShaNi => digest_x86(usize::MAX, 2, data, piece_len, suffix, out),
        Path::Avx512 => digest_x86(1, usize::MAX, data, piece_len, suffix, out),
    };
    #[cfg(not(target_arch = "x86_64"))]
    let done = match path {
        Path::Portable | Path::ShaNi | Path::Avx512 => 0,
    };
    digest_portable(&data[done * piece_len..], piece_len, suffix, &mut out[done..]);
}

fn check(data: &[u8], piece_len: usize, out: &[Digest]) {
    assert_eq!(Some(data.len()), piece_len.checked_mul(out.len()), "data must be whole pieces");
}

/// Wide groups while at least `wide_from` pieces are left, then pairs while at least `pair_from`
/// are; returns how many pieces are done.
#[cfg(target_arch = "x86_64")]
fn digest_x86(
    wide_from: usize,
    pair_from: usize,
    data: &[u8],
    piece_len: usize,
    suffix: &[u8],
    out: &mut [Digest],
) -> usize {
    if out.len() < wide_from.min(pair_from) {
        return 0;
    }
    let plan = plan::Plan::new(piece_len, suffix);
    let mut done = 0;
    if let Some(engine) = avx512::Avx512::detect() {
        done += engine::run_groups(engine, &plan, data, piece_len, out, wide_from);
    }
    if let Some(engine) = shani::ShaNi::detect() {
        let (rest, out) = (&data[done * piece_len..], &mut out[done..]);
        done += engine::run_groups(engine, &plan, rest, piece_len, out, pair_from);
    }
    done
}

fn digest_portable(data: &[u8], piece_len: usize, suffix: &[u8], out: &mut [Digest]) {
    for (index, digest) in out.iter_mut().enumerate() {
        let piece = &data[index * piece_len..][..piece_len];
        *digest = Sha256::new().chain_update(piece).chain_update(suffix).finalize().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without a short period.
    fn noise(len: usize) -> Vec<u8> {
        let mut x = 0x9e37_79b9_7f4a_7c15u64;
        (0..len)
            .map(|_| {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                (x >> 32) as u8
            })
            .collect()
    }

    fn oracle(data: &[u8], piece_len: usize, count: usize, suffix: &[u8]) -> Vec<Digest> {
        (0..count)
            .map(|i| {
                let piece = &data[i * piece_len..(i + 1) * piece_len];
                Sha256::digest([piece, suffix].concat()).into()
            })
            .collect()
    }

    #[test]
    fn every_path_agrees_with_the_sha2_crate_for_all_tail_shapes() {
        let data = noise(40 * 260);
        for piece_len in (0..=140).chain([191, 192, 193, 255, 256, 257]) {
            for count in [0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 39] {
                for suffix in [&[][..], &[1], &[7; 55]] {
                    let data = &data[..piece_len * count];
                    let expected = oracle(data, piece_len, count, suffix);
                    let mut out = vec![Digest::default(); count];
                    for path in Path::ALL {
                        out.fill([0xEE; 32]);
                        digest_pieces_on(path, data, piece_len, suffix, &mut out);
                        assert_eq!(out, expected, "{path:?} {piece_len} {count} {suffix:?}");
                    }
                    out.fill([0xEE; 32]);
                    digest_pieces(data, piece_len, suffix, &mut out);
                    assert_eq!(out, expected, "chosen {piece_len} {count} {suffix:?}");
                }
            }
        }
    }

    #[test]
    fn every_path_agrees_on_long_pieces() {
        for piece_len in [4096, 65536, 65536 - 1, 65536 + 63] {
            let count = 19;
            let data = noise(piece_len * count);
            let expected = oracle(&data, piece_len, count, &[]);
            for path in Path::ALL {
                let mut out = vec![Digest::default(); count];
                digest_pieces_on(path, &data, piece_len, &[], &mut out);
                assert_eq!(out, expected, "{path:?} {piece_len}");
            }
        }
    }

    #[test]
    fn unaligned_data_is_read_right() {
        let data = noise(64 * 17 + 1);
        let mut out = [Digest::default(); 17];
        for path in Path::ALL {
            digest_pieces_on(path, &data[1..], 64, &[0], &mut out);
            assert_eq!(out.to_vec(), oracle(&data[1..], 64, 17, &[0]), "{path:?}");
        }
    }

    #[test]
    #[should_panic(expected = "whole pieces")]
    fn data_that_is_not_whole_pieces_is_refused() {
        digest_pieces(&[0; 65], 64, &[], &mut [Digest::default()]);
    }

    #[test]
    #[should_panic(expected = "at most 55")]
    fn a_suffix_that_needs_its_own_block_is_refused() {
        digest_pieces(&[0; 128], 64, &[0; 56], &mut [Digest::default(); 2]);
    }
}

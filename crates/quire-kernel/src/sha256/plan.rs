//! How a message of a given length is cut into blocks of 64 bytes, and what all messages share.

/// Bytes that one compression takes.
pub(super) const BLOCK: usize = 64;

/// Longest suffix: with its padding it still fits into one block.
const MAX_SUFFIX: usize = BLOCK - 9;

/// The round constants of FIPS 180-4, 4.2.2.
#[rustfmt::skip]
pub(super) const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// The initial state of FIPS 180-4, 5.3.3.
#[rustfmt::skip]
pub(super) const START: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// The message schedule of one block, each word with its round constant added.
pub(super) type Schedule = [u32; 64];

/// The blocks of a message of `piece_len` bytes followed by a suffix.
pub(super) struct Plan {
    /// Bytes of the piece that fill whole blocks.
    pub(super) body_len: usize,
    pub(super) tail: Tail,
}

/// What follows the whole blocks.
pub(super) enum Tail {
    /// One block that is the same in every message.
    Shared(Box<Schedule>),
    /// The rest of the piece goes to the front of this template of one or two blocks.
    Own { template: [u8; 2 * BLOCK], len: usize },
}

impl Plan {
    pub(super) fn new(piece_len: usize, suffix: &[u8]) -> Self {
        assert!(suffix.len() <= MAX_SUFFIX, "a suffix has at most {MAX_SUFFIX} bytes");
        let rest = piece_len % BLOCK;
        let end = rest + suffix.len();
        let len = if end + 9 <= BLOCK { BLOCK } else { 2 * BLOCK };
        let bits = (piece_len as u64 + suffix.len() as u64) * 8;
        let mut template = [0u8; 2 * BLOCK];
        template[rest..end].copy_from_slice(suffix);
        template[end] = 0x80;
        template[len - 8..len].copy_from_slice(&bits.to_be_bytes());
        let tail = if rest == 0 {
            Tail::Shared(Box::new(schedule(template.first_chunk().expect("two blocks hold one"))))
        } else {
            Tail::Own { template, len }
        };
        Self { body_len: piece_len - rest, tail }
    }
}

fn schedule(block: &[u8; BLOCK]) -> Schedule {
    let mut words = [0u32; 64];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for t in 16..64 {
        let (a, b) = (words[t - 15], words[t - 2]);
        let low = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
        let high = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
        words[t] = words[t - 16].wrapping_add(low).wrapping_add(words[t - 7]).wrapping_add(high);
    }
    std::array::from_fn(|t| words[t].wrapping_add(K[t]))
}

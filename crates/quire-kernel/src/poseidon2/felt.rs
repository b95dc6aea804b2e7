//! Field elements as bytes: 32, little-endian, below the modulus; and data as field elements.

use super::field::is_canonical;

/// A field element as it is stored and sent. Nothing below the checks takes one that is not
/// canonical.
pub type Felt = [u8; 32];

/// A plain integer below 2^256, least significant word first.
pub(super) type Words = [u64; 4];

/// Bytes of data in one element; one more could reach the modulus.
pub const CHUNK: usize = 31;

/// 32 bytes that are not below the modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCanonical {
    /// Which of the elements handed in, counted from 0.
    pub index: usize,
}

impl std::fmt::Display for NotCanonical {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "field element {} is not below the modulus of BN254", self.index)
    }
}

impl std::error::Error for NotCanonical {}

/// Whether every element is below the modulus.
pub fn check(felts: &[Felt]) -> Result<(), NotCanonical> {
    match felts.iter().position(|felt| !is_canonical(&words_of(felt))) {
        Some(index) => Err(NotCanonical { index }),
        None => Ok(()),
    }
}

#[inline(always)]
pub(super) fn words_of(felt: &Felt) -> Words {
    let (words, _) = felt.as_chunks::<8>();
    std::array::from_fn(|i| u64::from_le_bytes(words[i]))
}

#[inline(always)]
pub(super) fn bytes_of(words: &Words) -> Felt {
    let mut felt = [0; 32];
    felt.as_chunks_mut::<8>().0.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
    felt
}

/// How many elements so many bytes make. The last one is never full.
pub const fn felt_count(len: usize) -> usize {
    len / CHUNK + 1
}

/// Element `index` of data: 31 bytes, or what is left followed by a one.
#[inline(always)]
pub(super) fn felt_at(data: &[u8], index: usize) -> Felt {
    let mut felt = [0; 32];
    let rest = &data[index * CHUNK..];
    if let Some(chunk) = rest.first_chunk::<CHUNK>() {
        felt[..CHUNK].copy_from_slice(chunk);
    } else {
        felt[..rest.len()].copy_from_slice(rest);
        felt[rest.len()] = 1;
    }
    felt
}

/// Data as field elements (proofs.md 3.5).
pub fn felts_of(data: &[u8]) -> impl ExactSizeIterator<Item = Felt> {
    (0..felt_count(data.len())).map(|index| felt_at(data, index))
}

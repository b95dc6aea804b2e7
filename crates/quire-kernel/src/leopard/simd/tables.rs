//! Factors in the forms that the instructions want.

use super::super::field::Field;
use std::sync::OnceLock;

/// Products with the sixteen values of each half of a byte.
pub(super) type Nibbles8 = [[u8; 16]; 2];

/// The same for a 16-bit symbol: for each of its four nibbles, low and high byte of the products.
pub(super) type Nibbles16 = [[[u8; 16]; 2]; 4];

/// The factor as four matrices: low to low byte, high to high, high to low, low to high.
pub(super) type Matrices16 = [u64; 4];

pub(super) fn nibbles_8(factor: u16) -> Nibbles8 {
    static TABLES: OnceLock<Vec<Nibbles8>> = OnceLock::new();
    let make = |factor| {
        let columns = Field::of_8_bits().columns(factor);
        [0, 4].map(|first| sums_of(&columns[first..]).map(|sum| sum as u8))
    };
    TABLES.get_or_init(|| (0..256).map(make).collect())[usize::from(factor)]
}

pub(super) fn nibbles_16(factor: u16) -> Nibbles16 {
    let columns = Field::of_16_bits().columns(factor);
    [0, 4, 8, 12].map(|first| {
        let sums = sums_of(&columns[first..]);
        [sums.map(|sum| sum as u8), sums.map(|sum| (sum >> 8) as u8)]
    })
}

pub(super) fn matrix_8(factor: u16) -> u64 {
    static TABLES: OnceLock<Vec<u64>> = OnceLock::new();
    let make = |factor| {
        let columns = Field::of_8_bits().columns(factor);
        matrix(|bit| columns[bit] as u8)
    };
    TABLES.get_or_init(|| (0..256).map(make).collect())[usize::from(factor)]
}

pub(super) fn matrices_16(factor: u16) -> Matrices16 {
    let columns = Field::of_16_bits().columns(factor);
    [
        matrix(|bit| columns[bit] as u8),
        matrix(|bit| (columns[bit + 8] >> 8) as u8),
        matrix(|bit| columns[bit + 8] as u8),
        matrix(|bit| (columns[bit] >> 8) as u8),
    ]
}

/// All sums of the first four columns.
fn sums_of(columns: &[u16]) -> [u16; 16] {
    let mut sums = [0; 16];
    for (bit, column) in columns[..4].iter().enumerate() {
        for low in 0..1 << bit {
            sums[(1 << bit) + low] = sums[low] ^ column;
        }
    }
    sums
}

/// The matrix with these columns, as `gf2p8affineqb` wants it: byte 7 - i is the row of output bit i.
fn matrix(column: impl Fn(usize) -> u8) -> u64 {
    let mut bits = u64::from_le_bytes(std::array::from_fn(column));
    for (shift, mask) in [(7, 0x00AA_00AA_00AA_00AA), (14, 0x0000_CCCC_0000_CCCC), (28, 0x0000_0000_F0F0_F0F0u64)] {
        let swapped = (bits ^ (bits >> shift)) & mask;
        bits ^= swapped ^ (swapped << shift);
    }
    bits.swap_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One byte through a matrix, by the definition of the instruction.
    fn affine(matrix: u64, byte: u8) -> u8 {
        let rows = matrix.to_le_bytes();
        (0..8).fold(0, |out, bit| out | ((rows[7 - bit] & byte).count_ones() as u8 & 1) << bit)
    }

    #[test]
    fn every_form_multiplies_bytes() {
        for factor in 0..256 {
            for symbol in 0..=255u8 {
                let expected = Field::of_8_bits().mul(factor, symbol.into()) as u8;
                let [low, high] = nibbles_8(factor);
                assert_eq!(low[usize::from(symbol & 15)] ^ high[usize::from(symbol >> 4)], expected);
                assert_eq!(affine(matrix_8(factor), symbol), expected);
            }
        }
    }

    #[test]
    fn every_form_multiplies_pairs_of_bytes() {
        for factor in (0..=u16::MAX).step_by(257) {
            let (tables, matrices) = (nibbles_16(factor), matrices_16(factor));
            for symbol in (0..=u16::MAX).step_by(251) {
                let expected = Field::of_16_bits().mul(factor, symbol).to_le_bytes();
                let byte = |which: usize| {
                    (0..4).fold(0, |sum, at| sum ^ tables[at][which][usize::from(symbol >> (4 * at) & 15)])
                };
                assert_eq!([byte(0), byte(1)], expected);
                let [low, high] = symbol.to_le_bytes();
                let [ll, hh, hl, lh] = matrices;
                assert_eq!([affine(ll, low) ^ affine(hl, high), affine(hh, high) ^ affine(lh, low)], expected);
            }
        }
    }
}

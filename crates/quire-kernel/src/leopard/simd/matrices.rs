//! Factors as matrices of bits.

use super::super::field::Field;
use std::sync::OnceLock;

/// The factor as four matrices: low to low byte, high to high, high to low, low to high.
pub(super) type Matrices16 = [u64; 4];

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
    fn matrices_multiply_bytes() {
        for factor in 0..256 {
            for symbol in 0..=255u8 {
                let expected = Field::of_8_bits().mul(factor, symbol.into()) as u8;
                assert_eq!(affine(matrix_8(factor), symbol), expected);
            }
        }
    }

    #[test]
    fn matrices_multiply_pairs_of_bytes() {
        for factor in (0..=u16::MAX).step_by(257) {
            let [ll, hh, hl, lh] = matrices_16(factor);
            for symbol in (0..=u16::MAX).step_by(251) {
                let [low, high] = symbol.to_le_bytes();
                let product = [affine(ll, low) ^ affine(hl, high), affine(hh, high) ^ affine(lh, low)];
                assert_eq!(product, Field::of_16_bits().mul(factor, symbol).to_le_bytes());
            }
        }
    }
}

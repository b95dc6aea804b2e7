//! Factors as tables of sixteen entries, one for each nibble of a symbol.

use super::super::field::Field;
use std::sync::OnceLock;

/// Products with the sixteen values of each half of a byte.
pub(super) type Nibbles8 = [[u8; 16]; 2];

/// The same for a 16-bit symbol: for each of its four nibbles, low and high byte of the products.
pub(super) type Nibbles16 = [[[u8; 16]; 2]; 4];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nibbles_multiply_bytes() {
        for factor in 0..256 {
            for symbol in 0..=255u8 {
                let expected = Field::of_8_bits().mul(factor, symbol.into()) as u8;
                let [low, high] = nibbles_8(factor);
                assert_eq!(low[usize::from(symbol & 15)] ^ high[usize::from(symbol >> 4)], expected);
            }
        }
    }

    #[test]
    fn nibbles_multiply_pairs_of_bytes() {
        for factor in (0..=u16::MAX).step_by(257) {
            let tables = nibbles_16(factor);
            for symbol in (0..=u16::MAX).step_by(251) {
                let byte = |which: usize| {
                    (0..4).fold(0, |sum, at| sum ^ tables[at][which][usize::from(symbol >> (4 * at) & 15)])
                };
                assert_eq!([byte(0), byte(1)], Field::of_16_bits().mul(factor, symbol).to_le_bytes());
            }
        }
    }
}

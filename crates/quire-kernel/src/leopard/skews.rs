//! The factors of the transform's butterflies.

use super::field::Field;

/// For a transform of `n` positions: the factor at p with distance d is entry p + d - 1.
///
/// Entries are the values of the normalised subspace polynomials of the field's Cantor basis.
pub(super) fn skews(field: &Field, n: usize) -> Vec<u16> {
    let log = n.trailing_zeros() as usize;
    let mut skews = vec![0u16; n];
    let mut basis: Vec<u16> = (0..log).map(|bit| 1 << bit).collect();
    for layer in 0..log.saturating_sub(1) {
        for bit in layer + 1..log {
            for at in ((1 << layer) - 1..1 << bit).step_by(2 << layer) {
                skews[at + (1 << bit)] = skews[at] ^ basis[bit];
            }
        }
        let first = basis[layer + 1];
        let inverse = field.inverse(field.mul(first, first ^ 1));
        for value in &mut basis[layer + 2..] {
            *value = field.mul(field.mul(*value, *value ^ 1), inverse);
        }
    }
    skews
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_transform_has_the_first_factors_of_a_longer_one() {
        for field in [Field::of_8_bits(), Field::of_16_bits()] {
            let all = skews(field, 256);
            for n in [1, 2, 4, 64, 128] {
                assert_eq!(skews(field, n)[..n - 1], all[..n - 1]);
            }
        }
    }

    #[test]
    fn the_first_factor_of_every_layer_is_zero_and_no_other() {
        let skews = skews(Field::of_8_bits(), 256);
        let zeros: Vec<usize> = (0..255).filter(|&at| skews[at] == 0).collect();
        assert_eq!(zeros, [0, 1, 3, 7, 15, 31, 63, 127]);
    }
}

//! The closed form: every row is a fixed linear combination of any K others.
//!
//! In a codeword the sum over positions p of `c_p * p^t` is zero for t = 0 .. span-1. With A the K
//! positions at hand and U all others, |U| = span, Lagrange gives for e in U and j in A
//!
//! `coefficient(e, j) = product over q in U, q != e, of (j + q) / (e + q)`.
//!
//! With `L_x` the logarithm of the product of `x + q` over q in U, q != x, this is
//! `L_j - log(j + e) - L_e`. All L at once are an XOR convolution of U with the logarithms, done by
//! two Walsh-Hadamard transforms modulo the order of the field.

use super::code::Code;

/// `L_x` for every position x, with U all positions but those of the rows at hand.
pub(super) fn locator_without(code: Code, at_hand: &[usize]) -> Vec<u32> {
    let (field, n) = (code.field(), code.positions());
    let order = field.order;
    let mut is_lost = vec![0; n];
    is_lost[..code.span() + code.k()].fill(1);
    at_hand.iter().for_each(|&row| is_lost[code.position(row)] = 0);
    let mut logs: Vec<u32> = (0..n).map(|symbol| field.log(symbol)).collect();
    walsh_hadamard(&mut logs, order);
    walsh_hadamard(&mut is_lost, order);
    // Two transforms multiply by n = 2^a, whose inverse modulo 2^bits - 1 is 2^(bits - a).
    let inverse = 1u64 << (field.bits - n.trailing_zeros());
    for (a, b) in is_lost.iter_mut().zip(logs) {
        *a = (u64::from(*a) * u64::from(b) % u64::from(order) * inverse % u64::from(order)) as u32;
    }
    walsh_hadamard(&mut is_lost, order);
    is_lost
}

fn walsh_hadamard(values: &mut [u32], order: u32) {
    let mut distance = 1;
    while distance < values.len() {
        for block in values.chunks_exact_mut(2 * distance) {
            let (low, high) = block.split_at_mut(distance);
            for (a, b) in low.iter_mut().zip(high) {
                let (sum, difference) = (*a + *b, *a + order - *b);
                *a = sum % order;
                *b = difference % order;
            }
        }
        distance *= 2;
    }
}

/// One symbol for each pair of a wanted row and a row at hand, wanted rows outermost.
///
/// `at_hand` are K different rows; no wanted row is among them.
pub(super) fn coefficients(code: Code, at_hand: &[usize], wanted: &[usize]) -> Vec<u16> {
    debug_assert_eq!(at_hand.len(), code.k());
    let field = code.field();
    let product = locator_without(code, at_hand);
    let of = |e: usize, j: usize| field.exp(product[j] + 2 * field.order - field.log(j ^ e) - product[e]);
    let of_row = |&e: &usize| at_hand.iter().map(move |&j| of(code.position(e), code.position(j)));
    wanted.iter().flat_map(of_row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generator(k: usize, m: usize) -> Vec<u16> {
        let data: Vec<usize> = (0..k).collect();
        let parity: Vec<usize> = (k..k + m).collect();
        coefficients(Code::new(k, m).unwrap(), &data, &parity)
    }

    #[test]
    fn generators_are_those_of_the_reference() {
        assert_eq!(generator(3, 2), [3, 2, 5, 2, 3, 4]);
        assert_eq!(generator(4, 4), [13, 14, 11, 9, 14, 13, 9, 11, 11, 9, 13, 14, 9, 11, 14, 13]);
        assert_eq!(generator(10, 10)[..10], [173, 167, 127, 120, 134, 142, 96, 102, 251, 244]);
        assert_eq!(generator(200, 56)[..8], [212, 45, 253, 117, 217, 47, 242, 114]);
    }

    #[test]
    fn one_parity_row_is_the_sum() {
        assert_eq!(generator(1, 1), [1]);
        assert_eq!(generator(7, 1), [1; 7]);
    }

    #[test]
    fn a_row_is_rebuilt_as_in_the_reference() {
        // Positions 0, 3, 4 at hand and 2 wanted: parity 0, data 1 and 2; data 0.
        assert_eq!(coefficients(Code::new(3, 2).unwrap(), &[3, 1, 2], &[0]), [2, 3, 8]);
    }
}

//! Arithmetic in lanes beside arkworks, at the edges of the field.

use ark_ff::{BigInt, BigInteger, Field};

use super::*;

/// Lane values that sit at the edges, and some in between.
fn edges() -> [[u64; 4]; LANES] {
    let p = Fq::MODULUS;
    let mut less = p;
    less.sub_with_borrow(&BigInt::one());
    let mut twice = p;
    twice.add_with_carry(&p);
    let all = [u64::MAX; 4];
    [[0; 4], [1, 0, 0, 0], less.0, p.0, twice.0, all, [u64::MAX, 0, 0, 0], [5, 6, 7, 8 << 50]]
}

fn value(words: [u64; 4]) -> Fq {
    Fq::from_le_bytes_mod_order(&words.map(u64::to_le_bytes).concat())
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn arithmetic_agrees() {
    let by_r = Fq::from(2u64).pow([260]).inverse().unwrap();
    for turn in 0..LANES {
        let mut right = edges();
        right.rotate_left(turn);
        let (a, b) = (from_words(&edges()), from_words(&right));
        let found = [
            product::<Base>(&a, &b),
            square::<Base>(&a),
            products::<Base>(&a, &b, &b, &b),
            difference::<Base>(a, b),
            carried(plus(a, b)),
            opposite::<Base>(a),
            a,
        ]
        .map(|lanes| to_words(&reduced::<Base>(lanes)));
        for lane in 0..LANES {
            let (x, y) = (value(edges()[lane]), value(right[lane]));
            let expected = [x * y * by_r, x * x * by_r, (x + y) * y * by_r, x - y, x + y, -x, x];
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(found[lane], expected.into_bigint().0, "lane {lane}, turn {turn}");
            }
        }
    }
}

#[test]
fn arithmetic_in_lanes_agrees_with_one_at_a_time_and_is_canonical() {
    if available() {
        // SAFETY: the processor has the features.
        unsafe { arithmetic_agrees() };
    }
}

#[target_feature(enable = "avx512f")]
fn transposition_agrees() {
    let word = |row: usize, column: usize| (8 * row + column) as i64;
    let row = |r: usize| -> [i64; 8] { std::array::from_fn(|c| word(r, c)) };
    // SAFETY: eight words are as long as one vector.
    let rows: [__m512i; 8] = std::array::from_fn(|r| unsafe { _mm512_loadu_si512(row(r).as_ptr().cast()) });
    // SAFETY: as `available` was asked.
    let columns = unsafe { transposed(&rows) };
    for (c, column) in columns.iter().enumerate() {
        let mut found = [0i64; 8];
        // SAFETY: eight words are as long as one vector.
        unsafe { _mm512_storeu_si512(found.as_mut_ptr().cast(), *column) };
        assert_eq!(found, std::array::from_fn(|r| word(r, c)));
    }
}

#[test]
fn a_square_of_words_is_transposed() {
    if available() {
        // SAFETY: the processor has the features.
        unsafe { transposition_agrees() };
    }
}

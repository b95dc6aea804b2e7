//! Numbers as bits, the least significant first.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, BigInteger, One, PrimeField, Zero};

use super::builder::{Builder, Num};

/// Bits of the canonical form of an element.
pub const ELEMENT_BITS: usize = Fr::MODULUS_BIT_SIZE as usize;

/// That a wire is 0 or 1.
pub fn constrain_bit<B: Builder>(b: &mut B, bit: &B::Num) {
    b.constrain(|| [bit.clone(), bit.clone(), bit.clone()]);
}

/// The sum of the bits times their places.
pub fn number<N: Num>(bits: &[N]) -> N {
    let mut place = Fr::one();
    bits.iter().fold(N::from(Fr::zero()), |sum, bit| {
        let term = bit.clone() * place;
        place.double_in_place();
        sum + term
    })
}

fn bits_of(value: Fr, count: usize) -> Vec<Fr> {
    let value = value.into_bigint();
    (0..count).map(|place| Fr::from(value.get_bit(place))).collect()
}

/// The bits of a number below 2^count; `clause` says what it means if it is not.
///
/// `count` is small, so no second set of bits gives the same element.
pub fn small<B: Builder>(b: &mut B, value: &B::Num, count: usize, clause: impl FnOnce() -> String) -> Vec<B::Num> {
    assert!(count < ELEMENT_BITS - 1, "{count} bits do not name an element in one way only");
    let bits = b.list(value, count, |value| bits_of(value, count));
    bits.iter().for_each(|bit| constrain_bit(b, bit));
    b.demand_equal(number(&bits), value.clone(), clause);
    bits
}

/// The bits of an element, which are those of its canonical form: below the modulus r.
///
/// From the top, `level` says whether the bits so far equal those of r - 1. Where r - 1 has a one,
/// it stays level if the bit is one; where r - 1 has a zero, the bit must be zero if level.
pub fn canonical<B: Builder>(b: &mut B, value: &B::Num) -> Vec<B::Num> {
    let bits = b.list(value, ELEMENT_BITS, |value| bits_of(value, ELEMENT_BITS));
    let mut bound = Fr::MODULUS;
    bound.sub_with_borrow(&1u64.into());
    let last_zero = (0..ELEMENT_BITS).find(|place| !bound.get_bit(*place));
    let mut level: Option<B::Num> = None;
    for place in (0..ELEMENT_BITS).rev() {
        let bit = &bits[place];
        if !bound.get_bit(place) {
            b.constrain(|| {
                let level = level.clone().unwrap_or_else(|| B::Num::from(Fr::zero()));
                [bit.clone(), B::Num::from(Fr::one()) - level - bit.clone(), B::Num::from(Fr::zero())]
            });
            continue;
        }
        constrain_bit(b, bit);
        if Some(place) > last_zero {
            level = Some(level.map_or_else(|| bit.clone(), |level| b.product(&level, bit)));
        }
    }
    b.constrain(|| [number(&bits), B::Num::from(Fr::one()), value.clone()]);
    bits
}

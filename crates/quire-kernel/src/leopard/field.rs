//! GF(2^8) and GF(2^16) in the Cantor basis.
//!
//! A symbol with bits s_0 s_1 ... stands for the sum of the basis elements b_i with s_i = 1. Sums are
//! XOR in either basis; products go by logarithms of a generator.

use std::sync::OnceLock;

/// The image of every unit bit under one multiplication: a linear map over GF(2). The 8-bit field
/// uses the first eight.
pub(super) type Columns = [u16; 16];

const BASIS_8: [u16; 8] = [1, 214, 152, 146, 86, 200, 88, 230];
const BASIS_16: [u16; 16] = [
    0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012, 0x6C98, 0x10D8, 0x6A72, 0xB900, 0xFDB8, 0xFB34,
    0xFF38, 0x991E,
];

/// The tables of one field.
pub(super) struct Field {
    pub bits: u32,
    /// Symbols other than zero, and the order of the generator: 2^bits - 1.
    pub order: u32,
    /// Logarithm of a symbol; that of zero, which has none, is 0.
    log: Vec<u16>,
    /// Symbol of a logarithm below the order.
    exp: Vec<u16>,
}

impl Field {
    /// The field of bytes.
    pub fn of_8_bits() -> &'static Self {
        static FIELD: OnceLock<Field> = OnceLock::new();
        FIELD.get_or_init(|| Self::new(0x11D, &BASIS_8))
    }

    /// The field of pairs of bytes.
    pub fn of_16_bits() -> &'static Self {
        static FIELD: OnceLock<Field> = OnceLock::new();
        FIELD.get_or_init(|| Self::new(0x1002D, &BASIS_16))
    }

    fn new(polynomial: u32, basis: &[u16]) -> Self {
        let size = 1usize << basis.len();
        let mut element_of = vec![0u16; size];
        for (bit, element) in basis.iter().enumerate() {
            for symbol in 0..1 << bit {
                element_of[(1 << bit) + symbol] = element_of[symbol] ^ element;
            }
        }
        let mut symbol_of = vec![0u16; size];
        for (symbol, element) in element_of.iter().enumerate() {
            symbol_of[usize::from(*element)] = symbol as u16;
        }
        let (mut log, mut exp) = (vec![0u16; size], vec![0u16; size - 1]);
        let mut element = 1u32;
        for (power, place) in exp.iter_mut().enumerate() {
            let symbol = symbol_of[element as usize];
            *place = symbol;
            log[usize::from(symbol)] = power as u16;
            element <<= 1;
            if element >> basis.len() == 1 {
                element ^= polynomial;
            }
        }
        Self { bits: basis.len() as u32, order: size as u32 - 1, log, exp }
    }

    /// Logarithm; 0 for the symbol 0, which has none.
    pub fn log(&self, symbol: usize) -> u32 {
        u32::from(self.log[symbol])
    }

    /// The symbol of any logarithm.
    pub fn exp(&self, log: u32) -> u16 {
        self.exp[(log % self.order) as usize]
    }

    /// The product of two symbols.
    pub fn mul(&self, a: u16, b: u16) -> u16 {
        if a == 0 || b == 0 { 0 } else { self.exp(self.log(a.into()) + self.log(b.into())) }
    }

    /// One over a symbol that is not zero.
    pub fn inverse(&self, symbol: u16) -> u16 {
        self.exp(self.order - self.log(symbol.into()))
    }

    /// The linear map "times `factor`".
    pub fn columns(&self, factor: u16) -> Columns {
        std::array::from_fn(|bit| if (bit as u32) < self.bits { self.mul(factor, 1 << bit) } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::Field;

    #[test]
    fn products_are_those_of_the_reference() {
        let (small, large) = (Field::of_8_bits(), Field::of_16_bits());
        assert_eq!([small.mul(2, 3), small.mul(0x57, 0x83), small.mul(255, 255), small.mul(16, 17)], [1, 0x8D, 128, 8]);
        assert_eq!([large.mul(2, 3), large.mul(0x1234, 0xABCD), large.mul(0xFFFF, 0xFFFF)], [1, 0x43C1, 0x8000]);
    }

    #[test]
    fn zero_and_one_do_what_they_must() {
        for field in [Field::of_8_bits(), Field::of_16_bits()] {
            for symbol in (0..=field.order as u16).step_by(7) {
                assert_eq!((field.mul(symbol, 0), field.mul(0, symbol)), (0, 0));
                assert_eq!((field.mul(symbol, 1), field.mul(1, symbol)), (symbol, symbol));
            }
        }
    }

    #[test]
    fn columns_make_up_the_product() {
        for field in [Field::of_8_bits(), Field::of_16_bits()] {
            for (factor, symbol) in [(3u16, 0xA5u16), (0x8D, 0xFF), (0xFF, 1), (0, 0x77)] {
                let columns = field.columns(factor);
                let sum = (0..16).filter(|bit| symbol >> bit & 1 == 1).fold(0, |sum, bit| sum ^ columns[bit]);
                assert_eq!(sum, field.mul(factor, symbol));
            }
        }
    }
}

//! The round constants, made at compile time by the generator they were drawn from (proofs.md 3.3).

use super::field::{Fe, is_canonical};

/// External rounds, half of them before the internal ones.
pub const EXTERNAL_ROUNDS: usize = 8;
pub const INTERNAL_ROUNDS: usize = 56;
const COUNT: usize = 3 * EXTERNAL_ROUNDS + INTERNAL_ROUNDS;
const FIRST: usize = 3 * EXTERNAL_ROUNDS / 2;

/// Constants of the external rounds, three a round, as plain integers of four words.
pub const EXTERNAL: [[[u64; 4]; 3]; EXTERNAL_ROUNDS] = external();
/// Constants of the internal rounds, as plain integers of four words.
pub const INTERNAL: [[u64; 4]; INTERNAL_ROUNDS] = internal();

pub(super) const EXTERNAL_FE: [[Fe; 3]; EXTERNAL_ROUNDS] = external_fe();
pub(super) const INTERNAL_FE: [Fe; INTERNAL_ROUNDS] = internal_fe();

const ALL: [[u64; 4]; COUNT] = draw();

/// The Grain LFSR in its self-shrinking form. Bit 0 of the register is the oldest.
struct Grain(u128);

impl Grain {
    const fn new() -> Self {
        // Field, S-box, bits of the modulus, width and rounds: each most significant bit first.
        let parameters = [(1, 2), (1, 4), (254, 12), (3, 12), (EXTERNAL_ROUNDS, 10), (INTERNAL_ROUNDS, 10)];
        let mut register = u128::MAX << 50 & ((1 << 80) - 1);
        let (mut place, mut part) = (0, 0);
        while part < parameters.len() {
            let (value, bits) = parameters[part];
            let mut bit = bits;
            while bit > 0 {
                bit -= 1;
                register |= ((value >> bit & 1) as u128) << place;
                place += 1;
            }
            part += 1;
        }
        let mut grain = Self(register);
        let mut clock = 0;
        while clock < 160 {
            grain.clock();
            clock += 1;
        }
        grain
    }

    const fn clock(&mut self) -> u64 {
        let r = self.0;
        let new = (r >> 62 ^ r >> 51 ^ r >> 38 ^ r >> 23 ^ r >> 13 ^ r) & 1;
        self.0 = r >> 1 | new << 79;
        new as u64
    }

    /// Of each pair of bits the second counts, if the first is set.
    const fn bit(&mut self) -> u64 {
        loop {
            let (chosen, bit) = (self.clock(), self.clock());
            if chosen == 1 {
                return bit;
            }
        }
    }

    /// The next number of 254 bits below the modulus.
    const fn felt(&mut self) -> [u64; 4] {
        loop {
            let mut words = [0; 4];
            let mut place = 254;
            while place > 0 {
                place -= 1;
                words[place / 64] |= self.bit() << (place % 64);
            }
            if is_canonical(&words) {
                return words;
            }
        }
    }
}

const fn draw() -> [[u64; 4]; COUNT] {
    let mut grain = Grain::new();
    let mut all = [[0; 4]; COUNT];
    let mut index = 0;
    while index < COUNT {
        all[index] = grain.felt();
        index += 1;
    }
    all
}

const fn external() -> [[[u64; 4]; 3]; EXTERNAL_ROUNDS] {
    let mut rounds = [[[0; 4]; 3]; EXTERNAL_ROUNDS];
    let mut index = 0;
    while index < 3 * EXTERNAL_ROUNDS {
        let drawn = if index < FIRST { index } else { index + INTERNAL_ROUNDS };
        rounds[index / 3][index % 3] = ALL[drawn];
        index += 1;
    }
    rounds
}

const fn internal() -> [[u64; 4]; INTERNAL_ROUNDS] {
    let mut rounds = [[0; 4]; INTERNAL_ROUNDS];
    let mut index = 0;
    while index < INTERNAL_ROUNDS {
        rounds[index] = ALL[FIRST + index];
        index += 1;
    }
    rounds
}

const fn external_fe() -> [[Fe; 3]; EXTERNAL_ROUNDS] {
    let mut rounds = [[Fe::ZERO; 3]; EXTERNAL_ROUNDS];
    let mut index = 0;
    while index < 3 * EXTERNAL_ROUNDS {
        rounds[index / 3][index % 3] = Fe::from_words(EXTERNAL[index / 3][index % 3]);
        index += 1;
    }
    rounds
}

const fn internal_fe() -> [Fe; INTERNAL_ROUNDS] {
    let mut rounds = [Fe::ZERO; INTERNAL_ROUNDS];
    let mut index = 0;
    while index < INTERNAL_ROUNDS {
        rounds[index] = Fe::from_words(INTERNAL[index]);
        index += 1;
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(words: &[u64; 4]) -> String {
        words.iter().rev().map(|word| format!("{word:016x}")).collect()
    }

    #[test]
    fn the_constants_are_those_of_the_vectors() {
        let text = include_str!("../../../../vectors/poseidon2.json");
        let listed: Vec<&str> = text
            .split('"')
            .skip_while(|part| *part != "round_constants")
            .filter(|part| part.len() == 64)
            .take(80)
            .collect();
        let ours: Vec<String> = EXTERNAL.as_flattened().iter().chain(&INTERNAL).map(hex).collect();
        assert_eq!(listed, ours);
    }
}

//! The inputs of a circom program: signals by name, their values in one row.

use ark_bn254::Fr;

/// One signal; an array of any dimensions is flattened row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    pub name: String,
    pub values: Vec<Fr>,
}

impl Signal {
    /// By what the program knows the signal: FNV-1a of its name, 64 bits, upper and lower half.
    pub fn hash(&self) -> [i32; 2] {
        let hash = self
            .name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        [(hash >> 32) as i32, hash as i32]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hash_as_in_the_known_answers_of_fnv() {
        for (name, expected) in
            [("", 0xcbf2_9ce4_8422_2325u64), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            let [upper, lower] = Signal { name: name.into(), values: Vec::new() }.hash();
            assert_eq!((upper as u32, lower as u32), ((expected >> 32) as u32, expected as u32), "{name}");
        }
    }
}

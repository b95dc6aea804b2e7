//! A circuit of any size: each wire is the product of sums of the two before it.

use ark_ff::One;
use quire_proof::setup::development_key;
use quire_proof::zkey::ProvingKey;
use quire_proof::{Cancel, Fr, r1cs::R1cs};
use std::path::PathBuf;

/// One output, two public inputs, one private input, and a chain of so many products.
pub fn chain(products: usize) -> (R1cs, Vec<Fr>) {
    let one = Fr::one();
    let mut r1cs = R1cs::new(1, 2, 1);
    let mut witness = vec![one, one, Fr::from(3u64), Fr::from(5u64), -Fr::from(7u64)];
    for product in 0..products {
        let wire = r1cs.add_wire();
        let (x, y, z) = (wire - 1, wire - 2, 2 + product as u32 % 3);
        let left = [(x, one), (z, Fr::from(product as u64))];
        let right = [(y, -one), (0, Fr::from(9u64))];
        r1cs.add_constraint(&left, &right, &[(wire, one)]);
        let value = |terms: &[(u32, Fr)]| terms.iter().map(|(wire, c)| witness[*wire as usize] * c).sum::<Fr>();
        let next = value(&left) * value(&right);
        witness.push(next);
    }
    let last = r1cs.wires - 1;
    r1cs.add_constraint(&[(last, one)], &[(0, one)], &[(1, one)]);
    witness[1] = witness[last as usize];
    // The first products read wire 1 through no term, so setting it late changes nothing else.
    assert_eq!(r1cs.first_violation(&witness).unwrap(), None);
    (r1cs, witness)
}

pub fn file_of(r1cs: &R1cs) -> Vec<u8> {
    let mut file = Vec::new();
    r1cs.write(&mut file).unwrap();
    file
}

/// A directory that goes with the test.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("quire-proof-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

pub fn key_of(r1cs: &R1cs, scratch: &Scratch) -> ProvingKey {
    let path = scratch.path("toy.zkey");
    development_key(&file_of(r1cs), &path, &[7; 32], &Cancel::new(), |_| {}).unwrap();
    ProvingKey::open(&path).unwrap()
}

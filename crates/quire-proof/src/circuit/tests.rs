//! The statement holds for honest inputs, for nothing else, and leaves no wire free.

use std::collections::HashMap;

use ark_bn254::Fr;
use ark_ff::{BigInteger, Field, One, PrimeField, Zero};

use super::honest::{Numbers, SMALL, honest, index_of};
use super::parameters::inputs;
use super::{PUBLIC_INPUTS, Parameters, StorageCircuit, StorageInput};
use crate::r1cs::{FORMS, R1cs};

fn small() -> StorageCircuit {
    StorageCircuit::new(SMALL).unwrap()
}

fn holds(r1cs: &R1cs, witness: &[Fr]) -> bool {
    r1cs.first_violation(witness).unwrap().is_none()
}

#[test]
fn every_shape_of_dataset_and_slot_satisfies_the_circuit() {
    let (circuit, r1cs) = (small(), small().r1cs());
    for slots in 1..=8 {
        for slot_index in 0..slots {
            let log2_cells = SMALL.block_depth + ((slots + slot_index) % 5) as usize;
            let input = honest(&SMALL, slots, slot_index, log2_cells, 100 * slots + slot_index);
            let witness = circuit.witness(&input).unwrap();
            assert_eq!(witness.len(), r1cs.wires as usize);
            assert!(witness.len() <= circuit.wires_about() && circuit.wires_about() < 2 * witness.len());
            assert!(holds(&r1cs, &witness), "slot {slot_index} of {slots}, 2^{log2_cells} cells");
        }
    }
}

#[test]
fn the_standard_circuit_is_smaller_than_the_official_one() {
    let count = |samples| StorageCircuit::new(Parameters::standard(samples)).unwrap().r1cs().constraint_count();
    let (one, two) = (count(1), count(2));
    let per_sample = two - one;
    println!("{} + {per_sample} a sample", one - per_sample);
    assert!(per_sample < 17_556 && one - per_sample < 2_100 + 240);
    assert_eq!(count(5), one + 4 * per_sample);
}

#[test]
fn public_inputs_stand_first_in_their_order() {
    let input = honest(&SMALL, 5, 3, 4, 1);
    let witness = small().witness(&input).unwrap();
    let host = Fr::from_be_bytes_mod_order(&input.host);
    assert_eq!(witness[..=PUBLIC_INPUTS], [Fr::one(), input.entropy, input.dataset_root, Fr::from(3), host]);
}

/// Constraints by the wires that stand in them.
fn by_wire(r1cs: &R1cs) -> Vec<Vec<usize>> {
    let mut uses = vec![Vec::new(); r1cs.wires as usize];
    for index in 0..r1cs.constraint_count() {
        for form in FORMS {
            for (wire, _) in r1cs.terms(form, index) {
                uses[wire as usize].push(index);
            }
        }
    }
    uses
}

fn form(r1cs: &R1cs, form: crate::r1cs::Form, index: usize, witness: &[Fr]) -> Fr {
    r1cs.terms(form, index).map(|(wire, value)| value * witness[wire as usize]).sum()
}

/// Constraints and an honest witness: small circuits, and the standard one.
fn of_every_kind() -> impl Iterator<Item = (R1cs, Vec<Fr>)> {
    let small = [(1, 0, 2), (5, 4, 6), (6, 5, 3), (8, 7, 4), (7, 2, 2)].map(|shape| (SMALL, shape));
    small.into_iter().chain([(Parameters::standard(1), (11, 10, 7))]).map(|(parameters, (slots, slot, log2_cells))| {
        let circuit = StorageCircuit::new(parameters).unwrap();
        let witness = circuit.witness(&honest(&parameters, slots, slot, log2_cells, slots)).unwrap();
        (circuit.r1cs(), witness)
    })
}

#[test]
fn no_wire_can_be_changed_alone() {
    let mut numbers = Numbers(7);
    for (r1cs, mut witness) in of_every_kind() {
        let uses = by_wire(&r1cs);
        for wire in 1..witness.len() {
            let honest = witness[wire];
            for changed in [numbers.element(), honest + Fr::one(), Fr::one() - honest, -honest] {
                witness[wire] = changed;
                let breaks = |index: &usize| {
                    let [a, b, c] = FORMS.map(|which| form(&r1cs, which, *index, &witness));
                    a * b != c
                };
                assert!(changed == honest || uses[wire].iter().any(breaks), "wire {wire} is free");
            }
            witness[wire] = honest;
        }
    }
}

/// The rank of the constraints' derivative at a witness, over the wires that are no inputs. If it
/// is full, no set of these wires can move together while the inputs stand.
fn free_wires(r1cs: &R1cs, witness: &[Fr]) -> usize {
    let first = 1 + r1cs.public_inputs + r1cs.private_inputs;
    let mut rows: HashMap<u32, Vec<(u32, Fr)>> = HashMap::new();
    for index in 0..r1cs.constraint_count() {
        let [a, b, _] = FORMS.map(|which| form(r1cs, which, index, witness));
        let mut row: HashMap<u32, Fr> = HashMap::new();
        for (which, factor) in FORMS.into_iter().zip([b, a, -Fr::one()]) {
            for (wire, value) in r1cs.terms(which, index).filter(|(wire, _)| *wire >= first) {
                *row.entry(wire).or_insert(Fr::zero()) += value * factor;
            }
        }
        reduce(&mut rows, row);
    }
    (r1cs.wires - first) as usize - rows.len()
}

/// Adds a row to those in echelon form; each is kept under its lowest wire.
fn reduce(rows: &mut HashMap<u32, Vec<(u32, Fr)>>, mut row: HashMap<u32, Fr>) {
    loop {
        row.retain(|_, value| !value.is_zero());
        let Some((&wire, &value)) = row.iter().min_by_key(|(wire, _)| **wire) else { return };
        let Some(known) = rows.get(&wire) else {
            let scale = value.inverse().unwrap();
            rows.insert(wire, row.into_iter().map(|(wire, value)| (wire, value * scale)).collect());
            return;
        };
        for (other, known) in known {
            *row.entry(*other).or_insert(Fr::zero()) -= value * known;
        }
    }
}

#[test]
fn no_wires_can_be_moved_together_while_the_inputs_stand() {
    for (r1cs, witness) in of_every_kind() {
        assert_eq!(free_wires(&r1cs, &witness), 0);
    }
}

#[test]
fn every_input_stands_in_a_constraint() {
    let uses = by_wire(&small().r1cs());
    assert_eq!(uses.iter().position(Vec::is_empty), None);
}

#[test]
fn bits_of_the_same_number_above_the_modulus_are_refused() {
    let r1cs = small().r1cs();
    // Of the numbers below the modulus one in three has a second set of 254 bits.
    let (input, hash) = (1..)
        .map(|seed| honest(&SMALL, 3, 1, 4, seed))
        .map(|input| (input.clone(), hash_of(&input)))
        .find(|(_, hash)| {
            let mut alias = hash.into_bigint();
            !alias.add_with_carry(&Fr::MODULUS) && alias.num_bits() <= 254
        })
        .unwrap();
    let mut witness = small().witness(&input).unwrap();
    let bits: Vec<Fr> = (0..254).map(|place| Fr::from(hash.into_bigint().get_bit(place))).collect();
    let start = witness.windows(254).position(|window| window == bits).unwrap();
    let mut alias = hash.into_bigint();
    alias.add_with_carry(&Fr::MODULUS);
    for place in 0..254 {
        witness[start + place] = Fr::from(alias.get_bit(place));
    }
    // The flags that follow the bits are computed as an adversary would: from the changed bits.
    let mut bound = Fr::MODULUS;
    bound.sub_with_borrow(&1u64.into());
    let (mut level, mut wire) = (None, start + 254);
    for place in (28..254).rev().filter(|place| bound.get_bit(*place)) {
        let bit = witness[start + place];
        level = Some(level.map_or(bit, |level: Fr| {
            witness[wire] = level * bit;
            wire += 1;
            level * bit
        }));
    }
    let broken = r1cs.first_violation(&witness).unwrap().expect("the alias is refused");
    let bit_constraint = FORMS.map(|which| r1cs.terms(which, broken).count());
    assert_eq!(bit_constraint[0], 1, "it is a bit that must be zero");
    assert!((start as u32..start as u32 + 254).contains(&r1cs.terms(FORMS[0], broken).next().unwrap().0));
}

fn hash_of(input: &StorageInput) -> Fr {
    use quire_kernel::poseidon2::{Rate, sponge};
    let felts = [input.entropy, input.slot_root, Fr::one()].map(|element| crate::bytes::to_le(&element));
    crate::bytes::from_le(&sponge(&felts, Rate::Two).unwrap()).unwrap()
}

#[test]
fn an_index_is_that_of_the_canonical_hash() {
    let input = honest(&SMALL, 3, 1, 4, 5);
    let low = hash_of(&input).into_bigint().0[0] & 15;
    assert_eq!(index_of(&input, 0) as u64, low);
}

/// What an adversary may do who computes wires by his own program: the constraints themselves must
/// refuse what `check` refuses.
#[test]
fn the_constraints_refuse_what_the_check_of_inputs_refuses() {
    let r1cs = small().r1cs();
    let forged = |change: &dyn Fn(&mut StorageInput)| {
        let mut input = honest(&SMALL, 5, 4, 4, 11);
        change(&mut input);
        let mut values = super::Values::new(input.wires(), 0);
        super::statement::lay(&mut values, &SMALL);
        values.into_wires()
    };
    assert!(holds(&r1cs, &forged(&|_| ())));
    let cases: [&dyn Fn(&mut StorageInput); 6] =
        [&|i| i.cells = 12, &|i| i.cells = 2, &|i| i.cells = 0, &|i| i.slots = 9, &|i| i.slots = 0, &|i| {
            (i.slot_index, i.slots) = (6, 5)
        }];
    for change in cases {
        assert!(!holds(&r1cs, &forged(change)));
    }
}

#[test]
fn the_host_is_bound() {
    let r1cs = small().r1cs();
    let mut witness = small().witness(&honest(&SMALL, 5, 4, 4, 11)).unwrap();
    let host = inputs::SLOT_ROOT - 1;
    witness[host] += Fr::one();
    assert!(!holds(&r1cs, &witness));
}

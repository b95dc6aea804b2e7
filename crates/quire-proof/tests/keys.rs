//! Keys that are cut, damaged or of something else.

mod common;

use std::ops::Range;
use std::path::Path;

use common::{Scratch, chain, key_of};
use quire_proof::prove::prove;
use quire_proof::verify::Verifier;
use quire_proof::zkey::ProvingKey;
use quire_proof::{Cancel, Error, key_check};

fn toy(scratch: &Scratch) -> Vec<u8> {
    drop(key_of(&chain(6).0, scratch));
    std::fs::read(scratch.path("toy.zkey")).unwrap()
}

fn opened(scratch: &Scratch, bytes: &[u8]) -> Result<ProvingKey, Error> {
    let path = scratch.path("bad.zkey");
    std::fs::write(&path, bytes).unwrap();
    ProvingKey::open(&path)
}

/// Where the payload of a section stands.
fn section(file: &[u8], number: u32) -> Range<usize> {
    let mut at = 12;
    loop {
        let length = u64::from_le_bytes(file[at + 4..at + 12].try_into().unwrap()) as usize;
        if file[at..at + 4] == number.to_le_bytes() {
            return at + 12..at + 12 + length;
        }
        at += 12 + length;
    }
}

#[test]
fn a_key_cut_anywhere_is_refused() {
    let scratch = Scratch::new("cut");
    let file = toy(&scratch);
    assert!(opened(&scratch, &file).is_ok());
    for end in (1..file.len()).step_by(7).chain([file.len() - 1]) {
        assert!(matches!(opened(&scratch, &file[..end]), Err(Error::BadKey(_))), "cut at {end}");
    }
    assert!(matches!(opened(&scratch, &[file.as_slice(), &[0]].concat()), Err(Error::BadKey(_))));
    assert!(matches!(opened(&scratch, &[]), Err(Error::Io(_))));
    assert!(matches!(ProvingKey::open(Path::new("no such key")), Err(Error::Io(_))));
}

#[test]
fn a_header_that_is_of_something_else_is_refused() {
    let scratch = Scratch::new("header");
    let file = toy(&scratch);
    let header = section(&file, 2).start;
    let counts = header + 72;
    let places = [
        (0, "magic"),
        (4, "version"),
        (8, "count of sections"),
        (section(&file, 1).start, "protocol"),
        (header, "size of the base field"),
        (header + 4, "base field"),
        (header + 36, "size of the scalar field"),
        (header + 40, "scalar field"),
        (counts, "wires"),
        (counts + 4, "public inputs"),
        (counts + 8, "domain"),
        (section(&file, 4).start, "count of coefficients"),
    ];
    for (place, what) in places {
        let mut bad = file.clone();
        bad[place] ^= 1;
        assert!(matches!(opened(&scratch, &bad), Err(Error::BadKey(_))), "{what}");
    }
    for (place, value) in [(counts, u32::MAX), (counts + 8, 1 << 31), (counts + 8, 0)] {
        let mut bad = file.clone();
        bad[place..place + 4].copy_from_slice(&value.to_le_bytes());
        assert!(matches!(opened(&scratch, &bad), Err(Error::BadKey(_))), "{value}");
    }
}

#[test]
fn points_of_the_header_off_their_curve_are_refused() {
    let scratch = Scratch::new("off-curve");
    let file = toy(&scratch);
    let points = section(&file, 2).start + 84;
    let inputs = section(&file, 3);
    for place in (points..section(&file, 2).end).step_by(32).chain(inputs.step_by(32)) {
        let mut bad = file.clone();
        bad[place] ^= 1;
        assert!(matches!(opened(&scratch, &bad), Err(Error::BadKey(_))), "byte {place}");
    }
}

#[test]
fn damage_behind_the_header_is_found_by_the_check_and_gives_no_proof() {
    let scratch = Scratch::new("damage");
    let file = toy(&scratch);
    let (_, witness) = chain(6);
    for number in 4..=9 {
        let places = section(&file, number);
        // A coefficient's wire; else a coordinate of wire 4, which is in A and in B, or of the first.
        let place = places.start
            + match number {
                4 => 4 + 8,
                5 | 6 => 4 * 64,
                7 => 4 * 128,
                _ => 0,
            };
        let mut bad = file.clone();
        bad[place] ^= 1;
        let key = opened(&scratch, &bad).unwrap();
        if number != 4 {
            let found = key_check::check(&key, &[1; 32], &Cancel::new());
            assert!(matches!(found, Err(Error::BadKey(_))), "section {number}");
        }
        let verifier = Verifier::new(key.verifying_key().clone());
        let refused = prove(&key, &verifier, &witness, &[1; 64], &Cancel::new());
        assert!(matches!(refused, Err(Error::WitnessDoesNotSatisfy(_))), "section {number}: {refused:?}");
    }
}

#[test]
fn coefficients_of_wires_that_do_not_exist_are_refused() {
    let scratch = Scratch::new("coefficients");
    let file = toy(&scratch);
    let (_, witness) = chain(6);
    let first = section(&file, 4).start + 4;
    for place in [first + 4, first + 8] {
        let mut bad = file.clone();
        bad[place + 3] = 1;
        let key = opened(&scratch, &bad).unwrap();
        assert!(matches!(key_check::check(&key, &[1; 32], &Cancel::new()), Err(Error::BadKey(_))));
        let verifier = Verifier::new(key.verifying_key().clone());
        let refused = prove(&key, &verifier, &witness, &[1; 64], &Cancel::new());
        assert!(matches!(refused, Err(Error::BadKey(_))));
    }
}

#[test]
fn a_point_of_the_twist_outside_the_group_is_found_by_the_check() {
    use ark_bn254::{Fq, Fq2, G2Affine};
    use quire_proof::points::g2_to;
    let scratch = Scratch::new("outside");
    let mut file = toy(&scratch);
    let place = section(&file, 7).start;
    let mut tries = (1u64..).filter_map(|x| {
        G2Affine::get_point_from_x_unchecked(Fq2::new(Fq::from(x), Fq::from(1u64)), false)
            .filter(|point| !point.is_in_correct_subgroup_assuming_on_curve())
    });
    file[place..place + 128].copy_from_slice(&g2_to(&tries.next().unwrap()));
    let key = opened(&scratch, &file).unwrap();
    let found = key_check::check(&key, &[1; 32], &Cancel::new());
    assert!(matches!(found, Err(Error::BadKey(why)) if why.contains("outside the group")));
}

#[test]
fn a_key_of_another_circuit_gives_no_proof() {
    let scratch = Scratch::new("other-circuit");
    let key = key_of(&chain(6).0, &scratch);
    let verifier = Verifier::new(key.verifying_key().clone());
    let refused = prove(&key, &verifier, &chain(7).1, &[1; 64], &Cancel::new());
    assert!(matches!(refused, Err(Error::Malformed(_))));
}

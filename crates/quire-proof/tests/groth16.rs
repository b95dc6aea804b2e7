//! From a circuit to a proof that verifies, and everything that must not verify.

mod common;

use ark_ff::One;
use common::{Scratch, chain, file_of, key_of};
use quire_proof::batch::verify_batch;
use quire_proof::proof::{PROOF_BYTES, Proof, public_of_bytes, public_to_bytes};
use quire_proof::prove::prove;
use quire_proof::setup::development_key;
use quire_proof::verify::Verifier;
use quire_proof::vk::VerifyingKey;
use quire_proof::{Cancel, Error, Fr, key_check};

#[test]
fn a_proof_verifies_and_any_change_of_it_does_not() {
    let scratch = Scratch::new("verifies");
    for products in [1, 10, 300] {
        let (r1cs, witness) = chain(products);
        let key = key_of(&r1cs, &scratch);
        let verifier = Verifier::new(key.verifying_key().clone());
        let (proof, public) = prove(&key, &verifier, &witness, &[1; 64], &Cancel::new()).unwrap();
        assert_eq!(public, witness[1..4]);
        assert!(verifier.verify(&public, &proof).unwrap());
        assert_eq!(Proof::from_bytes(&proof.to_bytes()).unwrap(), proof);
        assert_eq!(public_of_bytes(&public_to_bytes(&public)).unwrap(), public);
        for index in 0..3 {
            let mut other = public.clone();
            other[index] += Fr::one();
            assert!(!verifier.verify(&other, &proof).unwrap());
        }
        let moved = Proof { a: -proof.a, ..proof };
        assert!(!verifier.verify(&public, &moved).unwrap());
        let moved = Proof { c: proof.a, ..proof };
        assert!(!verifier.verify(&public, &moved).unwrap());
        assert!(matches!(verifier.verify(&public[1..], &proof), Err(Error::BadProof(_))));
    }
}

#[test]
fn proofs_are_blinded_by_the_seed_and_by_nothing_else() {
    let scratch = Scratch::new("blinded");
    let (r1cs, witness) = chain(5);
    let key = key_of(&r1cs, &scratch);
    let verifier = Verifier::new(key.verifying_key().clone());
    let [one, same, other] =
        [1, 1, 2].map(|seed| prove(&key, &verifier, &witness, &[seed; 64], &Cancel::new()).unwrap().0);
    assert_eq!(one, same);
    assert!(one.a != other.a && one.b != other.b && one.c != other.c);
}

#[test]
fn a_witness_that_does_not_satisfy_gives_no_proof() {
    let scratch = Scratch::new("unsatisfied");
    let (r1cs, witness) = chain(20);
    let key = key_of(&r1cs, &scratch);
    let verifier = Verifier::new(key.verifying_key().clone());
    for wire in 1..witness.len() {
        let mut bad = witness.clone();
        bad[wire] += Fr::one();
        let refused = prove(&key, &verifier, &bad, &[1; 64], &Cancel::new());
        assert!(matches!(refused, Err(Error::WitnessDoesNotSatisfy(_))), "wire {wire}");
    }
    let refused = prove(&key, &verifier, &witness[1..], &[1; 64], &Cancel::new());
    assert!(matches!(refused, Err(Error::Malformed(_))));
}

#[test]
fn set_up_is_a_function_of_circuit_and_seed_and_is_marked_unsafe() {
    let scratch = Scratch::new("set-up");
    let file = file_of(&chain(9).0);
    let make = |name: &str, seed: u8| {
        development_key(&file, &scratch.path(name), &[seed; 32], &Cancel::new(), |_| {}).unwrap();
        std::fs::read(scratch.path(name)).unwrap()
    };
    let key = make("a", 1);
    assert!(key == make("b", 1));
    assert!(key != make("c", 2));
    let opened = quire_proof::zkey::ProvingKey::open(&scratch.path("a")).unwrap();
    let hash: [u8; 32] =
        sha2::Digest::finalize(sha2::Digest::chain_update(<sha2::Sha256 as sha2::Digest>::new(), &file)).into();
    assert_eq!(opened.development_circuit(), Some(&hash));
    assert_eq!((opened.wires(), opened.public_count(), opened.domain()), (14, 3, 16));
    key_check::check(&opened, &[3; 32], &Cancel::new()).unwrap();
}

#[test]
fn progress_of_a_set_up_is_true_and_cancelling_leaves_nothing_behind() {
    let scratch = Scratch::new("progress");
    let (r1cs, _) = chain(9);
    let file = file_of(&r1cs);
    let mut heard = Vec::new();
    development_key(&file, &scratch.path("key"), &[1; 32], &Cancel::new(), |at| heard.push(at)).unwrap();
    assert!(heard.windows(2).all(|pair| pair[0].done < pair[1].done));
    assert!(heard.last().is_some_and(|last| last.done == last.total));

    let cancel = Cancel::new();
    let stopped = development_key(&file, &scratch.path("other"), &[1; 32], &cancel, |_| cancel.set());
    assert_eq!(stopped, Err(Error::Cancelled));
    assert!(!scratch.path("other").exists() && !scratch.path("other.part").exists());
}

#[test]
fn a_cancelled_proof_stops() {
    let scratch = Scratch::new("cancelled");
    let (r1cs, witness) = chain(5);
    let key = key_of(&r1cs, &scratch);
    let verifier = Verifier::new(key.verifying_key().clone());
    let cancel = Cancel::new();
    cancel.set();
    assert_eq!(prove(&key, &verifier, &witness, &[1; 64], &cancel), Err(Error::Cancelled));
}

#[test]
fn a_batch_names_exactly_its_bad_proofs() {
    let scratch = Scratch::new("batch");
    let (r1cs, witness) = chain(4);
    let key = key_of(&r1cs, &scratch);
    let verifier = Verifier::new(key.verifying_key().clone());
    let good: Vec<_> = (0..19u8)
        .map(|seed| {
            let (proof, public) = prove(&key, &verifier, &witness, &[seed; 64], &Cancel::new()).unwrap();
            (public, proof)
        })
        .collect();
    let bad_in = |items: &[(Vec<Fr>, Proof)]| verify_batch(&verifier, items, &[5; 32], &Cancel::new()).unwrap();
    assert!(bad_in(&good).is_empty());
    assert!(bad_in(&[]).is_empty());
    for wrong in [vec![0], vec![18], vec![3, 4], vec![0, 7, 8, 18], (0..19).collect()] {
        let mut items = good.clone();
        for (place, index) in wrong.iter().enumerate() {
            // A wrong input, a wrong point, or the proof of another blinding mixed in.
            match place % 3 {
                0 => items[*index].0[0] += Fr::one(),
                1 => items[*index].1.a = -items[*index].1.a,
                _ => items[*index].1.c = items[*index].1.a,
            }
        }
        assert_eq!(bad_in(&items), wrong);
    }
    let short = [(vec![], good[0].1)];
    assert!(matches!(verify_batch(&verifier, &short, &[5; 32], &Cancel::new()), Err(Error::BadProof(_))));
}

#[test]
fn errors_that_cancel_each_other_out_do_not_fool_a_batch() {
    let scratch = Scratch::new("cancel-out");
    let (r1cs, witness) = chain(4);
    let key = key_of(&r1cs, &scratch);
    let verifier = Verifier::new(key.verifying_key().clone());
    let (proof, public) = prove(&key, &verifier, &witness, &[1; 64], &Cancel::new()).unwrap();
    let shift = key.verifying_key().alpha;
    let plus = Proof { c: (proof.c + shift).into(), ..proof };
    let minus = Proof { c: (proof.c - shift).into(), ..proof };
    let items = [(public.clone(), plus), (public, minus)];
    assert_eq!(verify_batch(&verifier, &items, &[5; 32], &Cancel::new()).unwrap(), [0, 1]);
}

#[test]
fn bytes_that_are_no_points_are_refused_as_a_proof() {
    let scratch = Scratch::new("bytes");
    let (r1cs, witness) = chain(4);
    let key = key_of(&r1cs, &scratch);
    let verifier = Verifier::new(key.verifying_key().clone());
    let bytes = prove(&key, &verifier, &witness, &[1; 64], &Cancel::new()).unwrap().0.to_bytes();
    let refused = |bytes: &[u8]| matches!(Proof::from_bytes(bytes), Err(Error::BadProof(_)));
    assert!(refused(&bytes[1..]) && refused(&[bytes.as_slice(), &[0]].concat()));
    for word in 0..8 {
        let mut bad = bytes;
        bad[32 * word + 31] ^= 1;
        assert!(refused(&bad), "word {word} off its curve");
        let mut bad = bytes;
        bad[32 * word..32 * word + 32].fill(0xff);
        assert!(refused(&bad), "word {word} above the order");
    }
    for zeros in [0..64, 64..192, 192..256, 0..PROOF_BYTES] {
        let mut bad = bytes;
        bad[zeros.clone()].fill(0);
        assert!(refused(&bad), "{zeros:?} at infinity");
    }
    let mut bad = bytes;
    bad[64..192].copy_from_slice(&outside_the_group());
    assert!(refused(&bad), "a point of the twist outside the group");
}

/// A point on the twist that is not in the group: one is found at once by trying.
fn outside_the_group() -> [u8; 128] {
    use ark_bn254::{Fq, Fq2, G2Affine};
    use ark_ff::{BigInteger, PrimeField};
    let mut tries = (1u64..).filter_map(|x| {
        G2Affine::get_point_from_x_unchecked(Fq2::new(Fq::from(x), Fq::one()), false)
            .filter(|point| !point.is_in_correct_subgroup_assuming_on_curve())
    });
    let point = tries.next().unwrap();
    let words = [point.x.c0, point.x.c1, point.y.c0, point.y.c1].map(|part| part.into_bigint().to_bytes_be());
    words.concat().try_into().unwrap()
}

#[test]
fn a_verifying_key_comes_back_from_its_words_and_bad_ones_are_refused() {
    let scratch = Scratch::new("words");
    let key = key_of(&chain(4).0, &scratch);
    let words = key.verifying_key().to_words();
    assert_eq!(&VerifyingKey::from_words(&words).unwrap(), key.verifying_key());
    let refused = |bytes: &[u8]| matches!(VerifyingKey::from_words(bytes), Err(Error::BadKey(_)));
    assert!(refused(&words[..words.len() - 32]) && refused(&words[1..]) && refused(&words[..14 * 32]));
    for word in 0..words.len() / 32 {
        let mut bad = words.clone();
        bad[32 * word + 31] ^= 1;
        assert!(refused(&bad), "word {word}");
    }
    for start in [2, 6, 10] {
        let mut bad = words.clone();
        bad[32 * start..32 * (start + 4)].copy_from_slice(&outside_the_group());
        assert!(refused(&bad), "word {start}");
        bad[32 * start..32 * (start + 4)].fill(0);
        assert!(refused(&bad), "zeros at {start}");
    }
}

#[test]
fn public_inputs_above_the_order_are_refused() {
    use ark_ff::{BigInteger, PrimeField};
    let order = Fr::MODULUS.to_bytes_be();
    assert!(matches!(public_of_bytes(&order), Err(Error::BadProof(_))));
    assert!(matches!(public_of_bytes(&order[1..]), Err(Error::BadProof(_))));
}

//! Set-up, proof and verification by ark-groth16 as it is published, on a `.r1cs` and a `.wtns`
//! file; one line of JSON. `quire-bench-ark-groth16 <circuit.r1cs> <witness.wtns> <proofs>`

use std::time::Instant;

use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError, Variable};
use ark_snark::SNARK;
use ark_std::rand::{SeedableRng, rngs::StdRng};
use quire_proof::r1cs::{FORMS, R1cs};
use quire_proof::wtns;

/// A circuit and its witness, told constraint by constraint.
struct Replay<'a>(&'a R1cs, &'a [Fr]);

impl ConstraintSynthesizer<Fr> for Replay<'_> {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let Replay(r1cs, witness) = self;
        let mut wires = vec![Variable::One];
        for (wire, value) in witness.iter().enumerate().skip(1) {
            wires.push(if wire <= r1cs.public_count() {
                cs.new_input_variable(|| Ok(*value))?
            } else {
                cs.new_witness_variable(|| Ok(*value))?
            });
        }
        for constraint in 0..r1cs.constraint_count() {
            let [a, b, c] = FORMS.map(|form| {
                LinearCombination(
                    r1cs.terms(form, constraint).map(|(wire, value)| (value, wires[wire as usize])).collect(),
                )
            });
            cs.enforce_r1cs_constraint(|| a, || b, || c)?;
        }
        Ok(())
    }
}

fn usage() -> (f64, f64) {
    // SAFETY: all zeros are a value of this plain struct, and it is only written to.
    let used = unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut used);
        used
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    (seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss as f64 / 1024.0)
}

/// The value, CPU seconds and seconds of some work.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64, f64) {
    let (start, wall) = (usage().0, Instant::now());
    let done = work();
    (done, usage().0 - start, wall.elapsed().as_secs_f64())
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let r1cs = R1cs::read(&std::fs::read(&arguments[1]).expect("a circuit file")).expect("a circuit");
    let witness = wtns::read(&std::fs::read(&arguments[2]).expect("a witness file")).expect("a witness");
    let proofs: usize = arguments[3].parse().expect("a number of proofs");
    let mut rng = StdRng::seed_from_u64(1);
    let (keys, setup_cpu, setup) =
        timed(|| Groth16::<Bn254>::circuit_specific_setup(Replay(&r1cs, &witness), &mut rng));
    let (key, verifying) = keys.expect("a key");
    let mut best = (f64::MAX, f64::MAX);
    let mut made = None;
    for _ in 0..proofs {
        let (proof, cpu, wall) = timed(|| Groth16::<Bn254>::prove(&key, Replay(&r1cs, &witness), &mut rng));
        best = (best.0.min(cpu), best.1.min(wall));
        made = Some(proof.expect("a proof"));
    }
    let proof = made.expect("one proof at least");
    let prepared = Groth16::<Bn254>::process_vk(&verifying).expect("a key");
    let public = &witness[1..=r1cs.public_count()];
    let (good, verify_cpu, _) = timed(|| Groth16::<Bn254>::verify_with_processed_vk(&prepared, public, &proof));
    assert!(good.expect("verified"), "the proof holds");
    println!(
        "{{\"setup_cpu\": {setup_cpu}, \"setup\": {setup}, \"prove_cpu\": {}, \"prove\": {}, \"verify_cpu\": {verify_cpu}, \
         \"peak_mb\": {}}}",
        best.0,
        best.1,
        usage().1
    );
}

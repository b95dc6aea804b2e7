//! Times of one key and one witness: `prove_speed <key.zkey> <witness.wtns> [proofs]`.

use std::path::PathBuf;

use quire_proof::prove::prove;
use quire_proof::verify::Verifier;
use quire_proof::zkey::ProvingKey;
use quire_proof::{Cancel, wtns};

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

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (start, wall) = (usage().0, std::time::Instant::now());
    let done = work();
    let (end, rss) = usage();
    println!("{what}: {:.3} CPU s, {:.3} s, peak {rss:.0} MB", end - start, wall.elapsed().as_secs_f64());
    done
}

fn main() {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let proofs = arguments.get(2).map_or(3, |text| text.to_str().and_then(|text| text.parse().ok()).unwrap_or(3));
    let key = timed("key", || ProvingKey::open(&arguments[0])).expect("a key");
    let verifier = timed("verifier", || Verifier::new(key.verifying_key().clone()));
    let witness =
        timed("witness file", || wtns::read(&std::fs::read(&arguments[1]).expect("a file"))).expect("a witness");
    for seed in 0..proofs {
        let made = timed("prove", || prove(&key, &verifier, &witness, &[seed; 64], &Cancel::new()));
        let (proof, public) = made.expect("a proof");
        timed("verify", || verifier.verify(&public, &proof)).expect("verified");
    }
}

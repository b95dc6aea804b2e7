//! Speed of block digests on every path, and of the same permutation on arkworks' field.
//!
//! `RAYON_NUM_THREADS=1 cargo run --release -p quire-kernel --example poseidon2_speed`
//! One JSON object a line: what did it, MB of data for each second of processor time and of the
//! clock. Without the variable all cores work.

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, PrimeField};
use quire_kernel::poseidon2::{EXTERNAL, Felt, INTERNAL, Path, block_digests_on};
use std::time::Instant;

const BLOCK: usize = 65_536;
const CELL: usize = 2048;

/// Seconds of processor time of all threads, where the system tells (clock ticks of 10 ms).
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks: Vec<f64> = stat.rsplit(')').next()?.split(' ').skip(12).take(2).flat_map(str::parse).collect();
    Some(ticks.iter().sum::<f64>() / 100.0)
}

/// Work for about a second; the middle of three is left to who calls.
fn measure(name: &str, bytes: usize, mut work: impl FnMut()) {
    work();
    let (clock, before) = (Instant::now(), processor_seconds());
    let mut done = 0;
    while clock.elapsed().as_secs_f64() < 1.0 {
        work();
        done += bytes;
    }
    let (megabytes, seconds) = (done as f64 / 1e6, clock.elapsed().as_secs_f64());
    let spent = processor_seconds().zip(before).map_or(seconds, |(now, before)| now - before);
    println!(
        "{{\"name\": \"{name}\", \"cpu_mb_s\": {:.2}, \"wall_mb_s\": {:.2}}}",
        megabytes / spent,
        megabytes / seconds
    );
}

/// The round constants in arkworks' form.
struct Arkworks {
    external: Vec<Fr>,
    internal: Vec<Fr>,
}

impl Arkworks {
    fn new() -> Self {
        let number = |words: &[u64; 4]| Fr::from_bigint(BigInt(*words)).expect("constants are canonical");
        Self {
            external: EXTERNAL.as_flattened().iter().map(number).collect(),
            internal: INTERNAL.iter().map(number).collect(),
        }
    }

    fn permute(&self, state: &mut [Fr; 3]) {
        let (first, last) = self.external.split_at(12);
        mix(state);
        first.chunks(3).for_each(|constants| external_round(state, constants));
        for constant in &self.internal {
            state[0] += constant;
            fifth_power(&mut state[0]);
            let all = state[0] + state[1] + state[2];
            state[2].double_in_place();
            state.iter_mut().for_each(|part| *part += all);
        }
        last.chunks(3).for_each(|constants| external_round(state, constants));
    }

    fn cell(&self, cell: &[u8]) -> Fr {
        let mut state = [Fr::ZERO, Fr::ZERO, Fr::from((1u128 << 64) + 256 * 3 + 2)];
        let element = |bytes: &[u8], end: u64| {
            let mut words = [0; 4];
            for (i, byte) in bytes.iter().enumerate() {
                words[i / 8] |= u64::from(*byte) << (8 * (i % 8));
            }
            words[bytes.len() / 8] |= end << (8 * (bytes.len() % 8));
            Fr::from_bigint(BigInt(words)).expect("31 bytes are below the modulus")
        };
        let chunks = cell.chunks_exact(31);
        let mut elements: Vec<Fr> = chunks.clone().map(|chunk| element(chunk, 0)).collect();
        elements.push(element(chunks.remainder(), 1));
        elements.push(Fr::ONE);
        elements.resize(elements.len().next_multiple_of(2), Fr::ZERO);
        for pair in elements.chunks(2) {
            state[0] += pair[0];
            state[1] += pair[1];
            self.permute(&mut state);
        }
        state[0]
    }

    fn block(&self, block: &[u8]) -> Felt {
        let mut layer: Vec<Fr> = block.chunks(CELL).map(|cell| self.cell(cell)).collect();
        let mut key = Fr::ONE;
        while layer.len() > 1 {
            let parent = |pair: &[Fr]| {
                let mut state = [pair[0], pair[1], key];
                self.permute(&mut state);
                state[0]
            };
            layer = layer.chunks(2).map(parent).collect();
            key = Fr::ZERO;
        }
        layer[0].into_bigint().to_bytes_le().try_into().expect("an element has 32 bytes")
    }
}

fn mix(state: &mut [Fr; 3]) {
    let all = state[0] + state[1] + state[2];
    state.iter_mut().for_each(|part| *part += all);
}

fn fifth_power(x: &mut Fr) {
    let fourth = x.square().square();
    *x *= fourth;
}

fn external_round(state: &mut [Fr; 3], constants: &[Fr]) {
    for (part, constant) in state.iter_mut().zip(constants) {
        *part += constant;
        fifth_power(part);
    }
    mix(state);
}

fn main() {
    let data: Vec<u8> = (0..128 * BLOCK as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut digests = vec![Felt::default(); data.len() / BLOCK];
    let arkworks = Arkworks::new();
    for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
        block_digests_on(path, &data, BLOCK, CELL, &mut digests);
        assert_eq!(digests[0], arkworks.block(&data[..BLOCK]), "{path:?} differs from arkworks");
    }
    let some = 16 * BLOCK;
    for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
        measure(&format!("{path:?}"), some, || {
            block_digests_on(path, &data[..some], BLOCK, CELL, &mut digests[..16]);
        });
    }
    measure("arkworks", BLOCK, || {
        std::hint::black_box(arkworks.block(&data[..BLOCK]));
    });
}

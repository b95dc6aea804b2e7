//! Speed of every way to hash, in MB/s of one core and of all.
//!
//! `cargo run --release -p quire-kernel --example hash_speed`

use quire_kernel::sha256::{Digest, Path, digest_pieces, digest_pieces_on};
use quire_kernel::{hash, merkle};
use std::time::Instant;

/// Megabytes a second: the best of several tries of about 50 ms each.
fn speed(bytes: usize, mut work: impl FnMut()) -> f64 {
    work();
    let begin = Instant::now();
    work();
    let rounds = (0.05 / begin.elapsed().as_secs_f64()).clamp(1.0, 100_000.0) as u32;
    let try_once = |_| {
        let begin = Instant::now();
        (0..rounds).for_each(|_| work());
        begin.elapsed().as_secs_f64() / f64::from(rounds)
    };
    let best = (0..7).map(try_once).fold(f64::INFINITY, f64::min);
    bytes as f64 / best / 1e6
}

fn main() {
    let data: Vec<u8> = (0..64u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    println!("MB/s, one core, by path");
    println!("{:>9} {:>7} {:>9} {:>9} {:>9} {:>9}", "piece", "pieces", "Portable", "ShaNi", "Avx512", "chosen");
    for (piece, count) in
        [(65_536, 1), (65_536, 2), (65_536, 4), (65_536, 8), (65_536, 16), (65_536, 64), (65_536, 1024), (64, 4096)]
    {
        let data = &data[..piece * count];
        let mut out = vec![Digest::default(); count];
        let suffix: &[u8] = if piece == 64 { &[1] } else { &[] };
        print!("{piece:>9} {count:>7}");
        for path in Path::ALL {
            print!(" {:>9.0}", speed(data.len(), || digest_pieces_on(path, data, piece, suffix, &mut out)));
        }
        println!(" {:>9.0}", speed(data.len(), || digest_pieces(data, piece, suffix, &mut out)));
    }
    println!("MB/s, all cores");
    for mib in [1, 2, 4, 16, 64] {
        let data = &data[..mib << 20];
        let mut out = vec![Digest::default(); data.len() / 65_536];
        let rate = speed(data.len(), || hash::sha256_blocks_into(data, 65_536, &mut out));
        println!("{mib:>6} MiB of 64 KiB blocks {rate:>9.0}");
    }
    let leaves = vec![[7u8; 32]; 1 << 20];
    let rate = speed(leaves.len(), || assert!(merkle::root(&leaves).is_some()));
    println!("{:>6} leaves a second (millions, tree of 2^20)", format!("{rate:.1}"));
}

//! Speed of the erasure code beside copying and beside two other crates, one JSON line a code.
//!
//! `cargo run --release -p quire-kernel --example coding_speed [ROW_BYTES]`
//!
//! Megabytes of data (K rows) a second of processor time of one thread, the best of several tries.

use quire_kernel::leopard::{Code, Method, Path, encode_by, rebuild_by};
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

const CODES: [(usize, usize); 10] =
    [(2, 1), (3, 2), (4, 2), (10, 10), (20, 10), (40, 20), (64, 64), (128, 64), (192, 64), (200, 56)];
const TRY_SECONDS: f64 = 0.004;
const ENOUGH_SECONDS: f64 = 0.05;

/// Processor time of this thread.
fn seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is ours and of the right type.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn speed(bytes: usize, mut work: impl FnMut()) -> f64 {
    work();
    let start = seconds();
    work();
    let mut best = seconds() - start;
    let rounds = (TRY_SECONDS / best).clamp(1.0, 100_000.0) as u32;
    while seconds() - start < ENOUGH_SECONDS {
        let begin = seconds();
        (0..rounds).for_each(|_| work());
        best = best.min((seconds() - begin) / f64::from(rounds));
    }
    bytes as f64 / best / 1e6
}

fn slices(rows: &[Vec<u8>]) -> Vec<&[u8]> {
    rows.iter().map(Vec::as_slice).collect()
}

fn places(rows: &mut [Vec<u8>]) -> Vec<&mut [u8]> {
    rows.iter_mut().map(Vec::as_mut_slice).collect()
}

/// Encode, decode of all rows that can be lost, and one lost row, on this path.
fn ours(path: Path, code: Code, data: &[Vec<u8>]) -> [f64; 3] {
    let (k, m, len) = (code.k(), code.m(), data[0].len());
    let mut parity = vec![vec![0; len]; m];
    let encode = speed(k * len, || {
        encode_by(path, Method::of_encoding(code), code, &slices(data), &mut places(&mut parity)).expect("rows fit");
    });
    let rebuild = |lost: usize| {
        let mut given: Vec<(usize, &[u8])> = (lost..k).map(|row| (row, &data[row][..])).collect();
        given.extend((0..lost).map(|row| (k + row, &parity[row][..])));
        let wanted: Vec<usize> = (0..lost).collect();
        let mut out = vec![vec![0; len]; lost];
        let method = Method::of_rebuilding(code, lost);
        let rate = speed(k * len, || {
            rebuild_by(path, method, code, &given, &wanted, &mut places(&mut out)).expect("rows fit");
        });
        assert!(out == data[..lost], "rebuilt rows are the lost ones");
        rate
    };
    [encode, rebuild(m), rebuild(1)]
}

/// The same by `reed-solomon-simd`, which knows GF(2^16) only: other bytes where ours is GF(2^8).
fn simd_crate(code: Code, data: &[Vec<u8>]) -> [f64; 3] {
    let (k, m, len) = (code.k(), code.m(), data[0].len());
    let mut encoder = ReedSolomonEncoder::new(k, m, len).expect("a code it supports");
    let mut parity: Vec<Vec<u8>> = Vec::new();
    let mut encode_once = || {
        data.iter().for_each(|row| encoder.add_original_shard(row).expect("rows fit"));
        let result = encoder.encode().expect("rows fit");
        if parity.is_empty() {
            parity = result.recovery_iter().map(<[u8]>::to_vec).collect();
        }
    };
    let encode = speed(k * len, &mut encode_once);
    let mut decoder = ReedSolomonDecoder::new(k, m, len).expect("a code it supports");
    let mut decode = |lost: usize| {
        speed(k * len, || {
            (lost..k).for_each(|row| decoder.add_original_shard(row, &data[row]).expect("rows fit"));
            (0..lost).for_each(|row| decoder.add_recovery_shard(row, &parity[row]).expect("rows fit"));
            let result = decoder.decode().expect("rows fit");
            assert!(result.restored_original(0).is_some_and(|row| row[0] == data[0][0]));
        })
    };
    [encode, decode(m), decode(1)]
}

/// The same by `leopard-codec`, which knows GF(2^8) only and has no vector instructions.
fn codec_crate(code: Code, data: &[Vec<u8>]) -> Option<[f64; 3]> {
    let (k, m, len) = (code.k(), code.m(), data[0].len());
    let mut rows = data.to_vec();
    rows.resize(k + m, vec![0; len]);
    leopard_codec::encode(&mut rows, k).ok()?;
    let encode = speed(k * len, || leopard_codec::encode(&mut rows, k).expect("as before"));
    let decode = |lost: usize| {
        speed(k * len, || {
            let mut rows = rows.clone();
            rows[..lost].iter_mut().for_each(Vec::clear);
            leopard_codec::reconstruct(&mut rows, k).expect("rows fit");
        })
    };
    Some([encode, decode(m), decode(1)])
}

fn copying(data: &[Vec<u8>]) -> f64 {
    let mut copy = data.to_vec();
    speed(data.len() * data[0].len(), || {
        copy.iter_mut().zip(data).for_each(|(to, from)| std::hint::black_box(to).copy_from_slice(from));
    })
}

fn main() {
    let len = std::env::args().nth(1).map_or(65_536, |text| text.parse().expect("bytes of a row"));
    for (k, m) in CODES {
        let code = Code::new(k, m).expect("a code");
        let data: Vec<Vec<u8>> =
            (0..k).map(|i| (0..len).map(|j| (i * 131 + j * 7 + (j >> 8) * 13) as u8).collect()).collect();
        let mut fields = vec![format!("\"memcpy\": {:.0}", copying(&data))];
        for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
            fields.push(format!("\"{path:?}\": {:.0?}", ours(path, code, &data)));
        }
        fields.push(format!("\"reed-solomon-simd\": {:.0?}", simd_crate(code, &data)));
        if let Some(rates) = codec_crate(code, &data) {
            fields.push(format!("\"leopard-codec\": {rates:.0?}"));
        }
        println!("{{\"k\": {k}, \"m\": {m}, \"bits\": {}, \"row_bytes\": {len}, {}}}", code.bits(), fields.join(", "));
    }
}

//! The erasure code gives the bytes of two other implementations, each in the field that it has.

use quire_kernel::leopard::{Code, encode};
use reed_solomon_simd::ReedSolomonEncoder;

fn data(k: usize, bytes: usize) -> Vec<Vec<u8>> {
    (0..k).map(|i| (0..bytes).map(|j| (i * 89 + j * j * 31 + (j >> 5) * 7 + 1) as u8).collect()).collect()
}

fn parity(k: usize, m: usize, data: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut parity = vec![vec![0; data[0].len()]; m];
    let rows: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let mut places: Vec<&mut [u8]> = parity.iter_mut().map(Vec::as_mut_slice).collect();
    encode(Code::new(k, m).unwrap(), &rows, &mut places).unwrap();
    parity
}

#[test]
fn small_codes_are_those_of_leopard_codec() {
    for (k, m) in [(2, 1), (3, 2), (4, 2), (7, 5), (10, 10), (20, 10), (33, 17), (64, 64), (192, 64), (128, 128)] {
        let data = data(k, 320);
        let mut rows = data.clone();
        rows.resize(k + m, vec![0; 320]);
        leopard_codec::encode(&mut rows, k).unwrap();
        assert_eq!(parity(k, m, &data), rows[k..], "{k} {m}");
    }
}

#[test]
fn large_codes_are_those_of_reed_solomon_simd() {
    for (k, m) in [(200, 56), (193, 64), (129, 127), (256, 1), (300, 100), (513, 512), (1000, 500), (4000, 9)] {
        let data = data(k, 192);
        let mut encoder = ReedSolomonEncoder::new(k, m, 192).unwrap();
        data.iter().for_each(|row| encoder.add_original_shard(row).unwrap());
        let result = encoder.encode().unwrap();
        assert!(result.recovery_iter().eq(parity(k, m, &data).iter().map(Vec::as_slice)), "{k} {m}");
    }
}

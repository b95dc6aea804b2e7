//! The code against itself and against known answers.

use super::*;

fn shard(i: usize, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|j| (i * 131 + j * 7 + (j >> 8) * 13) as u8).collect()
}

fn parity_of(k: usize, m: usize, data: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut parity = vec![vec![0xEE; data[0].len()]; m];
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let mut places: Vec<&mut [u8]> = parity.iter_mut().map(Vec::as_mut_slice).collect();
    encode(Code::new(k, m).unwrap(), &data, &mut places).unwrap();
    parity
}

#[test]
fn parity_is_that_of_the_reference() {
    use sha2::{Digest as _, Sha256};
    for (k, m, bytes, start) in [
        (2, 1, 64, 0x81b4_6ea3_ec50_0841u64),
        (3, 2, 65536, 0xabc5_1164_8834_65b8),
        (20, 10, 65536, 0x8582_ecc0_40f5_d58b),
        (200, 56, 64, 0xc0e2_250c_3cb3_ff66),
        (1000, 500, 128, 0x368d_fb4e_67a9_74a8),
    ] {
        let data: Vec<Vec<u8>> = (0..k).map(|i| shard(i, bytes)).collect();
        let digest = Sha256::digest(&parity_of(k, m, &data)[0]);
        assert_eq!(digest[..8], start.to_be_bytes(), "{k} {m}");
    }
}

#[test]
fn lost_rows_come_back() {
    for (k, m) in [(1, 1), (3, 2), (5, 3), (10, 10), (200, 56)] {
        let data: Vec<Vec<u8>> = (0..k).map(|i| shard(i, 128)).collect();
        let all: Vec<Vec<u8>> = data.iter().cloned().chain(parity_of(k, m, &data)).collect();
        let rows: Vec<(usize, &[u8])> = (m..k + m).map(|row| (row, all[row].as_slice())).collect();
        let wanted: Vec<usize> = (0..k + m).collect();
        let mut found = vec![vec![0; 128]; k + m];
        let mut places: Vec<&mut [u8]> = found.iter_mut().map(Vec::as_mut_slice).collect();
        rebuild(Code::new(k, m).unwrap(), &rows, &wanted, &mut places).unwrap();
        assert_eq!(found, all, "{k} {m}");
    }
}

#[test]
fn every_path_and_method_give_the_same_bytes() {
    for (k, m) in [(2, 2), (3, 2), (10, 10), (20, 10), (64, 64), (192, 64), (128, 128), (5, 3), (200, 56), (300, 100)] {
        let (code, bytes) = (Code::new(k, m).unwrap(), 192);
        let data: Vec<Vec<u8>> = (0..k).map(|i| shard(i, bytes)).collect();
        let rows: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
        let parity = parity_of(k, m, &data);
        let all: Vec<&Vec<u8>> = data.iter().chain(&parity).collect();
        let given: Vec<(usize, &[u8])> = (m..k + m).map(|row| (row, all[row].as_slice())).collect();
        let wanted: Vec<usize> = (0..m).collect();
        for path in Path::ALL {
            for method in [Method::Matrix, Method::Transform] {
                let mut found = vec![vec![0xEE; bytes]; m];
                let mut places: Vec<&mut [u8]> = found.iter_mut().map(Vec::as_mut_slice).collect();
                encode_by(path, method, code, &rows, &mut places).unwrap();
                assert_eq!(found, parity, "{k} {m} {path:?} {method:?}");
                let mut found = vec![vec![0xEE; bytes]; m];
                let mut places: Vec<&mut [u8]> = found.iter_mut().map(Vec::as_mut_slice).collect();
                rebuild_by(path, method, code, &given, &wanted, &mut places).unwrap();
                assert!(found.iter().eq(all[..m].iter().copied()), "{k} {m} {path:?} {method:?}");
            }
        }
    }
}

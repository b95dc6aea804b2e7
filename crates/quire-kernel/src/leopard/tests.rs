//! The code against itself and against known answers.

use super::*;
use sha2::{Digest as _, Sha256};

/// K, M, bytes of a row, SHA-256 of all parity rows joined, by the C++ library. Byte j of data row i
/// is 131 i + 7 j + 13 (j / 256).
const FIRST: [(usize, usize, usize, &str); 15] = [
    (2, 1, 64, "81b46ea3ec500841c95d404083c1778cfbf1e34ee957aeb7f324102191466c17"),
    (3, 2, 64, "a78f1b8e8f1adecfc2f55f8c38d1116ba9d51d4ba29066b4c22623215cb99bcc"),
    (4, 4, 128, "f51a7bc6492f44b8427b7b4c73da7c50a254c813e091ed5fe48f93effcaf797d"),
    (3, 2, 65536, "4c9b1f576b28fc73ecb170593d7427c5451e95e17c3d4c98838fe8669d9d52b8"),
    (10, 10, 1024, "931f02bd84d7f437880891e14122b23ba382748ec8e96436bddff9ba294579b2"),
    (20, 10, 65536, "6be6aa0413a4df06f3c2e919e149952f2698dae22363021c7f447e5815bbe48c"),
    (200, 56, 64, "fb4206290c41cae1b7c357b648d820d321070d2202cdfea833a6240684f889cd"),
    (300, 100, 64, "3bfeea701103668ce73ccf664f58aa990f5ed292d19ae004a54492c16cc1be9e"),
    (1000, 500, 128, "b175cfcb6f638819f42d7588e0242cc105abd1baee8cd34e856ce5c38a0bc26b"),
    (1, 1, 64, "d8bc63b4fc1156e5e7d95a418b9bf54cd3174bedbc2db40f74895349b229b3c0"),
    (128, 128, 64, "ee90eaac4868a415c01b8e5de90a964977f922e5af6e3849fa7c2882334fa379"),
    (192, 64, 64, "9c33d524736d9217882aa8c2fd1969dd5f21c35247eb9f658969c38f39359364"),
    (193, 64, 64, "39b22e0e5c076ad88013adeffe988e793a37c6169a79e6b049b4917d260e0637"),
    (129, 127, 64, "5429cfa2f6880a51913df3e0fa5cb30cf3a017e38bdabfb41f44c711a940e1f2"),
    (5, 3, 192, "a074ed5c721499efc2e21ac10be161d468d37fbff52a9af16740dfa7bab58c0e"),
];

/// The same by another program linked against it. Byte j of data row i is 101 i + 31 j + 17 (j / 256).
const SECOND: [(usize, usize, usize, &str); 13] = [
    (2, 1, 64, "034b12190ba1f4d055f65593f6b45db98fbf545ace73e94e4f78689d6f276807"),
    (3, 2, 64, "34bcc41429dfc919ca8e6c78eee33c1aeb1c2559b03d53f5a4a4afbe41f92af5"),
    (3, 2, 65536, "19ddc9d5dfb585fecb6d4600b588bee3f3d3df0885bd2f6200bc6175717cf20f"),
    (4, 2, 65536, "512a8ee03b929ef55de69783d9f5771f7d3f9e72b22aac3206cc3a51ac8dbc42"),
    (10, 10, 1024, "d991dc33a4100c130fcf53bdc597dd61434eebba2bf48d421e537e5724408e3f"),
    (200, 56, 64, "6bdc8de0ade84a88ed5a198f22ecc0358937af210fb185b4b91c558330b467f7"),
    (300, 100, 64, "81162b11d2266e449f69fa16bee88650cc89e78a85e44e0a1daee43437ec1f04"),
    (1, 1, 64, "a08f82c23e6c13629d8e33d0d2a13005fb104363eb793b5e8842044951d27764"),
    (2, 2, 64, "2ae28a1267c9e2025c9bb18f57044d48715b7a3c1eb5d450f3deba25bcee010c"),
    (7, 3, 128, "3968147e384af66906b2551631914d0f5d447480e7b71d9bd20340c2e43abceb"),
    (128, 128, 64, "be97a625bae3fa86b9afd4f5aef028c039ae66f5b40a5d406947024c16060c65"),
    (129, 127, 64, "64ffc29578f3332f1c5264af24b38a93b198056bc16b8908e132c65cd193feed"),
    (1000, 500, 64, "4fe238e89e2c3358a65b92aaee4f65e843cf53c5322610b5909230271a78e697"),
];

const METHODS: [Method; 2] = [Method::Matrix, Method::Transform];

/// Numbers without a short period.
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as usize % limit
    }

    fn rows(&mut self, count: usize, bytes: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| (0..bytes).map(|_| self.below(256) as u8).collect()).collect()
    }
}

fn slices(rows: &[Vec<u8>]) -> Vec<&[u8]> {
    rows.iter().map(Vec::as_slice).collect()
}

fn places(rows: &mut [Vec<u8>]) -> Vec<&mut [u8]> {
    rows.iter_mut().map(Vec::as_mut_slice).collect()
}

fn parity_by(path: Path, method: Method, code: Code, data: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut parity = vec![vec![0xEE; data[0].len()]; code.m()];
    encode_by(path, method, code, &slices(data), &mut places(&mut parity)).unwrap();
    parity
}

fn parity_of(code: Code, data: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut parity = vec![vec![0xEE; data[0].len()]; code.m()];
    encode(code, &slices(data), &mut places(&mut parity)).unwrap();
    parity
}

fn check_known(cases: &[(usize, usize, usize, &str)], byte: impl Fn(usize, usize) -> u8) {
    for &(k, m, bytes, expected) in cases {
        let code = Code::new(k, m).unwrap();
        let data: Vec<Vec<u8>> = (0..k).map(|i| (0..bytes).map(|j| byte(i, j)).collect()).collect();
        let digest = |parity: Vec<Vec<u8>>| -> String {
            Sha256::digest(parity.concat()).iter().map(|byte| format!("{byte:02x}")).collect()
        };
        assert_eq!(digest(parity_of(code, &data)), expected, "{k} {m}");
        // Plain Rust takes half a minute for all products of the largest matrices.
        for path in Path::ALL.into_iter().filter(|&path| path != Path::Portable || k * m * bytes < 1 << 24) {
            for method in METHODS {
                assert_eq!(digest(parity_by(path, method, code, &data)), expected, "{k} {m} {path:?} {method:?}");
            }
        }
    }
}

#[test]
fn parity_is_that_of_the_reference_on_every_path() {
    check_known(&FIRST, |i, j| (i * 131 + j * 7 + (j >> 8) * 13) as u8);
    check_known(&SECOND, |i, j| (i * 101 + j * 31 + (j >> 8) * 17) as u8);
}

/// Any K rows of a codeword give all of it, on every path by every method.
fn check_any_k_rows(noise: &mut Noise, k: usize, m: usize, bytes: usize) {
    let code = Code::new(k, m).unwrap();
    let data = noise.rows(k, bytes);
    let all = [data.clone(), parity_of(code, &data)].concat();
    let mut order: Vec<usize> = (0..k + m).collect();
    (1..order.len()).rev().for_each(|at| order.swap(at, noise.below(at + 1)));
    let given: Vec<(usize, &[u8])> =
        order[..k + noise.below(m)].iter().map(|&row| (row, all[row].as_slice())).collect();
    let wanted: Vec<usize> = order.iter().rev().copied().collect();
    let expected: Vec<Vec<u8>> = wanted.iter().map(|&row| all[row].clone()).collect();
    let mut found = vec![vec![0xEE; bytes]; k + m];
    rebuild(code, &given, &wanted, &mut places(&mut found)).unwrap();
    assert_eq!(found, expected, "{k} {m} {bytes}");
    for path in Path::ALL {
        for method in METHODS {
            let mut found = vec![vec![0xEE; bytes]; k + m];
            rebuild_by(path, method, code, &given, &wanted, &mut places(&mut found)).unwrap();
            assert_eq!(found, expected, "{k} {m} {bytes} {path:?} {method:?}");
        }
    }
}

#[test]
fn any_k_rows_give_all_others() {
    let mut noise = Noise(1);
    for (k, m) in [(1, 1), (2, 1), (2, 2), (200, 56), (193, 64), (129, 127), (192, 64), (128, 128), (300, 100)] {
        check_any_k_rows(&mut noise, k, m, 64);
    }
    for _ in 0..60 {
        let k = 1 + noise.below(40);
        let (m, bytes) = (1 + noise.below(k), 64 * (1 + noise.below(40)));
        check_any_k_rows(&mut noise, k, m, bytes);
    }
}

#[test]
fn every_number_of_outputs_and_every_tail_is_made_right() {
    let mut noise = Noise(2);
    for m in 1..=26 {
        for bytes in [64, 128, 192, 1024 + 64, 4096 + 64] {
            let code = Code::new(27, m).unwrap();
            let data = noise.rows(27, bytes);
            let expected = parity_by(Path::Portable, Method::Matrix, code, &data);
            for path in Path::ALL {
                for method in METHODS {
                    assert_eq!(parity_by(path, method, code, &data), expected, "{m} {bytes} {path:?} {method:?}");
                }
            }
        }
    }
}

#[test]
fn all_cores_give_the_bytes_of_one() {
    let mut noise = Noise(3);
    for (k, m) in [(4, 2), (20, 16), (200, 56)] {
        let code = Code::new(k, m).unwrap();
        let bytes = ((6 << 20) / k).next_multiple_of(64) + 64;
        let data = noise.rows(k, bytes);
        let parity = parity_of(code, &data);
        assert_eq!(parity, parity_by(Path::best(), Method::of_encoding(code), code, &data));
        let given: Vec<(usize, &[u8])> =
            (m..k).map(|row| (row, &data[row][..])).chain((0..m).map(|row| (k + row, &parity[row][..]))).collect();
        let wanted: Vec<usize> = (0..m).collect();
        let mut found = vec![vec![0xEE; bytes]; m];
        rebuild(code, &given, &wanted, &mut places(&mut found)).unwrap();
        assert!(found == data[..m]);
    }
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    let code = Code::new(3, 2).unwrap();
    let (row, long, odd) = (&[1u8; 64][..], &[1u8; 128][..], &[1u8; 65][..]);
    let encoded = |data: &[&[u8]], parity: usize, len: usize| {
        let mut parity = vec![vec![0; len]; parity];
        encode(code, data, &mut places(&mut parity)).unwrap_err()
    };
    assert_eq!(encoded(&[row; 2], 2, 64), CodeError::Rows { what: "data", given: 2, expected: 3 });
    assert_eq!(encoded(&[row; 3], 1, 64), CodeError::Rows { what: "parity", given: 1, expected: 2 });
    assert_eq!(encoded(&[row, row, long], 2, 64), CodeError::Lengths { row: 2, bytes: 128, expected: 64 });
    assert_eq!(encoded(&[row; 3], 2, 128), CodeError::Lengths { row: 3, bytes: 128, expected: 64 });
    assert_eq!(encoded(&[odd; 3], 2, 65), CodeError::Length { bytes: 65 });
    assert_eq!(encoded(&[&[][..]; 3], 2, 0), CodeError::Length { bytes: 0 });
    let rebuilt = |rows: &[(usize, &[u8])], wanted: &[usize], len: usize| {
        let mut out = vec![vec![0; len]; wanted.len()];
        rebuild(code, rows, wanted, &mut places(&mut out)).unwrap_err()
    };
    let good: [(usize, &[u8]); 3] = [(0, row), (3, row), (4, row)];
    assert_eq!(rebuilt(&good[..2], &[1], 64), CodeError::TooFew { given: 2, k: 3 });
    assert_eq!(rebuilt(&[], &[], 64), CodeError::TooFew { given: 0, k: 3 });
    assert_eq!(rebuilt(&[good[0], good[1], (5, row)], &[1], 64), CodeError::Row { row: 5, rows: 5 });
    assert_eq!(rebuilt(&[good[0], good[1], good[0]], &[1], 64), CodeError::Twice { row: 0 });
    assert_eq!(rebuilt(&good, &[5], 64), CodeError::Row { row: 5, rows: 5 });
    assert_eq!(rebuilt(&good, &[1, 2, 1], 64), CodeError::Twice { row: 1 });
    assert_eq!(rebuilt(&good, &[1], 128), CodeError::Lengths { row: 1, bytes: 128, expected: 64 });
    assert_eq!(
        rebuilt(&[good[0], good[1], (4, long)], &[1], 64),
        CodeError::Lengths { row: 4, bytes: 128, expected: 64 }
    );
    let mut out = [0; 64];
    let error = rebuild(code, &good, &[1, 2], &mut [&mut out]).unwrap_err();
    assert_eq!(error, CodeError::Rows { what: "wanted", given: 1, expected: 2 });
}

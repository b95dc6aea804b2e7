use quire_kernel::leopard::{Code, Method, Path, encode_by, rebuild_by};

fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn speed(bytes: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut rounds = 1;
    let mut best = f64::INFINITY;
    let begin = cpu_seconds();
    while cpu_seconds() - begin < 0.15 {
        let start = cpu_seconds();
        for _ in 0..rounds {
            work();
        }
        let each = (cpu_seconds() - start) / rounds as f64;
        best = best.min(each);
        rounds = ((0.01 / each) as usize).max(1);
    }
    bytes as f64 / best / 1e6
}

fn main() {
    let len = std::env::args().nth(1).map_or(65536, |a| a.parse().unwrap());
    let all = std::env::args().nth(2).is_some();
    for (k, m) in [
        (2, 1),
        (3, 2),
        (4, 2),
        (10, 10),
        (20, 10),
        (40, 20),
        (64, 64),
        (128, 64),
        (192, 64),
        (200, 56),
        (16, 8),
        (16, 16),
        (32, 16),
        (24, 24),
        (32, 32),
        (48, 48),
        (150, 80),
        (1000, 500),
    ] {
        let data: Vec<Vec<u8>> = (0..k).map(|i| (0..len).map(|j| (i * 131 + j * 7) as u8).collect()).collect();
        let rows: Vec<&[u8]> = data.iter().map(|r| &r[..]).collect();
        let mut parity = vec![vec![0u8; len]; m];
        let code = Code::new(k, m).unwrap();
        print!("{k:>4} {m:>4}");
        let mut copy = vec![vec![0u8; len]; k];
        let v = speed(len * k, || {
            copy.iter_mut().zip(&rows).for_each(|(a, b)| {
                a.copy_from_slice(b);
                std::hint::black_box(&a);
            })
        });
        print!(" memcpy {v:>7.0} ");
        let methods = [Method::Matrix, Method::Transform];
        let paths = if all { &Path::ALL[..] } else { &Path::ALL[..1] };
        for &path in paths {
            if !path.is_available() {
                continue;
            }
            print!(" {path:?}");
            for method in methods {
                let v = speed(len * k, || {
                    let mut places: Vec<&mut [u8]> = parity.iter_mut().map(|r| &mut r[..]).collect();
                    encode_by(path, method, code, &rows, &mut places).unwrap();
                });
                print!(" {v:>7.0}");
            }
        }
        for lost in [1, m] {
            let mut given: Vec<(usize, &[u8])> = (lost..k).map(|r| (r, rows[r])).collect();
            (0..lost).for_each(|at| given.push((k + at, &parity[at])));
            print!(" rebuild {lost}");
            let mut out = vec![vec![0u8; len]; lost];
            let wanted: Vec<usize> = (0..lost).collect();
            for method in methods {
                let v = speed(len * k, || {
                    let mut places: Vec<&mut [u8]> = out.iter_mut().map(|r| &mut r[..]).collect();
                    rebuild_by(Path::best(), method, code, &given, &wanted, &mut places).unwrap()
                });
                print!(" {v:>7.0}");
                assert_eq!(out[..], data[..lost]);
            }
        }
        println!();
    }
}

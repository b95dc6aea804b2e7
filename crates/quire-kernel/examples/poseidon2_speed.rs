use quire_kernel::poseidon2::*;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    s.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}
fn main() {
    let n = 256;
    let data: Vec<u8> = (0..2048 * n).map(|i| ((i * 7 + (i >> 8) * 13) as u8) ^ ((i >> 11) as u8)).collect();
    let mut a = vec![[0u8; 32]; n];
    let mut b = a.clone();
    bench_cells(Path::Scalar, &data, 2048, &mut a);
    bench_cells(Path::Ifma, &data, 2048, &mut b);
    assert_eq!(a, b);
    for path in [Path::Scalar, Path::Ifma, Path::Scalar, Path::Ifma] {
        let t = cpu();
        let mut done = 0;
        while cpu() - t < 0.5 {
            bench_cells(path, &data, 2048, &mut b);
            done += data.len();
        }
        let e = cpu() - t;
        println!("{path:?} {:.1} MB/s  {:.3} us/perm", done as f64 / 1e6 / e, e * 1e6 / (done as f64 / 2048. * 34.));
    }
}

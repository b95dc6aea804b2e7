use quire_proof::{Cancel, Fr, circom_input::Signal, wasm_host};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let program = std::fs::read(&a[1]).unwrap();
    // lines: name then values decimal
    let text = std::fs::read_to_string(&a[2]).unwrap();
    let signals: Vec<Signal> = text
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            Signal { name: words.next().unwrap().into(), values: words.map(|w| w.parse::<Fr>().unwrap()).collect() }
        })
        .collect();
    for _ in 0..2 {
        let start = std::time::Instant::now();
        let w = wasm_host::witness(&program, &signals, &Default::default(), &Cancel::new());
        println!("{:?} {:?}", start.elapsed(), w.as_ref().map(|w| w.len()));
        if let Ok(w) = w {
            let mut out = vec![];
            quire_proof::wtns::write(&w, &mut out).unwrap();
            std::fs::write(&a[3], out).unwrap();
        }
    }
}

//! Programs that are not what they should be: none hangs, takes all memory, or gives a false value.

use quire_proof::circom_input::Signal;
use quire_proof::wasm_host::{Limits, witness};
use quire_proof::{Cancel, Error, Fr};

const LIMITS: Limits = Limits { memory_bytes: 1 << 20, steps: 1 << 28 };
const PRIME: &str = "\\01\\00\\00\\f0\\93\\f5\\e1\\43\\91\\70\\b9\\79\\48\\e8\\33\\28\
                     \\5d\\58\\81\\81\\b6\\45\\50\\b8\\29\\a0\\31\\e1\\72\\4e\\64\\30";

/// A program of one input `x` whose wires are 1, x and x again. The shared element is at 0, x at 64,
/// the prime at 128; messages at 192.
fn program() -> String {
    format!(
        r#"(module
  (import "runtime" "exceptionHandler" (func $raise (param i32)))
  (import "runtime" "printErrorMessage" (func $print))
  (import "runtime" "writeBufferMessage" (func))
  (import "runtime" "showSharedRWMemory" (func))
  (memory (export "memory") 1)
  (data (i32.const 128) "{PRIME}")
  (data (i32.const 192) "line 7\0a")
  (global $said (mut i32) (i32.const 192))
  (func (export "getSharedRWMemoryStart") (result i32) (i32.const 0))
  (func (export "getFieldNumLen32") (result i32) (i32.const 8))
  (func (export "getRawPrime") (memory.copy (i32.const 0) (i32.const 128) (i32.const 32)))
  (func (export "getInputSize") (result i32) (i32.const 1))
  (func (export "getInputSignalSize") (param $upper i32) (param $lower i32) (result i32)
    (if (result i32) (i32.eq (local.get $lower) (i32.const 0x86021707))
      (then (i32.const 1)) (else (i32.const -1))))
  (func (export "init") (param i32))
  (func (export "setInputSignal") (param i32 i32 i32)
    (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 9)) (then (call $print) (call $raise (i32.const 4))))
    (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 8)) (then (call $raise (i32.const 5))))
    (memory.copy (i32.const 64) (i32.const 0) (i32.const 32)))
  (func (export "getWitnessSize") (result i32) (i32.const 3))
  (func (export "getWitness") (param $wire i32)
    (if (local.get $wire)
      (then (memory.copy (i32.const 0) (i32.const 64) (i32.const 32)))
      (else (memory.fill (i32.const 0) (i32.const 0) (i32.const 32)) (i32.store (i32.const 0) (i32.const 1)))))
  (func (export "getMessageChar") (result i32)
    (i32.load8_u (global.get $said))
    (global.set $said (i32.add (global.get $said) (i32.const 1)))))"#
    )
}

fn signal(name: &str, values: &[u64]) -> Signal {
    Signal { name: name.into(), values: values.iter().map(|value| Fr::from(*value)).collect() }
}

fn run(text: &str, signals: &[Signal]) -> Result<Vec<Fr>, Error> {
    witness(&wat::parse_str(text).unwrap(), signals, &LIMITS, &Cancel::new())
}

/// Why the program is refused after one part of its text is replaced.
fn why(part: &str, other: &str) -> String {
    let text = program();
    assert_eq!(text.matches(part).count(), 1, "{part}");
    match run(&text.replace(part, other), &[signal("x", &[5])]) {
        Err(Error::Malformed(why)) => why,
        found => panic!("{found:?}"),
    }
}

#[test]
fn a_program_gives_its_wires() {
    assert_eq!(run(&program(), &[signal("x", &[5])]).unwrap(), [1u64, 5, 5].map(Fr::from));
}

#[test]
fn signals_that_the_program_does_not_take_are_refused_by_name() {
    let refused = |signals: &[Signal]| run(&program(), signals).unwrap_err().to_string();
    assert!(refused(&[signal("y", &[5])]).contains("no input signal y"));
    assert!(refused(&[signal("x", &[5]), signal("y", &[])]).contains("no input signal y"));
    assert!(refused(&[signal("x", &[5, 6])]).contains("x has 1 values, and 2 were given"));
    assert!(refused(&[signal("x", &[])]).contains("x has 1 values, and 0 were given"));
    assert!(refused(&[signal("x", &[5]), signal("x", &[5])]).contains("x is given twice"));
    assert!(refused(&[]).contains("takes 1 input values, and 0 were given"));
}

#[test]
fn an_assertion_says_where_it_stands() {
    let refused = run(&program(), &[signal("x", &[9])]);
    let Err(Error::WitnessDoesNotSatisfy(why)) = refused else { panic!("{refused:?}") };
    assert_eq!(why, "the witness program says: an assertion of the circuit does not hold. line 7");
    assert!(matches!(run(&program(), &[signal("x", &[8])]), Err(Error::Malformed(_))));
}

#[test]
fn a_program_that_does_not_end_is_stopped() {
    let endless = r#"(func (export "init") (param i32) (loop (br 0)))"#;
    assert!(why(r#"(func (export "init") (param i32))"#, endless).contains("more steps"));
    let text = program().replace(r#"(func (export "init") (param i32))"#, endless);
    let cancel = Cancel::new();
    cancel.set();
    let stopped = witness(&wat::parse_str(text).unwrap(), &[signal("x", &[5])], &Limits::default(), &cancel);
    assert_eq!(stopped, Err(Error::Cancelled));
}

#[test]
fn a_program_that_calls_itself_for_ever_is_stopped() {
    let deep = r#"(func $deep (export "init") (param i32) (call $deep (i32.const 0)))"#;
    assert!(why(r#"(func (export "init") (param i32))"#, deep).contains("failed"));
}

#[test]
fn a_message_without_end_is_cut_off() {
    let text = program().replace("(i32.load8_u (global.get $said))", "(i32.const 65)");
    let why = run(&text, &[signal("x", &[9])]).unwrap_err().to_string();
    assert!(why.len() < 2_200 && why.ends_with("AAAA"), "{why}");
}

#[test]
fn a_program_that_wants_too_much_memory_is_refused() {
    let memory = r#"(memory (export "memory") 1)"#;
    assert!(why(memory, r#"(memory (export "memory") 65536)"#).contains("cannot be started"));
    assert!(why(memory, r#"(memory (export "memory") 17)"#).contains("cannot be started"));
    let greedy = r#"(func (export "init") (param i32)
        (if (i32.lt_s (memory.grow (i32.const 60000)) (i32.const 0)) (then (call $raise (i32.const 5)))))"#;
    assert!(why(r#"(func (export "init") (param i32))"#, greedy).contains("not enough memory"));
}

#[test]
fn counts_and_places_outside_of_the_memory_are_refused() {
    for place in ["65505", "-1", "-2147483648"] {
        let start = |place: &str| format!(r#""getSharedRWMemoryStart") (result i32) (i32.const {place})"#);
        assert!(why(&start("0"), &start(place)).contains("outside of its memory"));
    }
    for wires in ["0", "2049", "-1"] {
        let size = |count: &str| format!(r#""getWitnessSize") (result i32) (i32.const {count})"#);
        assert!(why(&size("3"), &size(wires)).contains("announces"));
    }
}

#[test]
fn a_program_over_another_field_is_refused() {
    assert!(
        why("(i32.const 8))\n  (func (export \"getRawPrime", "(i32.const 4))\n  (func (export \"getRawPrime")
            .contains("field")
    );
    assert!(why("\\30\")", "\\31\")").contains("field"));
}

#[test]
fn values_that_cannot_be_are_refused() {
    let one = "(i32.store (i32.const 0) (i32.const 1))";
    assert!(why(one, "(i32.store (i32.const 0) (i32.const 2))").contains("wire 0 that is not one"));
    let copied = "(then (memory.copy (i32.const 0) (i32.const 64)";
    assert!(
        why(copied, "(then (memory.copy (i32.const 0) (i32.const 128)").contains("wire 1 a value above the modulus")
    );
}

#[test]
fn a_program_without_a_function_or_with_another_type_is_refused() {
    for name in ["getWitness\"", "init", "setInputSignal", "getInputSize", "getInputSignalSize", "getRawPrime"] {
        assert!(why(&format!("\"{}", name), &format!("\"no {}", name)).contains("has no function"), "{name}");
    }
    assert!(why("(export \"memory\")", "").contains("shows no memory"));
    assert!(why("(func (export \"init\") (param i32))", "(func (export \"init\"))").contains("right type"));
    assert!(why("\"exceptionHandler\"", "\"openFile\"").contains("cannot be started"));
}

#[test]
fn a_program_cut_at_any_byte_is_refused_unless_only_its_names_are_gone() {
    let whole = wat::parse_str(program()).unwrap();
    let run = |end: usize| witness(&whole[..end], &[signal("x", &[5])], &LIMITS, &Cancel::new());
    let good: Vec<usize> = (0..whole.len()).filter(|end| run(*end).is_ok()).collect();
    assert!(good.len() <= 1 && good.iter().all(|end| run(*end) == run(whole.len())), "{good:?}");
}

#[test]
fn a_program_with_any_byte_changed_ends_in_words_or_in_wires() {
    let whole = wat::parse_str(program()).unwrap();
    let limits = Limits { steps: 1 << 20, ..LIMITS };
    for place in 0..whole.len() {
        for bit in [0, 3, 7] {
            let mut changed = whole.clone();
            changed[place] ^= 1 << bit;
            let _ = witness(&changed, &[signal("x", &[5])], &limits, &Cancel::new());
        }
    }
}

//! Runs the witness program of a circuit that circom compiled (proofs.md 5.2), in an interpreter.
//!
//! The program is not trusted: its memory and its steps are limited, it calls nothing but four
//! functions that tell what is wrong, and every value that it gives is checked.

use std::fmt;

use ark_bn254::Fr;
use ark_ff::One;
use wasmi::errors::HostError;
use wasmi::{
    Caller, Config, Engine, Instance, Linker, Memory, Module, Store, StoreLimits, StoreLimitsBuilder,
    TypedResumableCall, WasmParams, WasmResults,
};

use crate::bytes::{self, ELEMENT_BYTES};
use crate::cancel::Cancel;
use crate::circom_input::Signal;
use crate::error::{Error, Result};

/// Steps between two looks at the flag of the caller; less than a tenth of a second.
const SLICE: u64 = 1 << 27;
/// What a program may say about an error.
const MOST_TEXT: usize = 2_000;

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub memory_bytes: usize,
    /// Instructions of the interpreter, about.
    pub steps: u64,
}

impl Default for Limits {
    /// Room for the official storage circuit at a hundred samples, twice; half a minute at most.
    fn default() -> Self {
        Limits { memory_bytes: 1 << 30, steps: 1 << 36 }
    }
}

/// The code that a program gave to `exceptionHandler`.
#[derive(Debug)]
struct Raised(i32);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exception {}", self.0)
    }
}

impl HostError for Raised {}

struct State {
    limits: StoreLimits,
    /// What the program said about the error that follows.
    said: String,
}

struct Program<'a> {
    store: Store<State>,
    instance: Instance,
    memory: Memory,
    /// Where an element stands that goes in or out.
    shared: usize,
    steps_left: u64,
    cancel: &'a Cancel,
}

/// All wires, from the program's `.wasm` file and its inputs.
///
/// # Errors
/// `Malformed` when this is no witness program of circom over BN254, when it takes other signals
/// than these, or when it needs more than `limits`; `WitnessDoesNotSatisfy` when it refuses the
/// inputs; `Cancelled`.
pub fn witness(program: &[u8], signals: &[Signal], limits: &Limits, cancel: &Cancel) -> Result<Vec<Fr>> {
    let mut program = Program::start(program, limits, cancel)?;
    program.check_field()?;
    program.check_signals(signals)?;
    program.call::<i32, ()>("init", 0)?;
    for signal in signals {
        let [upper, lower] = signal.hash();
        for (place, value) in signal.values.iter().enumerate() {
            program.put(value)?;
            program.call::<_, ()>("setInputSignal", (upper, lower, place as i32))?;
        }
    }
    program.wires()
}

fn malformed<T>(why: impl fmt::Display) -> Result<T> {
    Err(Error::Malformed(format!("the witness program {why}")))
}

impl<'a> Program<'a> {
    fn start(program: &[u8], limits: &Limits, cancel: &'a Cancel) -> Result<Self> {
        let mut config = Config::default();
        config.consume_fuel(true).allow_start_fn(false);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, program)
            .map_err(|error| Error::Malformed(format!("this is no witness program of circom: {error}")))?;
        let not_started = |error| Error::Malformed(format!("the witness program cannot be started: {error}"));
        let store_limits = StoreLimitsBuilder::new()
            .memory_size(limits.memory_bytes)
            .table_elements(1 << 20)
            .instances(1)
            .memories(1)
            .tables(4)
            .build();
        let mut store = Store::new(&engine, State { limits: store_limits, said: String::new() });
        store.limiter(|state| &mut state.limits);
        store.set_fuel(SLICE.min(limits.steps)).map_err(not_started)?;
        let instance =
            linker(&engine).map_err(not_started)?.instantiate_and_start(&mut store, &module).map_err(not_started)?;
        let Some(memory) = instance.get_memory(&store, "memory") else { return malformed("shows no memory") };
        let steps_left = limits.steps.saturating_sub(SLICE);
        let mut program = Program { store, instance, memory, shared: 0, steps_left, cancel };
        program.shared = program.call::<(), i32>("getSharedRWMemoryStart", ())? as u32 as usize;
        Ok(program)
    }

    /// Calls a function of the program, in slices, as long as there are steps left.
    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, parameters: P) -> Result<R> {
        let function = self.instance.get_typed_func::<P, R>(&self.store, name);
        let function = function.or_else(|_| malformed(format_args!("has no function {name} of the right type")))?;
        let mut at = function.call_resumable(&mut self.store, parameters);
        loop {
            at = match at {
                Ok(TypedResumableCall::Finished(results)) => return Ok(results),
                Ok(TypedResumableCall::HostTrap(trap)) => return Err(self.refusal(trap.host_error())),
                Ok(TypedResumableCall::OutOfFuel(pause)) => {
                    self.cancel.check()?;
                    let more = SLICE.max(pause.required_fuel());
                    let Some(left) = self.steps_left.checked_sub(more) else {
                        return malformed("takes more steps than it may");
                    };
                    self.steps_left = left;
                    self.store.set_fuel(more).or_else(malformed)?;
                    pause.resume(&mut self.store)
                }
                Err(error) => return Err(self.refusal(&error)),
            }
        }
    }

    fn refusal(&self, error: &wasmi::Error) -> Error {
        let Some(Raised(code)) = error.downcast_ref() else {
            return Error::Malformed(format!("the witness program failed: {error}"));
        };
        let what = match code {
            1 => "a signal is not found",
            2 => "too many signals are set",
            3 => "a signal is set twice",
            4 => "an assertion of the circuit does not hold",
            5 => "there is not enough memory",
            6 => "an input has too many values",
            7 => "an array is too short",
            _ => "an error of no known kind",
        };
        let text = format!("the witness program says: {what}. {}", self.store.data().said.trim());
        let text = text.trim_end().to_owned();
        if *code == 4 { Error::WitnessDoesNotSatisfy(text) } else { Error::Malformed(text) }
    }

    fn put(&mut self, value: &Fr) -> Result<()> {
        let written = self.memory.write(&mut self.store, self.shared, &bytes::to_le(value));
        written.or_else(|_| malformed("keeps elements outside of its memory"))
    }

    fn get(&mut self) -> Result<[u8; ELEMENT_BYTES]> {
        let mut value = [0; ELEMENT_BYTES];
        let read = self.memory.read(&self.store, self.shared, &mut value);
        read.or_else(|_| malformed("keeps elements outside of its memory"))?;
        Ok(value)
    }

    fn check_field(&mut self) -> Result<()> {
        if self.call::<(), i32>("getFieldNumLen32", ())? as usize != ELEMENT_BYTES / 4 {
            return malformed("is over another field than that of BN254");
        }
        self.call::<(), ()>("getRawPrime", ())?;
        if self.get()? != bytes::modulus_le::<Fr>() {
            return malformed("is over another field than that of BN254");
        }
        Ok(())
    }

    /// That the program takes exactly these signals, before any of them is set.
    fn check_signals(&mut self, signals: &[Signal]) -> Result<()> {
        let mut given = 0;
        for (number, signal) in signals.iter().enumerate() {
            let (name, count) = (&signal.name, signal.values.len());
            if signals[..number].iter().any(|other| other.name == *name) {
                return Err(Error::Malformed(format!("signal {name} is given twice")));
            }
            let [upper, lower] = signal.hash();
            let size = self.call::<_, i32>("getInputSignalSize", (upper, lower))?;
            if size <= 0 {
                return Err(Error::Malformed(format!("the circuit has no input signal {name}")));
            }
            if size as usize != count {
                return Err(Error::Malformed(format!("input signal {name} has {size} values, and {count} were given")));
            }
            given += count;
        }
        let size = self.call::<(), i32>("getInputSize", ())? as u32 as usize;
        if size != given {
            let why = format!("the circuit takes {size} input values, and {given} were given: a signal is missing");
            return Err(Error::Malformed(why));
        }
        Ok(())
    }

    fn wires(&mut self) -> Result<Vec<Fr>> {
        let count = self.call::<(), i32>("getWitnessSize", ())? as u32;
        // It keeps them in its memory, so a false count cannot ask for more than that.
        if count == 0 || count as usize > self.memory.data_size(&self.store) / ELEMENT_BYTES {
            return malformed(format_args!("announces {count} wires"));
        }
        let mut wires: Vec<Fr> = Vec::new();
        for wire in 0..count {
            self.call::<i32, ()>("getWitness", wire as i32)?;
            let Some(value) = bytes::from_le(&self.get()?) else {
                return malformed(format_args!("gives wire {wire} a value above the modulus"));
            };
            wires.push(value);
        }
        if !wires[0].is_one() {
            return malformed("gives a wire 0 that is not one");
        }
        Ok(wires)
    }
}

/// The four functions that a program calls: one ends it, one says why, two print and are not heard.
fn linker(engine: &Engine) -> std::result::Result<Linker<State>, wasmi::Error> {
    let mut linker = Linker::new(engine);
    let raise = |code: i32| -> std::result::Result<(), wasmi::Error> { Err(wasmi::Error::host(Raised(code))) };
    linker.func_wrap("runtime", "exceptionHandler", move |_: Caller<'_, State>, code: i32| raise(code))?;
    linker.func_wrap("runtime", "printErrorMessage", hear)?;
    linker.func_wrap("runtime", "writeBufferMessage", |_: Caller<'_, State>| ())?;
    linker.func_wrap("runtime", "showSharedRWMemory", |_: Caller<'_, State>| ())?;
    Ok(linker)
}

/// Takes a message from the program, character by character.
fn hear(mut caller: Caller<'_, State>) -> std::result::Result<(), wasmi::Error> {
    let Some(next) = caller.get_export("getMessageChar").and_then(wasmi::Extern::into_func) else { return Ok(()) };
    let next = next.typed::<(), i32>(&caller)?;
    while caller.data().said.len() < MOST_TEXT {
        // Out of steps within a message: the rest of it is lost, the program goes on with more.
        let Ok(code) = next.call(&mut caller, ()) else { break };
        if code == 0 {
            break;
        }
        let character = char::from_u32(code as u32).filter(|character| !character.is_control()).unwrap_or(' ');
        caller.data_mut().said.push(character);
    }
    caller.data_mut().said.push(' ');
    Ok(())
}

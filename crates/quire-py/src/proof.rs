//! Doors to `quire_proof`. Errors are ValueError with two arguments, a kind and a text.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use quire_proof::batch::verify_batch;
use quire_proof::proof::{Proof, public_of_bytes, public_to_bytes};
use quire_proof::r1cs::R1cs;
use quire_proof::verify::Verifier;
use quire_proof::vk::VerifyingKey;
use quire_proof::{Cancel, Error, Fr, key_check, prove, seed, setup, wtns, zkey};

use crate::buffers::bytes_of;

pub fn refused(error: Error) -> PyErr {
    let kind = match &error {
        Error::Malformed(_) => "malformed",
        Error::BadKey(_) => "bad-key",
        Error::BadProof(_) => "bad-proof",
        Error::WitnessDoesNotSatisfy(_) => "witness",
        Error::Cancelled => "cancelled",
        Error::Io(_) => "io",
    };
    PyValueError::new_err((kind, error.to_string()))
}

pub fn exactly<const N: usize>(bytes: &[u8], what: &str) -> PyResult<[u8; N]> {
    bytes
        .try_into()
        .map_err(|_| PyValueError::new_err(("malformed", format!("{what} has {N} bytes, not {}", bytes.len()))))
}

/// A flag that stops long work of other threads.
#[pyclass(frozen, name = "Cancel", module = "quire._core")]
#[derive(Default)]
pub struct CancelFlag(pub Arc<Cancel>);

#[pymethods]
impl CancelFlag {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn set(&self) {
        self.0.set();
    }

    #[getter]
    fn is_set(&self) -> bool {
        self.0.is_set()
    }
}

/// The flag of the caller, or one that nobody sets.
pub fn flag(cancel: Option<&Bound<'_, CancelFlag>>) -> Arc<Cancel> {
    cancel.map(|cancel| cancel.get().0.clone()).unwrap_or_default()
}

/// The values of all wires of a circuit.
#[pyclass(frozen, module = "quire._core")]
pub struct Witness(pub Arc<Vec<Fr>>);

#[pymethods]
impl Witness {
    #[staticmethod]
    fn from_wtns(py: Python<'_>, data: PyBuffer<u8>) -> PyResult<Self> {
        let bytes = bytes_of(&data)?;
        let values = py.detach(|| wtns::read(bytes)).map_err(refused)?;
        Ok(Witness(Arc::new(values)))
    }

    fn to_wtns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        py.detach(|| wtns::write(&self.0, &mut out)).map_err(refused)?;
        Ok(PyBytes::new(py, &out))
    }

    #[getter]
    fn wires(&self) -> usize {
        self.0.len()
    }

    /// The first wires after the constant.
    fn public<'py>(&self, py: Python<'py>, count: usize) -> PyResult<Bound<'py, PyBytes>> {
        let values = count.checked_add(1).and_then(|end| self.0.get(1..end));
        let values = values.ok_or_else(|| {
            PyValueError::new_err(("malformed", format!("a witness of {} wires has fewer than {count}", self.0.len())))
        })?;
        Ok(PyBytes::new(py, &public_to_bytes(values)))
    }
}

#[pyclass(frozen, name = "Groth16Verifier", module = "quire._core")]
pub struct VerifierDoor(Verifier);

#[pymethods]
impl VerifierDoor {
    #[new]
    fn new(py: Python<'_>, words: PyBuffer<u8>) -> PyResult<Self> {
        let bytes = bytes_of(&words)?;
        let made = py.detach(|| VerifyingKey::from_words(bytes).map(Verifier::new));
        made.map(Self).map_err(refused)
    }

    fn words<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.key().to_words())
    }

    #[getter]
    fn public_count(&self) -> usize {
        self.0.key().public_count()
    }

    fn verify(&self, py: Python<'_>, public: PyBuffer<u8>, proof: PyBuffer<u8>) -> PyResult<bool> {
        let (public, proof) = (bytes_of(&public)?, bytes_of(&proof)?);
        py.detach(|| self.0.verify(&public_of_bytes(public)?, &Proof::from_bytes(proof)?)).map_err(refused)
    }

    /// Indices of the items that do not hold; what does not decode does not hold.
    fn verify_batch(
        &self,
        py: Python<'_>,
        items: Vec<(PyBuffer<u8>, PyBuffer<u8>)>,
        seed: PyBuffer<u8>,
        cancel: Option<&Bound<'_, CancelFlag>>,
    ) -> PyResult<Vec<usize>> {
        let seed = exactly(bytes_of(&seed)?, "the seed of a batch")?;
        let cancel = flag(cancel);
        let raw: Vec<(&[u8], &[u8])> =
            items.iter().map(|(public, proof)| Ok((bytes_of(public)?, bytes_of(proof)?))).collect::<PyResult<_>>()?;
        py.detach(|| self.bad_ones(&raw, &seed, &cancel)).map_err(refused)
    }
}

impl VerifierDoor {
    fn bad_ones(&self, raw: &[(&[u8], &[u8])], seed: &[u8; 32], cancel: &Cancel) -> Result<Vec<usize>, Error> {
        let (mut bad, mut kept, mut items) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (public, proof)) in raw.iter().enumerate() {
            let decoded = public_of_bytes(public).and_then(|public| Ok((public, Proof::from_bytes(proof)?)));
            match decoded.and_then(|item| self.0.check_count(&item.0).map(|()| item)) {
                Ok(item) => {
                    kept.push(index);
                    items.push(item);
                }
                Err(_) => bad.push(index),
            }
        }
        bad.extend(verify_batch(&self.0, &items, seed, cancel)?.into_iter().map(|place| kept[place]));
        bad.sort_unstable();
        Ok(bad)
    }
}

/// A mapped `.zkey` file.
#[pyclass(frozen, name = "Groth16Key", module = "quire._core")]
pub struct KeyDoor {
    key: zkey::ProvingKey,
    verifier: Verifier,
}

#[pymethods]
impl KeyDoor {
    #[new]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let opened = py.detach(|| {
            let key = zkey::ProvingKey::open(&path)?;
            let verifier = Verifier::new(key.verifying_key().clone());
            Ok(KeyDoor { key, verifier })
        });
        opened.map_err(refused)
    }

    #[getter]
    fn wires(&self) -> usize {
        self.key.wires()
    }

    #[getter]
    fn public_count(&self) -> usize {
        self.key.public_count()
    }

    #[getter]
    fn domain(&self) -> usize {
        self.key.domain()
    }

    #[getter]
    fn constraints(&self) -> usize {
        self.key.constraints()
    }

    fn circuit_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.key.circuit_hash())
    }

    fn development_circuit<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.key.development_circuit().map(|hash| PyBytes::new(py, hash))
    }

    fn words<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.key.verifying_key().to_words())
    }

    /// The proof and its public inputs. Without a seed, the randomness is that of the system.
    fn prove<'py>(
        &self,
        py: Python<'py>,
        witness: &Bound<'py, Witness>,
        seed: Option<PyBuffer<u8>>,
        cancel: Option<&Bound<'py, CancelFlag>>,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let seed = match &seed {
            Some(seed) => exactly(bytes_of(seed)?, "the seed of a proof")?,
            None => seed::of_the_system().map_err(refused)?,
        };
        let (values, cancel) = (witness.get().0.clone(), flag(cancel));
        let made = py.detach(|| prove::prove(&self.key, &self.verifier, &values, &seed, &cancel));
        let (proof, public) = made.map_err(refused)?;
        Ok((PyBytes::new(py, &proof.to_bytes()), PyBytes::new(py, &public_to_bytes(&public))))
    }

    fn check(&self, py: Python<'_>, seed: PyBuffer<u8>, cancel: Option<&Bound<'_, CancelFlag>>) -> PyResult<()> {
        let seed = exactly(bytes_of(&seed)?, "the seed of a check")?;
        let cancel = flag(cancel);
        py.detach(|| key_check::check(&self.key, &seed, &cancel)).map_err(refused)
    }
}

/// Writes a development key; gives the words of its verifying key.
#[pyfunction]
fn groth16_setup<'py>(
    py: Python<'py>,
    r1cs: PathBuf,
    zkey: PathBuf,
    seed: PyBuffer<u8>,
    cancel: Option<&Bound<'py, CancelFlag>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let seed = exactly(bytes_of(&seed)?, "the seed of a key")?;
    let cancel = flag(cancel);
    let mut raised = None;
    let report = |at: setup::Progress| {
        let Some(progress) = &progress else { return };
        if let Err(error) = Python::attach(|py| progress.call1(py, (at.done, at.total))) {
            raised = Some(error);
            cancel.set();
        }
    };
    let made = py.detach(|| {
        let file = std::fs::read(&r1cs).map_err(|error| Error::Io(format!("{}: {error}", r1cs.display())))?;
        setup::development_key(&file, &zkey, &seed, &cancel, report)
    });
    if let Some(error) = raised {
        return Err(error);
    }
    Ok(PyBytes::new(py, &made.map_err(refused)?.to_words()))
}

/// Outputs, public inputs, private inputs, wires and constraints of a `.r1cs` file.
#[pyfunction]
fn r1cs_counts(py: Python<'_>, data: PyBuffer<u8>) -> PyResult<(u32, u32, u32, u32, usize)> {
    let bytes = bytes_of(&data)?;
    let read = py.detach(|| R1cs::read(bytes)).map_err(refused)?;
    Ok((read.outputs, read.public_inputs, read.private_inputs, read.wires, read.constraint_count()))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<CancelFlag>()?;
    module.add_class::<Witness>()?;
    module.add_class::<VerifierDoor>()?;
    module.add_class::<KeyDoor>()?;
    module.add_function(wrap_pyfunction!(groth16_setup, module)?)?;
    module.add_function(wrap_pyfunction!(r1cs_counts, module)?)
}

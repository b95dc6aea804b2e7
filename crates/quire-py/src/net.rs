//! The door to `quire_net`: commands in, events out in batches. Nothing here waits for the network.

use std::time::Duration;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyTuple};
use quire_net::{
    Bytes, Command, Config, End, Event, Failure, Gateway, Multiaddr, Nat, Node, PeerId, RelayLimits, Sent, Snapshot,
    Standing, StreamProtocol,
};

/// Segments shorter than this are copied at once: cheaper than keeping their object alive.
const COPY_BELOW_BYTES: usize = 1024;

/// A received message. Immutable; `memoryview(frame)` reads it without a copy.
#[pyclass(frozen, module = "quire._core")]
struct Frame(Vec<u8>);

#[pymethods]
impl Frame {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: std::ffi::c_int) -> PyResult<()> {
        let bytes = &slf.get().0;
        // SAFETY: the caller gives a view to fill. The bytes never change and live as long as the
        // object, to which the view holds a reference; `1` marks them read-only.
        let result = unsafe {
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), bytes.as_ptr().cast_mut().cast(), bytes.len() as isize, 1, flags)
        };
        if result == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

/// Bytes inside an immutable Python object, readable without the GIL while the object is held.
/// Dropped by a thread without the GIL, the reference is given back when the GIL is next taken.
struct Held {
    _object: Py<PyAny>,
    start: *const u8,
    length: usize,
}

// SAFETY: the memory is immutable and stays where it is while `_object` lives; `Py` may cross threads.
unsafe impl Send for Held {}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: see the type.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

/// The bytes of a segment: held where they are when they cannot change, copied otherwise.
fn segment_of(object: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(hold(object, bytes.as_bytes()));
    }
    if let Ok(array) = object.cast::<PyByteArray>() {
        return Ok(Bytes::from(array.to_vec()));
    }
    let buffer: PyBuffer<u8> = PyBuffer::get(object)?;
    if !buffer.is_c_contiguous() {
        return Err(PyValueError::new_err("a segment must be contiguous"));
    }
    if buffer.len_bytes() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: contiguous, and exported while `buffer` lives; nothing of Python runs before the copy.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), buffer.len_bytes()) };
    let owner = object.getattr("obj");
    match owner {
        Ok(owner) if owner.is_exact_instance_of::<PyBytes>() || owner.is_exact_instance_of::<Frame>() => {
            Ok(hold(&owner, bytes))
        }
        _ => Ok(Bytes::copy_from_slice(bytes)),
    }
}

fn hold(object: &Bound<'_, PyAny>, bytes: &[u8]) -> Bytes {
    if bytes.len() < COPY_BELOW_BYTES {
        return Bytes::copy_from_slice(bytes);
    }
    let (start, length) = (bytes.as_ptr(), bytes.len());
    Bytes::from_owner(Held { _object: object.clone().unbind(), start, length })
}

fn peer_of(text: &str) -> PyResult<PeerId> {
    text.parse().map_err(|error| PyValueError::new_err(format!("{text:?} is not a peer id: {error}")))
}

fn address_of(text: &str) -> PyResult<Multiaddr> {
    text.parse().map_err(|error| PyValueError::new_err(format!("{text:?} is not an address: {error}")))
}

fn protocol_of(text: String) -> PyResult<StreamProtocol> {
    StreamProtocol::try_from_owned(text).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::ZERO)
}

fn failure_name(failure: Failure) -> &'static str {
    match failure {
        Failure::Silent => "silent",
        Failure::Refused => "refused",
        Failure::Gone => "gone",
        Failure::Mismatch => "mismatch",
        Failure::InUse => "in-use",
        Failure::Address => "address",
        Failure::Full => "full",
    }
}

fn end_name(how: End) -> &'static str {
    match how {
        End::Closed => "closed",
        End::Broken => "broken",
        End::Lied => "lied",
    }
}

fn nat_of(text: Option<&str>) -> PyResult<Nat> {
    match text {
        None | Some("none") => Ok(Nat::None),
        Some("upnp") => Ok(Nat::Upnp),
        Some(ip) => match ip.parse() {
            Ok(ip) => Ok(Nat::External(ip)),
            Err(_) => Err(PyValueError::new_err(format!("{ip:?} is neither none nor upnp nor an IP address"))),
        },
    }
}

fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Unknown => "unknown",
        Standing::Public => "public",
        Standing::Private => "private",
        Standing::Relayed => "relayed",
    }
}

fn gateway_name(gateway: Gateway) -> &'static str {
    match gateway {
        Gateway::Off => "off",
        Gateway::Searching => "searching",
        Gateway::NotFound => "not-found",
        Gateway::NotPublic => "not-public",
        Gateway::Found => "found",
    }
}

/// The keys are the fields of `quire.net.reachability.Reachability`.
fn reach_of<'py>(py: Python<'py>, reach: &Snapshot) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("status", standing_name(reach.standing))?;
    dict.set_item("announced", texts(&reach.announced))?;
    dict.set_item("verified", texts(&reach.verified))?;
    dict.set_item("observed", texts(&reach.observed))?;
    dict.set_item("gateway", gateway_name(reach.gateway))?;
    let pair = |one: &dyn ToString, other: &dyn ToString| (one.to_string(), other.to_string());
    let mappings: Vec<_> = reach.mappings.iter().map(|(local, outside)| pair(local, outside)).collect();
    dict.set_item("mappings", mappings)?;
    let relays: Vec<_> = reach.relays.iter().map(|(peer, address)| pair(peer, address)).collect();
    dict.set_item("relays", relays)?;
    let peers = |list: &[PeerId]| list.iter().map(PeerId::to_string).collect::<Vec<_>>();
    dict.set_item("upgraded", peers(&reach.upgraded))?;
    dict.set_item("not_upgraded", peers(&reach.not_upgraded))?;
    let checks: Vec<_> = reach
        .checks
        .iter()
        .map(|check| (check.address.to_string(), check.server.to_string(), check.at, check.problem.clone()))
        .collect();
    dict.set_item("checks", checks)?;
    dict.set_item("testers", reach.testers)?;
    dict.set_item("relay_offers", reach.relay_offers)?;
    Ok(dict)
}

fn texts(addresses: &[Multiaddr]) -> Vec<String> {
    addresses.iter().map(Multiaddr::to_string).collect()
}

/// The tuple of an event: its name, its number, and what else it says (see `_core.pyi`).
fn tuple_of(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyTuple>> {
    match event {
        Event::Message { channel, bytes } => ("message", channel, Bound::new(py, Frame(bytes))?).into_pyobject(py),
        Event::Writable { channel } => ("writable", channel).into_pyobject(py),
        Event::Ended { channel, how, reason } => ("ended", channel, end_name(how), reason).into_pyobject(py),
        Event::Incoming { channel, peer, protocol } => {
            ("incoming", channel, peer.to_string(), protocol).into_pyobject(py)
        }
        Event::Done { op, value } => ("done", op, value).into_pyobject(py),
        Event::Opened { op, channel } => ("opened", op, channel).into_pyobject(py),
        Event::Failed { op, failure, reason } => ("failed", op, failure_name(failure), reason).into_pyobject(py),
        Event::Provider { op, peer, addresses } => {
            ("provider", op, peer.to_string(), texts(&addresses)).into_pyobject(py)
        }
        Event::Connected { connection, peer, address, outgoing } => {
            ("connected", connection, peer.to_string(), address.to_string(), outgoing).into_pyobject(py)
        }
        Event::Disconnected { connection, peer, reason } => {
            ("disconnected", connection, peer.to_string(), reason).into_pyobject(py)
        }
        Event::Identified { peer, agent, protocols } => {
            ("identified", 0, peer.to_string(), agent, protocols).into_pyobject(py)
        }
        Event::Listening { address } => ("listening", 0, address.to_string()).into_pyobject(py),
        Event::ListeningEnded { address } => ("unlistening", 0, address.to_string()).into_pyobject(py),
        Event::Reach(reach) => ("reach", 0, reach_of(py, &reach)?).into_pyobject(py),
        Event::Stopped => ("stopped", 0).into_pyobject(py),
    }
}

#[pyclass(frozen, module = "quire._core")]
struct NetNode(Node);

#[pymethods]
impl NetNode {
    #[new]
    #[pyo3(signature = (
        private_key, *, agent, kad_protocol, mdns, max_connections, idle_seconds, record_seconds, nat=None, relay=None,
        ping=true
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        private_key: [u8; 32],
        agent: String,
        kad_protocol: String,
        mdns: bool,
        max_connections: u32,
        idle_seconds: f64,
        record_seconds: f64,
        nat: Option<&str>,
        relay: Option<(usize, usize, u64, f64)>,
        ping: bool,
    ) -> PyResult<Self> {
        let config = Config {
            private_key,
            agent,
            kad_protocol,
            mdns,
            ping,
            max_connections,
            idle_timeout: seconds(idle_seconds),
            record_ttl: seconds(record_seconds),
            nat: nat_of(nat)?,
            tells_reach: nat.is_some(),
            relay: relay.map(|(max_reservations, max_circuits, circuit_bytes, circuit_seconds)| RelayLimits {
                max_reservations,
                max_circuits,
                circuit_bytes,
                circuit_duration: seconds(circuit_seconds),
            }),
        };
        Node::start(&config).map(Self).map_err(|error| PyRuntimeError::new_err(error.to_string()))
    }

    #[getter]
    fn peer(&self) -> String {
        self.0.peer().to_string()
    }

    #[getter]
    fn fd(&self) -> i32 {
        self.0.descriptor()
    }

    fn drain<'py>(&self, py: Python<'py>, max_events: usize) -> PyResult<Bound<'py, PyList>> {
        let batch = PyList::empty(py);
        for event in self.0.drain(max_events) {
            batch.append(tuple_of(py, event)?)?;
        }
        Ok(batch)
    }

    fn listen(&self, op: u64, address: &str) -> PyResult<()> {
        self.0.command(Command::Listen { op, address: address_of(address)? });
        Ok(())
    }

    fn serve(&self, protocol: String, max_bytes: usize) -> PyResult<()> {
        self.0.serve(protocol_of(protocol)?, max_bytes);
        Ok(())
    }

    fn dial(&self, op: u64, peer: &str, addresses: Vec<String>) -> PyResult<()> {
        let addresses = addresses.iter().map(|text| address_of(text)).collect::<PyResult<_>>()?;
        self.0.command(Command::Dial { op, peer: peer_of(peer)?, addresses });
        Ok(())
    }

    fn open(&self, op: u64, peer: &str, protocol: String, max_bytes: usize, timeout_seconds: f64) -> PyResult<()> {
        self.0.command(Command::Open {
            op,
            peer: peer_of(peer)?,
            protocol: protocol_of(protocol)?,
            max_bytes,
            timeout: seconds(timeout_seconds),
        });
        Ok(())
    }

    /// True when taken, False when full, None when the channel has ended.
    fn send(&self, channel: u64, segments: &Bound<'_, PyTuple>) -> PyResult<Option<bool>> {
        let segments = segments.iter().map(|segment| segment_of(&segment)).collect::<PyResult<_>>()?;
        match self.0.send(channel, segments) {
            Sent::Taken => Ok(Some(true)),
            Sent::Full => Ok(Some(false)),
            Sent::Gone => Ok(None),
            Sent::TooLarge => Err(PyOverflowError::new_err("the message exceeds the limit of the channel")),
        }
    }

    fn consumed(&self, channel: u64, length: usize) {
        self.0.consumed(channel, length);
    }

    fn close(&self, channel: u64) {
        self.0.close(channel);
    }

    fn release(&self, channel: u64) {
        self.0.release(channel);
    }

    fn reset(&self, channel: u64) {
        self.0.reset(channel);
    }

    fn provide(&self, op: u64, key: Vec<u8>) {
        self.0.command(Command::Provide { op, key });
    }

    fn stop_providing(&self, key: Vec<u8>) {
        self.0.command(Command::StopProviding { key });
    }

    fn find_providers(&self, op: u64, key: Vec<u8>) {
        self.0.command(Command::FindProviders { op, key });
    }

    fn forget(&self, op: u64) {
        self.0.command(Command::Forget { op });
    }

    fn hang_up(&self, peer: &str) -> PyResult<()> {
        self.0.command(Command::HangUp { peer: peer_of(peer)? });
        Ok(())
    }

    fn ban(&self, peer: &str) -> PyResult<()> {
        self.0.command(Command::Ban { peer: peer_of(peer)? });
        Ok(())
    }

    fn unban(&self, peer: &str) -> PyResult<()> {
        self.0.command(Command::Unban { peer: peer_of(peer)? });
        Ok(())
    }

    fn stop(&self, timeout_seconds: f64) {
        self.0.command(Command::Stop { timeout: seconds(timeout_seconds) });
    }

    fn join(&self, py: Python<'_>, timeout_seconds: f64) {
        py.detach(|| self.0.join(seconds(timeout_seconds)));
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Frame>()?;
    module.add_class::<NetNode>()
}

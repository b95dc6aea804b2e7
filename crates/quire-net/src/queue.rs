//! The one way out: a queue of events and a descriptor that becomes readable when it fills.
//!
//! Messages are bounded by the credit of their channels (`registry.rs`), all other events by the
//! swarm task, which stops polling the network while more than `HIGH_WATER` events wait.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard};

use crate::reach::Snapshot;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::Notify;

const HIGH_WATER: usize = 8192;

/// Why an operation failed; each becomes one class of error at the other side of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answered, or an address does not work.
    Silent,
    /// Another peer answered, or a limit or ban forbids it.
    Refused,
    /// There is no connection to the peer.
    Gone,
    /// The peer does not speak the protocol.
    Mismatch,
    /// The address to listen on is taken.
    InUse,
    /// The address to listen on cannot be used.
    Address,
    /// This node keeps as much as it may.
    Full,
}

/// How the incoming direction of a channel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closed its direction between two messages.
    Closed,
    /// The stream or connection broke.
    Broken,
    /// The peer announced a message above the limit, or a malformed length.
    Lied,
}

#[derive(Debug)]
pub enum Event {
    Message {
        channel: u64,
        bytes: Vec<u8>,
    },
    /// A `send` that was refused for lack of room will now find some, or find the channel broken.
    Writable {
        channel: u64,
    },
    Ended {
        channel: u64,
        how: End,
        reason: String,
    },
    Incoming {
        channel: u64,
        peer: PeerId,
        protocol: String,
    },
    Done {
        op: u64,
        value: u64,
    },
    Opened {
        op: u64,
        channel: u64,
    },
    Failed {
        op: u64,
        failure: Failure,
        reason: String,
    },
    Provider {
        op: u64,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
    },
    Connected {
        connection: u64,
        peer: PeerId,
        address: Multiaddr,
        outgoing: bool,
    },
    Disconnected {
        connection: u64,
        peer: PeerId,
        reason: String,
    },
    Identified {
        peer: PeerId,
        agent: String,
        protocols: Vec<String>,
    },
    Listening {
        address: Multiaddr,
    },
    ListeningEnded {
        address: Multiaddr,
    },
    /// What is known of reachability has changed.
    Reach(Box<Snapshot>),
    /// The swarm is closed; no event follows.
    Stopped,
}

struct State {
    events: VecDeque<Event>,
    is_signalled: bool,
    /// None once the queue is closed; nobody listens then.
    signal: Option<Signal>,
}

pub struct Queue {
    state: Mutex<State>,
    room: Notify,
}

impl Queue {
    pub fn new() -> io::Result<Self> {
        let state = State { events: VecDeque::new(), is_signalled: false, signal: Some(Signal::new()?) };
        Ok(Self { state: Mutex::new(state), room: Notify::new() })
    }

    /// Readable while events wait; -1 once the queue is closed.
    pub fn descriptor(&self) -> RawFd {
        self.lock().signal.as_ref().map_or(-1, |signal| signal.reader.as_raw_fd())
    }

    pub fn push(&self, event: Event) {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(signal) = &state.signal else { return };
        state.events.push_back(event);
        if !state.is_signalled {
            state.is_signalled = true;
            signal.raise();
        }
    }

    /// Gives the descriptor back to the system and drops what waits.
    pub fn close(&self) {
        let mut state = self.lock();
        state.events.clear();
        state.signal = None;
    }

    /// Up to `max` events, oldest first. The descriptor stays readable when more wait.
    pub fn drain(&self, max: usize) -> Vec<Event> {
        let mut state = self.lock();
        let count = state.events.len().min(max);
        let batch: Vec<Event> = state.events.drain(..count).collect();
        if state.events.is_empty() && state.is_signalled {
            state.is_signalled = false;
            if let Some(signal) = &state.signal {
                signal.clear();
            }
        }
        let has_room = state.events.len() < HIGH_WATER;
        drop(state);
        if has_room {
            self.room.notify_one();
        }
        batch
    }

    /// Waits while too many events are not drained.
    pub async fn wait_for_room(&self) {
        while self.lock().events.len() >= HIGH_WATER {
            self.room.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// An eventfd on Linux, a pipe elsewhere; never blocks.
struct Signal {
    reader: OwnedFd,
    writer: Option<OwnedFd>,
}

impl Signal {
    #[cfg(target_os = "linux")]
    fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and owned by nobody else.
        Ok(Self { reader: unsafe { OwnedFd::from_raw_fd(fd) }, writer: None })
    }

    #[cfg(not(target_os = "linux"))]
    fn new() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: `ends` has room for the two descriptors.
        if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        for fd in ends {
            // SAFETY: both descriptors were just made.
            unsafe {
                libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
        // SAFETY: the descriptors are new and owned by nobody else.
        let [reader, writer] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(Self { reader, writer: Some(writer) })
    }

    fn raise(&self) {
        let one = 1u64.to_ne_bytes();
        let fd = self.writer.as_ref().unwrap_or(&self.reader).as_raw_fd();
        // SAFETY: eight readable bytes. A full pipe or counter is readable already.
        let _ = unsafe { libc::write(fd, one.as_ptr().cast(), one.len()) };
    }

    fn clear(&self) {
        let mut count = [0u8; 8];
        // SAFETY: eight writable bytes; one `raise` is pending, so one read empties it.
        let _ = unsafe { libc::read(self.reader.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

//! One libp2p swarm, driven by commands and heard through one bounded queue of events.
//!
//! ```text
//! commands ──mpsc──> swarm task ──┐                    ┌── drain() in batches, woken by a descriptor
//!                                 ├──> queue of events ─┤
//! send() ──> writer task of a stream   reader task ─────┘  back-pressure: `consumed()` returns credit
//! ```
//!
//! Read next: `node.rs`, then `driver.rs` (the swarm) and `channel.rs` (one stream).

mod addresses;
mod autonat;
mod behaviour;
mod channel;
mod connections;
mod dials;
mod driver;
mod framing;
mod mplex;
mod mplex_frames;
mod muxer;
mod node;
mod queries;
mod queue;
mod reach;
mod reaching;
mod records;
mod registry;
mod streams;
mod tester;
pub mod transport;

pub use bytes::Bytes;
pub use channel::Sent;
pub use libp2p::{Multiaddr, PeerId, StreamProtocol};
pub use node::{Command, Config, Node, RelayLimits, StartError};
pub use queue::{End, Event, Failure};
pub use reach::{Check, Gateway, Nat, Snapshot, Standing};

//! The handle of a running node: everything here returns at once, `stop` excepted.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use libp2p::identity::{Keypair, secp256k1};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, relay, swarm};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::behaviour::Behaviour;
use crate::channel::Sent;
use crate::driver::Driver;
use crate::queue::{Event, Queue};
use crate::reach::Nat;
use crate::registry::Registry;
use crate::streams::Served;
use crate::transport;

const WORKERS: usize = 2;

pub struct Config {
    /// The secp256k1 scalar.
    pub private_key: [u8; 32],
    pub agent: String,
    pub kad_protocol: String,
    pub mdns: bool,
    /// Off in networks whose nodes do not know it.
    pub ping: bool,
    pub max_connections: u32,
    pub idle_timeout: Duration,
    /// How long records of other providers live here.
    pub record_ttl: Duration,
    pub nat: Nat,
    /// Whether the owner wants `Event::Reach`.
    pub tells_reach: bool,
    /// Forward for peers that cannot be reached, within limits.
    pub relay: Option<RelayLimits>,
}

#[derive(Clone, Copy, Debug)]
pub struct RelayLimits {
    pub max_reservations: usize,
    pub max_circuits: usize,
    /// Of one circuit, in each direction.
    pub circuit_bytes: u64,
    pub circuit_duration: Duration,
}

/// `op` is chosen by the caller and comes back in exactly one `Done`, `Opened` or `Failed`, unless forgotten.
#[derive(Debug)]
pub enum Command {
    Listen {
        op: u64,
        address: Multiaddr,
    },
    Dial {
        op: u64,
        peer: PeerId,
        addresses: Vec<Multiaddr>,
    },
    Open {
        op: u64,
        peer: PeerId,
        protocol: StreamProtocol,
        max_bytes: usize,
        timeout: Duration,
    },
    Provide {
        op: u64,
        key: Vec<u8>,
    },
    StopProviding {
        key: Vec<u8>,
    },
    FindProviders {
        op: u64,
        key: Vec<u8>,
    },
    Forget {
        op: u64,
    },
    HangUp {
        peer: PeerId,
    },
    Ban {
        peer: PeerId,
    },
    Unban {
        peer: PeerId,
    },
    /// Close everything within `timeout`; `Event::Stopped` is the last event.
    Stop {
        timeout: Duration,
    },
}

#[derive(Debug)]
pub struct StartError(pub String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

pub struct Node {
    peer: PeerId,
    queue: Arc<Queue>,
    registry: Arc<Registry>,
    served: Served,
    commands: UnboundedSender<Command>,
    runtime: Mutex<Option<Runtime>>,
}

impl Node {
    pub fn start(config: &Config) -> Result<Self, StartError> {
        let fail = |error: &dyn fmt::Display| StartError(error.to_string());
        let secret = secp256k1::SecretKey::try_from_bytes(config.private_key).map_err(|error| fail(&error))?;
        let keypair: Keypair = secp256k1::Keypair::from(secret).into();
        let peer = keypair.public().to_peer_id();
        let kad = StreamProtocol::try_from_owned(config.kad_protocol.clone()).map_err(|error| fail(&error))?;
        let queue = Arc::new(Queue::new().map_err(|error| fail(&error))?);
        let registry = Arc::new(Registry::default());
        let served = Served::default();
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("quire-net")
            .enable_all()
            .build()
            .map_err(|error| fail(&error))?;
        let (commands, inbox) = unbounded_channel();
        // Sockets and timers of the swarm register with the runtime that is entered here.
        let guard = runtime.enter();
        let (circuits, relay_client) = relay::client::new(peer);
        let behaviour = Behaviour::new(config, &keypair, kad.clone(), served.clone(), relay_client)
            .map_err(|error| fail(&error))?;
        let transport = transport::build_with(&keypair, circuits).map_err(|error| fail(&error))?;
        let swarm_config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(config.idle_timeout);
        let swarm = Swarm::new(transport, behaviour, peer, swarm_config);
        let driver = Driver::new(swarm, queue.clone(), registry.clone(), kad, served.clone(), config);
        runtime.spawn(driver.run(inbox));
        drop(guard);
        Ok(Self { peer, queue, registry, served, commands, runtime: Mutex::new(Some(runtime)) })
    }

    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Readable while `drain` has something to give.
    pub fn descriptor(&self) -> i32 {
        self.queue.descriptor()
    }

    pub fn drain(&self, max: usize) -> Vec<Event> {
        self.queue.drain(max)
    }

    /// Hands a command to the swarm; lost when the node has stopped.
    pub fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Accepts channels of a protocol from now on, messages up to `max_bytes`.
    pub fn serve(&self, protocol: StreamProtocol, max_bytes: usize) {
        self.served.add(protocol, max_bytes);
    }

    pub fn send(&self, channel: u64, segments: Vec<Bytes>) -> Sent {
        self.registry.get(channel).map_or(Sent::Gone, |channel| channel.send(segments))
    }

    /// Returns the credit of one received message.
    pub fn consumed(&self, channel: u64, length: usize) {
        if let Some(channel) = self.registry.get(channel) {
            channel.consume(length, &self.registry);
        }
    }

    pub fn close(&self, channel: u64) {
        if let Some(channel) = self.registry.get(channel) {
            channel.close();
        }
    }

    /// Closes our direction and stops reading; what is queued is still written.
    pub fn release(&self, channel: u64) {
        if let Some(channel) = self.registry.get(channel) {
            channel.release();
        }
    }

    pub fn reset(&self, channel: u64) {
        if let Some(channel) = self.registry.get(channel) {
            channel.reset();
        }
    }

    /// Ends the threads, at the latest after `timeout`, and closes the descriptor. Harmless when repeated.
    pub fn join(&self, timeout: Duration) {
        let runtime = self.runtime.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_timeout(timeout);
        }
        self.queue.close();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let runtime = self.runtime.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

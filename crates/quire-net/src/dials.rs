//! The driver's part that connects to peers.

use std::time::Instant;

use libp2p::PeerId;
use libp2p::core::Multiaddr;
use libp2p::swarm::DialError;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};

use crate::addresses::is_loopback;
use crate::driver::{Driver, MAX_ADDRESSES, Query};
use crate::queue::Failure;

/// Neighbours that are remembered; the local network may have more.
const MAX_NEIGHBOURS: usize = 64;

/// A command to connect that waits for its end.
pub struct Dial {
    pub op: u64,
    pub peer: PeerId,
    /// Whether to ask the routing table when no address is known.
    pub may_search: bool,
}

impl Driver {
    pub fn dial(&mut self, dial: Dial, addresses: Vec<Multiaddr>) {
        if self.swarm.is_connected(&dial.peer) {
            return self.done(dial.op, 0);
        }
        // From our own port, because what a router maps it to is where others reach us. On one machine
        // it may be taken for this very pair of addresses by a connection that just ended.
        let is_near = addresses.iter().all(is_loopback);
        let options = DialOpts::peer_id(dial.peer)
            .condition(PeerCondition::Disconnected)
            .addresses(addresses)
            .extend_addresses_through_behaviour();
        let options = if is_near { options.allocate_new_port() } else { options }.build();
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => drop(self.dials.insert(connection, dial)),
            Err(error) => self.not_dialled(dial, &error),
        }
    }

    pub fn not_dialled(&mut self, dial: Dial, error: &DialError) {
        if self.swarm.is_connected(&dial.peer) {
            return self.done(dial.op, 0);
        }
        if matches!(error, DialError::NoAddresses) && dial.may_search {
            let query = self.swarm.behaviour_mut().kad.get_closest_peers(dial.peer);
            self.queries.insert(query, Query::Search(Dial { may_search: false, ..dial }));
            return;
        }
        let (failure, reason) = match error {
            DialError::WrongPeerId { obtained, address } => {
                (Failure::Refused, format!("{address} is the peer {obtained}"))
            }
            DialError::LocalPeerId { address } => (Failure::Refused, format!("{address} is this node itself")),
            DialError::Denied { cause } => (Failure::Refused, denial(cause)),
            DialError::NoAddresses => (Failure::Silent, "no address of the peer is known".to_owned()),
            DialError::Transport(errors) => {
                let reasons: Vec<String> =
                    errors.iter().map(|(address, error)| format!("{address}: {}", cause_of(error))).collect();
                (Failure::Silent, reasons.join("; "))
            }
            other => (Failure::Silent, other.to_string()),
        };
        self.fail(dial.op, failure, reason);
    }

    pub fn on_neighbours(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        for (peer, address) in found {
            if self.neighbours.len() < MAX_NEIGHBOURS || self.neighbours.contains_key(&peer) {
                let addresses = self.neighbours.entry(peer).or_default();
                if addresses.len() < MAX_ADDRESSES && !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        self.dial_neighbours();
    }

    pub fn on_neighbours_gone(&mut self, gone: Vec<(PeerId, Multiaddr)>) {
        for (peer, address) in gone {
            if let Some(addresses) = self.neighbours.get_mut(&peer) {
                addresses.retain(|known| *known != address);
            }
        }
        self.neighbours.retain(|_, addresses| !addresses.is_empty());
    }

    /// Dials those of the local network that are not connected, now and then again.
    pub fn dial_neighbours(&mut self) {
        self.neighbours_dialled = Instant::now();
        for (peer, addresses) in &self.neighbours {
            // They find us in the same instant: from our own port both dials could become one
            // connection that both sides take for their own.
            let options = DialOpts::peer_id(*peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(addresses.clone())
                .allocate_new_port()
                .build();
            // A limit or ban may forbid it, which is no news.
            let _ = self.swarm.dial(options);
        }
    }
}

/// The innermost reason of an error, which is what the socket or the handshake said.
fn cause_of(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn denial(cause: &libp2p::swarm::ConnectionDenied) -> String {
    cause_of(cause)
}

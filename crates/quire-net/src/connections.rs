//! The driver's part that keeps track of connections and of what peers say of themselves.

use libp2p::core::{ConnectedPoint, Multiaddr};
use libp2p::swarm::ConnectionId;
use libp2p::{PeerId, identify};

use crate::addresses::{ip_of, is_global, is_loopback, without_peer};
use crate::driver::{Driver, MAX_ADDRESSES};
use crate::queue::{Event, Failure};

const MAX_PROTOCOLS: usize = 64;
const MAX_TEXT_CHARS: usize = 200;

pub struct Connection {
    serial: u64,
    pub id: ConnectionId,
    /// Where the peer is.
    pub address: Multiaddr,
    pub is_relayed: bool,
    outgoing: bool,
}

impl Connection {
    pub fn is_direct_dial(&self) -> bool {
        self.outgoing && !self.is_relayed
    }
}

impl Driver {
    pub fn on_connected(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        self.next_serial += 1;
        let (is_relayed, outgoing) = (endpoint.is_relayed(), endpoint.is_dialer());
        // Of an incoming circuit, where it came through says more than who is at its end.
        let address = without_peer(match endpoint {
            ConnectedPoint::Listener { local_addr, .. } if is_relayed => local_addr,
            _ => endpoint.get_remote_address(),
        });
        let serial = self.next_serial;
        let connection = Connection { serial, id, address: address.clone(), is_relayed, outgoing };
        self.connections.entry(peer).or_default().push(connection);
        self.drop_relayed(peer);
        self.queue.push(Event::Connected { connection: self.next_serial, peer, address, outgoing });
        let waiting: Vec<ConnectionId> =
            self.dials.iter().filter(|(_, dial)| dial.peer == peer).map(|(id, _)| *id).collect();
        for dial in waiting.iter().filter_map(|id| self.dials.remove(id)).collect::<Vec<_>>() {
            self.done(dial.op, 0);
        }
    }

    pub fn on_disconnected(&mut self, peer: PeerId, id: ConnectionId, reason: String) {
        let Some(all) = self.connections.get_mut(&peer) else { return };
        let Some(index) = all.iter().position(|known| known.id == id) else { return };
        let serial = all.remove(index).serial;
        let is_last = all.is_empty();
        if is_last {
            self.connections.remove(&peer);
            self.addresses.remove(&peer);
        }
        self.forget_connection(&peer, id, is_last);
        // Streams that were being negotiated end without a word of their handler.
        let lost: Vec<u64> =
            self.openings.iter().filter(|(_, opening)| opening.connection == id).map(|(op, _)| *op).collect();
        for op in lost {
            self.openings.remove(&op);
            self.fail(op, Failure::Gone, "the connection ended".into());
        }
        self.queue.push(Event::Disconnected { connection: serial, peer, reason });
    }

    pub fn on_identified(&mut self, peer: PeerId, info: identify::Info) {
        let all = self.connections.get(&peer).map_or(&[][..], Vec::as_slice);
        let is_here = all.iter().any(|known| is_loopback(&known.address));
        // What a peer calls its private network is not ours, unless it is on it with us.
        let is_near = all.iter().any(|known| !is_global(&known.address));
        let mut addresses: Vec<Multiaddr> = info.listen_addrs.iter().map(without_peer).collect();
        addresses.retain(|address| match ip_of(address) {
            Some(ip) if ip.is_loopback() => is_here,
            _ => is_near || is_global(address),
        });
        addresses.truncate(MAX_ADDRESSES);
        if info.protocols.contains(&self.kad_protocol) {
            for address in &addresses {
                self.swarm.behaviour_mut().kad.add_address(&peer, address.clone());
            }
        }
        self.addresses.insert(peer, addresses);
        self.note_services(peer, &info);
        let cut = |text: &str| text.chars().take(MAX_TEXT_CHARS).collect::<String>();
        let protocols = info.protocols.iter().take(MAX_PROTOCOLS).map(|name| cut(name.as_ref())).collect();
        self.queue.push(Event::Identified { peer, agent: cut(&info.agent_version), protocols });
    }
}

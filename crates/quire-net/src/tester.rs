//! The answering side of AutoNAT v2, which dials where it is told to: on the internet only, and not
//! too often.
//!
//! Without the first bound a stranger could have this node knock at its own private network.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{PeerId, autonat};

use crate::addresses::is_global;

type Server = autonat::v2::server::Behaviour;

const MAX_DIALS: usize = 60;
const WINDOW: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Behaviour {
    server: Server,
    /// The latest dials, and when they were asked for.
    dials: VecDeque<(ConnectionId, Instant)>,
}

impl Behaviour {
    fn may_dial(&self, connection: ConnectionId, addresses: &[Multiaddr]) -> bool {
        let Some(index) = self.dials.iter().position(|(known, _)| *known == connection) else { return true };
        let since = self.dials[index].1;
        let recent = self.dials.iter().take(index).filter(|(_, moment)| since.duration_since(*moment) < WINDOW);
        addresses.iter().all(is_global) && recent.count() < MAX_DIALS
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <Server as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = <Server as NetworkBehaviour>::ToSwarm;

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if !self.may_dial(connection, addresses) {
            return Err(ConnectionDenied::new(std::io::Error::other("an address that is not tested from here")));
        }
        self.server.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.server.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.server.handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        self.server.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.server.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        let action = self.server.poll(cx);
        if let Poll::Ready(ToSwarm::Dial { opts }) = &action {
            if self.dials.len() > 2 * MAX_DIALS {
                self.dials.pop_front();
            }
            self.dials.push_back((opts.connection_id(), Instant::now()));
        }
        action
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(count: usize) -> Behaviour {
        let dials = (0..count).map(|number| (ConnectionId::new_unchecked(number), Instant::now())).collect();
        Behaviour { server: Server::default(), dials }
    }

    fn may(behaviour: &Behaviour, number: usize, address: &str) -> bool {
        behaviour.may_dial(ConnectionId::new_unchecked(number), &[address.parse().unwrap()])
    }

    #[test]
    fn only_addresses_of_the_internet_are_dialled_for_others() {
        let behaviour = asked(1);
        assert!(may(&behaviour, 0, "/ip4/5.6.7.8/tcp/1"));
        assert!(!may(&behaviour, 0, "/ip4/192.168.1.1/tcp/80"));
        assert!(!may(&behaviour, 0, "/ip4/127.0.0.1/tcp/8080"));
        assert!(!may(&behaviour, 0, "/dns4/router.lan/tcp/80"));
        assert!(may(&behaviour, 7, "/ip4/192.168.1.1/tcp/80"), "a dial of our own is none of its business");
    }

    #[test]
    fn there_are_only_so_many_dials_in_a_minute() {
        let behaviour = asked(MAX_DIALS + 1);
        assert!(may(&behaviour, MAX_DIALS - 1, "/ip4/5.6.7.8/tcp/1"));
        assert!(!may(&behaviour, MAX_DIALS, "/ip4/5.6.7.8/tcp/1"));
    }
}

//! The driver's part that asks Kademlia.

use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::{ConnectionId, DialError, NetworkBehaviour};
use libp2p::{PeerId, kad};

use crate::addresses::without_peer;
use crate::driver::{Driver, MAX_ADDRESSES, Query};
use crate::queue::Event;

/// The k of Kademlia: how many peers take a record.
const RECORD_COPIES: u64 = 20;

impl Driver {
    pub fn on_query(&mut self, id: kad::QueryId, result: kad::QueryResult, stats: &kad::QueryStats, is_last: bool) {
        if let kad::QueryResult::GetProviders(Ok(kad::GetProvidersOk::FoundProviders { providers, .. })) = &result
            && let Some(Query::Find { op, key }) = self.queries.get(&id)
        {
            let (op, key) = (*op, key.clone());
            for peer in providers {
                if peer != self.swarm.local_peer_id() {
                    let addresses = self.provider_addresses(*peer, &key);
                    self.queue.push(Event::Provider { op, peer: *peer, addresses });
                }
            }
        }
        if !is_last {
            return;
        }
        match (self.queries.remove(&id), result) {
            // The lookup counts the peers that answered, the hand-out those it was given to: the
            // same ones, at most `RECORD_COPIES`. Kademlia does not confirm records.
            (Some(Query::Provide { op }), _) => {
                let takers = u64::from(stats.num_successes()) / 2;
                self.done(op, takers.min(RECORD_COPIES));
            }
            (Some(Query::Find { op, .. }), _) => self.done(op, 0),
            (Some(Query::Search(dial)), kad::QueryResult::GetClosestPeers(Ok(found))) => {
                let info = found.peers.into_iter().find(|info| info.peer_id == dial.peer);
                self.dial(dial, info.map(|info| info.addrs).unwrap_or_default());
            }
            (Some(Query::Search(dial)), _) => self.not_dialled(dial, &DialError::NoAddresses),
            (None, _) => {}
        }
    }

    /// All that is known of where a provider listens. Kademlia keeps the addresses that came with a
    /// provider inside the running query, and gives them out only to dial.
    fn provider_addresses(&mut self, peer: PeerId, key: &kad::RecordKey) -> Vec<Multiaddr> {
        let kad = &mut self.swarm.behaviour_mut().kad;
        let mut found: Vec<Multiaddr> = Vec::new();
        let stored = kad::store::RecordStore::providers(kad.store_mut(), key);
        found.extend(stored.into_iter().filter(|record| record.provider == peer).flat_map(|record| record.addresses));
        let unused = ConnectionId::new_unchecked(usize::MAX);
        let known = kad.handle_pending_outbound_connection(unused, Some(peer), &[], Endpoint::Dialer);
        found.extend(known.unwrap_or_default());
        found.extend(self.addresses.get(&peer).into_iter().flatten().cloned());
        let mut addresses: Vec<Multiaddr> = Vec::new();
        for address in found.iter().map(without_peer) {
            if addresses.len() < MAX_ADDRESSES && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }
}

//! What a node does on every connection, and its bounds.

use std::time::Duration;

use libp2p::allow_block_list::{self, BlockedPeers};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{StreamProtocol, dcutr, identify, kad, mdns, ping, relay, upnp};

use crate::node::{Config, RelayLimits};
use crate::reach::Nat;
use crate::records::Records;
use crate::streams::{self, Served};
use crate::tester;

/// What identify says the family of protocols is; Codex nodes say the same.
const PROTOCOL_VERSION: &str = "ipfs/0.1.0";
/// One each way, a relayed one while it is being replaced, and one that tests an address.
const MAX_PER_PEER: u32 = 4;
const MAX_PENDING: u32 = 64;
const QUERY_TIMEOUT: Duration = Duration::from_secs(60);
const PING_INTERVAL: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

// Bans and limits come first: they must refuse before another part accepts.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub bans: allow_block_list::Behaviour<BlockedPeers>,
    limits: connection_limits::Behaviour,
    pub streams: streams::Behaviour,
    identify: identify::Behaviour,
    ping: Toggle<ping::Behaviour>,
    pub kad: kad::Behaviour<Records>,
    mdns: Toggle<mdns::tokio::Behaviour>,
    tester: tester::Behaviour,
    relay_client: relay::client::Behaviour,
    relay: Toggle<relay::Behaviour>,
    hole_puncher: dcutr::Behaviour,
    pub upnp: Toggle<upnp::tokio::Behaviour>,
}

impl Behaviour {
    pub fn new(
        config: &Config,
        keypair: &Keypair,
        kad_protocol: StreamProtocol,
        served: Served,
        relay_client: relay::client::Behaviour,
    ) -> Result<Self, String> {
        let local = keypair.public().to_peer_id();
        let limits = ConnectionLimits::default()
            .with_max_established(Some(config.max_connections))
            .with_max_established_per_peer(Some(MAX_PER_PEER))
            .with_max_pending_incoming(Some(MAX_PENDING))
            .with_max_pending_outgoing(Some(MAX_PENDING));
        let identify = identify::Config::new_with_signed_peer_record(PROTOCOL_VERSION.to_owned(), keypair)
            .with_agent_version(config.agent.clone())
            .with_push_listen_addr_updates(true);
        let mut kad_config = kad::Config::new(kad_protocol);
        // The owner announces again when it is time, so that it can show when that is.
        kad_config
            .set_query_timeout(QUERY_TIMEOUT)
            .set_provider_record_ttl(Some(config.record_ttl))
            .set_provider_publication_interval(None)
            .set_publication_interval(None)
            .set_replication_interval(None);
        let mut kad = kad::Behaviour::with_config(local, Records::new(local), kad_config);
        kad.set_mode(Some(kad::Mode::Server));
        let mdns = match config.mdns {
            true => Some(mdns::Behaviour::new(mdns::Config::default(), local).map_err(|error| error.to_string())?),
            false => None,
        };
        Ok(Self {
            bans: allow_block_list::Behaviour::default(),
            limits: connection_limits::Behaviour::new(limits),
            streams: streams::Behaviour::new(served),
            identify: identify::Behaviour::new(identify),
            ping: Toggle::from(config.ping.then(|| {
                ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT))
            })),
            kad,
            mdns: Toggle::from(mdns),
            tester: tester::Behaviour::default(),
            relay_client,
            relay: Toggle::from(config.relay.map(|limits| relay::Behaviour::new(local, relay_config(limits)))),
            hole_puncher: dcutr::Behaviour::new(local),
            upnp: Toggle::from((config.nat == Nat::Upnp).then(upnp::tokio::Behaviour::default)),
        })
    }
}

fn relay_config(limits: RelayLimits) -> relay::Config {
    // The rates for a peer and an address of libp2p's default stay.
    relay::Config {
        max_reservations: limits.max_reservations,
        max_circuits: limits.max_circuits,
        max_circuit_bytes: limits.circuit_bytes,
        max_circuit_duration: limits.circuit_duration,
        ..relay::Config::default()
    }
}

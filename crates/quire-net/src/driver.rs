//! The task that owns the swarm: carries out commands and turns what happens into events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use libp2p::core::Multiaddr;
use libp2p::core::transport::{ListenerId, TransportError};
use libp2p::swarm::{ConnectionId, Swarm, SwarmEvent};
use libp2p::{PeerId, StreamProtocol, identify, kad, mdns, ping};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};

use crate::addresses::{ip_of, is_circuit};
use crate::autonat::{Answer, DIAL_BACK};
use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::connections::Connection;
use crate::dials::Dial;
use crate::node::{Command, Config};
use crate::queue::{Event, Failure, Queue};
use crate::reaching::{OWN_OPS, Reaching, Report};
use crate::registry::Registry;
use crate::streams::{Open, Served, StreamEvent};

pub const MAX_ADDRESSES: usize = 16;
/// How long a node that stops waits for its channels to end: then all that was queued has arrived,
/// for peers end their direction when they see ours end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often what depends on time is looked at: tests of addresses, relays that are missing.
const LOOK_AROUND: Duration = Duration::from_secs(1);
/// How long a router may take to remove a mapping.
const UNMAPPING: Duration = Duration::from_millis(500);

pub struct Opening {
    pub connection: ConnectionId,
    max_bytes: usize,
}

pub enum Query {
    Provide { op: u64 },
    Find { op: u64, key: kad::RecordKey },
    Search(Dial),
}

pub struct Driver {
    pub swarm: Swarm<Behaviour>,
    pub queue: Arc<Queue>,
    registry: Arc<Registry>,
    pub kad_protocol: StreamProtocol,
    served: Served,
    listeners: HashMap<ListenerId, (Option<u64>, bool)>,
    pub dials: HashMap<ConnectionId, Dial>,
    pub openings: HashMap<u64, Opening>,
    pub queries: HashMap<kad::QueryId, Query>,
    /// Oldest first, so that both sides tend to use the same one.
    pub connections: HashMap<PeerId, Vec<Connection>>,
    pub addresses: HashMap<PeerId, Vec<Multiaddr>>,
    pub next_serial: u64,
    pub listening: Vec<(ListenerId, Multiaddr)>,
    /// Peers of the local network.
    pub neighbours: HashMap<PeerId, Vec<Multiaddr>>,
    pub neighbours_dialled: std::time::Instant,
    pub reaching: Reaching,
    reports: UnboundedReceiver<Report>,
}

impl Driver {
    pub fn new(
        swarm: Swarm<Behaviour>,
        queue: Arc<Queue>,
        registry: Arc<Registry>,
        kad_protocol: StreamProtocol,
        served: Served,
        config: &Config,
    ) -> Self {
        // An answer to a dial that proves our address comes as a stream like any other.
        served.add(DIAL_BACK, 0);
        let (sender, reports) = unbounded_channel();
        Self {
            swarm,
            queue,
            registry,
            kad_protocol,
            served,
            listeners: HashMap::new(),
            dials: HashMap::new(),
            openings: HashMap::new(),
            queries: HashMap::new(),
            connections: HashMap::new(),
            addresses: HashMap::new(),
            next_serial: 0,
            listening: Vec::new(),
            neighbours: HashMap::new(),
            neighbours_dialled: std::time::Instant::now(),
            reaching: Reaching::new(config, sender),
            reports,
        }
    }

    /// Runs until `Command::Stop` or until the handle is gone.
    pub async fn run(mut self, mut commands: UnboundedReceiver<Command>) {
        let mut ticks = interval(LOOK_AROUND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.queue.wait_for_room().await;
            tokio::select! {
                command = commands.recv() => match command {
                    None => return,
                    Some(Command::Stop { timeout }) => break self.stop(timeout).await,
                    Some(command) => self.obey(command),
                },
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                Some(report) = self.reports.recv() => self.on_report(report),
                _ = ticks.tick() => self.look_around(),
            }
        }
        let Self { swarm, queue, .. } = self;
        drop(swarm);
        queue.push(Event::Stopped);
    }

    async fn stop(&mut self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let listeners: Vec<ListenerId> = self.listeners.keys().copied().collect();
        for listener in listeners {
            self.swarm.remove_listener(listener);
        }
        for channel in self.registry.all() {
            channel.close();
        }
        let last_words = deadline.min(Instant::now() + LAST_WORDS.min(timeout / 2));
        let registry = self.registry.clone();
        let unmapped = match self.reaching.reach.has_mappings() {
            true => last_words.min(Instant::now() + UNMAPPING),
            false => Instant::now(),
        };
        let written = async {
            tokio::time::sleep_until(unmapped).await;
            while !registry.is_empty() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = timeout_at(last_words, written) => {}
            () = self.keep_going() => {}
        }
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let _ = timeout_at(deadline, async {
            while self.swarm.connected_peers().next().is_some() {
                let event = self.swarm.select_next_some().await;
                self.on_swarm_event(event);
            }
        })
        .await;
        for channel in self.registry.all() {
            channel.reset();
        }
    }

    async fn keep_going(&mut self) {
        loop {
            let event = self.swarm.select_next_some().await;
            self.on_swarm_event(event);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Listen { op, address } => self.listen(op, address),
            Command::Dial { op, peer, addresses } => {
                self.dial(Dial { op, peer, may_search: addresses.is_empty() }, addresses);
            }
            Command::Open { op, peer, protocol, max_bytes, timeout } => {
                self.open(peer, Open { op, protocol, timeout }, max_bytes);
            }
            Command::Provide { op, key } => {
                match self.swarm.behaviour_mut().kad.start_providing(kad::RecordKey::new(&key)) {
                    Ok(query) => drop(self.queries.insert(query, Query::Provide { op })),
                    Err(error) => self.fail(op, Failure::Full, error.to_string()),
                }
            }
            Command::StopProviding { key } => {
                self.swarm.behaviour_mut().kad.stop_providing(&kad::RecordKey::new(&key));
            }
            Command::FindProviders { op, key } => {
                let key = kad::RecordKey::new(&key);
                let query = self.swarm.behaviour_mut().kad.get_providers(key.clone());
                self.queries.insert(query, Query::Find { op, key });
            }
            Command::Forget { op } => self.forget(op),
            Command::HangUp { peer } => drop(self.swarm.disconnect_peer_id(peer)),
            Command::Ban { peer } => {
                self.swarm.behaviour_mut().kad.remove_peer(&peer);
                self.swarm.behaviour_mut().bans.block_peer(peer);
            }
            Command::Unban { peer } => drop(self.swarm.behaviour_mut().bans.unblock_peer(peer)),
            Command::Stop { .. } => {}
        }
    }

    pub fn done(&self, op: u64, value: u64) {
        self.queue.push(Event::Done { op, value });
    }

    pub fn fail(&self, op: u64, failure: Failure, reason: String) {
        self.queue.push(Event::Failed { op, failure, reason });
    }

    fn listen(&mut self, op: u64, address: Multiaddr) {
        let is_wildcard = ip_of(&address).is_some_and(|ip| ip.is_unspecified());
        match self.swarm.listen_on(address) {
            Ok(listener) => drop(self.listeners.insert(listener, (Some(op), is_wildcard))),
            Err(TransportError::Other(error)) => {
                // The transports are nested, and wrap what the socket said.
                let text = error.to_string();
                let is_taken = error.kind() == std::io::ErrorKind::AddrInUse || text.contains("in use");
                self.fail(op, if is_taken { Failure::InUse } else { Failure::Address }, text);
            }
            Err(error) => self.fail(op, Failure::Address, error.to_string()),
        }
    }

    fn open(&mut self, peer: PeerId, open: Open, max_bytes: usize) {
        let all = self.connections.get(&peer).map_or(&[][..], Vec::as_slice);
        let Some(connection) = all.iter().find(|known| !known.is_relayed).or(all.first()) else {
            return self.fail(open.op, Failure::Gone, "there is no connection to the peer".into());
        };
        if self.registry.is_full(peer, true) {
            return self.fail(open.op, Failure::Full, "too many channels to the peer are open".into());
        }
        let connection = connection.id;
        self.openings.insert(open.op, Opening { connection, max_bytes });
        self.swarm.behaviour_mut().streams.open(peer, connection, open);
    }

    fn forget(&mut self, op: u64) {
        self.openings.remove(&op);
        self.dials.retain(|_, dial| dial.op != op);
        let is_it = |query: &Query| match query {
            Query::Provide { op: known } | Query::Find { op: known, .. } => *known == op,
            Query::Search(dial) => dial.op == op,
        };
        let found: Vec<kad::QueryId> =
            self.queries.iter().filter(|(_, query)| is_it(query)).map(|(id, _)| *id).collect();
        for id in found {
            self.queries.remove(&id);
            if let Some(mut query) = self.swarm.behaviour_mut().kad.query_mut(&id) {
                query.finish();
            }
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Streams((peer, id, event))) => self.on_stream(peer, id, event),
            SwarmEvent::Behaviour(BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed {
                id,
                result,
                stats,
                step,
            })) => self.on_query(id, result, &stats, step.last),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                self.on_identified(peer_id, info);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                connection,
                result: Err(ping::Failure::Timeout),
                ..
            })) => {
                self.swarm.close_connection(connection);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(mdns::Event::Discovered(found))) => self.on_neighbours(found),
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(mdns::Event::Expired(gone))) => self.on_neighbours_gone(gone),
            SwarmEvent::Behaviour(BehaviourEvent::HolePuncher(event)) => self.on_hole_punched(&event),
            SwarmEvent::Behaviour(BehaviourEvent::Upnp(event)) => self.on_gateway(event),
            SwarmEvent::NewExternalAddrCandidate { address } => self.reaching.reach.observe(&address),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                if cause.is_none() {
                    for channel in self.registry.of_connection(connection_id) {
                        channel.lose_connection(&self.queue);
                    }
                }
                let reason = cause.map_or_else(|| "closed".to_owned(), |cause| cause.to_string());
                self.on_disconnected(peer_id, connection_id, reason);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(dial) = self.dials.remove(&connection_id) {
                    self.not_dialled(dial, &error);
                }
            }
            SwarmEvent::NewListenAddr { listener_id, address } => self.on_listening(listener_id, address),
            SwarmEvent::ExpiredListenAddr { listener_id, address } => self.on_listening_ended(listener_id, address),
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                if let Some((Some(op), _)) = self.listeners.remove(&listener_id) {
                    let reason = reason.err().map_or_else(|| "closed".to_owned(), |error| error.to_string());
                    self.fail(op, Failure::Address, reason);
                }
                if !self.on_circuit_closed(listener_id) {
                    for address in addresses {
                        self.on_listening_ended(listener_id, address);
                    }
                }
            }
            _ => {}
        }
    }

    fn on_listening(&mut self, listener: ListenerId, address: Multiaddr) {
        if self.on_circuit_listening(listener, &address) {
            return;
        }
        let Some((op, is_wildcard)) = self.listeners.get_mut(&listener) else { return };
        let op = op.take();
        self.reaching.reach.listens(address.clone(), *is_wildcard);
        self.listening.push((listener, address.clone()));
        self.queue.push(Event::Listening { address });
        self.look_around();
        if let Some(op) = op {
            self.queue.push(Event::Done { op, value: 0 });
        }
    }

    fn on_listening_ended(&mut self, listener: ListenerId, address: Multiaddr) {
        if is_circuit(&address) {
            return;
        }
        self.reaching.reach.listens_no_more(&address);
        self.listening.retain(|(id, known)| (*id, known) != (listener, &address));
        self.queue.push(Event::ListeningEnded { address });
        self.look_around();
    }

    fn on_stream(&mut self, peer: PeerId, id: ConnectionId, event: StreamEvent) {
        match event {
            StreamEvent::Incoming { protocol, stream } if protocol == DIAL_BACK => {
                self.on_dialled_back(peer, id, stream);
            }
            StreamEvent::Opened { op, stream } if op > OWN_OPS => self.on_test_opened(op, stream),
            StreamEvent::NotOpened { op, reason, .. } if op > OWN_OPS => {
                self.on_test_over(op, Answer::NotTried(reason));
            }
            StreamEvent::Incoming { protocol, stream } => {
                let Some(max_bytes) = self.served.limit(&protocol) else { return };
                let Some(channel) = self.registry.admit(peer, id, false, max_bytes) else { return };
                let protocol = protocol.to_string();
                self.queue.push(Event::Incoming { channel: channel.id, peer, protocol });
                channel.start(stream, self.registry.clone(), self.queue.clone());
            }
            StreamEvent::Opened { op, stream } => {
                let Some(opening) = self.openings.remove(&op) else { return };
                match self.registry.admit(peer, id, true, opening.max_bytes) {
                    None => self.fail(op, Failure::Full, "too many channels to the peer are open".into()),
                    Some(channel) => {
                        self.queue.push(Event::Opened { op, channel: channel.id });
                        channel.start(stream, self.registry.clone(), self.queue.clone());
                    }
                }
            }
            StreamEvent::NotOpened { op, failure, reason } => {
                if self.openings.remove(&op).is_some() {
                    self.fail(op, failure, reason);
                }
            }
        }
    }
}

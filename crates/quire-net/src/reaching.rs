//! The driver's part that finds out whether others reach us, and does something about it.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use libp2p::core::Multiaddr;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, FromSwarm, NetworkBehaviour, NewListenAddr, Stream};
use libp2p::{PeerId, dcutr, identify, kad, relay, upnp};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{sleep, timeout};

use crate::addresses::{is_global, without_peer};
use crate::autonat::{self, Answer, DIAL_REQUEST, Nonces};
use crate::connections::Connection;
use crate::driver::Driver;
use crate::node::Config;
use crate::queue::Event;
use crate::reach::{Gateway, Nat, Reach, Snapshot};
use crate::streams::Open;

/// Numbers of our own wishes for streams begin here, those of the caller's commands stay below.
pub const OWN_OPS: u64 = 1 << 63;
const MAX_RELAYS: usize = 2;
const MAX_TESTS: usize = 2;
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// A server needs as long to find out that a router swallows what it sends.
const TEST_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a relay that refused or left is not asked again.
const RELAY_PAUSE: Duration = Duration::from_secs(60);
/// How long a connection that is no longer needed stays for what is under way.
const CLOSING_PAUSE: Duration = Duration::from_secs(2);
const TESTER_PAUSE: Duration = Duration::from_secs(30);
const NEIGHBOURS_PAUSE: Duration = Duration::from_secs(15);
const GATEWAY_PAUSE: Duration = Duration::from_secs(600);

/// What a task of ours reports to the driver.
pub enum Report {
    Tested { op: u64, answer: Answer },
    Close { peer: PeerId, connection: ConnectionId },
}

struct Probe {
    address: Multiaddr,
    server: PeerId,
    connection: ConnectionId,
    nonce: u64,
    is_open: bool,
}

pub struct Reaching {
    pub reach: Reach,
    nat: Nat,
    tells: bool,
    reports: UnboundedSender<Report>,
    nonces: Nonces,
    probes: HashMap<u64, Probe>,
    next_op: u64,
    /// Connected peers that can test, and those that can relay; the next one to ask is first.
    testers: Vec<PeerId>,
    offers: Vec<PeerId>,
    relays: HashMap<ListenerId, PeerId>,
    refused: HashMap<PeerId, Instant>,
    gateway_asked: Instant,
    is_serving_lookups: bool,
    tester_dialled: Option<Instant>,
    told: Option<Snapshot>,
}

impl Reaching {
    pub fn new(config: &Config, reports: UnboundedSender<Report>) -> Self {
        Self {
            reach: Reach::new(config.nat),
            nat: config.nat,
            tells: config.tells_reach,
            reports,
            nonces: Nonces::default(),
            probes: HashMap::new(),
            next_op: OWN_OPS,
            testers: Vec::new(),
            offers: Vec::new(),
            relays: HashMap::new(),
            refused: HashMap::new(),
            gateway_asked: Instant::now(),
            is_serving_lookups: true,
            tester_dialled: None,
            told: None,
        }
    }

    fn later(&self, pause: Duration, report: Report) {
        let reports = self.reports.clone();
        tokio::spawn(async move {
            sleep(pause).await;
            let _ = reports.send(report);
        });
    }
}

impl Driver {
    /// Once a second, and whenever something changed: test, reserve, announce, tell.
    pub fn look_around(&mut self) {
        if self.neighbours_dialled.elapsed() > NEIGHBOURS_PAUSE {
            self.dial_neighbours();
        }
        self.search_gateway_again();
        self.test_addresses();
        self.keep_relays();
        self.announce();
        let usable = |list: &[PeerId]| list.iter().filter(|peer| self.direct_dial(peer).is_some()).count();
        let (testers, offers) = (usable(&self.reaching.testers), usable(&self.reaching.offers));
        let snapshot = self.reaching.reach.snapshot(testers, offers);
        if self.reaching.tells && self.reaching.told.as_ref() != Some(&snapshot) {
            self.queue.push(Event::Reach(Box::new(snapshot.clone())));
            self.reaching.told = Some(snapshot);
        }
    }

    fn announce(&mut self) {
        let wanted = self.reaching.reach.announced();
        let known: Vec<Multiaddr> = self.swarm.external_addresses().cloned().collect();
        for address in known.iter().filter(|address| !wanted.contains(&without_peer(address))) {
            self.swarm.remove_external_address(address);
        }
        for address in wanted.into_iter().filter(|address| !known.contains(address)) {
            self.swarm.add_external_address(address);
        }
        let is_serving = self.reaching.reach.serves_lookups();
        if self.reaching.is_serving_lookups != is_serving {
            self.reaching.is_serving_lookups = is_serving;
            let mode = if is_serving { kad::Mode::Server } else { kad::Mode::Client };
            self.swarm.behaviour_mut().kad.set_mode(Some(mode));
        }
    }

    // ---- tests of addresses ----

    fn test_addresses(&mut self) {
        while self.reaching.probes.len() < MAX_TESTS {
            let Some((server, connection)) = self.next_tester() else { return self.dial_tester() };
            let Some(address) = self.reaching.reach.next_test(Instant::now()) else { return };
            self.reaching.next_op += 1;
            let op = self.reaching.next_op;
            let nonce = self.reaching.nonces.draw();
            self.reaching.probes.insert(op, Probe { address, server, connection, nonce, is_open: false });
            let open = Open { op, protocol: DIAL_REQUEST, timeout: OPEN_TIMEOUT };
            self.swarm.behaviour_mut().streams.open(server, connection, open);
        }
    }

    /// A server answers only on connections that we dialled. Testers take turns.
    fn next_tester(&mut self) -> Option<(PeerId, ConnectionId)> {
        for _ in 0..self.reaching.testers.len() {
            self.reaching.testers.rotate_left(1);
            let peer = *self.reaching.testers.last()?;
            if let Some(connection) = self.direct_dial(&peer) {
                return Some((peer, connection.id));
            }
        }
        None
    }

    fn direct_dial(&self, peer: &PeerId) -> Option<&Connection> {
        self.connections.get(peer).into_iter().flatten().find(|known| known.is_direct_dial())
    }

    /// Those who only ever wait to be dialled, as the first node of a network does, dial one peer back
    /// to have somebody to ask.
    fn dial_tester(&mut self) {
        let is_time = self.reaching.tester_dialled.is_none_or(|moment| moment.elapsed() > TESTER_PAUSE);
        let Some(peer) = self.reaching.testers.last().copied().filter(|_| is_time) else { return };
        let known = self.addresses.get(&peer).into_iter().flatten();
        let addresses: Vec<Multiaddr> = known.filter(|address| is_global(address)).cloned().collect();
        if addresses.is_empty() || !self.reaching.reach.has_candidates() {
            return;
        }
        self.reaching.tester_dialled = Some(Instant::now());
        let options = DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(addresses).build();
        // A limit may forbid it; the next peer may do.
        let _ = self.swarm.dial(options);
    }

    pub fn on_test_opened(&mut self, op: u64, stream: Stream) {
        let Some(probe) = self.reaching.probes.get_mut(&op) else { return };
        probe.is_open = true;
        let (address, nonce) = (probe.address.clone(), probe.nonce);
        let reports = self.reaching.reports.clone();
        tokio::spawn(async move {
            let answer = timeout(TEST_TIMEOUT, autonat::ask(stream, &address, nonce)).await;
            let answer = answer.unwrap_or_else(|_| {
                Answer::NotReached(format!("the peer could not connect within {} s", TEST_TIMEOUT.as_secs()))
            });
            let _ = reports.send(Report::Tested { op, answer });
        });
    }

    pub fn on_test_over(&mut self, op: u64, answer: Answer) {
        let Some(probe) = self.reaching.probes.remove(&op) else { return };
        let answer = match (answer, self.reaching.nonces.take(probe.nonce)) {
            (Answer::Reached, false) => Answer::NotTried("the peer claims success, but nothing arrived here".into()),
            (answer, _) => answer,
        };
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        self.reaching.reach.tested(&probe.address, probe.server, answer, Instant::now(), unix);
        self.look_around();
    }

    /// A server has dialled us to prove that it can.
    pub fn on_dialled_back(&mut self, peer: PeerId, connection: ConnectionId, stream: Stream) {
        let (nonces, reports) = (self.reaching.nonces.clone(), self.reaching.reports.clone());
        tokio::spawn(async move {
            let _ = timeout(OPEN_TIMEOUT, autonat::take_back(stream, &nonces)).await;
            sleep(CLOSING_PAUSE).await;
            let _ = reports.send(Report::Close { peer, connection });
        });
    }

    pub fn on_report(&mut self, report: Report) {
        match report {
            Report::Tested { op, answer } => self.on_test_over(op, answer),
            Report::Close { peer, connection } => {
                // The last connection stays: somebody may have begun to use it.
                if self.connections.get(&peer).is_some_and(|all| all.len() > 1) {
                    self.swarm.close_connection(connection);
                }
            }
        }
    }

    // ---- relays ----

    fn keep_relays(&mut self) {
        if !self.reaching.reach.wants_relay() {
            let listeners: Vec<ListenerId> = self.reaching.relays.keys().copied().collect();
            for listener in listeners {
                self.swarm.remove_listener(listener);
            }
            return;
        }
        let now = Instant::now();
        self.reaching.refused.retain(|_, since| now.duration_since(*since) < RELAY_PAUSE);
        for peer in self.reaching.offers.clone() {
            let is_used = self.reaching.relays.values().any(|known| *known == peer);
            if self.reaching.relays.len() >= MAX_RELAYS || is_used || self.reaching.refused.contains_key(&peer) {
                continue;
            }
            let Some(address) = self.direct_dial(&peer).map(|connection| connection.address.clone()) else { continue };
            let address = without_peer(&address).with(Protocol::P2p(peer)).with(Protocol::P2pCircuit);
            match self.swarm.listen_on(address) {
                Ok(listener) => drop(self.reaching.relays.insert(listener, peer)),
                Err(_) => drop(self.reaching.refused.insert(peer, now)),
            }
        }
    }

    /// True when the listener is one of a relay's.
    pub fn on_circuit_listening(&mut self, listener: ListenerId, address: &Multiaddr) -> bool {
        let Some(relay) = self.reaching.relays.get(&listener) else { return false };
        self.reaching.reach.relayed_by(*relay, without_peer(address));
        self.look_around();
        true
    }

    pub fn on_circuit_closed(&mut self, listener: ListenerId) -> bool {
        let Some(relay) = self.reaching.relays.remove(&listener) else { return false };
        self.reaching.reach.relay_lost(&relay);
        self.reaching.refused.insert(relay, Instant::now());
        self.look_around();
        true
    }

    /// Two connections to one peer, one of them relayed: the direct one is enough.
    pub fn drop_relayed(&mut self, peer: PeerId) {
        let Some(all) = self.connections.get(&peer) else { return };
        if all.iter().any(|known| !known.is_relayed) {
            for relayed in all.iter().filter(|known| known.is_relayed) {
                self.reaching.later(CLOSING_PAUSE, Report::Close { peer, connection: relayed.id });
            }
        }
    }

    pub fn on_hole_punched(&mut self, event: &dcutr::Event) {
        match event.result {
            Ok(_) => self.reaching.reach.upgraded(event.remote_peer_id),
            Err(_) => self.reaching.reach.not_upgraded(event.remote_peer_id),
        }
        self.look_around();
    }

    // ---- peers ----

    pub fn note_services(&mut self, peer: PeerId, info: &identify::Info) {
        let mut note = |list: fn(&mut Reaching) -> &mut Vec<PeerId>, is_offered: bool| {
            let list = list(&mut self.reaching);
            let is_known = list.contains(&peer);
            match (is_known, is_offered) {
                (false, true) => list.push(peer),
                (true, false) => list.retain(|known| *known != peer),
                _ => {}
            }
            is_offered && !is_known
        };
        note(|reaching| &mut reaching.offers, info.protocols.contains(&relay::HOP_PROTOCOL_NAME));
        if note(|reaching| &mut reaching.testers, info.protocols.contains(&DIAL_REQUEST)) {
            self.reaching.reach.tester_came();
        }
        self.look_around();
    }

    pub fn forget_connection(&mut self, peer: &PeerId, connection: ConnectionId, is_last: bool) {
        let lost = self.reaching.probes.iter().filter(|(_, probe)| probe.connection == connection && !probe.is_open);
        for op in lost.map(|(op, _)| *op).collect::<Vec<_>>() {
            self.on_test_over(op, Answer::NotTried("the connection ended".into()));
        }
        if is_last {
            self.reaching.testers.retain(|known| known != peer);
            self.reaching.offers.retain(|known| known != peer);
            self.reaching.reach.left(peer);
        }
    }

    // ---- the router ----

    pub fn on_gateway(&mut self, event: upnp::Event) {
        let reach = &mut self.reaching.reach;
        match event {
            upnp::Event::NewExternalAddr { local_addr, external_addr } => reach.mapped(local_addr, external_addr),
            upnp::Event::ExpiredExternalAddr { external_addr, .. } => reach.unmapped(&external_addr),
            upnp::Event::GatewayNotFound => reach.gateway_is(Gateway::NotFound),
            upnp::Event::NonRoutableGateway => reach.gateway_is(Gateway::NotPublic),
        }
        self.look_around();
    }

    /// The search of libp2p ends with its first failure; a router may come later.
    fn search_gateway_again(&mut self) {
        let is_lost = matches!(self.reaching.reach.gateway(), Gateway::NotFound | Gateway::NotPublic);
        if self.reaching.nat != Nat::Upnp || !is_lost || self.reaching.gateway_asked.elapsed() < GATEWAY_PAUSE {
            return;
        }
        self.reaching.gateway_asked = Instant::now();
        let mut search = upnp::tokio::Behaviour::default();
        for (listener_id, address) in &self.listening {
            let event = NewListenAddr { listener_id: *listener_id, addr: address };
            search.on_swarm_event(FromSwarm::NewListenAddr(event));
        }
        self.swarm.behaviour_mut().upnp = Toggle::from(Some(search));
    }
}

//! Whether others can reach this node, and what it announces because of that. No I/O, no clock.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::core::Multiaddr;
use libp2p::multiaddr::Protocol;

use crate::autonat::Answer;

const MAX_OBSERVED: usize = 16;
const MAX_CANDIDATES: usize = 8;
const MAX_TRIALS: usize = 64;
/// How long a success holds.
const GOOD_FOR: Duration = Duration::from_secs(15 * 60);
const FIRST_RETRY: Duration = Duration::from_secs(15);
const LAST_RETRY: Duration = Duration::from_secs(10 * 60);
const UNTRIED_RETRY: Duration = Duration::from_secs(10);
/// An address that worked is given up after so many failures in a row.
const LOST_AFTER: u32 = 2;

/// How the router in front of us is dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// Addresses as they are.
    None,
    /// Ask the router for a mapping by UPnP.
    Upnp,
    /// The operator says which address leads to us.
    External(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Unknown,
    /// At least one address was tested from outside and works.
    Public,
    /// All addresses were tested and none works.
    Private,
    /// Private, and a relay forwards to us.
    Relayed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    Off,
    Searching,
    NotFound,
    /// There is a router that would help, but it is itself behind another one.
    NotPublic,
    Found,
}

/// One test of an address and how it went.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub address: Multiaddr,
    pub server: PeerId,
    /// Unix seconds.
    pub at: f64,
    /// None when it worked.
    pub problem: Option<String>,
}

#[derive(Default)]
struct Trial {
    is_running: bool,
    is_verified: bool,
    failures: u32,
    not_before: Option<Instant>,
    last: Option<Check>,
}

/// Everything that can be told about reachability.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub standing: Standing,
    pub announced: Vec<Multiaddr>,
    pub verified: Vec<Multiaddr>,
    pub observed: Vec<Multiaddr>,
    pub gateway: Gateway,
    /// Here, and where that is outside.
    pub mappings: Vec<(Multiaddr, Multiaddr)>,
    pub relays: Vec<(PeerId, Multiaddr)>,
    pub upgraded: Vec<PeerId>,
    pub checks: Vec<Check>,
    /// How many peers could test us, and how many could relay.
    pub testers: usize,
    pub relay_offers: usize,
}

pub struct Reach {
    nat: Nat,
    gateway: Gateway,
    /// With whether it is one address of a wildcard.
    listening: Vec<(Multiaddr, bool)>,
    observed: Vec<(Multiaddr, u32)>,
    mappings: Vec<(Multiaddr, Multiaddr)>,
    circuits: Vec<(PeerId, Multiaddr)>,
    upgraded: Vec<PeerId>,
    trials: HashMap<Multiaddr, Trial>,
}

impl Reach {
    pub fn new(nat: Nat) -> Self {
        let gateway = if nat == Nat::Upnp { Gateway::Searching } else { Gateway::Off };
        Self {
            nat,
            gateway,
            listening: Vec::new(),
            observed: Vec::new(),
            mappings: Vec::new(),
            circuits: Vec::new(),
            upgraded: Vec::new(),
            trials: HashMap::new(),
        }
    }

    // ---- what happens ----

    pub fn listens(&mut self, address: Multiaddr, is_wildcard: bool) {
        self.listening.push((address, is_wildcard));
    }

    pub fn listens_no_more(&mut self, address: &Multiaddr) {
        self.listening.retain(|(known, _)| known != address);
    }

    /// A peer says that it sees us there.
    pub fn observe(&mut self, address: &Multiaddr) {
        if is_circuit(address) || !is_global(address) {
            return;
        }
        let address = without_peer(address);
        if let Some((_, count)) = self.observed.iter_mut().find(|(known, _)| *known == address) {
            *count = count.saturating_add(1);
        } else {
            if self.observed.len() == MAX_OBSERVED {
                let rarest = (0..MAX_OBSERVED).min_by_key(|index| self.observed[*index].1).unwrap_or(0);
                self.observed.remove(rarest);
            }
            self.observed.push((address, 1));
        }
    }

    pub fn mapped(&mut self, local: Multiaddr, external: Multiaddr) {
        self.gateway = Gateway::Found;
        self.unmapped(&external);
        self.mappings.push((local, external));
    }

    pub fn unmapped(&mut self, external: &Multiaddr) {
        self.mappings.retain(|(_, known)| known != external);
    }

    pub fn gateway(&self) -> Gateway {
        self.gateway
    }

    pub fn has_mappings(&self) -> bool {
        !self.mappings.is_empty()
    }

    pub fn gateway_is(&mut self, gateway: Gateway) {
        self.gateway = gateway;
    }

    pub fn relayed_by(&mut self, relay: PeerId, address: Multiaddr) {
        self.relay_lost(&relay);
        self.circuits.push((relay, address));
    }

    pub fn relay_lost(&mut self, relay: &PeerId) {
        self.circuits.retain(|(known, _)| known != relay);
    }

    pub fn upgraded(&mut self, peer: PeerId) {
        self.left(&peer);
        self.upgraded.push(peer);
    }

    pub fn left(&mut self, peer: &PeerId) {
        self.upgraded.retain(|known| known != peer);
    }

    /// A new peer can test us: another opinion is worth having at once.
    pub fn tester_came(&mut self) {
        for trial in self.trials.values_mut().filter(|trial| !trial.is_verified) {
            trial.not_before = None;
        }
    }

    /// The address that should be tested now. The caller tests it and reports by `tested`.
    pub fn next_test(&mut self, now: Instant) -> Option<Multiaddr> {
        let candidates = self.candidates();
        if self.trials.len() > MAX_TRIALS {
            self.trials.retain(|address, trial| trial.is_running || candidates.contains(address));
        }
        let address = candidates.into_iter().find(|address| {
            self.trials
                .get(address)
                .is_none_or(|trial| !trial.is_running && trial.not_before.is_none_or(|moment| moment <= now))
        })?;
        self.trials.entry(address.clone()).or_default().is_running = true;
        Some(address)
    }

    pub fn tested(&mut self, address: &Multiaddr, server: PeerId, answer: Answer, now: Instant, unix: f64) {
        let trial = self.trials.entry(address.clone()).or_default();
        trial.is_running = false;
        let problem = match answer {
            Answer::NotTried(_) => {
                trial.not_before = Some(now + UNTRIED_RETRY);
                return;
            }
            Answer::Reached => {
                (trial.is_verified, trial.failures) = (true, 0);
                trial.not_before = Some(now + GOOD_FOR);
                None
            }
            Answer::NotReached(reason) => {
                trial.failures = trial.failures.saturating_add(1);
                trial.is_verified &= trial.failures < LOST_AFTER;
                let pause = FIRST_RETRY * 2_u32.pow((trial.failures - 1).min(10));
                trial.not_before = Some(now + pause.min(LAST_RETRY));
                Some(reason)
            }
        };
        trial.last = Some(Check { address: address.clone(), server, at: unix, problem });
    }

    // ---- what follows ----

    /// Where we might be reached from the internet, the likeliest first.
    fn candidates(&self) -> Vec<Multiaddr> {
        let mut found: Vec<Multiaddr> = Vec::new();
        let mut add = |address: &Multiaddr| {
            if found.len() < MAX_CANDIDATES && is_global(address) && !found.contains(address) {
                found.push(address.clone());
            }
        };
        if let Nat::External(ip) = self.nat {
            self.listening.iter().filter_map(|(address, _)| with_ip(address, ip)).for_each(|address| add(&address));
            return found;
        }
        self.mappings.iter().for_each(|(_, external)| add(external));
        self.listening.iter().for_each(|(address, _)| add(address));
        let mut observed: Vec<&(Multiaddr, u32)> = self.observed.iter().collect();
        observed.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        observed.into_iter().for_each(|(address, _)| add(address));
        found
    }

    /// Whether an address is ours by more than hearsay.
    fn is_plausible(&self, address: &Multiaddr) -> bool {
        matches!(self.nat, Nat::External(_))
            || self.mappings.iter().any(|(_, external)| external == address)
            || self.listening.iter().any(|(known, _)| known == address)
    }

    fn is_verified(&self, address: &Multiaddr) -> bool {
        self.trials.get(address).is_some_and(|trial| trial.is_verified)
    }

    fn has_failed(&self, address: &Multiaddr) -> bool {
        self.trials.get(address).is_some_and(|trial| !trial.is_verified && trial.last.is_some())
    }

    /// Whether we are on the internet, as far as is known.
    pub fn has_candidates(&self) -> bool {
        !self.candidates().is_empty()
    }

    pub fn standing(&self) -> Standing {
        let candidates = self.candidates();
        if candidates.iter().any(|address| self.is_verified(address)) {
            Standing::Public
        } else if !self.circuits.is_empty() {
            Standing::Relayed
        } else if !candidates.is_empty() && candidates.iter().all(|address| self.has_failed(address)) {
            Standing::Private
        } else {
            Standing::Unknown
        }
    }

    pub fn wants_relay(&self) -> bool {
        matches!(self.standing(), Standing::Private | Standing::Relayed)
    }

    /// Whether others may put us into their routing tables. On the internet only who is reachable may.
    pub fn serves_lookups(&self) -> bool {
        let candidates = self.candidates();
        candidates.is_empty()
            || candidates
                .iter()
                .any(|address| self.is_verified(address) || (self.is_plausible(address) && !self.has_failed(address)))
    }

    /// What others are told, each once, the best first.
    pub fn announced(&self) -> Vec<Multiaddr> {
        if let Nat::External(ip) = self.nat {
            let mut told = Vec::new();
            for address in self.listening.iter().filter_map(|(address, _)| with_ip(address, ip)) {
                if !told.contains(&address) {
                    told.push(address);
                }
            }
            return told;
        }
        if !self.has_candidates() {
            // Who listens everywhere is reached from elsewhere; loopback would mislead others.
            let told = self.listening.iter().filter(|(address, is_wildcard)| !(*is_wildcard && is_loopback(address)));
            return told.map(|(address, _)| address.clone()).collect();
        }
        let candidates = self.candidates();
        let mut told: Vec<Multiaddr> = candidates.iter().filter(|address| self.is_verified(address)).cloned().collect();
        if told.is_empty() {
            let plausible = candidates.iter().filter(|address| self.is_plausible(address) && !self.has_failed(address));
            told.extend(plausible.cloned());
            told.extend(self.circuits.iter().map(|(_, address)| address.clone()));
        }
        told
    }

    pub fn snapshot(&self, testers: usize, relay_offers: usize) -> Snapshot {
        let candidates = self.candidates();
        let checks = candidates.iter().filter_map(|address| self.trials.get(address)?.last.clone());
        Snapshot {
            standing: self.standing(),
            announced: self.announced(),
            verified: candidates.iter().filter(|address| self.is_verified(address)).cloned().collect(),
            observed: self.observed.iter().map(|(address, _)| address.clone()).collect(),
            gateway: self.gateway,
            mappings: self.mappings.clone(),
            relays: self.circuits.clone(),
            upgraded: self.upgraded.clone(),
            checks: checks.collect(),
            testers,
            relay_offers,
        }
    }
}

pub fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => Some(IpAddr::V4(ip)),
        Some(Protocol::Ip6(ip)) => Some(IpAddr::V6(ip)),
        _ => None,
    }
}

pub fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

pub fn is_circuit(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

pub fn is_loopback(address: &Multiaddr) -> bool {
    ip_of(address).is_some_and(|ip| ip.is_loopback())
}

/// Whether the address means the same everywhere on the internet.
pub fn is_global(address: &Multiaddr) -> bool {
    match ip_of(address) {
        None => false,
        Some(IpAddr::V4(ip)) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
                || ip.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && b & 0xc0 == 64)
                || (a == 198 && b & 0xfe == 18)
                || (a == 192 && b == 0 && c == 0))
        }
        Some(IpAddr::V6(ip)) => {
            let first = ip.segments()[0];
            first & 0xe000 == 0x2000 && !(first == 0x2001 && ip.segments()[1] == 0xdb8)
        }
    }
}

/// The address with another IP of the same family; None for loopback and circuits.
fn with_ip(address: &Multiaddr, ip: IpAddr) -> Option<Multiaddr> {
    let own = ip_of(address)?;
    if own.is_loopback() || own.is_ipv4() != ip.is_ipv4() || is_circuit(address) {
        return None;
    }
    address.replace(0, |_| Some(ip.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "/ip4/192.168.1.5/tcp/8070";
    const OUTSIDE: &str = "/ip4/5.6.7.8/tcp/8070";

    fn at(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn at_home(nat: Nat) -> Reach {
        let mut reach = Reach::new(nat);
        reach.listens(at("/ip4/127.0.0.1/tcp/8070"), true);
        reach.listens(at(HOME), true);
        reach
    }

    fn test(reach: &mut Reach, address: &str, answer: Answer, now: Instant) {
        assert_eq!(reach.next_test(now), Some(at(address)));
        reach.tested(&at(address), PeerId::random(), answer, now, 0.0);
    }

    fn failed() -> Answer {
        Answer::NotReached("no connection".into())
    }

    #[test]
    fn on_a_private_network_all_but_loopback_is_announced_and_lookups_are_served() {
        let mut reach = at_home(Nat::None);
        assert_eq!(reach.announced(), [at(HOME)]);
        assert!(reach.serves_lookups());
        assert_eq!(reach.standing(), Standing::Unknown);
        assert_eq!(reach.next_test(Instant::now()), None);
        reach.observe(&at("/ip4/192.168.1.77/tcp/8070"));
        assert_eq!(reach.announced(), [at(HOME)]);
    }

    #[test]
    fn a_loopback_listener_that_was_asked_for_is_announced_on_its_own_network_only() {
        let mut reach = Reach::new(Nat::None);
        reach.listens(at("/ip4/127.0.0.1/tcp/1"), false);
        assert_eq!(reach.announced(), [at("/ip4/127.0.0.1/tcp/1")]);
        reach.observe(&at(OUTSIDE));
        assert!(reach.announced().is_empty());
    }

    #[test]
    fn behind_a_router_nothing_is_announced_until_a_test_succeeds() {
        let mut reach = at_home(Nat::None);
        reach.observe(&at(OUTSIDE));
        assert!(reach.announced().is_empty());
        assert!(!reach.serves_lookups());
        test(&mut reach, OUTSIDE, Answer::Reached, Instant::now());
        assert_eq!(reach.standing(), Standing::Public);
        assert_eq!(reach.announced(), [at(OUTSIDE)]);
        assert!(reach.serves_lookups());
    }

    #[test]
    fn a_private_node_wants_a_relay_and_announces_it() {
        let (mut reach, now) = (at_home(Nat::None), Instant::now());
        reach.observe(&at(OUTSIDE));
        assert!(!reach.wants_relay());
        test(&mut reach, OUTSIDE, failed(), now);
        assert_eq!(reach.standing(), Standing::Private);
        assert!(reach.wants_relay());
        let (relay, circuit) = (PeerId::random(), at("/ip4/9.9.9.9/tcp/1/p2p-circuit"));
        reach.relayed_by(relay, circuit.clone());
        assert_eq!(reach.standing(), Standing::Relayed);
        assert_eq!(reach.announced(), [circuit]);
        reach.relay_lost(&relay);
        assert_eq!(reach.standing(), Standing::Private);
    }

    #[test]
    fn a_failed_address_is_tried_again_ever_more_rarely_and_at_once_with_a_new_tester() {
        let (mut reach, mut now) = (at_home(Nat::None), Instant::now());
        reach.observe(&at(OUTSIDE));
        for pause in [15, 30, 60, 120, 240, 480, 600, 600] {
            test(&mut reach, OUTSIDE, failed(), now);
            assert_eq!(reach.next_test(now + Duration::from_secs(pause - 1)), None);
            now += Duration::from_secs(pause);
        }
        test(&mut reach, OUTSIDE, failed(), now);
        reach.tester_came();
        test(&mut reach, OUTSIDE, Answer::Reached, now);
        assert_eq!(reach.standing(), Standing::Public);
    }

    #[test]
    fn one_failure_does_not_undo_a_success_but_two_do() {
        let (mut reach, mut now) = (at_home(Nat::None), Instant::now());
        reach.observe(&at(OUTSIDE));
        test(&mut reach, OUTSIDE, Answer::Reached, now);
        now += GOOD_FOR;
        test(&mut reach, OUTSIDE, failed(), now);
        assert_eq!(reach.standing(), Standing::Public);
        now += FIRST_RETRY;
        test(&mut reach, OUTSIDE, failed(), now);
        assert_eq!(reach.standing(), Standing::Private);
    }

    #[test]
    fn a_tester_that_does_not_test_says_nothing() {
        let (mut reach, now) = (at_home(Nat::None), Instant::now());
        reach.observe(&at(OUTSIDE));
        test(&mut reach, OUTSIDE, Answer::NotTried("busy".into()), now);
        assert_eq!(reach.standing(), Standing::Unknown);
        assert_eq!(reach.next_test(now), None);
        assert_eq!(reach.next_test(now + UNTRIED_RETRY), Some(at(OUTSIDE)));
    }

    #[test]
    fn what_the_operator_says_is_announced_and_replaces_everything_else() {
        let mut reach = at_home(Nat::External("5.6.7.9".parse().unwrap()));
        reach.listens(at("/ip4/10.0.0.7/tcp/8070"), true);
        reach.observe(&at(OUTSIDE));
        assert_eq!(reach.announced(), [at("/ip4/5.6.7.9/tcp/8070")]);
        assert!(reach.serves_lookups());
    }

    #[test]
    fn a_mapping_is_announced_until_a_test_says_otherwise() {
        let (mut reach, now) = (at_home(Nat::Upnp), Instant::now());
        reach.mapped(at(HOME), at(OUTSIDE));
        assert_eq!(reach.announced(), [at(OUTSIDE)]);
        test(&mut reach, OUTSIDE, failed(), now);
        assert!(reach.announced().is_empty());
        assert!(!reach.serves_lookups());
    }

    #[test]
    fn a_node_on_the_internet_serves_lookups_before_anybody_tested_it() {
        let (mut reach, now) = (Reach::new(Nat::None), Instant::now());
        reach.listens(at(OUTSIDE), true);
        reach.listens(at("/ip4/10.0.0.7/tcp/8070"), true);
        assert!(reach.serves_lookups());
        assert_eq!(reach.announced(), [at(OUTSIDE)]);
        test(&mut reach, OUTSIDE, failed(), now);
        assert!(!reach.serves_lookups());
    }

    #[test]
    fn peers_cannot_fill_the_memory_with_addresses() {
        let mut reach = at_home(Nat::None);
        for _ in 0..3 {
            reach.observe(&at(OUTSIDE));
        }
        for number in 0..1000 {
            reach.observe(&at(&format!("/ip4/8.8.8.8/tcp/{}", number + 1)));
        }
        let snapshot = reach.snapshot(0, 0);
        assert_eq!(snapshot.observed.len(), MAX_OBSERVED);
        assert!(snapshot.observed.contains(&at(OUTSIDE)));
        assert_eq!(reach.candidates().len(), MAX_CANDIDATES);
        assert_eq!(reach.candidates()[0], at(OUTSIDE));
    }

    #[test]
    fn addresses_that_mean_something_at_home_only_are_not_global() {
        for text in [
            "/ip4/10.1.2.3/tcp/1",
            "/ip4/192.168.0.1/tcp/1",
            "/ip4/172.20.0.1/tcp/1",
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/169.254.1.1/tcp/1",
            "/ip4/100.64.1.1/tcp/1",
            "/ip4/192.0.2.1/tcp/1",
            "/ip4/0.0.0.0/tcp/1",
            "/ip4/224.0.0.1/udp/1",
            "/ip4/255.255.255.255/udp/1",
            "/ip6/::1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/ip6/fd00::1/tcp/1",
            "/ip6/2001:db8::1/tcp/1",
            "/dns4/example.org/tcp/1",
        ] {
            assert!(!is_global(&at(text)), "{text}");
        }
        for text in ["/ip4/5.6.7.8/tcp/1", "/ip4/100.128.0.1/tcp/1", "/ip6/2a00::1/tcp/1"] {
            assert!(is_global(&at(text)), "{text}");
        }
    }
}

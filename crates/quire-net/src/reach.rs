//! Whether others can reach this node, and what it announces because of that. No I/O, no clock.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::core::Multiaddr;

use crate::addresses::{is_circuit, is_global, is_loopback, with_ip, without_peer};
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
    /// Met through a relay, and now connected directly; and those with whom that did not work.
    pub upgraded: Vec<PeerId>,
    pub not_upgraded: Vec<PeerId>,
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
    not_upgraded: Vec<PeerId>,
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
            not_upgraded: Vec::new(),
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

    pub fn not_upgraded(&mut self, peer: PeerId) {
        if !self.upgraded.contains(&peer) && !self.not_upgraded.contains(&peer) {
            self.not_upgraded.push(peer);
        }
    }

    pub fn left(&mut self, peer: &PeerId) {
        self.upgraded.retain(|known| known != peer);
        self.not_upgraded.retain(|known| known != peer);
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
            not_upgraded: self.not_upgraded.clone(),
            checks: checks.collect(),
            testers,
            relay_offers,
        }
    }
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;

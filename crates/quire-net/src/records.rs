//! Provider records in memory, bounded in every direction: by key, by peer and in all.
//!
//! Own records live until they are withdrawn, others until they expire. Value records, which
//! Kademlia also knows, are refused.

use std::borrow::Cow;
use std::collections::HashMap;
use std::iter;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};

const MAX_KEY_BYTES: usize = 128;
const MAX_PER_KEY: usize = 20;
const MAX_PER_PEER: usize = 50_000;
const MAX_FOREIGN: usize = 200_000;
const MAX_OWN: usize = 2_000_000;
const MAX_ADDRESSES: usize = 4;
const SWEEP_PAUSE: Duration = Duration::from_secs(60);

pub struct Records {
    local: PeerId,
    own: HashMap<RecordKey, ProviderRecord>,
    foreign: HashMap<RecordKey, Vec<ProviderRecord>>,
    per_peer: HashMap<PeerId, usize>,
    count: usize,
    last_sweep: Option<Instant>,
}

impl Records {
    pub fn new(local: PeerId) -> Self {
        Self {
            local,
            own: HashMap::new(),
            foreign: HashMap::new(),
            per_peer: HashMap::new(),
            count: 0,
            last_sweep: None,
        }
    }

    /// Drops all expired records; does nothing when that was tried a moment ago.
    fn sweep(&mut self) {
        let now = Instant::now();
        if self.last_sweep.is_some_and(|last| now < last + SWEEP_PAUSE) {
            return;
        }
        self.last_sweep = Some(now);
        let keys: Vec<RecordKey> = self.foreign.keys().cloned().collect();
        for key in keys {
            self.retain(&key, |record| !record.is_expired(now));
        }
    }

    fn retain(&mut self, key: &RecordKey, keep: impl Fn(&ProviderRecord) -> bool) {
        let Some(records) = self.foreign.get_mut(key) else { return };
        let (kept, dropped): (Vec<_>, Vec<_>) = records.drain(..).partition(|record| keep(record));
        *records = kept;
        if records.is_empty() {
            self.foreign.remove(key);
        }
        self.count -= dropped.len();
        for record in dropped {
            if let Some(count) = self.per_peer.get_mut(&record.provider) {
                *count -= 1;
                if *count == 0 {
                    self.per_peer.remove(&record.provider);
                }
            }
        }
    }

    fn add_foreign(&mut self, mut record: ProviderRecord) -> Result<()> {
        record.addresses.truncate(MAX_ADDRESSES);
        if let Some(records) = self.foreign.get_mut(&record.key)
            && let Some(known) = records.iter_mut().find(|known| known.provider == record.provider)
        {
            *known = record;
            return Ok(());
        }
        let now = Instant::now();
        if self.foreign.get(&record.key).is_some_and(|records| records.len() >= MAX_PER_KEY) {
            self.retain(&record.key.clone(), |known| !known.is_expired(now));
        }
        let is_crowded = |records: &Records| {
            records.count >= MAX_FOREIGN
                || records.per_peer.get(&record.provider).is_some_and(|count| *count >= MAX_PER_PEER)
        };
        if is_crowded(self) {
            self.sweep();
        }
        let is_key_full = self.foreign.get(&record.key).is_some_and(|records| records.len() >= MAX_PER_KEY);
        if is_key_full || is_crowded(self) {
            return Err(Error::MaxProvidedKeys);
        }
        self.count += 1;
        *self.per_peer.entry(record.provider).or_insert(0) += 1;
        self.foreign.entry(record.key.clone()).or_default().push(record);
        Ok(())
    }
}

impl RecordStore for Records {
    type RecordsIter<'a> = iter::Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = iter::Map<
        std::collections::hash_map::Values<'a, RecordKey, ProviderRecord>,
        fn(&'a ProviderRecord) -> Cow<'a, ProviderRecord>,
    >;

    fn get(&self, _: &RecordKey) -> Option<Cow<'_, Record>> {
        None
    }

    fn put(&mut self, _: Record) -> Result<()> {
        Err(Error::MaxRecords)
    }

    fn remove(&mut self, _: &RecordKey) {}

    fn records(&self) -> Self::RecordsIter<'_> {
        iter::empty()
    }

    fn add_provider(&mut self, record: ProviderRecord) -> Result<()> {
        if record.key.as_ref().len() > MAX_KEY_BYTES {
            return Err(Error::ValueTooLarge);
        }
        if record.provider != self.local {
            return self.add_foreign(record);
        }
        if self.own.len() >= MAX_OWN && !self.own.contains_key(&record.key) {
            return Err(Error::MaxProvidedKeys);
        }
        self.own.insert(record.key.clone(), record);
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        self.own.get(key).into_iter().chain(self.foreign.get(key).into_iter().flatten()).cloned().collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        self.own.values().map(Cow::Borrowed)
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        if *provider == self.local {
            self.own.remove(key);
        } else {
            self.retain(key, |record| record.provider != *provider);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &[u8], provider: PeerId, expires: Option<Instant>) -> ProviderRecord {
        ProviderRecord { key: RecordKey::new(&key), provider, expires, addresses: Vec::new() }
    }

    #[test]
    fn a_key_keeps_at_most_twenty_and_expired_ones_make_room() {
        let mut records = Records::new(PeerId::random());
        let past = Instant::now() - Duration::from_secs(1);
        records.add_provider(record(b"k", PeerId::random(), Some(past))).unwrap();
        for _ in 1..MAX_PER_KEY {
            records.add_provider(record(b"k", PeerId::random(), None)).unwrap();
        }
        records.add_provider(record(b"k", PeerId::random(), None)).unwrap();
        assert!(records.add_provider(record(b"k", PeerId::random(), None)).is_err());
        assert_eq!(records.providers(&RecordKey::new(b"k")).len(), MAX_PER_KEY);
    }

    #[test]
    fn one_peer_cannot_take_the_room_of_all_and_never_that_of_the_node() {
        let local = PeerId::random();
        let mut records = Records::new(local);
        let greedy = PeerId::random();
        for number in 0..MAX_PER_PEER {
            records.add_provider(record(&number.to_be_bytes(), greedy, None)).unwrap();
        }
        assert!(records.add_provider(record(b"more", greedy, None)).is_err());
        records.add_provider(record(b"more", PeerId::random(), None)).unwrap();
        records.add_provider(record(b"own", local, None)).unwrap();
        assert_eq!(records.provided().count(), 1);
    }

    #[test]
    fn removal_forgets_and_long_keys_are_refused() {
        let local = PeerId::random();
        let mut records = Records::new(local);
        let other = PeerId::random();
        records.add_provider(record(b"k", other, None)).unwrap();
        records.add_provider(record(b"k", other, None)).unwrap();
        records.add_provider(record(b"k", local, None)).unwrap();
        assert_eq!(records.count, 1);
        records.remove_provider(&RecordKey::new(b"k"), &other);
        records.remove_provider(&RecordKey::new(b"k"), &local);
        assert!(records.providers(&RecordKey::new(b"k")).is_empty());
        assert_eq!((records.count, records.per_peer.len()), (0, 0));
        assert!(records.add_provider(record(&[0; 129], other, None)).is_err());
    }
}

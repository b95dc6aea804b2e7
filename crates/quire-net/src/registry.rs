//! All open channels of a node, and the memory that unread messages may take together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::sync::Notify;

use crate::channel::Channel;

/// Open channels with one peer, each direction.
pub const MAX_PER_PEER: u32 = 128;
/// Unread messages of all channels. A channel without any may always read one, so that those whose
/// owner sleeps cannot stop the others.
const MAX_UNREAD_BYTES: usize = 64 << 20;

#[derive(Default)]
struct State {
    channels: HashMap<u64, Arc<Channel>>,
    counts: HashMap<(PeerId, bool), u32>,
}

#[derive(Default)]
pub struct Registry {
    state: Mutex<State>,
    next_id: AtomicU64,
    unread_bytes: AtomicUsize,
    pub freed: Notify,
}

impl Registry {
    pub fn is_full(&self, peer: PeerId, outgoing: bool) -> bool {
        self.lock().counts.get(&(peer, outgoing)).is_some_and(|count| *count >= MAX_PER_PEER)
    }

    /// A new channel, or None when the peer has as many as it may.
    pub fn admit(
        &self,
        peer: PeerId,
        connection: ConnectionId,
        outgoing: bool,
        max_bytes: usize,
    ) -> Option<Arc<Channel>> {
        let mut state = self.lock();
        let count = state.counts.entry((peer, outgoing)).or_insert(0);
        if *count >= MAX_PER_PEER {
            return None;
        }
        *count += 1;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let channel = Arc::new(Channel::new(id, peer, connection, outgoing, max_bytes));
        state.channels.insert(id, channel.clone());
        Some(channel)
    }

    pub fn get(&self, id: u64) -> Option<Arc<Channel>> {
        self.lock().channels.get(&id).cloned()
    }

    pub fn is_empty(&self) -> bool {
        self.lock().channels.is_empty()
    }

    pub fn all(&self) -> Vec<Arc<Channel>> {
        self.lock().channels.values().cloned().collect()
    }

    pub fn of_connection(&self, connection: ConnectionId) -> Vec<Arc<Channel>> {
        self.lock().channels.values().filter(|channel| channel.connection == connection).cloned().collect()
    }

    pub fn remove(&self, channel: &Channel) {
        let mut state = self.lock();
        if state.channels.remove(&channel.id).is_none() {
            return;
        }
        let key = (channel.peer, channel.outgoing);
        if let Some(count) = state.counts.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                state.counts.remove(&key);
            }
        }
        drop(state);
        self.release(channel.forfeit());
    }

    pub fn has_room(&self, bytes: usize) -> bool {
        self.unread_bytes.load(Ordering::Acquire) + bytes <= MAX_UNREAD_BYTES
    }

    pub fn charge(&self, bytes: usize) {
        self.unread_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    pub fn release(&self, bytes: usize) {
        // Readers wait only when the next message does not fit; those are at most a limit away.
        if self.unread_bytes.fetch_sub(bytes, Ordering::AcqRel) >= MAX_UNREAD_BYTES / 2 {
            self.freed.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

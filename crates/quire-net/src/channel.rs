//! One stream of messages: a task that reads, a task that writes, and their back-pressure.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use libp2p::swarm::ConnectionId;
use libp2p::{PeerId, Stream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::framing::{FrameReader, ReadError, put_length};
use crate::queue::{End, Event, Queue};
use crate::registry::Registry;

/// Messages that the owner has not consumed; above it the stream is not read.
const MAX_UNREAD_BYTES: usize = 4 << 20;
/// Messages taken but not yet written; above it `send` refuses. One message always fits.
const MAX_UNSENT_BYTES: usize = 4 << 20;
/// What an unread message counts beside its bytes, so that empty ones are bounded too.
const MESSAGE_OVERHEAD_BYTES: usize = 512;
/// Segments below this are copied together; larger ones are written from where they are.
const SMALL_BYTES: usize = 8 * 1024;
const GATHER_BYTES: usize = 64 * 1024;
/// Messages taken from the outbox at once.
const BATCH_BYTES: usize = 1 << 20;

/// What became of a message given to `send`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Taken,
    /// Not taken. `Event::Writable` follows.
    Full,
    /// The channel has ended.
    Gone,
    TooLarge,
}

struct Message {
    header: Vec<u8>,
    segments: Vec<Bytes>,
    length: usize,
}

#[derive(Default)]
struct Outbox {
    messages: VecDeque<Message>,
    unsent_bytes: usize,
    is_refusing: bool,
    is_closing: bool,
    is_gone: bool,
}

#[derive(Default)]
struct Inbox {
    unread_bytes: usize,
    is_forfeit: bool,
}

/// The two halves at work. One that is stopped before it starts never runs.
#[derive(Default)]
struct Tasks {
    reader: Option<AbortHandle>,
    writer: Option<AbortHandle>,
    is_reader_stopped: bool,
    is_writer_stopped: bool,
}

impl Tasks {
    fn stop(&mut self, reader: bool, writer: bool) {
        self.is_reader_stopped |= reader;
        self.is_writer_stopped |= writer;
        if let Some(task) = self.reader.as_ref().filter(|_| self.is_reader_stopped) {
            task.abort();
        }
        if let Some(task) = self.writer.as_ref().filter(|_| self.is_writer_stopped) {
            task.abort();
        }
    }
}

pub struct Channel {
    pub id: u64,
    pub peer: PeerId,
    pub connection: ConnectionId,
    pub outgoing: bool,
    max_bytes: usize,
    is_ended: AtomicBool,
    outbox: Mutex<Outbox>,
    filled: Notify,
    inbox: Mutex<Inbox>,
    consumed: Notify,
    halves: AtomicU8,
    tasks: Mutex<Tasks>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Channel {
    pub fn new(id: u64, peer: PeerId, connection: ConnectionId, outgoing: bool, max_bytes: usize) -> Self {
        Self {
            id,
            peer,
            connection,
            is_ended: AtomicBool::new(false),
            outgoing,
            max_bytes,
            outbox: Mutex::default(),
            filled: Notify::new(),
            inbox: Mutex::default(),
            consumed: Notify::new(),
            halves: AtomicU8::new(2),
            tasks: Mutex::default(),
        }
    }

    /// Queues one message made of the segments joined.
    pub fn send(&self, segments: Vec<Bytes>) -> Sent {
        let length = segments.iter().map(Bytes::len).sum();
        if length > self.max_bytes {
            return Sent::TooLarge;
        }
        let mut outbox = lock(&self.outbox);
        if outbox.is_gone || outbox.is_closing {
            return Sent::Gone;
        }
        if outbox.unsent_bytes > 0 && outbox.unsent_bytes + length > MAX_UNSENT_BYTES {
            outbox.is_refusing = true;
            return Sent::Full;
        }
        let mut header = Vec::with_capacity(10);
        put_length(length, &mut header);
        outbox.unsent_bytes += length;
        outbox.messages.push_back(Message { header, segments, length });
        drop(outbox);
        self.filled.notify_one();
        Sent::Taken
    }

    /// Gives back the credit of one message of `length` bytes.
    pub fn consume(&self, length: usize, registry: &Registry) {
        let mut inbox = lock(&self.inbox);
        if inbox.is_forfeit {
            return;
        }
        let bytes = (length + MESSAGE_OVERHEAD_BYTES).min(inbox.unread_bytes);
        inbox.unread_bytes -= bytes;
        drop(inbox);
        registry.release(bytes);
        self.consumed.notify_one();
    }

    /// The credit that is outstanding; from now on nothing of it is given back one by one.
    pub fn forfeit(&self) -> usize {
        let mut inbox = lock(&self.inbox);
        inbox.is_forfeit = true;
        std::mem::take(&mut inbox.unread_bytes)
    }

    /// Ends our direction after what is queued.
    pub fn close(&self) {
        lock(&self.outbox).is_closing = true;
        self.filled.notify_one();
    }

    /// Closes our direction and stops reading.
    pub fn release(&self) {
        self.close();
        lock(&self.tasks).stop(true, false);
    }

    /// Drops the stream at once, both directions.
    pub fn reset(&self) {
        let messages = {
            let mut outbox = lock(&self.outbox);
            outbox.is_gone = true;
            std::mem::take(&mut outbox.messages)
        };
        drop(messages);
        lock(&self.tasks).stop(true, true);
    }

    /// Starts the two tasks. Must run inside the runtime.
    pub fn start(self: Arc<Self>, stream: Stream, registry: Arc<Registry>, queue: Arc<Queue>) {
        let (reader, writer) = stream.split();
        let mut tasks = lock(&self.tasks);
        let half = Half { channel: self.clone(), registry: registry.clone() };
        tasks.reader = Some(tokio::spawn(half.read(reader, queue.clone())).abort_handle());
        let half = Half { channel: self.clone(), registry };
        tasks.writer = Some(tokio::spawn(half.write(writer, queue)).abort_handle());
        tasks.stop(false, false);
    }

    /// The connection is gone. A stream of yamux does not notice when it is our side that closes it.
    pub fn lose_connection(&self, queue: &Queue) {
        self.tell_end(queue, End::Broken, "the connection was closed".to_owned());
        self.break_off(queue);
        self.reset();
    }

    /// Says once that nothing more will come.
    fn tell_end(&self, queue: &Queue, how: End, reason: String) {
        if !self.is_ended.swap(true, Ordering::AcqRel) {
            queue.push(Event::Ended { channel: self.id, how, reason });
        }
    }

    fn take_batch(&self) -> (Vec<Message>, bool) {
        let mut outbox = lock(&self.outbox);
        let mut batch = Vec::new();
        let mut bytes = 0;
        while bytes < BATCH_BYTES {
            let Some(message) = outbox.messages.pop_front() else { break };
            bytes += message.length;
            batch.push(message);
        }
        (batch, outbox.is_closing)
    }

    /// Accounts for written bytes; true when a refused sender should try again.
    fn written(&self, bytes: usize) -> bool {
        let mut outbox = lock(&self.outbox);
        outbox.unsent_bytes -= bytes;
        let may_resume = outbox.is_refusing && outbox.unsent_bytes <= MAX_UNSENT_BYTES / 2;
        outbox.is_refusing &= !may_resume;
        may_resume
    }

    fn break_off(&self, queue: &Queue) {
        let mut outbox = lock(&self.outbox);
        outbox.is_gone = true;
        let was_refusing = std::mem::take(&mut outbox.is_refusing);
        drop(outbox);
        if was_refusing {
            queue.push(Event::Writable { channel: self.id });
        }
    }

    async fn wait_for_credit(&self, bytes: usize, registry: &Registry) {
        loop {
            let freed = registry.freed.notified();
            {
                let mut inbox = lock(&self.inbox);
                let fits = inbox.unread_bytes + bytes <= MAX_UNREAD_BYTES && registry.has_room(bytes);
                if inbox.unread_bytes == 0 || fits {
                    inbox.unread_bytes += bytes;
                    registry.charge(bytes);
                    return;
                }
            }
            tokio::select! {
                () = self.consumed.notified() => {}
                () = freed => {}
            }
        }
    }
}

/// One direction at work. The channel leaves the registry when both are gone, however they end.
struct Half {
    channel: Arc<Channel>,
    registry: Arc<Registry>,
}

impl Drop for Half {
    fn drop(&mut self) {
        if self.channel.halves.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.registry.remove(&self.channel);
        }
    }
}

impl Half {
    async fn read(self, reader: ReadHalf<Stream>, queue: Arc<Queue>) {
        let channel = &self.channel;
        let mut frames = FrameReader::new(reader, channel.max_bytes);
        let error = loop {
            let length = match frames.next_length().await {
                Ok(length) => length,
                Err(error) => break error,
            };
            channel.wait_for_credit(length + MESSAGE_OVERHEAD_BYTES, &self.registry).await;
            match frames.body(length).await {
                Ok(bytes) => queue.push(Event::Message { channel: channel.id, bytes }),
                Err(error) => break error,
            }
        };
        let (how, reason) = match error {
            ReadError::Closed => (End::Closed, "the peer closed the channel".to_owned()),
            ReadError::Broken(reason) => (End::Broken, reason),
            ReadError::Lied(reason) => (End::Lied, reason),
        };
        channel.tell_end(&queue, how, reason);
        if how != End::Closed {
            channel.break_off(&queue);
            channel.reset();
        }
    }

    async fn write(self, mut writer: WriteHalf<Stream>, queue: Arc<Queue>) {
        if self.write_all(&mut writer, &queue).await.is_err() {
            self.channel.break_off(&queue);
        }
    }

    async fn write_all(&self, writer: &mut WriteHalf<Stream>, queue: &Queue) -> std::io::Result<()> {
        let mut gathered = Vec::new();
        loop {
            let (batch, is_closing) = self.channel.take_batch();
            if batch.is_empty() {
                if is_closing {
                    return writer.close().await;
                }
                writer.flush().await?;
                self.channel.filled.notified().await;
                continue;
            }
            let mut bytes = 0;
            for message in batch {
                gathered.extend_from_slice(&message.header);
                for segment in &message.segments {
                    if segment.len() < SMALL_BYTES {
                        gathered.extend_from_slice(segment);
                    }
                    if segment.len() >= SMALL_BYTES || gathered.len() >= GATHER_BYTES {
                        writer.write_all(&gathered).await?;
                        gathered.clear();
                    }
                    if segment.len() >= SMALL_BYTES {
                        writer.write_all(segment).await?;
                    }
                }
                bytes += message.length;
            }
            if !gathered.is_empty() {
                writer.write_all(&gathered).await?;
                gathered.clear();
            }
            if self.channel.written(bytes) {
                queue.push(Event::Writable { channel: self.channel.id });
            }
        }
    }
}

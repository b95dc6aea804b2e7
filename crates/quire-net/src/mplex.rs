//! mplex, for peers that offer nothing else (nim-codex), with bounds in bytes.
//!
//! The protocol has no flow control: whoever does not read one stream either stops reading all of
//! them or keeps what comes. This one keeps up to a bound and then resets the stream that nobody
//! reads. libp2p's own counts frames, of up to a mebibyte each, which bounds nothing.
//!
//! ```text
//! socket ── poll() ──> frames ──> what each stream received ──> Substream::poll_read
//!        <── poll() ── output <── Substream::poll_write, which waits while output is full
//! ```
//!
//! Source   libp2p specification mplex/README.md

use std::collections::{HashMap, VecDeque};
use std::future::{Ready, ready};
use std::io::{self, ErrorKind};
use std::iter;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use futures::io::{AsyncRead, AsyncWrite};
use libp2p::core::UpgradeInfo;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};

use crate::mplex_frames::{Frame, FrameParser, Kind, put_frame};

const MAX_STREAMS: usize = 200;
/// What is kept of one stream that nobody reads, and of all of a connection.
const MAX_STREAM_BYTES: usize = 8 << 20;
const MAX_UNREAD_BYTES: usize = 32 << 20;
/// Above it writers wait; control frames may exceed it, up to the second bound.
const MAX_OUTPUT_BYTES: usize = 256 * 1024;
const MAX_FORCED_OUTPUT_BYTES: usize = 1 << 20;
const FRAME_BYTES: usize = 64 * 1024;
const READ_BYTES: usize = 64 * 1024;
/// Reads from the socket before others get their turn.
const READS_AT_ONCE: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamId {
    pub number: u64,
    pub is_ours: bool,
}

#[derive(Default)]
struct State {
    received: VecDeque<Bytes>,
    unread: usize,
    reader: Option<Waker>,
    is_read_closed: bool,
    is_write_closed: bool,
    is_reset: bool,
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn reset(&mut self) -> usize {
        self.is_reset = true;
        self.received.clear();
        self.wake();
        std::mem::take(&mut self.unread)
    }
}

struct Shared {
    streams: HashMap<StreamId, State>,
    incoming: VecDeque<StreamId>,
    next_number: u64,
    unread: usize,
    output: Vec<u8>,
    written: usize,
    is_failed: bool,
    /// The task of the connection; whoever adds output wakes it.
    driver: Option<Waker>,
    /// Tasks that wait for room in the output, or for a stream to end.
    waiting: Vec<Waker>,
}

impl Shared {
    fn pending_output(&self) -> usize {
        self.output.len() - self.written
    }

    fn put(&mut self, id: StreamId, kind: Kind, data: &[u8]) {
        if self.written > FRAME_BYTES {
            self.output.drain(..self.written);
            self.written = 0;
        }
        put_frame(id, kind, data, &mut self.output);
        if let Some(waker) = self.driver.take() {
            waker.wake();
        }
    }

    fn wake_waiting(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }

    fn reset_stream(&mut self, id: StreamId) {
        if let Some(state) = self.streams.get_mut(&id).filter(|state| !state.is_reset) {
            self.unread -= state.reset();
            self.put(id, Kind::Reset, &[]);
        }
    }

    fn accept(&mut self, id: StreamId) -> io::Result<()> {
        if self.streams.contains_key(&id) {
            return Err(bad("a stream was opened twice"));
        }
        if self.streams.len() >= MAX_STREAMS {
            if self.pending_output() > MAX_FORCED_OUTPUT_BYTES {
                return Err(bad("too many streams"));
            }
            self.put(id, Kind::Reset, &[]);
            return Ok(());
        }
        self.streams.insert(id, State::default());
        self.incoming.push_back(id);
        Ok(())
    }

    fn take_in(&mut self, frame: Frame) -> io::Result<()> {
        if let Frame::New { id } = frame {
            return self.accept(id);
        }
        let (Frame::Data { id, .. } | Frame::Close { id } | Frame::Reset { id } | Frame::New { id }) = frame;
        // What is for a stream that is gone here is on its way still, and no error.
        let Some(state) = self.streams.get_mut(&id).filter(|state| !state.is_reset) else { return Ok(()) };
        match frame {
            Frame::Data { data, .. } if !state.is_read_closed => {
                state.unread += data.len();
                self.unread += data.len();
                state.received.push_back(data);
                state.wake();
                self.keep_bounds(id);
            }
            Frame::Close { .. } => {
                state.is_read_closed = true;
                state.wake();
            }
            Frame::Reset { .. } => {
                self.unread -= state.reset();
                self.wake_waiting();
            }
            _ => {}
        }
        Ok(())
    }

    fn keep_bounds(&mut self, id: StreamId) {
        if self.streams.get(&id).is_some_and(|state| state.unread > MAX_STREAM_BYTES) {
            self.reset_stream(id);
        }
        if self.unread > MAX_UNREAD_BYTES {
            let fullest = self.streams.iter().max_by_key(|(_, state)| state.unread).map(|(id, _)| *id);
            fullest.into_iter().for_each(|id| self.reset_stream(id));
        }
    }

    fn fail(&mut self) {
        self.is_failed = true;
        self.unread = 0;
        for state in self.streams.values_mut() {
            state.reset();
        }
        self.wake_waiting();
    }
}

fn bad(reason: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

pub struct Muxer<C> {
    io: C,
    parser: FrameParser,
    buffer: Vec<u8>,
    needs_flush: bool,
    shared: Arc<Mutex<Shared>>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn new(io: C) -> Self {
        let shared = Shared {
            streams: HashMap::new(),
            incoming: VecDeque::new(),
            next_number: 1,
            unread: 0,
            output: Vec::new(),
            written: 0,
            is_failed: false,
            driver: None,
            waiting: Vec::new(),
        };
        Self {
            io,
            parser: FrameParser::default(),
            buffer: vec![0; READ_BYTES],
            needs_flush: false,
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = lock(&self.shared);
        while shared.pending_output() > 0 {
            let start = shared.written;
            match Pin::new(&mut self.io).poll_write(cx, &shared.output[start..]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => shared.written += count,
            }
            self.needs_flush = true;
        }
        shared.output.clear();
        shared.written = 0;
        drop(shared);
        if self.needs_flush {
            match Pin::new(&mut self.io).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.needs_flush = false,
                other => return other,
            }
        }
        lock(&self.shared).wake_waiting();
        Poll::Ready(Ok(()))
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..READS_AT_ONCE {
            let count = match Pin::new(&mut self.io).poll_read(cx, &mut self.buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
                Poll::Ready(Ok(count)) => count,
            };
            let mut data = Bytes::copy_from_slice(&self.buffer[..count]);
            let mut shared = lock(&self.shared);
            while let Some(frame) = self.parser.next(&mut data)? {
                shared.take_in(frame)?;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_both(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        lock(&self.shared).driver = Some(cx.waker().clone());
        if let Poll::Ready(result) = self.poll_input(cx) {
            result?;
        }
        // After the input: it may have made frames to send.
        if let Poll::Ready(result) = self.poll_output(cx) {
            result?;
        }
        Ok(())
    }

    fn substream(&self, id: StreamId) -> Substream {
        Substream { id, shared: self.shared.clone() }
    }
}

impl<C> Drop for Muxer<C> {
    fn drop(&mut self) {
        lock(&self.shared).fail();
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Substream;
    type Error = io::Error;

    fn poll_inbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<Substream>> {
        // `poll` runs in the same task and comes back here when it has read something.
        match lock(&self.shared).incoming.pop_front() {
            Some(id) => Poll::Ready(Ok(self.substream(id))),
            None => Poll::Pending,
        }
    }

    fn poll_outbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Substream>> {
        let mut shared = lock(&self.shared);
        if shared.is_failed {
            return Poll::Ready(Err(ErrorKind::NotConnected.into()));
        }
        if shared.streams.len() >= MAX_STREAMS || shared.pending_output() > MAX_OUTPUT_BYTES {
            shared.waiting.push(cx.waker().clone());
            return Poll::Pending;
        }
        let id = StreamId { number: shared.next_number, is_ours: true };
        shared.next_number += 1;
        shared.streams.insert(id, State::default());
        shared.put(id, Kind::New, &[]);
        drop(shared);
        Poll::Ready(Ok(self.substream(id)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_output(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.io).poll_close(cx),
            other => other,
        }
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        let had_incoming = !lock(&self.shared).incoming.is_empty();
        if let Err(error) = self.poll_both(cx) {
            lock(&self.shared).fail();
            return Poll::Ready(Err(error));
        }
        if !had_incoming && !lock(&self.shared).incoming.is_empty() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

pub struct Substream {
    id: StreamId,
    shared: Arc<Mutex<Shared>>,
}

impl AsyncRead for Substream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut shared = lock(&self.shared);
        let Some(state) = shared.streams.get_mut(&self.id) else { return Poll::Ready(Ok(0)) };
        let mut count = 0;
        while let Some(front) = state.received.front_mut().filter(|_| count < buffer.len()) {
            let part = front.len().min(buffer.len() - count);
            buffer[count..count + part].copy_from_slice(&front[..part]);
            front.advance(part);
            count += part;
            if front.is_empty() {
                state.received.pop_front();
            }
        }
        if count > 0 {
            state.unread -= count;
            shared.unread -= count;
            Poll::Ready(Ok(count))
        } else if state.is_reset {
            Poll::Ready(Err(ErrorKind::ConnectionReset.into()))
        } else if state.is_read_closed || buffer.is_empty() {
            Poll::Ready(Ok(0))
        } else {
            state.reader = Some(cx.waker().clone());
            Poll::Pending
        }
    }
}

impl Substream {
    fn poll_room(&self, shared: &mut Shared, cx: &mut Context<'_>, limit: usize) -> Poll<io::Result<()>> {
        match shared.streams.get(&self.id) {
            None => return Poll::Ready(Err(ErrorKind::BrokenPipe.into())),
            Some(state) if state.is_reset => return Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
            Some(_) => {}
        }
        if shared.pending_output() > limit {
            shared.waiting.push(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Substream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let mut shared = lock(&self.shared);
        if shared.streams.get(&self.id).is_some_and(|state| state.is_write_closed) {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        match self.poll_room(&mut shared, cx, MAX_OUTPUT_BYTES) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
        let count = data.len().min(FRAME_BYTES);
        shared.put(self.id, Kind::Data, &data[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_room(&mut lock(&self.shared), cx, 0)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = lock(&self.shared);
        let is_open = shared.streams.get(&self.id).is_some_and(|state| !state.is_write_closed && !state.is_reset);
        if is_open {
            shared.put(self.id, Kind::Close, &[]);
            shared.streams.entry(self.id).and_modify(|state| state.is_write_closed = true);
        }
        self.poll_room(&mut shared, cx, 0)
    }
}

impl Drop for Substream {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        if let Some(state) = shared.streams.remove(&self.id) {
            shared.unread -= if state.is_reset { 0 } else { state.unread };
            let is_over = state.is_reset || (state.is_write_closed && state.is_read_closed);
            if !is_over && !shared.is_failed {
                shared.put(self.id, Kind::Reset, &[]);
            }
            shared.wake_waiting();
        }
    }
}

#[derive(Clone, Copy, Default)]
pub struct Config;

impl UpgradeInfo for Config {
    type Info = &'static str;
    type InfoIter = iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/mplex/6.7.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Config {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, io: C, _: Self::Info) -> Self::Future {
        ready(Ok(Muxer::new(io)))
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Config {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, io: C, _: Self::Info) -> Self::Future {
        ready(Ok(Muxer::new(io)))
    }
}

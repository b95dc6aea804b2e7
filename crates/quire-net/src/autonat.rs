//! The asking side of AutoNAT v2: "dial me at this address, and say this number there".
//!
//! libp2p's own client tests an address once and never again, so that a router that changes its mind
//! goes unnoticed; this one is driven by `reach.rs`, which asks again.
//!
//! Source   libp2p specification autonat/autonat-v2.md

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::AsyncReadExt;
use futures::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use libp2p::StreamProtocol;
use libp2p::core::Multiaddr;

use crate::framing::{FrameReader, ReadError, put_length};

pub const DIAL_REQUEST: StreamProtocol = StreamProtocol::new("/libp2p/autonat/2/dial-request");
pub const DIAL_BACK: StreamProtocol = StreamProtocol::new("/libp2p/autonat/2/dial-back");

const MAX_ANSWER_BYTES: usize = 1024;
/// What a server may ask us to send before it dials an address that is not the one it sees.
const MAX_DATA_BYTES: u64 = 100_000;
const DATA_PIECE_BYTES: usize = 4096 - 16;

const DIAL_ERROR: u64 = 100;
const DIAL_BACK_ERROR: u64 = 101;
const OK: u64 = 200;

/// What a server says of one address.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Reached,
    /// It tried and failed.
    NotReached(String),
    /// It did not try; that says nothing about the address.
    NotTried(String),
}

/// The numbers that were given out, and whether each came back.
#[derive(Clone, Default)]
pub struct Nonces(Arc<Mutex<HashMap<u64, bool>>>);

impl Nonces {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, bool>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A number that nobody can guess.
    pub fn draw(&self) -> u64 {
        let nonce = RandomState::new().build_hasher().finish();
        self.lock().insert(nonce, false);
        nonce
    }

    fn came_back(&self, nonce: u64) -> bool {
        self.lock().get_mut(&nonce).is_some_and(|is_back| !std::mem::replace(is_back, true))
    }

    /// Whether it came back; it is forgotten.
    pub fn take(&self, nonce: u64) -> bool {
        self.lock().remove(&nonce).unwrap_or(false)
    }
}

/// One question on a fresh stream. An error of the stream is no statement about the address.
pub async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: S, address: &Multiaddr, nonce: u64) -> Answer {
    match converse(stream, address, nonce).await {
        Ok(answer) => answer,
        Err(ReadError::Closed) => Answer::NotTried("the peer gave no answer".into()),
        Err(ReadError::Broken(reason) | ReadError::Lied(reason)) => Answer::NotTried(reason),
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    address: &Multiaddr,
    nonce: u64,
) -> Result<Answer, ReadError> {
    let (reader, mut writer): (ReadHalf<S>, WriteHalf<S>) = stream.split();
    let mut frames = FrameReader::new(reader, MAX_ANSWER_BYTES);
    send(&mut writer, &dial_request(address, nonce)).await?;
    let mut is_paid = false;
    loop {
        let length = frames.next_length().await?;
        let message = frames.body(length).await?;
        match fields(&message)?.as_slice() {
            [Field { number: 2, value: Value::Bytes(answer), .. }] => return judge(answer),
            [Field { number: 3, value: Value::Bytes(wish), .. }] if !is_paid => {
                let wanted = number(&fields(wish)?, 2);
                if wanted > MAX_DATA_BYTES {
                    return Ok(Answer::NotTried(format!("the peer wants {wanted} bytes for its trouble")));
                }
                is_paid = true;
                pay(&mut writer, wanted as usize).await?;
            }
            _ => return Err(ReadError::Lied("an AutoNAT answer that is none".into())),
        }
    }
}

fn judge(answer: &[u8]) -> Result<Answer, ReadError> {
    let answer = fields(answer)?;
    Ok(match (number(&answer, 1), number(&answer, 3)) {
        (OK, OK) => Answer::Reached,
        (OK, DIAL_ERROR) => Answer::NotReached("no connection".into()),
        (OK, DIAL_BACK_ERROR) => Answer::NotReached("connected, but the answer got lost".into()),
        (status, _) => Answer::NotTried(format!("the peer does not test it (status {status})")),
    })
}

/// Takes the number that a server brings to a tested address; true when it is one of ours.
pub async fn take_back<S: AsyncRead + AsyncWrite + Unpin>(stream: S, nonces: &Nonces) -> bool {
    let (reader, mut writer) = stream.split();
    let mut frames = FrameReader::new(reader, MAX_ANSWER_BYTES);
    let Ok(length) = frames.next_length().await else { return false };
    let Ok(message) = frames.body(length).await else { return false };
    let nonce = fields(&message).ok().and_then(|found| {
        found.into_iter().find_map(|field| match field.value {
            Value::Fixed(nonce) if field.number == 1 => Some(nonce),
            _ => None,
        })
    });
    if !nonce.is_some_and(|nonce| nonces.came_back(nonce)) {
        return false;
    }
    // DialBackResponse with status OK, which is zero and therefore left out.
    send(&mut writer, &[]).await.is_ok() && writer.close().await.is_ok()
}

async fn send<W: AsyncWrite + Unpin>(writer: &mut W, message: &[u8]) -> io::Result<()> {
    let mut framed = Vec::with_capacity(message.len() + 4);
    put_length(message.len(), &mut framed);
    framed.extend_from_slice(message);
    writer.write_all(&framed).await?;
    writer.flush().await
}

async fn pay<W: AsyncWrite + Unpin>(writer: &mut W, wanted: usize) -> io::Result<()> {
    let mut left = wanted;
    while left > 0 {
        let count = left.min(DATA_PIECE_BYTES);
        let mut data = Vec::new();
        put_bytes(1, &vec![0; count], &mut data);
        let mut message = Vec::new();
        put_bytes(4, &data, &mut message);
        send(writer, &message).await?;
        left -= count;
    }
    Ok(())
}

fn dial_request(address: &Multiaddr, nonce: u64) -> Vec<u8> {
    let mut request = Vec::new();
    put_bytes(1, address.as_ref(), &mut request);
    request.push(2 << 3 | 1);
    request.extend_from_slice(&nonce.to_le_bytes());
    let mut message = Vec::new();
    put_bytes(1, &request, &mut message);
    message
}

fn put_bytes(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    put_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

struct Field<'a> {
    number: u64,
    value: Value<'a>,
}

enum Value<'a> {
    Number(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

fn number(fields: &[Field<'_>], wanted: u64) -> u64 {
    let found = fields.iter().rev().find(|field| field.number == wanted);
    match found.map(|field| &field.value) {
        Some(Value::Number(value)) => *value,
        _ => 0,
    }
}

/// The fields of a protobuf message, in order.
fn fields(mut data: &[u8]) -> Result<Vec<Field<'_>>, ReadError> {
    let bad = || ReadError::Lied("a malformed AutoNAT message".into());
    let mut found = Vec::new();
    while !data.is_empty() {
        let key = take_varint(&mut data).ok_or_else(bad)?;
        let value = match key & 7 {
            0 => Value::Number(take_varint(&mut data).ok_or_else(bad)?),
            1 => {
                let (bytes, rest) = data.split_first_chunk::<8>().ok_or_else(bad)?;
                data = rest;
                Value::Fixed(u64::from_le_bytes(*bytes))
            }
            2 => {
                let length = take_varint(&mut data).ok_or_else(bad)?;
                let length = usize::try_from(length).ok().filter(|length| *length <= data.len()).ok_or_else(bad)?;
                let (bytes, rest) = data.split_at(length);
                data = rest;
                Value::Bytes(bytes)
            }
            _ => return Err(bad()),
        };
        found.push(Field { number: key >> 3, value });
    }
    Ok(found)
}

fn take_varint(data: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for index in 0..10 {
        let (byte, rest) = data.split_first()?;
        *data = rest;
        value |= u64::from(byte & 0x7f).checked_shl(7 * index)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::io::Cursor;

    struct Script {
        answers: Cursor<Vec<u8>>,
        written: Vec<u8>,
    }

    impl AsyncRead for Script {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
            buffer: &mut [u8],
        ) -> std::task::Poll<io::Result<usize>> {
            std::pin::Pin::new(&mut self.answers).poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for Script {
        fn poll_write(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            data: &[u8],
        ) -> std::task::Poll<io::Result<usize>> {
            self.written.extend_from_slice(data);
            std::task::Poll::Ready(Ok(data.len()))
        }

        fn poll_flush(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn poll_close(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }
    }

    fn asked(answers: &[&[u8]]) -> Answer {
        let mut bytes = Vec::new();
        for answer in answers {
            put_length(answer.len(), &mut bytes);
            bytes.extend_from_slice(answer);
        }
        let script = Script { answers: Cursor::new(bytes), written: Vec::new() };
        block_on(ask(script, &"/ip4/5.6.7.8/tcp/8070".parse().unwrap(), 7))
    }

    fn dial_response(status: u64, dial_status: u64) -> Vec<u8> {
        let mut inner = vec![1 << 3];
        put_length(status as usize, &mut inner);
        inner.push(3 << 3);
        put_length(dial_status as usize, &mut inner);
        let mut message = Vec::new();
        put_bytes(2, &inner, &mut message);
        message
    }

    fn data_request(wanted: usize) -> Vec<u8> {
        let mut inner = vec![2 << 3];
        put_length(wanted, &mut inner);
        let mut message = Vec::new();
        put_bytes(3, &inner, &mut message);
        message
    }

    #[test]
    fn answers_mean_what_they_say() {
        assert_eq!(asked(&[&dial_response(200, 200)]), Answer::Reached);
        assert!(matches!(asked(&[&dial_response(200, 100)]), Answer::NotReached(_)));
        assert!(matches!(asked(&[&dial_response(200, 101)]), Answer::NotReached(_)));
        assert!(matches!(asked(&[&dial_response(101, 0)]), Answer::NotTried(_)));
    }

    #[test]
    fn data_is_sent_once_and_within_bounds() {
        assert_eq!(asked(&[&data_request(50_000), &dial_response(200, 200)]), Answer::Reached);
        assert!(matches!(asked(&[&data_request(100_001)]), Answer::NotTried(_)));
        let twice = [&data_request(10)[..], &data_request(10), &dial_response(200, 200)];
        assert!(matches!(asked(&twice), Answer::NotTried(_)));
    }

    #[test]
    fn malformed_answers_say_nothing() {
        for bad in [&b"\xff\xff\xff"[..], b"\x12\x7f", b"\x0b", b"", b"\x11\x01"] {
            assert!(matches!(asked(&[bad]), Answer::NotTried(_)), "{bad:?}");
        }
        assert!(matches!(asked(&[]), Answer::NotTried(_)));
        assert!(matches!(asked(&[&vec![0; 2000]]), Answer::NotTried(_)));
    }

    #[test]
    fn only_a_number_that_was_given_out_is_taken_back_and_only_once() {
        let nonces = Nonces::default();
        let nonce = nonces.draw();
        let bring = |nonce: u64| {
            let mut bytes = vec![9, 1 << 3 | 1];
            bytes.extend_from_slice(&nonce.to_le_bytes());
            block_on(take_back(Script { answers: Cursor::new(bytes), written: Vec::new() }, &nonces))
        };
        assert!(!bring(nonce.wrapping_add(1)));
        assert!(bring(nonce));
        assert!(!bring(nonce));
        assert!(nonces.take(nonce));
        assert!(!nonces.take(nonce));
    }
}

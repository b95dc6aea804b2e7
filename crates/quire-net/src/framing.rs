//! Messages on a byte stream: an unsigned varint length, then the bytes.

use std::io;

use futures::io::{AsyncRead, AsyncReadExt};

/// Small messages are read many at a time; of a large one at most this much is copied twice.
const BUFFER_BYTES: usize = 4096;
const MAX_VARINT_BYTES: usize = 10;

#[derive(Debug)]
pub enum ReadError {
    /// The stream ended between two messages.
    Closed,
    /// The stream ended inside a message or failed.
    Broken(String),
    /// The peer broke the framing.
    Lied(String),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Broken(error.to_string())
    }
}

/// Writes `length` as a varint.
pub fn put_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// The length at the front of `data` and how many bytes it takes; None when it is not complete.
fn take_length(data: &[u8]) -> Result<Option<(u64, usize)>, ReadError> {
    let mut value = 0u64;
    for (index, byte) in data.iter().take(MAX_VARINT_BYTES).enumerate() {
        let low = u64::from(byte & 0x7f);
        if index == MAX_VARINT_BYTES - 1 && *byte > 1 {
            return Err(ReadError::Lied("the length of a message exceeds 64 bits".into()));
        }
        value |= low << (7 * index);
        if byte & 0x80 == 0 {
            if index > 0 && *byte == 0 {
                return Err(ReadError::Lied("the length of a message is not in its shortest form".into()));
            }
            return Ok(Some((value, index + 1)));
        }
    }
    Ok(None)
}

/// Cuts a stream into messages. The length is checked before anything is allocated for it.
pub struct FrameReader<R> {
    io: R,
    buffer: [u8; BUFFER_BYTES],
    start: usize,
    stop: usize,
    max_bytes: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub fn new(io: R, max_bytes: usize) -> Self {
        Self { io, buffer: [0; BUFFER_BYTES], start: 0, stop: 0, max_bytes }
    }

    /// The length of the next message.
    pub async fn next_length(&mut self) -> Result<usize, ReadError> {
        loop {
            if let Some((length, taken)) = take_length(&self.buffer[self.start..self.stop])? {
                if length > self.max_bytes as u64 {
                    return Err(ReadError::Lied(format!(
                        "the peer announced a message of {length} bytes where {} are allowed",
                        self.max_bytes
                    )));
                }
                self.start += taken;
                return Ok(length as usize);
            }
            self.buffer.copy_within(self.start..self.stop, 0);
            self.stop -= self.start;
            self.start = 0;
            let count = self.io.read(&mut self.buffer[self.stop..]).await?;
            if count == 0 {
                return Err(match self.stop {
                    0 => ReadError::Closed,
                    _ => ReadError::Broken("the stream ended inside a message".into()),
                });
            }
            self.stop += count;
        }
    }

    /// The bytes of the message whose length was just read.
    pub async fn body(&mut self, length: usize) -> Result<Vec<u8>, ReadError> {
        let mut body = vec![0; length];
        let ready = length.min(self.stop - self.start);
        body[..ready].copy_from_slice(&self.buffer[self.start..self.start + ready]);
        self.start += ready;
        let mut filled = ready;
        while filled < length {
            let count = self.io.read(&mut body[filled..]).await?;
            if count == 0 {
                return Err(ReadError::Broken("the stream ended inside a message".into()));
            }
            filled += count;
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(data: &[u8], max_bytes: usize) -> (Vec<Vec<u8>>, ReadError) {
        let mut reader = FrameReader::new(data, max_bytes);
        let mut messages = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            loop {
                let body = match reader.next_length().await {
                    Ok(length) => reader.body(length).await,
                    Err(error) => Err(error),
                };
                match body {
                    Ok(body) => messages.push(body),
                    Err(error) => return (messages, error),
                }
            }
        })
    }

    fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        for message in messages {
            put_length(message.len(), &mut out);
            out.extend_from_slice(message);
        }
        out
    }

    #[test]
    fn messages_of_every_size_come_back() {
        let sizes = [0, 1, 127, 128, 4094, 4095, 4096, 4097, 16_383, 16_384, 100_000, 0, 5];
        let messages: Vec<Vec<u8>> = sizes.iter().map(|size| vec![*size as u8; *size]).collect();
        let (read, end) = read_all(&framed(&messages), 100_000);
        assert_eq!(read, messages);
        assert!(matches!(end, ReadError::Closed));
    }

    #[test]
    fn a_length_above_the_limit_is_a_lie() {
        assert!(matches!(read_all(&[0x80, 0x80, 0x80, 0x80, 0x10], 1 << 20).1, ReadError::Lied(_)));
        assert!(matches!(read_all(&[11], 10).1, ReadError::Lied(_)));
    }

    #[test]
    fn a_malformed_length_is_a_lie() {
        assert!(matches!(read_all(&[0x80, 0x00], 10).1, ReadError::Lied(_)));
        assert!(matches!(read_all(&[0xff; 16], usize::MAX).1, ReadError::Lied(_)));
    }

    #[test]
    fn an_end_inside_a_message_is_no_clean_end() {
        assert!(matches!(read_all(&[3, 1, 2], 10).1, ReadError::Broken(_)));
        assert!(matches!(read_all(&[0x80], 10).1, ReadError::Broken(_)));
    }
}

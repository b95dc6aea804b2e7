//! The frames of mplex: a varint with stream number and kind, a varint length, the bytes.

use std::io::{self, ErrorKind};

use bytes::Bytes;

use crate::framing::put_length;
use crate::mplex::StreamId;

const MAX_FRAME_BYTES: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    New,
    Data,
    Close,
    Reset,
}

/// `Data` may be a part of a frame: it is passed on as it comes.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    New { id: StreamId },
    Data { id: StreamId, data: Bytes },
    Close { id: StreamId },
    Reset { id: StreamId },
}

pub fn put_frame(id: StreamId, kind: Kind, data: &[u8], out: &mut Vec<u8>) {
    // Who opened the stream speaks with even tags, the other side with odd ones.
    let tag = match kind {
        Kind::New => 0,
        Kind::Data => 2,
        Kind::Close => 4,
        Kind::Reset => 6,
    } - u64::from(!id.is_ours && kind != Kind::New);
    put_length((id.number << 3 | tag) as usize, out);
    put_length(data.len(), out);
    out.extend_from_slice(data);
}

#[derive(Clone, Copy)]
enum Step {
    Key,
    Length { key: u64 },
    Body { key: u64, left: usize },
}

/// Cuts bytes into frames, however they arrive.
pub struct FrameParser {
    step: Step,
    value: u64,
    shift: u32,
}

impl Default for FrameParser {
    fn default() -> Self {
        Self { step: Step::Key, value: 0, shift: 0 }
    }
}

impl FrameParser {
    /// The next frame or part of one in `data`, which gets shorter; None when there is no more.
    pub fn next(&mut self, data: &mut Bytes) -> io::Result<Option<Frame>> {
        loop {
            match self.step {
                Step::Key => match self.varint(data)? {
                    None => return Ok(None),
                    Some(key) => self.step = Step::Length { key },
                },
                Step::Length { key } => match self.varint(data)? {
                    None => return Ok(None),
                    Some(length) if length > MAX_FRAME_BYTES => return Err(bad("a frame above 1 MiB")),
                    Some(length) => {
                        self.step = Step::Body { key, left: length as usize };
                        // What is no data is complete without its body, which is skipped.
                        if let Some(frame) = control(key)? {
                            return Ok(Some(frame));
                        }
                    }
                },
                Step::Body { key, left } => {
                    if left == 0 {
                        self.step = Step::Key;
                        continue;
                    }
                    if data.is_empty() {
                        return Ok(None);
                    }
                    let part = data.split_to(left.min(data.len()));
                    self.step = Step::Body { key, left: left - part.len() };
                    if let Some(id) = data_of(key) {
                        return Ok(Some(Frame::Data { id, data: part }));
                    }
                }
            }
        }
    }

    fn varint(&mut self, data: &mut Bytes) -> io::Result<Option<u64>> {
        while !data.is_empty() {
            let byte = data.split_to(1)[0];
            if self.shift > 56 {
                return Err(bad("a number above 63 bits"));
            }
            self.value |= u64::from(byte & 0x7f) << self.shift;
            self.shift += 7;
            if byte & 0x80 == 0 {
                self.shift = 0;
                return Ok(Some(std::mem::take(&mut self.value)));
            }
        }
        Ok(None)
    }
}

fn bad(reason: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}

/// The sender's even tags are about streams that it opened, its odd ones about ours.
fn id_of(key: u64) -> StreamId {
    StreamId { number: key >> 3, is_ours: key & 1 == 1 }
}

fn data_of(key: u64) -> Option<StreamId> {
    matches!(key & 7, 1 | 2).then(|| id_of(key))
}

fn control(key: u64) -> io::Result<Option<Frame>> {
    Ok(Some(match key & 7 {
        0 => Frame::New { id: id_of(key) },
        1 | 2 => return Ok(None),
        3 | 4 => Frame::Close { id: id_of(key) },
        5 | 6 => Frame::Reset { id: id_of(key) },
        _ => return Err(bad("a frame of no kind")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: StreamId = StreamId { number: 5, is_ours: true };
    const THEIRS: StreamId = StreamId { number: 5, is_ours: false };

    fn parsed(bytes: &[u8], piece: usize) -> io::Result<Vec<Frame>> {
        let mut parser = FrameParser::default();
        let mut frames = Vec::new();
        for chunk in bytes.chunks(piece) {
            let mut data = Bytes::copy_from_slice(chunk);
            while let Some(frame) = parser.next(&mut data)? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    /// What one side writes of its stream the other reads as of a stream of the peer.
    #[test]
    fn frames_come_back_however_they_are_cut() {
        let mut bytes = Vec::new();
        put_frame(OURS, Kind::New, &[], &mut bytes);
        put_frame(OURS, Kind::Data, b"hello", &mut bytes);
        put_frame(OURS, Kind::Close, &[], &mut bytes);
        put_frame(THEIRS, Kind::Reset, &[], &mut bytes);
        for piece in [1, 2, 3, 100] {
            let frames = parsed(&bytes, piece).unwrap();
            let text: Vec<u8> = frames
                .iter()
                .filter_map(|frame| match frame {
                    Frame::Data { id, data } if *id == THEIRS => Some(data.to_vec()),
                    _ => None,
                })
                .flatten()
                .collect();
            assert_eq!(text, b"hello");
            assert_eq!(frames[0], Frame::New { id: THEIRS });
            assert_eq!(frames[frames.len() - 2], Frame::Close { id: THEIRS });
            assert_eq!(frames[frames.len() - 1], Frame::Reset { id: OURS });
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let mut bytes = Vec::new();
        put_frame(StreamId { number: 1, is_ours: true }, Kind::New, &[], &mut bytes);
        put_frame(StreamId { number: 1, is_ours: true }, Kind::Data, b"a", &mut bytes);
        put_frame(StreamId { number: 1, is_ours: false }, Kind::Data, b"b", &mut bytes);
        put_frame(StreamId { number: 1, is_ours: false }, Kind::Close, &[], &mut bytes);
        put_frame(StreamId { number: 1, is_ours: false }, Kind::Reset, &[], &mut bytes);
        assert_eq!(bytes, [8, 0, 10, 1, b'a', 9, 1, b'b', 11, 0, 13, 0]);
    }

    #[test]
    fn a_name_of_a_new_stream_is_skipped() {
        assert_eq!(
            parsed(&[8, 3, b'a', b'b', b'c', 12, 0], 2).unwrap(),
            [
                Frame::New { id: StreamId { number: 1, is_ours: false } },
                Frame::Close { id: StreamId { number: 1, is_ours: false } }
            ]
        );
    }

    #[test]
    fn what_is_malformed_is_refused() {
        assert!(parsed(&[15, 0], 1).is_err());
        assert!(parsed(&[10, 0x81, 0x80, 0x40], 1).is_err());
        assert!(parsed(&[0xff; 12], 1).is_err());
    }
}

//! Two messages interleaved in SHA-NI instructions.
//!
//! `sha256rnds2` takes four cycles but a new one may begin every two: with one message half of the
//! unit idles. The state of a message lies in two registers, ABEF and CDGH.

use super::Digest;
use super::engine::Engine;
use super::plan::{BLOCK, K, START, Schedule};
use std::arch::x86_64::*;

const LANES: usize = 2;

/// Proof that the processor has SHA-NI, SSSE3 and SSE4.1.
#[derive(Clone, Copy)]
pub(super) struct ShaNi(());

impl ShaNi {
    pub(super) fn detect() -> Option<Self> {
        let has_all =
            is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1");
        has_all.then_some(Self(()))
    }
}

impl Engine<LANES> for ShaNi {
    type State = [[u32; 8]; LANES];

    fn start(self) -> Self::State {
        [START; LANES]
    }

    fn absorb(self, state: &mut Self::State, messages: [&[u8]; LANES]) {
        // SAFETY: a value of `ShaNi` exists only where the instructions do.
        unsafe { absorb(state, messages) }
    }

    fn absorb_shared(self, state: &mut Self::State, schedule: &Schedule) {
        // SAFETY: a value of `ShaNi` exists only where the instructions do.
        unsafe { absorb_shared(state, schedule) }
    }

    fn finish(self, state: Self::State) -> [Digest; LANES] {
        state.map(|words| {
            let mut digest = Digest::default();
            for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(words) {
                *bytes = word.to_be_bytes();
            }
            digest
        })
    }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn load(words: &[u32]) -> __m128i {
    let words: &[u32; 4] = words.first_chunk().expect("four words");
    // SAFETY: reads the 16 bytes of the array; the instruction needs no alignment.
    unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn store(words: &mut [u32], value: __m128i) {
    let words: &mut [u32; 4] = words.first_chunk_mut().expect("four words");
    // SAFETY: writes the 16 bytes of the array; the instruction needs no alignment.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), value) }
}

/// ABEF and CDGH of a state in the order A to H.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn split(words: &[u32; 8]) -> [__m128i; 2] {
    let cdab = _mm_shuffle_epi32::<0xB1>(load(&words[..4]));
    let efgh = _mm_shuffle_epi32::<0x1B>(load(&words[4..]));
    [_mm_alignr_epi8::<8>(cdab, efgh), _mm_blend_epi16::<0xF0>(efgh, cdab)]
}

/// The inverse of `split`.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn join(words: &mut [u32; 8], [abef, cdgh]: [__m128i; 2]) {
    let feba = _mm_shuffle_epi32::<0x1B>(abef);
    let dchg = _mm_shuffle_epi32::<0xB1>(cdgh);
    store(&mut words[..4], _mm_blend_epi16::<0xF0>(feba, dchg));
    store(&mut words[4..], _mm_alignr_epi8::<8>(dchg, feba));
}

/// Four words of a block, big-endian, at word `4 * quarter`.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn message_words(block: &[u8; BLOCK], quarter: usize) -> __m128i {
    let bytes: &[u8; 16] = block[16 * quarter..].first_chunk().expect("a quarter of a block");
    let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    // SAFETY: reads the 16 bytes of the array; the instruction needs no alignment.
    _mm_shuffle_epi8(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }, swap)
}

/// Four rounds of each message.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn four_rounds(state: &mut [[__m128i; 2]; LANES], words: [__m128i; LANES]) {
    for (half, words) in state.iter_mut().zip(words) {
        half[1] = _mm_sha256rnds2_epu32(half[1], half[0], words);
    }
    for (half, words) in state.iter_mut().zip(words) {
        half[0] = _mm_sha256rnds2_epu32(half[0], half[1], _mm_shuffle_epi32::<0x0E>(words));
    }
}

/// The four words after the sixteen of `w`, which lie in a ring that begins at `at`.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn next_words(w: &[__m128i; 4], at: usize) -> __m128i {
    let [w0, w1, w2, w3] = [w[at % 4], w[(at + 1) % 4], w[(at + 2) % 4], w[(at + 3) % 4]];
    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
    _mm_sha256msg2_epu32(sum, w3)
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn absorb(states: &mut [[u32; 8]; LANES], messages: [&[u8]; LANES]) {
    let mut state: [[__m128i; 2]; LANES] = [split(&states[0]), split(&states[1])];
    let (first, second) = (messages[0].as_chunks::<BLOCK>().0, messages[1].as_chunks::<BLOCK>().0);
    for blocks in first.iter().zip(second) {
        let blocks = [blocks.0, blocks.1];
        let before = state;
        let mut w = [[_mm_setzero_si128(); 4]; LANES];
        // A macro, because only unrolled steps keep the ring in registers.
        macro_rules! step {
            ($t:literal) => {
                for lane in 0..LANES {
                    w[lane][$t % 4] =
                        if $t < 4 { message_words(blocks[lane], $t % 4) } else { next_words(&w[lane], $t) };
                }
                let k = load(&K[4 * $t..]);
                four_rounds(&mut state, [_mm_add_epi32(w[0][$t % 4], k), _mm_add_epi32(w[1][$t % 4], k)]);
            };
        }
        step!(0);
        step!(1);
        step!(2);
        step!(3);
        step!(4);
        step!(5);
        step!(6);
        step!(7);
        step!(8);
        step!(9);
        step!(10);
        step!(11);
        step!(12);
        step!(13);
        step!(14);
        step!(15);
        add(&mut state, &before);
    }
    for (words, state) in states.iter_mut().zip(state) {
        join(words, state);
    }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn absorb_shared(states: &mut [[u32; 8]; LANES], schedule: &Schedule) {
    let before = [split(&states[0]), split(&states[1])];
    let mut state = before;
    for words in schedule.as_chunks::<4>().0 {
        four_rounds(&mut state, [load(words); LANES]);
    }
    add(&mut state, &before);
    for (words, state) in states.iter_mut().zip(state) {
        join(words, state);
    }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn add(state: &mut [[__m128i; 2]; LANES], before: &[[__m128i; 2]; LANES]) {
    for (half, old) in state.as_flattened_mut().iter_mut().zip(before.as_flattened()) {
        *half = _mm_add_epi32(*half, *old);
    }
}

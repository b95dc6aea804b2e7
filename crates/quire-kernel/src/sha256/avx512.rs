//! Sixteen messages side by side: word i of all of them lies in one AVX-512 register.

use super::Digest;
use super::engine::Engine;
use super::plan::{BLOCK, K, START, Schedule};
use std::arch::x86_64::*;

const LANES: usize = 16;

/// How far ahead of its use a message is fetched, in bytes. Past its end nothing happens.
const AHEAD: usize = 256;

/// Proof that the processor has AVX-512 F and BW.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        has_all.then_some(Self(()))
    }
}

impl Engine<LANES> for Avx512 {
    type State = [__m512i; 8];

    fn start(self) -> Self::State {
        // SAFETY: a value of `Avx512` exists only where the instructions do.
        unsafe { start() }
    }

    fn absorb(self, state: &mut Self::State, messages: [&[u8]; LANES]) {
        // SAFETY: a value of `Avx512` exists only where the instructions do.
        unsafe { absorb(state, messages) }
    }

    fn absorb_shared(self, state: &mut Self::State, schedule: &Schedule) {
        // SAFETY: a value of `Avx512` exists only where the instructions do.
        unsafe { absorb_shared(state, schedule) }
    }

    fn finish(self, state: Self::State) -> [Digest; LANES] {
        // SAFETY: a value of `Avx512` exists only where the instructions do.
        unsafe { finish(state) }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn start() -> [__m512i; 8] {
    START.map(|word| _mm512_set1_epi32(word as i32))
}

#[target_feature(enable = "avx512f,avx512bw")]
fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

#[target_feature(enable = "avx512f,avx512bw")]
fn add(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi32(a, b)
}

/// One round; `wk` is the word of the schedule with the round constant. The caller rotates names.
macro_rules! round {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $wk:expr) => {
        let choice = _mm512_ternarylogic_epi32::<0xCA>($e, $f, $g);
        let sum = xor3(_mm512_ror_epi32::<6>($e), _mm512_ror_epi32::<11>($e), _mm512_ror_epi32::<25>($e));
        $h = add(add($h, $wk), add(choice, sum));
        $d = add($d, $h);
        let majority = _mm512_ternarylogic_epi32::<0xE8>($a, $b, $c);
        let sum = xor3(_mm512_ror_epi32::<2>($a), _mm512_ror_epi32::<13>($a), _mm512_ror_epi32::<22>($a));
        $h = add($h, add(majority, sum));
    };
}

/// Sixteen rounds over an array of eight registers; `$wk!(i)` gives the word of round i.
macro_rules! sixteen_rounds {
    ($state:ident, $wk:ident) => {{
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = $state;
        round!(a b c d e f g h, $wk!(0));
        round!(h a b c d e f g, $wk!(1));
        round!(g h a b c d e f, $wk!(2));
        round!(f g h a b c d e, $wk!(3));
        round!(e f g h a b c d, $wk!(4));
        round!(d e f g h a b c, $wk!(5));
        round!(c d e f g h a b, $wk!(6));
        round!(b c d e f g h a, $wk!(7));
        round!(a b c d e f g h, $wk!(8));
        round!(h a b c d e f g, $wk!(9));
        round!(g h a b c d e f, $wk!(10));
        round!(f g h a b c d e, $wk!(11));
        round!(e f g h a b c d, $wk!(12));
        round!(d e f g h a b c, $wk!(13));
        round!(c d e f g h a b, $wk!(14));
        round!(b c d e f g h a, $wk!(15));
        $state = [a, b, c, d, e, f, g, h];
    }};
}

#[target_feature(enable = "avx512f,avx512bw")]
fn absorb(state: &mut [__m512i; 8], messages: [&[u8]; LANES]) {
    let len = messages[0].len();
    assert!(messages.iter().all(|message| message.len() == len) && len.is_multiple_of(BLOCK));
    for at in (0..len).step_by(BLOCK) {
        let mut now = *state;
        let mut w = load_words(&messages, at);
        macro_rules! word {
            ($i:literal) => {
                add(w[$i], _mm512_set1_epi32(K[$i] as i32))
            };
        }
        sixteen_rounds!(now, word);
        for k in K.as_chunks::<16>().0[1..].iter() {
            macro_rules! word {
                ($i:literal) => {{
                    w[$i] = next_word(w[$i], w[($i + 1) % 16], w[($i + 9) % 16], w[($i + 14) % 16]);
                    add(w[$i], _mm512_set1_epi32(k[$i] as i32))
                }};
            }
            sixteen_rounds!(now, word);
        }
        for (old, new) in state.iter_mut().zip(now) {
            *old = add(*old, new);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn absorb_shared(state: &mut [__m512i; 8], schedule: &Schedule) {
    let mut now = *state;
    for words in schedule.as_chunks::<16>().0 {
        macro_rules! word {
            ($i:literal) => {
                _mm512_set1_epi32(words[$i] as i32)
            };
        }
        sixteen_rounds!(now, word);
    }
    for (old, new) in state.iter_mut().zip(now) {
        *old = add(*old, new);
    }
}

/// Word t of the schedule from the words t-16, t-15, t-7 and t-2.
#[target_feature(enable = "avx512f,avx512bw")]
fn next_word(w16: __m512i, w15: __m512i, w7: __m512i, w2: __m512i) -> __m512i {
    let low = xor3(_mm512_ror_epi32::<7>(w15), _mm512_ror_epi32::<18>(w15), _mm512_srli_epi32::<3>(w15));
    let high = xor3(_mm512_ror_epi32::<17>(w2), _mm512_ror_epi32::<19>(w2), _mm512_srli_epi32::<10>(w2));
    add(add(w16, low), add(w7, high))
}

/// Big-endian words to numbers and back, in every 128-bit quarter.
#[target_feature(enable = "avx512f,avx512bw")]
fn swap_bytes(words: __m512i) -> __m512i {
    let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(order))
}

/// The block at `at` of every message: result i holds word i of all messages.
#[target_feature(enable = "avx512f,avx512bw")]
fn load_words(messages: &[&[u8]; LANES], at: usize) -> [__m512i; 16] {
    let mut rows = [_mm512_setzero_si512(); LANES];
    for (row, message) in rows.iter_mut().zip(messages) {
        let block: &[u8; BLOCK] = message[at..].first_chunk().expect("a whole block is left");
        // Sixteen streams are too many for the hardware to foresee: +15 % where memory is the limit.
        _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_add(AHEAD).cast());
        // SAFETY: reads the 64 bytes of the array; the instruction needs no alignment.
        *row = swap_bytes(unsafe { _mm512_loadu_si512(block.as_ptr().cast()) });
    }
    transpose(rows)
}

/// Rows of sixteen words become columns.
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose(rows: [__m512i; 16]) -> [__m512i; 16] {
    let mut pairs = rows;
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // quads[4 * g + j]: word j of every quarter of rows 4 * g .. 4 * g + 4
    let mut quads = pairs;
    for g in 0..4 {
        let [a, b, c, d] = [pairs[4 * g], pairs[4 * g + 1], pairs[4 * g + 2], pairs[4 * g + 3]];
        quads[4 * g] = _mm512_unpacklo_epi64(a, c);
        quads[4 * g + 1] = _mm512_unpackhi_epi64(a, c);
        quads[4 * g + 2] = _mm512_unpacklo_epi64(b, d);
        quads[4 * g + 3] = _mm512_unpackhi_epi64(b, d);
    }
    // A quarter of a row holds words 4 * q .. 4 * q + 4: bring equal quarters together.
    let mut columns = quads;
    for j in 0..4 {
        let [a, b, c, d] = [quads[j], quads[4 + j], quads[8 + j], quads[12 + j]];
        let low_ab = _mm512_shuffle_i32x4::<0x44>(a, b);
        let high_ab = _mm512_shuffle_i32x4::<0xEE>(a, b);
        let low_cd = _mm512_shuffle_i32x4::<0x44>(c, d);
        let high_cd = _mm512_shuffle_i32x4::<0xEE>(c, d);
        columns[j] = _mm512_shuffle_i32x4::<0x88>(low_ab, low_cd);
        columns[4 + j] = _mm512_shuffle_i32x4::<0xDD>(low_ab, low_cd);
        columns[8 + j] = _mm512_shuffle_i32x4::<0x88>(high_ab, high_cd);
        columns[12 + j] = _mm512_shuffle_i32x4::<0xDD>(high_ab, high_cd);
    }
    columns
}

#[target_feature(enable = "avx512f,avx512bw")]
fn finish(state: [__m512i; 8]) -> [Digest; LANES] {
    let mut rows = [_mm512_setzero_si512(); 16];
    rows[..8].copy_from_slice(&state);
    let mut digests = [Digest::default(); LANES];
    for (digest, column) in digests.iter_mut().zip(transpose(rows)) {
        let words = _mm512_castsi512_si256(swap_bytes(column));
        // SAFETY: writes the 32 bytes of the array; the instruction needs no alignment.
        unsafe { _mm256_storeu_si256(digest.as_mut_ptr().cast(), words) }
    }
    digests
}

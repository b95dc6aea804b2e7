//! What a way of hashing N messages at once has to offer, and the driver over it.

use super::Digest;
use super::plan::{BLOCK, Plan, Schedule, Tail};

/// N messages side by side. A value is the proof that the processor has the instructions.
pub(super) trait Engine<const N: usize>: Copy {
    type State;

    fn start(self) -> Self::State;

    /// Compress one slice per message: all of one length, whole blocks.
    fn absorb(self, state: &mut Self::State, messages: [&[u8]; N]);

    /// Compress one block that is the same in all messages.
    fn absorb_shared(self, state: &mut Self::State, schedule: &Schedule);

    fn finish(self, state: Self::State) -> [Digest; N];
}

/// Hash pieces `done..` in groups of N for as long as at least `from` are left; returns how many
/// pieces are then done. The empty places of a last group repeat its first piece.
pub(super) fn run_groups<const N: usize>(
    engine: impl Engine<N>,
    plan: &Plan,
    pieces: &[u8],
    piece_len: usize,
    out: &mut [Digest],
    from: usize,
) -> usize {
    let mut done = 0;
    while out.len() - done >= from {
        let count = N.min(out.len() - done);
        let group = std::array::from_fn(|lane| {
            let at = (done + if lane < count { lane } else { 0 }) * piece_len;
            &pieces[at..at + piece_len]
        });
        let digests = digest_group(engine, plan, group);
        out[done..done + count].copy_from_slice(&digests[..count]);
        done += count;
    }
    done
}

fn digest_group<const N: usize>(engine: impl Engine<N>, plan: &Plan, group: [&[u8]; N]) -> [Digest; N] {
    let mut state = engine.start();
    if plan.body_len > 0 {
        engine.absorb(&mut state, group.map(|piece| &piece[..plan.body_len]));
    }
    match &plan.tail {
        Tail::Shared(schedule) => engine.absorb_shared(&mut state, schedule),
        Tail::Own { template, len } => {
            let mut tails = [[0u8; 2 * BLOCK]; N];
            for (tail, piece) in tails.iter_mut().zip(&group) {
                let rest = &piece[plan.body_len..];
                *tail = *template;
                tail[..rest.len()].copy_from_slice(rest);
            }
            engine.absorb(&mut state, tails.each_ref().map(|tail| &tail[..*len]));
        }
    }
    engine.finish(state)
}

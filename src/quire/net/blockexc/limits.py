"""What the block exchange allows itself and its peers. Source: network.md 2.1, 2.4, 2.12-2.14."""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.units import MIB

BLOCKS_PER_MESSAGE = 20  # that the reference sends at once
RUN_BLOCKS = 16  # the largest power of two that fits into one message of the reference


@dataclass(frozen=True, slots=True)
class BlockexcLimits:
    """Bytes, counts and seconds."""

    message_bytes: int = 32 * MIB  # received; 20 blocks of 512 KiB are a third of it
    streams_per_peer: int = 100  # that the peer opened; further ones are closed
    malformed: int = 3  # messages, each of which closes its stream; then the peer is banned
    posts_per_peer: int = 256  # messages that wait for the stream; then it is dropped

    # Asking
    answer_seconds: float = 3.0  # a question after a block is put again after so long
    sample_leaves: int = 1024  # asked about before the first fetch; all of them in a small tree
    poll_seconds: float = 2.0  # between questions to a peer that has a part; doubles up to
    poll_max_seconds: float = 30.0
    resends: int = 3  # of what is outstanding, after streams that ended, without a delivery between
    remembered: int = 4096  # addresses asked for earlier, whose blocks may come late
    strays: int = 256  # blocks nobody ever asked for, then the peer is banned

    # Serving
    wants_per_peer: int = 16_384  # queued or remembered; further ones are dropped
    wanted_seconds: float = 300.0  # a want of what is not here is remembered for
    watch_seconds: float = 2.0  # between looks whether it has come
    presences_per_round: int = 1024  # answered to one peer in `round_seconds`
    round_seconds: float = 0.1
    questions_per_peer: int = 8192  # waiting for an answer; further ones are dropped
    quantum_bytes: int = 20 * 65_536  # a peer's share of one round
    messages_per_peer: int = 2  # with blocks: read or being read, not yet taken by the transport
    serving_reads: int = 8  # from disk at the same time, all peers together
    alive_seconds: float = 25.0  # a peer that waits for a block hears from us so often
    send_seconds: float = 120.0  # a peer that reads nothing for so long loses the stream

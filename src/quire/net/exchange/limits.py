"""What the exchange allows itself and its peers, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.units import KIB, MIB


@dataclass(frozen=True, slots=True)
class ExchangeLimits:
    """Bytes, counts and seconds; the defaults suit a node of a few cores."""

    # Fetching
    bytes_in_flight: int = 64 * MIB  # asked for and not yet stored, all jobs together
    peer_window_min: int = 256 * KIB  # asked of one peer and not yet received
    peer_window_first: int = 1 * MIB  # before its speed is known
    peer_window_max: int = 8 * MIB
    piece_bytes: int = 2 * MIB  # largest request
    piece_bytes_first: int = 256 * KIB  # before the peer's speed is known
    window_seconds: float = 0.2  # of the peer's speed, beside its round trip, kept asked for
    piece_seconds: float = 0.25  # of the peer's speed in one request
    timeout_min_seconds: float = 5.0
    timeout_max_seconds: float = 45.0
    timeout_first_seconds: float = 30.0  # before the first sample
    answer_seconds: float = 10.0  # for a small question: opening a channel, what do you have
    max_timeouts: int = 5  # in a row, then the peer is dropped from the job
    rest_seconds: float = 30.0  # until a peer that was dropped is tried again
    again_seconds: float = 2.0  # until one that has nothing is; doubles up to the former
    busy_seconds: float = 0.5  # until a peer that was busy is asked again
    ban_seconds: float = 3600.0
    manifest_seconds: float = 86_400.0  # a fetched manifest is kept so long unless retained
    end_game_pieces: int = 4  # asked of a second peer at most, at the end of a job
    late_first_seconds: float = 0.5  # and two round trips: a reader's piece is late; speed unknown
    late_min_seconds: float = 0.05  # beyond the estimate
    late_rest_seconds: float = 1.0  # of a peer that was late without a word; doubles
    hedge_bytes: int = 4 * MIB  # asked of a second peer in one fetch at most, and
    hedge_share: float = 0.05  # so much of what it has received
    region_bytes: int = 64 * MIB  # background fetches finish such a region before the next
    peers_per_job: int = 8  # and one for each row of a protected dataset
    settle_seconds: float = 0.5  # until who has not answered yet is not waited for
    manifest_peers: int = 4  # asked at once for a manifest or a block
    search_seconds: float = 30.0  # one search for providers
    search_pause_seconds: float = 5.0  # between searches, doubling while they find nobody
    search_pause_max_seconds: float = 60.0
    linger_seconds: float = 15.0  # a job without consumers keeps its peers
    stall_seconds: float = 3600.0  # a job without progress fails
    abandoned_requests: int = 256  # timed out at one peer and never answered

    # Serving
    channels_per_peer: int = 4
    requests_per_peer: int = 1024  # queued; more are answered with busy
    bytes_per_peer: int = 256 * MIB  # asked for by one peer and not yet sent
    serving_reads: int = 8  # read from disk at the same time, all peers together
    messages_per_peer: int = 2  # read or being read, and not yet taken by the transport
    send_seconds: float = 120.0  # a peer that reads nothing for so long is dropped
    replies_per_peer: int = 1024  # small ones waiting to be sent; then we stop reading
    quantum_bytes: int = 1 * MIB  # a peer's share of one round
    update_seconds: float = 2.0  # between updates of what a partial holder has
    subscriptions_per_channel: int = 256

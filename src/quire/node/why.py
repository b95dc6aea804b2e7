"""Why is it so? The causal chain of one CID, in words, from what the node knows at this moment."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from quire.base.errors import BlockMissing
from quire.base.units import format_duration, format_rate, format_size
from quire.flow.fetch import Fetch
from quire.formats.cid import Cid, is_block, is_manifest, is_tree
from quire.net.exchange.explain import AskedPeer, Explanation
from quire.node.node import Node
from quire.node.why_orders import orders_about
from quire.node.why_upload import upload_in_words

if TYPE_CHECKING:
    from quire.store.dataset import Dataset

LAST_EVENTS = 12
LOOKUP_SECONDS = 2.0  # how long the network is asked who has it
MOST_PROVIDERS = 8


class WhyPeer(msgspec.Struct, frozen=True, rename="camel"):
    """A peer that was asked. `state`: helps, asking, resting, banned, useless."""

    peer: str
    state: str
    has_blocks: int | None
    asked_blocks: int
    received_bytes: int
    last_answer: str
    answered_ago_seconds: float | None
    next_in_seconds: float | None


class WhyTimer(msgspec.Struct, frozen=True, rename="camel"):
    """Something that happens by itself, and in how many seconds."""

    what: str
    in_seconds: float


class Why(msgspec.Struct, frozen=True, rename="camel"):
    """The answer. `sentences` is for people, the rest for programs."""

    cid: str
    holds: str  # complete, partial, block, nothing
    sentences: list[str]
    providers: list[str]
    missing_blocks: int
    missing: list[tuple[int, int]]  # the first ranges [start, stop) that a fetch waits for
    peers: list[WhyPeer]
    timers: list[WhyTimer]  # the next first
    waits: list[dict[str, Any]]
    events: list[dict[str, Any]]


async def why(node: Node, cid: Cid) -> Why:
    """Explain one CID: what it is, whether it is here, who has it, what is being waited for."""
    subject = str(cid)
    dataset = await node.store.dataset(cid) if is_manifest(cid) else None
    holds = await _holds(node, cid, dataset)
    sentences = [_kind(cid), _here(holds, dataset)]
    fetch = node.fetches.of(cid)
    if fetch is not None:
        sentences.append(_fetch(fetch, node.clock.now()))
    if dataset is not None:
        sentences.append(_kept(dataset, node.clock.now()))
        if node.parts.caching is not None:
            sentences += node.parts.caching.explain(dataset)
        sentences.append(_announced(node, cid))
    sentences += _replicas(node, cid)
    sentences += orders_about(node.aggregation, subject)
    sentences += [f"{s[0].upper()}{s[1:]}." for s in node.parts.assembler.explain(cid)]
    state = node.exchange.explain(cid)
    if state is not None:
        sentences += _causes(state)
    providers = await _providers(node, cid) if holds != "complete" else []
    if holds != "complete":
        sentences.append(_network(node, providers))
    waits = node.waits.of(subject)
    sentences += [wait_in_words(wait) for wait in waits]
    timers = _timers(node, cid, dataset, state)
    if timers:
        sentences.append(f"Next: {timers[0].what}, in {format_duration(timers[0].in_seconds)}.")
    events = node.events.history(subject)[-LAST_EVENTS:]
    sentences += [f"{clock_time(e.at)} {e.message}." for e in events]
    return Why(
        cid=subject,
        holds=holds,
        sentences=sentences,
        providers=providers,
        missing_blocks=0 if state is None else state.missing_blocks,
        missing=[] if state is None else state.missing,
        peers=[] if state is None else [WhyPeer(**asdict(peer)) for peer in state.peers],
        timers=timers,
        waits=waits,
        events=[e.as_dict() for e in events],
    )


def _kind(cid: Cid) -> str:
    if is_manifest(cid):
        return f"{cid} names a dataset."
    if is_tree(cid):
        return f"{cid} names the tree of a dataset; download needs the manifest CID (zDv...)."
    if is_block(cid):
        return f"{cid} names a single block."
    return f"{cid} names nothing that this network stores."


async def _holds(node: Node, cid: Cid, dataset: Dataset | None) -> str:
    if dataset is not None:
        return "complete" if dataset.is_complete else "partial"
    if is_tree(cid):
        tree = node.store.tree(cid.digest)
        if tree is None or not tree.present:
            return "nothing"
        return "complete" if tree.present.covers(0, tree.leaf_count) else "partial"
    try:
        await node.store.read_block(cid)
    except BlockMissing:
        return "nothing"
    return "block"


def _here(holds: str, dataset: Dataset | None) -> str:
    if dataset is None:
        return {
            "nothing": "This node does not hold it.",
            "block": "This node holds it.",
        }.get(holds, f"This node holds it: {holds}.")
    manifest = dataset.manifest
    name = f" ({manifest.filename})" if manifest.filename else ""
    size = format_size(manifest.dataset_size)
    if dataset.is_complete:
        return f"This node holds all {dataset.block_count} blocks, {size}{name}."
    protected = " with parity" if manifest.is_protected else ""
    return (
        f"This node holds the manifest and {dataset.present_count} of"
        f" {dataset.block_count} blocks of {size}{protected}{name}."
    )


def _fetch(fetch: Fetch, now: float) -> str:
    since = format_duration(now - fetch.started_at)
    if fetch.error is not None:
        return f"The last fetch failed: {fetch.error.message}."
    if fetch.job is None or fetch.has_ended:
        return f"A fetch began {since} ago and is {fetch.state}."
    progress = fetch.job.progress()
    return (
        f"A fetch began {since} ago: {format_size(progress.verified_bytes)} of"
        f" {format_size(progress.total_bytes)} verified at"
        f" {format_rate(progress.rate_bytes_per_second)} from {len(progress.peers)} peers;"
        f" {progress.reason}."
    )


def _replicas(node: Node, cid: Cid) -> list[str]:
    """When this node keeps it at providers."""
    keeping = None if node.retail is None else node.retail.keeping
    upload = None if keeping is None else keeping.uploads.of_cid(cid)
    return [] if upload is None else upload_in_words(upload)


def _causes(state: Explanation) -> list[str]:
    """What is missing, and what each peer that was asked has to do with it."""
    sentences = []
    if state.missing_blocks and state.peers:
        ranges = ", ".join(f"{start} to {stop - 1}" for start, stop in state.missing)
        more = " and more" if sum(b - a for a, b in state.missing) < state.missing_blocks else ""
        sentences.append(f"{state.missing_blocks} blocks are missing: {ranges}{more}.")
    if state.nowhere_blocks and state.searches:
        sentences.append(
            f"No peer that answered has {state.nowhere_blocks} of them;"
            f" the network was searched {state.searches} times."
        )
    return sentences + [_peer(peer) for peer in state.peers]


def _peer(peer: AskedPeer) -> str:
    words = {
        "helps": "helps",
        "asking": "is being asked",
        "resting": "is left alone",
        "banned": "is banned",
        "useless": "does not help",
    }[peer.state]
    parts = [f"Peer {peer.peer} {words}"]
    if peer.state == "resting" and peer.next_in_seconds is not None:
        parts[0] += f" for another {format_duration(peer.next_in_seconds)}"
    if peer.asked_blocks:
        parts.append(f"it is to send {peer.asked_blocks} blocks now")
    if peer.received_bytes:
        parts.append(f"it sent {format_size(peer.received_bytes)}")
    if peer.last_answer and peer.answered_ago_seconds is not None:
        ago = format_duration(peer.answered_ago_seconds)
        parts.append(f"its last answer, {ago} ago: {peer.last_answer}")
    return "; ".join(parts) + "."


def _timers(
    node: Node, cid: Cid, dataset: Dataset | None, state: Explanation | None
) -> list[WhyTimer]:
    """What happens by itself to this CID, the next first."""
    now = node.clock.monotonic()
    timers = [] if state is None else [WhyTimer(t.what, t.in_seconds) for t in state.timers]
    if state is not None:
        timers += [
            WhyTimer(f"peer {p.peer} is asked again", p.next_in_seconds)
            for p in state.peers
            if p.next_in_seconds is not None
        ]
    for item in node.announcer.status().items:
        if item.cid == cid and item.next_at > now:
            timers.append(WhyTimer("it is announced again", item.next_at - now))
    if dataset is not None and dataset.roots:
        ends = [root.expires_at for root in dataset.roots if root.expires_at is not None]
        if len(ends) == len(dataset.roots):
            left = max(ends) - node.clock.now()
            timers.append(WhyTimer("nothing keeps it any more", max(0.0, left)))
    for wait in node.waits.of(str(cid)):
        left = float(str(wait["remainingSeconds"]))
        timers.append(WhyTimer(f"the wait ends at the latest: {wait['reason']}", left))
    return sorted(
        (WhyTimer(t.what, round(t.in_seconds, 3)) for t in timers), key=lambda t: t.in_seconds
    )


def _kept(dataset: Dataset, now: float) -> str:
    if not dataset.roots:
        return "Nothing keeps it: it goes with the next collection."
    reasons = []
    for root in dataset.roots:
        name = f" {root.name}" if root.name else ""
        if root.expires_at is None:
            reasons.append(f"{root.kind}{name} for ever")
        else:
            left = format_duration(max(0.0, root.expires_at - now))
            reasons.append(f"{root.kind}{name} for another {left}")
    return f"It is kept by {', '.join(reasons)}."


def _announced(node: Node, cid: Cid) -> str:
    for item in node.announcer.status().items:
        if item.cid == cid:
            if item.state == "published":
                return f"It is announced to the network: {item.peers} peers took the record."
            reason = f": {item.problem}" if item.problem else ""
            return f"It is to be announced to the network ({item.state}{reason})."
    return "It is not announced to the network."


async def _providers(node: Node, cid: Cid) -> list[str]:
    """Who says now to have it, asked for at most LOOKUP_SECONDS."""
    if not node.transport.connections():
        return []
    found: list[str] = []
    async for record in node.finder.find(cid, node.clock.monotonic() + LOOKUP_SECONDS):
        if record.peer != node.transport.peer_id and record.peer not in found:
            found.append(record.peer)
        if len(found) == MOST_PROVIDERS:
            break
    return found


def _network(node: Node, providers: list[str]) -> str:
    peers = len({c.peer for c in node.transport.connections()})
    if peers == 0:
        return "This node is connected to nobody, so it cannot ask for it; see quire peers."
    if not providers:
        return f"Nobody is known to have it; {peers} peers are connected."
    return f"{len(providers)} peers say that they have it: {', '.join(providers)}."


def wait_in_words(wait: dict[str, object]) -> str:
    waited, left = float(str(wait["waitedSeconds"])), float(str(wait["remainingSeconds"]))
    return (
        f"It waits: {wait['reason']} ({format_duration(waited)} so far,"
        f" {format_duration(left)} at most to go)."
    )


def clock_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")

"""The composition root: the only place that constructs adapters and joins them to the logic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from prometheus_client import CollectorRegistry

from quire.base.clock import SystemClock
from quire.base.errors import EnvironmentProblem, QuireError
from quire.base.events import EventBus
from quire.base.rng import system_rng
from quire.base.waits import Waits
from quire.net.blockexc import Ids
from quire.net.identity import Identity, load_or_create_key
from quire.net.known_peer import KnownPeer, parse_known_peer
from quire.net.libp2p import Libp2pTransport
from quire.net.nat import RelayLimits, nat_for_swarm
from quire.net.peerbook import PeerBook
from quire.net.transport import Transport
from quire.node.aggregation_join import aggregation_of
from quire.node.aggregation_settings import aggregator_settings, check_orders
from quire.node.chain_settings import check_account
from quire.node.config import NodeConfig
from quire.node.lag import LoopLag
from quire.node.logs import LogLevels, set_up_logs
from quire.node.metrics import register_metrics
from quire.node.node import Node
from quire.node.parts import Ground, PartSettings, join_parts
from quire.node.pointing import open_pointing, serve_pointing
from quire.node.profile import Profile, load_profile
from quire.node.proving import join_proving
from quire.node.retail import retail_of
from quire.node.retail_providing import provider_settings
from quire.node.tracing import Tracing, tracing_to
from quire.node.trading import open_trading
from quire.node.working import check_workers, workers_of
from quire.services.caching.terms import CacheSettings, CacheTerms
from quire.services.fsck import Fsck
from quire.services.maintenance import Maintenance
from quire.services.repair import Repairer
from quire.services.scrub import Scrub
from quire.store.files import DirectoryDisk
from quire.store.open import open_store
from quire.store.slot_files import SlotFiles
from quire.store.store import Store

DIRECTORY_MODE = 0o700


MakeTransport: TypeAlias = Callable[[NodeConfig, Profile, Identity, Ground], Transport]


async def build_node(
    config: NodeConfig,
    *,
    make_transport: MakeTransport | None = None,
    levels: LogLevels | None = None,
) -> Node:
    """A node that is wired but not started; its store is open and its key is loaded.

    Raises   BadConfig           the network profile does not exist or is not valid, a chain is
                                 wanted and no account is set, or replicas cannot be kept like that
             WrongChain, ChainUnreachable  the chain is another one, or does not answer
             EnvironmentProblem  data directory, key or lock are not fit
             StoreCorrupt        the store cannot be opened
    """
    profile = load_profile(config.profile)
    check_settings(config)
    clock = SystemClock()
    events = EventBus(clock)
    ground = Ground(clock, system_rng(), events, Waits(clock))
    if levels is None:
        levels = set_up_logs(config.log_level, config.log_format, clock, file=config.log_file)
    directory = prepare_directory(config.data_dir)
    identity = load_or_create_key(directory / config.net_privkey)
    transport = (make_transport or libp2p_transport)(config, profile, identity, ground)
    store = await open_store(
        directory / "store",
        quota_bytes=config.storage_quota,
        clock=clock,
        events=events,
        default_ttl=config.block_ttl or None,
    )
    node = None
    try:
        slot_files = SlotFiles(DirectoryDisk(prepare_directory(directory / "slots")), events)
        node = _join(config, profile, identity, ground, transport, store, slot_files, levels)
        await _open_business(node, ground)
        return node
    except QuireError:
        await (store.close() if node is None else node.abandon())
        raise


async def _open_business(node: Node, ground: Ground) -> None:
    """What the node trades, where it is told of a chain. Raises as `build_node`."""
    config, protocols = node.config, node.profile.protocols
    identity, parts = node.identity, node.parts
    node.pointing = await open_pointing(config, protocols, ground, parts)
    node.trading = trading = await open_trading(config, node.profile, ground, parts, node.proving)
    if trading is not None:
        node.retail = retail_of(
            config, protocols, identity, ground, parts, trading, node.pointing.pointers
        )
        node.aggregation = await aggregation_of(
            config,
            protocols,
            identity,
            ground,
            parts,
            node.proving,
            trading,
            node.retail,
            prepare_directory(config.data_dir / "streams"),
        )
    if node.retail is None or node.retail.provider is None:
        serve_pointing(node.pointing, protocols, ground, parts)


def check_settings(config: NodeConfig) -> None:
    """What is wrong with them is told before anything is opened. Raises BadConfig."""
    check_account(config)
    provider_settings(config)
    aggregator_settings(config)
    check_orders(config)
    check_workers(config)


def _join(
    config: NodeConfig,
    profile: Profile,
    identity: Identity,
    ground: Ground,
    transport: Transport,
    store: Store,
    slot_files: SlotFiles,
    levels: LogLevels,
) -> Node:
    """Join the parts; nothing runs yet."""
    settings = part_settings(config, profile)
    workers = workers_of(config, ground)
    parts = join_parts(ground, transport, store, slot_files, workers, settings)
    repairer = Repairer(store, parts.assembler, ground.clock, ground.events)
    registry = CollectorRegistry()
    node = Node(
        config=config,
        profile=profile,
        clock=ground.clock,
        events=ground.events,
        waits=ground.waits,
        identity=identity,
        parts=parts,
        store=store,
        transport=transport,
        finder=parts.finder,
        announcer=parts.announcer,
        exchange=parts.exchange,
        connector=parts.connector,
        uploads=parts.uploads,
        resumable=parts.resumable,
        downloads=parts.downloads,
        fetches=parts.fetches,
        protections=parts.protections,
        proving=join_proving(config, profile, ground, parts),
        announcing=parts.announcing,
        maintenance=Maintenance(
            store,
            ground.clock,
            ground.events,
            interval_seconds=config.block_mi,
            batch=config.block_mn,
        ),
        scrub=Scrub(store, repairer, ground.clock, ground.events, rate_bytes=config.scrub_rate),
        fsck=Fsck(store, repairer, ground.clock, ground.events, slot_files),
        registry=registry,
        lag=LoopLag(registry),
        levels=levels,
        started_at=ground.clock.now(),
        tracing=_tracing(config, profile, identity),
    )
    node.scrub.is_busy = node.is_busy
    register_metrics(registry, node)
    return node


def part_settings(config: NodeConfig, profile: Profile) -> PartSettings:
    """What the parts are told of settings and profile. Raises `BadConfig`."""
    return PartSettings(
        exchange_protocol=profile.protocols.exchange,
        blockexc=blockexc_ids(profile),
        fetch_idle_seconds=config.fetch_idle_timeout,
        keep_seconds=config.block_ttl or None,
        drops_computed=config.drop_computed,
        upload_lifetime_seconds=config.upload_expiry,
        caching=cache_settings(config),
        book=PeerBook(config.data_dir / "peers.json"),
        bootstrap=bootstrap_peers(config, profile),
    )


def cache_settings(config: NodeConfig) -> CacheSettings | None:
    """None where nothing is asked, nothing is paid and nothing is limited."""
    if not (config.cache_price or config.cache_max_price or config.cache_limit):
        return None
    terms = CacheTerms(
        config.cache_price,
        config.cache_free_bytes,
        config.cache_max_price,
        config.cache_budget,
    )
    return CacheSettings(terms, config.cache_limit)


def blockexc_ids(profile: Profile) -> Ids | None:
    """How nodes of the reference and its forks are spoken with; None when the profile has none."""
    protocols = profile.protocols
    return Ids(protocols.blockexc, frozenset(protocols.trimmed)) if protocols.blockexc else None


def _tracing(config: NodeConfig, profile: Profile, identity: Identity) -> Tracing | None:
    if not config.otlp_endpoint:
        return None
    return tracing_to(config.otlp_endpoint, brand=profile.brand, peer_id=identity.peer_id)


def bootstrap_peers(config: NodeConfig, profile: Profile) -> list[KnownPeer]:
    """The first peers, from settings and profile. Raises `BadConfig`."""
    texts = [*config.bootstrap, *(() if config.no_profile_bootstrap else profile.bootstrap)]
    return [parse_known_peer(text) for text in texts]


def libp2p_transport(
    config: NodeConfig, profile: Profile, identity: Identity, ground: Ground
) -> Transport:
    """The real network."""
    mode, _, address = str(config.nat).partition(":")
    return Libp2pTransport(
        identity,
        listen=list(config.listen),
        agent=config.agent_string or profile.agent,
        kad_protocol=profile.protocols.kad,
        mdns=config.mdns,
        ping=profile.ping,
        max_connections=config.max_peers,
        nat=nat_for_swarm(mode, address, config.listen),
        relay=relay_limits(config),
        clock=ground.clock,
        events=ground.events,
    )


def relay_limits(config: NodeConfig) -> RelayLimits | None:
    """What this node gives as a relay; None when it is none."""
    if not config.relay_server:
        return None
    return RelayLimits(
        config.relay_reservations,
        config.relay_circuits,
        config.relay_circuit_bytes,
        config.relay_circuit_time,
    )


def prepare_directory(path: Path) -> Path:
    """Make the data directory if needed, readable by its owner only."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
        if path.stat().st_mode & 0o077:
            path.chmod(DIRECTORY_MODE)
    except OSError as error:
        raise EnvironmentProblem(
            f"data directory {path} cannot be used: {error.strerror}; choose another --data-dir"
        ) from None
    return path

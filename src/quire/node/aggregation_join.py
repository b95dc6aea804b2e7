"""Joins the parts of a node that order of aggregators and work for others, as the settings say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quire.base.errors import BadConfig
from quire.formats.aggregator_codes import Service
from quire.net.identity import Identity
from quire.net.known_peer import KnownPeer, parse_peer
from quire.node.aggregating import NO_BONDS, join_aggregating, services_here, with_services
from quire.node.aggregation import Aggregation
from quire.node.aggregation_settings import aggregator_settings, refuse_without_hub, via_of
from quire.node.aggregation_tally import Tally
from quire.node.config import NodeConfig
from quire.node.parts import Ground, Parts
from quire.node.profile import Protocols
from quire.node.proving import Proving
from quire.node.remote_proving import RemoteProving
from quire.node.retail import Retail, RetailPorts
from quire.node.trading import Trading
from quire.services.ordering.affordable import Affordable
from quire.services.ordering.aggregator_client import AggregatorClient
from quire.services.ordering.aggregators import AggregatorPorts as ChoicePorts
from quire.services.ordering.aggregators import Aggregators
from quire.services.ordering.delegation import Delegation, DelegationPorts
from quire.services.ordering.encoding import Encoding, EncodingPorts
from quire.services.ordering.encoding_runs import EncodingRuns
from quire.services.ordering.orders import Orders
from quire.services.ordering.ports import OrderPorts
from quire.services.ordering.remote_prover import RemoteProver
from quire.services.paying.payer import place_of
from quire.services.purchasing import Purchases

NO_HOST = (
    "the setting submit-via is of hosts, and this node does not sell: it has no key to prove with, "
    "and nobody proves for it (--prove-via)"
)


async def aggregation_of(
    config: NodeConfig,
    protocols: Protocols,
    identity: Identity,
    ground: Ground,
    parts: Parts,
    proving: Proving,
    trading: Trading,
    retail: Retail | None,
    scratch: Path,
) -> Aggregation | None:
    """What the settings say; None where the chain has no hub. Before the transport starts.

    scratch  where is kept what is needed of datasets that stream by, while they do
    Raises   BadConfig  what is wanted cannot be done here, in words
             BadKey     the proving key is not the contract's
    """
    settings = aggregator_settings(config)
    if retail is None or trading.chain is None:
        refuse_without_hub(config)
        return None
    sign = trading.chain.sender.wallet.sign_digest
    ports = RetailPorts(retail.hub, trading.journal, sign, parts.transport, protocols)
    listed = [parse_peer(text) for text in config.aggregators]
    aggregation = join_ordering(
        ports, retail, trading.purchases, identity, ground, parts, scratch, listed
    )
    aggregation.bonds = trading.chain.bonds
    if trading.remote is not None:
        aggregation.prover = join_proving_elsewhere(
            trading.remote, config, aggregation, ground, parts
        )
    if settings is not None:
        able = await services_here(trading, proving, sign, ground, parts)
        settings = with_services(settings, able.problems)
        aggregation.serve(
            join_aggregating(ports, retail, settings, able, identity, ground, parts), ports
        )
        if Service.SUBMIT in settings.services:
            aggregation.submitting = able.submitting
    if config.submit_via:
        aggregation.delegation = join_delegation(config, trading, aggregation, ground)
    return aggregation


def join_proving_elsewhere(
    remote: RemoteProving,
    config: NodeConfig,
    aggregation: Aggregation,
    ground: Ground,
    parts: Parts,
) -> RemoteProver:
    """Proofs of slots are ordered of aggregators. Raises BadConfig."""
    hub = aggregation.retail.hub
    via = via_of(config.prove_via, "the setting prove-via")
    peers = () if via is None else via.peers
    choice = Affordable(aggregation.aggregators, config.prove_max_price)
    return remote.join(aggregation.orders, choice, hub, peers, ground, parts)


def join_delegation(
    config: NodeConfig, trading: Trading, aggregation: Aggregation, ground: Ground
) -> Delegation:
    """Aggregators bring this host's proofs into the chain. Raises BadConfig."""
    via = via_of(config.submit_via, "the setting submit-via")
    if aggregation.bonds is None or trading.feed is None:
        raise BadConfig(f"the setting submit-via cannot be followed: {NO_BONDS}")
    if trading.prover is None:
        raise BadConfig(NO_HOST)
    ports = DelegationPorts(
        market=trading.market,
        bonds=aggregation.bonds,
        feed=trading.feed,
        orders=aggregation.orders,
        choice=Affordable(aggregation.aggregators, config.submit_max_price),
        rng=ground.rng,
        events=ground.events,
    )
    delegation = Delegation(ports, () if via is None else via.peers)
    trading.prover.give_to(delegation)
    return delegation


def join_ordering(
    ports: RetailPorts,
    retail: Retail,
    purchases: Purchases,
    identity: Identity,
    ground: Ground,
    parts: Parts,
    scratch: Path,
    listed: Sequence[KnownPeer] = (),
) -> Aggregation:
    """What every node with a hub has: it orders. Nothing runs yet."""
    clock, events, waits = ground.clock, ground.events, ground.waits
    client = AggregatorClient(retail.requests, ports.protocols.aggregator, clock)
    choice = ChoicePorts(
        own_peer=identity.peer_id,
        finder=parts.finder,
        client=client,
        domain=ports.hub.domain,
        chain=ports.hub.clock,
        journal=ports.journal,
        clock=clock,
        events=events,
        waits=waits,
    )
    aggregators = Aggregators(choice, listed=listed)
    orders = Orders(
        OrderPorts(
            client=client,
            choice=aggregators,
            payments=retail.payments,
            journal=ports.journal,
            chain=ports.hub.clock,
            clock=clock,
            events=events,
            waits=waits,
            place=place_of(ports.hub),
        )
    )
    encoding = _encoding(ports, orders, client, aggregators, ground, parts, scratch)
    runs = EncodingRuns(encoding, orders, ground.rng)
    tally = Tally(clock)
    orders.listen(tally.order_changed)
    events.listen(tally.heard)
    return Aggregation(
        retail, purchases, aggregators, orders, encoding, runs, tally, [], parts.announcer.announce
    )


def _encoding(
    ports: RetailPorts,
    orders: Orders,
    client: AggregatorClient,
    choice: Aggregators,
    ground: Ground,
    parts: Parts,
    scratch: Path,
) -> Encoding:
    hub = ports.hub
    stands_on = EncodingPorts(
        orders=orders,
        client=client,
        choice=choice,
        store=parts.store,
        fetches=parts.fetches,
        exchange=parts.exchange,
        domain=hub.domain,
        account=hub.account,
        chain=hub.clock,
        clock=ground.clock,
        rng=ground.rng,
        events=ground.events,
        scratch=scratch,
    )
    return Encoding(stands_on)

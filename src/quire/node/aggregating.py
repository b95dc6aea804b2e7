"""What a node has that codes, proves and submits for others: its services, as far as it can offer
them, joined to the aggregator that takes the jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quire.base.errors import BadConfig
from quire.formats.aggregator_codes import Service
from quire.net.identity import Identity
from quire.node.means import why_no_key
from quire.node.parts import Ground, Parts
from quire.node.proving import Proving
from quire.node.retail import Retail, RetailPorts
from quire.node.trading import Trading
from quire.services.aggregating.aggregator import Aggregator
from quire.services.aggregating.coded_lists import CodedLists
from quire.services.aggregating.coding import Coding, CodingPorts
from quire.services.aggregating.doer import Doer
from quire.services.aggregating.ports import AggregatorPorts
from quire.services.aggregating.proving import Proving as ProvingForOthers
from quire.services.aggregating.pushed import Pushed
from quire.services.aggregating.settings import AggregatorSettings
from quire.services.market_key import key_for_market


def join_aggregating(
    ports: RetailPorts,
    retail: Retail,
    settings: AggregatorSettings,
    more: Mapping[Service, Doer],
    identity: Identity,
    ground: Ground,
    parts: Parts,
) -> Aggregator:
    """Nothing runs yet.

    settings   with the services that are offered
    more       doers of the services besides ENCODE that this node can do
    """
    clock, events = ground.clock, ground.events
    pushed = Pushed(parts.store, clock, events)
    coding = Coding(
        CodingPorts(
            store=parts.store,
            fetches=parts.fetches,
            protections=parts.protections,
            lists=CodedLists(parts.store, parts.slot_files),
            pushed=pushed,
            hub=ports.hub,
            sign=ports.sign,
            clock=clock,
        )
    )
    able: dict[Service, Doer] = {Service.ENCODE: coding, **more}
    stands_on = AggregatorPorts(
        journal=ports.journal,
        hub=ports.hub,
        income=retail.income,
        identity=identity,
        sign=ports.sign,
        clock=clock,
        events=events,
        waits=ground.waits,
    )
    doers = {service: able[service] for service in settings.services}
    return Aggregator(stands_on, settings, doers, pushed)


async def services_here(
    trading: Trading, proving: Proving, ground: Ground, parts: Parts
) -> tuple[dict[Service, Doer], dict[Service, str]]:
    """Of the services besides ENCODE: what does those that this node can do, and why it cannot do
    the others. Raises BadKey."""
    able: dict[Service, Doer] = {}
    problems: dict[Service, str] = {}
    reason = why_no_key(proving, proving.circuits.parameters(None))
    if reason:
        problems[Service.PROVE] = reason
    else:
        terms = trading.market.terms
        circuit = await key_for_market(proving.circuits, proving.circuits.parameters(None), terms)
        able[Service.PROVE] = ProvingForOthers(
            circuit, parts.workers, trading.market.clock, ground.clock, ground.waits
        )
    problems[Service.SUBMIT] = "not yet"
    return able, problems


def with_services(
    settings: AggregatorSettings, problems: Mapping[Service, str]
) -> AggregatorSettings:
    """The services that are offered: those named, or without any all that this node can do.

    problems   why it cannot do a service, in words
    Raises     BadConfig  one that is named cannot be done here
    """
    for service in settings.services:
        if problem := problems.get(service):
            raise BadConfig(f"the aggregator cannot offer {service.name.lower()}: {problem}")
    services = settings.services or tuple(each for each in Service if each not in problems)
    return replace(settings, services=services)

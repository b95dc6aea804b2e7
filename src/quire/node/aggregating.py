"""What a node has that codes, proves and submits for others: its services, as far as it can offer
them, joined to the aggregator that takes the jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from quire.aggregation.job import Job
from quire.base.errors import BadConfig
from quire.chain.abi import address_text
from quire.formats.aggregator_codes import Service
from quire.kernels.groth16 import verify_batch
from quire.market.submit_policy import may_batch
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
from quire.services.aggregating.proof_checks import ProofChecks
from quire.services.aggregating.proving import Proving as ProvingForOthers
from quire.services.aggregating.pushed import Pushed
from quire.services.aggregating.settings import AggregatorSettings
from quire.services.aggregating.submitting import Submitting, SubmittingPorts
from quire.services.circuit_files import NoCircuit
from quire.services.market_key import key_for_market, verifying_key_for_market

Sign: TypeAlias = Callable[[bytes], bytes]

NO_BONDS = (
    "no contract of submission bonds is known for this chain; give its address: --bonds-address"
)


@dataclass(slots=True)
class Able:
    """What a node can do for others besides coding. `problems`: why it cannot do the rest, in
    words; `aggregator`: set when it is joined."""

    doers: dict[Service, Doer]
    problems: dict[Service, str]
    submitting: Submitting | None = None
    aggregator: Aggregator | None = None

    def jobs(self) -> Iterable[Job]:
        """All that are remembered."""
        return () if self.aggregator is None else self.aggregator.jobs


def join_aggregating(
    ports: RetailPorts,
    retail: Retail,
    settings: AggregatorSettings,
    more: Able,
    identity: Identity,
    ground: Ground,
    parts: Parts,
) -> Aggregator:
    """Nothing runs yet.

    settings   with the services that are offered
    more       what this node can do besides ENCODE
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
    able: dict[Service, Doer] = {Service.ENCODE: coding, **more.doers}
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
    more.aggregator = Aggregator(stands_on, settings, doers, pushed)
    return more.aggregator


async def services_here(
    trading: Trading, proving: Proving, sign: Sign, ground: Ground, parts: Parts
) -> Able:
    """Of the services besides ENCODE: those that this node can do, and why it cannot do the others.

    Raises   BadKey  the circuit's key is not the contract's
    """
    able = Able({}, {})
    reason = why_no_key(proving, proving.circuits.parameters(None))
    if reason:
        able.problems[Service.PROVE] = reason
    else:
        terms = trading.market.terms
        circuit = await key_for_market(proving.circuits, proving.circuits.parameters(None), terms)
        able.doers[Service.PROVE] = ProvingForOthers(
            circuit, parts.workers, trading.market.clock, ground.clock, ground.waits
        )
    await _submitting(able, trading, proving, sign, ground)
    return able


async def _submitting(
    able: Able, trading: Trading, proving: Proving, sign: Sign, ground: Ground
) -> None:
    """SUBMIT, or why not."""
    market, bonds = trading.market, None if trading.chain is None else trading.chain.bonds
    if bonds is None or trading.feed is None:
        able.problems[Service.SUBMIT] = NO_BONDS
        return
    if not may_batch(market.terms):
        able.problems[Service.SUBMIT] = "the contract takes proofs of a slot's host only"
        return
    if not await market.gas_balance():
        account = address_text(market.account)
        able.problems[Service.SUBMIT] = f"the account {account} has nothing to pay for gas"
        return
    try:
        key = await verifying_key_for_market(
            proving.circuits, proving.circuits.parameters(None), market.terms
        )
    except NoCircuit as error:
        able.problems[Service.SUBMIT] = error.message
        return
    able.submitting = Submitting(
        SubmittingPorts(
            market=market,
            bonds=bonds,
            feed=trading.feed,
            checks=ProofChecks(partial(verify_batch, key), ground.rng),
            sign=sign,
            jobs=able.jobs,
            clock=ground.clock,
            events=ground.events,
            waits=ground.waits,
        )
    )
    able.doers[Service.SUBMIT] = able.submitting


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

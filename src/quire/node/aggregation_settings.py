"""What a node does for others as an aggregator, and what it orders of them, as the settings say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quire.aggregation.stripes import check_confidence
from quire.base.errors import BadConfig, InputError
from quire.formats.aggregator_codes import Service
from quire.net.known_peer import parse_peer
from quire.node.chain_settings import wants_chain
from quire.node.config import NodeConfig
from quire.services.aggregating.settings import AggregatorSettings

AUTO = "auto"
SERVICES = tuple(service.name.lower() for service in Service)
NO_CHAIN = (
    "the setting aggregator works for pay, which needs a chain: give --eth-provider and the "
    "account's key"
)
NO_HUB = (
    "the setting aggregator needs a hub of payment channels, and none is known for this chain; "
    "give its address: --hub-address"
)
NO_HUB_TO_PAY = (
    "the setting {} orders of aggregators, who are paid through a hub of payment channels, and "
    "none is known; give a chain (--eth-provider) and the hub's address (--hub-address)"
)


@dataclass(frozen=True, slots=True)
class Via:
    """Who is asked: these peers; everybody who is found where there are none."""

    peers: tuple[str, ...] = ()


def aggregator_settings(config: NodeConfig) -> AggregatorSettings | None:
    """None where the node is no aggregator. Raises BadConfig."""
    if not config.aggregator:
        return None
    if not wants_chain(config):
        raise BadConfig(NO_CHAIN)
    if config.aggregator_first_share > 100:
        raise BadConfig(
            f"the setting aggregator-first-share is a percentage: {config.aggregator_first_share} "
            "is more than 100"
        )
    return AggregatorSettings(
        services=services_of(config.aggregator_services),
        encode_price=config.aggregator_encode_price,
        first_percent=config.aggregator_first_share,
        prove_price=config.aggregator_prove_price,
        submit_price=config.aggregator_submit_price,
        bond=config.aggregator_bond,
        max_bytes=config.aggregator_max_size,
        jobs=config.aggregator_jobs,
    )


def services_of(names: Sequence[str]) -> tuple[Service, ...]:
    """Those named; none: all that the node can do. Raises BadConfig."""
    wrong = [name for name in names if name not in SERVICES]
    if wrong:
        raise BadConfig(
            f"the setting aggregator-services names {wrong[0][:40]!r}; there are "
            f"{', '.join(SERVICES)}"
        )
    return tuple(Service[name.upper()] for name in dict.fromkeys(names))


def via_of(texts: Sequence[str], what: str) -> Via | None:
    """`auto`, or peers as ids or addresses; None where nothing is said. `what`: named when it is
    neither. Raises BadConfig."""
    if not texts:
        return None
    if AUTO in texts:
        if len(texts) > 1:
            raise BadConfig(f"{what} is auto, which is everybody, or names peers; not both")
        return Via()
    for text in texts:
        try:
            parse_peer(text)
        except BadConfig as error:
            raise BadConfig(f"{what}: {error.message}") from None
    return Via(tuple(texts))


def check_orders(config: NodeConfig) -> None:
    """That what is said about aggregators is right, and they can be paid. Raises BadConfig."""
    for text in config.aggregators:
        parse_peer(text)
    try:
        check_confidence(config.check_confidence)
    except InputError as error:
        raise BadConfig(f"the setting check-confidence: {error.message}") from None
    for name, texts in (("prove-via", config.prove_via), ("submit-via", config.submit_via)):
        if via_of(texts, f"the setting {name}") is not None and not wants_chain(config):
            raise BadConfig(NO_HUB_TO_PAY.format(name))


def refuse_without_hub(config: NodeConfig) -> None:
    """Raises BadConfig when something is wanted that needs a hub."""
    if config.aggregator:
        raise BadConfig(NO_HUB)
    for name, texts in (("prove-via", config.prove_via), ("submit-via", config.submit_via)):
        if texts:
            raise BadConfig(NO_HUB_TO_PAY.format(name))

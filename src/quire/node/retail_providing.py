"""The terms of a provider of sealed replicas, as the settings have them."""

from __future__ import annotations

from quire.base.errors import BadConfig
from quire.node.chain_settings import wants_chain
from quire.node.config import NodeConfig
from quire.point.offer import MAX_OPERATOR_BYTES
from quire.services.providing.settings import ProviderSettings

NO_CHAIN = (
    "the setting provider keeps replicas for pay, which needs a chain: give --eth-provider and the "
    "account's key"
)
NO_HUB = (
    "the setting provider needs a hub of payment channels, and none is known for this chain; give "
    "its address: --hub-address"
)


def provider_settings(config: NodeConfig) -> ProviderSettings | None:
    """None where the node keeps no replicas. Raises BadConfig."""
    if not config.provider:
        return None
    if not wants_chain(config):
        raise BadConfig(NO_CHAIN)
    operator = (config.operator or "").encode()
    if len(operator) > MAX_OPERATOR_BYTES:
        raise BadConfig(
            f"the setting operator has {len(operator)} bytes, at most {MAX_OPERATOR_BYTES}"
        )
    if config.retail_term < 1:
        raise BadConfig("the setting retail-term is the longest term of a replica: at least 1 s")
    return ProviderSettings(
        price_byte_second=config.retail_price,
        price_get_byte=config.retail_get_price,
        fee_put_byte=config.retail_put_price,
        space_bytes=config.retail_space,
        max_seconds=int(config.retail_term),
        credit_bytes=config.retail_credit,
        operator=operator,
    )

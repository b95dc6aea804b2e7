"""The terms of a provider of sealed replicas, as the settings have them."""

from __future__ import annotations

from quire.base.errors import BadConfig
from quire.node.config import NodeConfig
from quire.point.offer import MAX_OPERATOR_BYTES
from quire.services.providing.settings import ProviderSettings


def provider_settings(config: NodeConfig) -> ProviderSettings | None:
    """None where the node keeps no replicas. Raises BadConfig."""
    if not config.provider:
        return None
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

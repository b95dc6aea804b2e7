"""Provider choice as the settings have it."""

from __future__ import annotations

from pathlib import Path

from quire.base.errors import BadConfig
from quire.chain.hub import Hub
from quire.kernels.cipher import hkdf_expand, hkdf_extract
from quire.net.discovery import Finder
from quire.net.identity import Identity
from quire.net.known_peer import parse_known_peer
from quire.net.requests import Requests
from quire.net.transport import Transport
from quire.node.config import NodeConfig
from quire.node.parts import Ground
from quire.point.asn_table import AsnTable, parse_asn_table
from quire.services.retail.offer_client import OfferClient
from quire.services.retail.provider_search import ProviderPorts
from quire.services.retail.providers import Providers
from quire.services.retail.replica_client import ReplicaClient
from quire.store.journal import Journal


def choice_of(
    config: NodeConfig,
    protocol: str,
    identity: Identity,
    ground: Ground,
    transport: Transport,
    finder: Finder,
    requests: Requests,
    hub: Hub,
    journal: Journal,
) -> Providers:
    """Nothing runs yet. `protocol`: of sealed replicas.

    Raises   BadConfig  a provider of the list, or the table of autonomous systems
    """
    client = ReplicaClient(requests, protocol, ground.clock)
    ports = ProviderPorts(
        transport=transport,
        finder=finder,
        ask_offer=OfferClient(client, ground.clock).ask,
        domain=hub.domain,
        chain=hub.clock,
        journal=journal,
        clock=ground.clock,
        events=ground.events,
        waits=ground.waits,
    )
    table = None if config.asn_table is None else read_asn_table(config.asn_table)
    return Providers(
        ports,
        selection_secret(identity),
        listed=[parse_known_peer(text) for text in config.providers],
        asns_of=None if table is None else table.asns_of,
    )


def selection_secret(identity: Identity) -> bytes:
    """What draws of this node depend on, 32 bytes: the same at each start, known to nobody else."""
    return hkdf_expand(hkdf_extract(b"quire-choice/1", identity.private_key), b"selection")


def read_asn_table(path: Path) -> AsnTable:
    """Raises BadConfig."""
    try:
        text = path.expanduser().read_text("utf-8", "replace")
    except OSError as error:
        raise BadConfig(
            f"the table of autonomous systems {path} cannot be read: {error.strerror}"
        ) from None
    return parse_asn_table(text)

"""What a host proves with, compared with the contract once: its own key, or aggregators."""

from __future__ import annotations

from quire.chain.terms import Terms
from quire.dataset.circuit import CircuitParameters
from quire.flow.prove import AnyProver
from quire.node.parts import Ground, Parts
from quire.node.proving import Proving
from quire.node.remote_proving import RemoteProving
from quire.services.circuit_files import NOTE, VERIFYING_KEY, NoCircuit
from quire.services.market_key import key_for_market, verifying_key_for_market
from quire.services.proof_maker import ProvingMeans


async def open_means(
    proving: Proving, ground: Ground, parts: Parts, terms: Terms, remote: RemoteProving | None
) -> ProvingMeans | None:
    """Aggregators where there are some to prove for this node, else its key; None without one.

    Raises   BadKey  it is not the contract's
    """
    if remote is not None:
        return ProvingMeans(proving.proofs, remote.get, parts.store.dataset)
    parameters = proving.circuits.parameters(None)
    reason = why_no_key(proving, parameters)
    if reason:
        ground.events.publish("market.buys-only", "", f"this node does not sell: {reason}")
        return None
    circuit = await key_for_market(proving.circuits, parameters, terms)

    async def prover() -> AnyProver:
        return circuit

    return ProvingMeans(proving.proofs, prover, parts.store.dataset)


async def open_remote(proving: Proving, terms: Terms) -> RemoteProving:
    """What the proofs that others make are verified with; and the own key, where there is one.

    Raises   NoCircuit  there is no verifying key here
             BadKey     it is not the contract's
    """
    circuits = proving.circuits
    parameters = circuits.parameters(None)
    if not why_no_key(proving, parameters):
        own = await key_for_market(circuits, parameters, terms)
        return RemoteProving(parameters, own.verifying_key, own)
    try:
        key = await verifying_key_for_market(circuits, parameters, terms)
    except NoCircuit:
        raise NoCircuit(
            f"whoever has others prove (prove-via) verifies their proofs, and there is no "
            f"verifying key for circuit {parameters.id} in {circuits.places.directory}: put the "
            f"network's {VERIFYING_KEY} and {NOTE} into the directory {parameters.id} there"
        ) from None
    return RemoteProving(parameters, key)


def why_no_key(proving: Proving, parameters: CircuitParameters) -> str:
    """Empty when there is a key to prove with, right or wrong."""
    places = proving.circuits.places
    if places.has_no_key:
        return "it was started with circom-no-zkey"
    if places.find(parameters).zkey is None:
        return f"there is no proving key for circuit {parameters.id} in {places.directory}"
    return ""

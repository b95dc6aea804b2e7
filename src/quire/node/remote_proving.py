"""A host whose proofs are made by aggregators: what it verifies them with, and who orders them.

open_trading: verifying key, compared with the contract ─► it may sell
aggregation (built later): orders, choice ─► the prover is there
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from quire.base.errors import Busy
from quire.chain.hub import Hub
from quire.dataset.circuit import CircuitParameters
from quire.flow.prove import AnyProver
from quire.formats.aggregator_codes import Service
from quire.kernels.groth16 import VerifyingKey, verify
from quire.node.parts import Ground, Parts
from quire.services.circuits import LoadedCircuit, hash_of
from quire.services.ordering.orders import Orders
from quire.services.ordering.ports import Choice
from quire.services.ordering.proof_orders import ProofOrders
from quire.services.ordering.remote_prover import (
    OwnProver,
    RemotePorts,
    RemoteProver,
)


@dataclass(slots=True)
class RemoteProving:
    """`own`: the circuit with its proving key, where the node has one. `prover` is there when
    orders can be made."""

    parameters: CircuitParameters
    key: VerifyingKey
    own: LoadedCircuit | None = None
    prover: RemoteProver | None = None

    async def get(self) -> AnyProver:
        """Raises Busy while the node starts."""
        if self.prover is None:
            raise Busy("the node is starting; proofs can be ordered in a moment")
        return self.prover

    def join(
        self,
        orders: Orders,
        choice: Choice,
        hub: Hub,
        via: Sequence[str],
        ground: Ground,
        parts: Parts,
    ) -> RemoteProver:
        """Order proofs, paid through this hub, once the prover is started; of the peers in `via`
        alone, if there are any. To be called before the orders start."""
        check = partial(verify, self.key)
        handler = ProofOrders(
            hash_of(self.key), check, hub.clock, ground.clock, ground.waits, others=orders.all
        )
        orders.handle(Service.PROVE, handler)
        ports = RemotePorts(
            orders=orders,
            choice=choice,
            account=hub.account,
            chain=hub.clock,
            clock=ground.clock,
            events=ground.events,
            rng=ground.rng,
        )
        own = None if self.own is None else OwnProver(self.own, parts.workers)
        self.prover = RemoteProver(ports, self.parameters, handler, via, own)
        return self.prover

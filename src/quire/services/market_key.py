"""The circuit and key with which proofs are made that a market's contract takes.

Source   market.md 1.6 (zkeyHash), 2.8; proofs.md 5.3
"""

from __future__ import annotations

import asyncio
from functools import partial

from quire.base.errors import BadKey
from quire.chain.terms import Terms
from quire.dataset.circuit import CircuitParameters
from quire.services.circuit_files import file_hash
from quire.services.circuits import Circuits, LoadedCircuit


async def key_for_market(
    circuits: Circuits, parameters: CircuitParameters, terms: Terms
) -> LoadedCircuit:
    """Open a circuit of this node and compare it with what the contract was set up with: the number
    of public inputs, and the key's hash (SHA-256 of the .zkey, or of the verifying key's words; a
    contract without a hash is not compared).

    Raises   NoCircuit, BadKey, Refused
    """
    circuit = await circuits.prover(parameters)  # who has none may buy at any contract
    inputs = parameters.public_count
    if inputs != terms.proof_inputs:
        raise BadKey(
            f"the contract {_text(terms.contract)} verifies proofs with {terms.proof_inputs} "
            f"public inputs; circuit {parameters.id} has {inputs}: set the network's circuit"
        )
    wanted = terms.zkey_hash.lower().removeprefix("0x")
    if not wanted or wanted == circuit.key_hash.hex():
        return circuit
    assert circuit.files.zkey is not None  # it was opened
    loop = asyncio.get_running_loop()
    found = (await loop.run_in_executor(None, partial(file_hash, circuit.files.zkey))).hex()
    if wanted != found:
        raise BadKey(
            f"the contract {_text(terms.contract)} takes proofs of the key {wanted}; the key "
            f"{circuit.files.zkey} is {found}: every proof of it would be refused and cost "
            "collateral; get the network's key"
        )
    return circuit


def _text(address: bytes) -> str:
    return "0x" + address.hex()

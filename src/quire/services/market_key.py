"""The circuit and key with which proofs are made, or verified, that a market's contract takes.

Source   market.md 1.6 (zkeyHash), 2.8; proofs.md 5.3
"""

from __future__ import annotations

import asyncio

from quire.base.errors import BadKey
from quire.chain.terms import Terms
from quire.dataset.circuit import CircuitParameters
from quire.kernels.groth16 import VerifyingKey
from quire.services.circuit_files import CircuitFiles, file_hash
from quire.services.circuits import Circuits, LoadedCircuit, hash_of


async def key_for_market(
    circuits: Circuits, parameters: CircuitParameters, terms: Terms
) -> LoadedCircuit:
    """Open a circuit of this node and compare it with what the contract was set up with: the number
    of public inputs, and the key's hash (SHA-256 of the .zkey, or of the verifying key's words; a
    contract without a hash is not compared).

    Raises   NoCircuit, BadKey, Refused
    """
    circuit = await circuits.prover(parameters)  # who has none may buy at any contract
    await _check(circuit.files, circuit.verifying_key, terms)
    return circuit


async def verifying_key_for_market(
    circuits: Circuits, parameters: CircuitParameters, terms: Terms
) -> VerifyingKey:
    """The same for a node whose proofs are made by others. Without the .zkey, its hash is what
    `circuit.json` beside the verifying key says.

    Raises   NoCircuit, BadKey
    """
    key = await circuits.verifying_key(parameters)
    files = circuits.places.find(parameters)
    if key.public_count != parameters.public_count:
        raise BadKey(
            f"the verifying key of circuit {parameters.id} has {key.public_count} public inputs, "
            f"the circuit {parameters.public_count}: it is another's"
        )
    published = circuits.places.published(parameters)
    if published is not None and (found := await _zkey_hash(files)) != published:
        raise BadKey(
            f"the key of circuit {parameters.id} is not the one that the network publishes: "
            f"{_said(found)}, published is {published.hex()}; get the network's key"
        )
    await _check(files, key, terms)
    return key


async def _check(files: CircuitFiles, key: VerifyingKey, terms: Terms) -> None:
    """Raises BadKey."""
    parameters, contract = files.parameters, "0x" + terms.contract.hex()
    inputs = parameters.public_count
    if inputs != terms.proof_inputs:
        raise BadKey(
            f"the contract {contract} verifies proofs with {terms.proof_inputs} "
            f"public inputs; circuit {parameters.id} has {inputs}: set the network's circuit"
        )
    wanted = terms.zkey_hash.lower().removeprefix("0x")
    if not wanted or wanted == hash_of(key).hex():
        return
    found = await _zkey_hash(files)
    if found is None or found.hex() != wanted:
        raise BadKey(
            f"the contract {contract} takes proofs of the key {wanted}; of the key for circuit "
            f"{parameters.id} here {_said(found)}: every proof of it would be refused and cost "
            "collateral; get the network's key"
        )


async def _zkey_hash(files: CircuitFiles) -> bytes | None:
    """SHA-256 of the proving key; None where nothing says which one belongs to a verifying key."""
    if files.zkey is not None:
        return await asyncio.get_running_loop().run_in_executor(None, file_hash, files.zkey)
    return None if files.note is None else files.note.key_hash


def _said(found: bytes | None) -> str:
    return "nothing says the hash" if found is None else f"the hash is {found.hex()}"

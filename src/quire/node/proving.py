"""What a node proves with: its circuits and keys, and the queue of its proofs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quire.base.errors import BadConfig, InputError
from quire.dataset.circuit import OFFICIAL, CircuitParameters
from quire.flow.prove import ProvePorts
from quire.node.config import NodeConfig
from quire.node.parts import Ground, Parts
from quire.node.profile import Profile, circuit_of
from quire.services.circuit_files import CircuitPlaces
from quire.services.circuits import Circuits
from quire.services.prover import Proofs

OUTSIDE_AT_ONCE = 8  # proofs that others make for this node; of more, one aggregator takes none


@dataclass(frozen=True, slots=True)
class Proving:
    circuits: Circuits
    proofs: Proofs

    async def stop(self) -> None:
        """Cancel every proof."""
        await self.proofs.stop()


def join_proving(config: NodeConfig, profile: Profile, ground: Ground, parts: Parts) -> Proving:
    """Join them; no key is opened yet. Raises BadConfig."""
    proofs = Proofs(
        ProvePorts(parts.store, parts.slot_files),
        ground.events,
        ground.waits,
        ground.clock,
        ground.rng,
        parts.workers,
        outside_at_once=OUTSIDE_AT_ONCE if config.prove_via else 0,
    )
    return Proving(Circuits(circuit_places(config, profile)), proofs)


def circuit_places(config: NodeConfig, profile: Profile) -> CircuitPlaces:
    """Where circuits are, and which is the network's. A witness program among the settings makes
    it an official one.

    Raises   BadConfig  a named file has another suffix or cannot be read, or no such circuit can be
    """
    zkey = _named(config.circom_zkey, "circom-zkey", ".zkey")
    r1cs = _named(config.circom_r1cs, "circom-r1cs", ".r1cs")
    wasm = _named(config.circom_wasm, "circom-wasm", ".wasm")
    network = circuit_of(profile.circuit)
    try:
        default = CircuitParameters(
            OFFICIAL if wasm else network.family,
            _given(config.proof_samples, network.samples),
            _given(config.max_slot_depth, network.max_slot_depth),
            _given(config.max_dataset_depth, network.max_dataset_depth),
            _given(config.max_block_depth, network.block_depth),
            _given(config.max_cell_elements, network.cell_elements),
        )
    except InputError as error:
        raise BadConfig(
            f"the settings of the circuit do not go together: {error.message}"
        ) from None
    published = bytes.fromhex(profile.circuit.key_hash) or None
    return CircuitPlaces(
        config.data_dir / config.circuit_dir.expanduser(),
        default,
        published if default == network else None,
        zkey,
        r1cs,
        wasm,
        config.circom_no_zkey,
    )


def _given(setting: int | None, network: int) -> int:
    return network if setting is None else setting


def _named(path: Path | None, setting: str, suffix: str) -> Path | None:
    if path is None:
        return None
    path = path.expanduser()
    if path.suffix != suffix:
        raise BadConfig(f"{setting} is {path}; it is the name of a {suffix} file")
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise BadConfig(f"{setting}: {path} cannot be read: {error.strerror}") from None

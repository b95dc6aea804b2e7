"""Stage 8: a slot of this node proves that it is there, for one challenge.

    entropy -> cells drawn -> their blocks, verified -> paths -> checked against the slot root
            -> witness -> proof -> verified here -> told

Only the blocks that were drawn are read and hashed; the paths above them come from the slot's file.
If they do not lead to the slot root the file has lied: it is made anew from the blocks, once.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from quire.base.errors import InputError, ProofInvalid, SlotFileDamaged, SlotMissing
from quire.base.invariant import invariant
from quire.base.spans import span
from quire.dataset.circuit import CircuitParameters
from quire.dataset.geometry import Geometry
from quire.dataset.proof_input import ProofInput, slot_path
from quire.dataset.sampling import CellSample, sample_indices
from quire.dataset.slot_tree import slot_layers
from quire.dataset.storage_proof import HOST_BYTES, Claim, StorageProof
from quire.flow.slot_digests import slot_digests
from quire.formats.manifest import Manifest, Verification
from quire.store.dataset import Dataset
from quire.store.port import BlockStore
from quire.store.slot_file import SlotTree
from quire.store.slot_files import SlotFiles

NO_HOST = bytes(HOST_BYTES)


class ProofWork(Protocol):
    """One proof that is being made."""

    def run(self) -> tuple[bytes, tuple[bytes, ...]]:
        """The proof, verified, and its public inputs (as in StorageProof). Blocks for seconds,
        without the GIL. Raises Refused when it was cancelled, InputError, IntegrityError."""

    def cancel(self) -> None:
        """`run` is to end soon. From any thread."""


class Prover(Protocol):
    """A circuit with its key. Shared by all proofs; safe to use from several threads."""

    @property
    def parameters(self) -> CircuitParameters: ...

    @property
    def key_hash(self) -> bytes:
        """SHA-256 of the verifying key's words."""

    def begin(self, made: ProofInput, host: bytes | None) -> ProofWork:
        """Prepare a proof. `host` as in Claim. Does not block."""


@runtime_checkable
class OutsideProver(Protocol):
    """A circuit whose proofs others make. They are verified here before they are returned."""

    @property
    def parameters(self) -> CircuitParameters: ...

    @property
    def key_hash(self) -> bytes:
        """SHA-256 of the verifying key's words."""

    async def order(
        self, ask: ProofAsk, made: ProofInput, deadline: float
    ) -> tuple[bytes, tuple[bytes, ...]]:
        """As ProofWork.run. `deadline`: monotonic. Who is cancelled while he waits does not want it
        any more. Raises QuireError."""


AnyProver: TypeAlias = Prover | OutsideProver


@dataclass(frozen=True, slots=True)
class ProofAsk:
    """What is to be proved. `host`: the address that the proof is to be worth something to; None
    where the circuit binds none."""

    dataset: Dataset
    slot: int
    entropy: bytes
    host: bytes | None

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        slot: int,
        entropy: bytes,
        host: bytes | None,
        parameters: CircuitParameters,
    ) -> ProofAsk:
        """Checked against the dataset and the circuit, before any work is done.

        Raises   InputError  no such slot; a dataset without slot roots; a host for a circuit that
                             binds none
                 Refused     the circuit is too small, or cuts cells otherwise
        """
        verification = verification_of(dataset.manifest)
        count = len(verification.slot_roots)
        if not 0 <= slot < count:
            raise InputError(f"slot {slot} does not exist; the dataset has {count}, from 0 on")
        parameters.check_fits(Geometry.of(dataset.manifest), verification.cell_size)
        if host is not None and not parameters.binds_host:
            raise InputError(
                f"circuit {parameters.id} does not bind a host; leave the host away, or take "
                "another circuit"
            )
        return cls(dataset, slot, entropy, (host or NO_HOST) if parameters.binds_host else None)

    @property
    def claim(self) -> Claim:
        root = verification_of(self.dataset.manifest).verify_root.digest
        return Claim(self.entropy, root, self.slot, self.host)


@dataclass(frozen=True, slots=True)
class ProvePorts:
    """What gathering the evidence stands on."""

    store: BlockStore
    slots: SlotFiles
    executor: Executor | None = None


async def gather(ports: ProvePorts, ask: ProofAsk, parameters: CircuitParameters) -> ProofInput:
    """The evidence for what is asked, every path of it checked.

    Raises   BlockMissing    a block that was drawn is not here in good state
             IntegrityError  the blocks do not give the slot root of the manifest
    """
    manifest = ask.dataset.manifest
    verification = verification_of(manifest)
    root, slot_root = ask.dataset.tree_root, verification.slot_roots[ask.slot].digest
    geometry = Geometry.of(manifest)
    loop = asyncio.get_running_loop()
    with ports.store.holding(root), span("prove.gather", slot=ask.slot):

        async def layers() -> bytes:
            size = verification.cell_size
            digests = await slot_digests(
                ports.store, root, geometry, ask.slot, ports.executor, cell_size=size
            )
            return await loop.run_in_executor(
                ports.executor, slot_layers, digests, geometry.block_size, size
            )

        tree = await ports.slots.open_or_rebuild(root, ask.slot, slot_root, layers)
        evidence = _Evidence(ask, verification, geometry, parameters.samples)
        blocks = await _read_blocks(ports.store, root, evidence)
        try:
            return await loop.run_in_executor(ports.executor, evidence.assemble, blocks, tree)
        except (ProofInvalid, SlotFileDamaged, SlotMissing):
            tree = await ports.slots.rebuild(root, ask.slot, slot_root, layers)
        return await loop.run_in_executor(ports.executor, evidence.assemble, blocks, tree)


def proof_of(
    ask: ProofAsk, prover: AnyProver, made: tuple[bytes, tuple[bytes, ...]]
) -> StorageProof:
    """What a prover made, as it is told to others."""
    proof, public = made
    invariant(public == ask.claim.public(), "a prover proved something else than it was asked")
    cid = str(ask.dataset.manifest_cid)
    return StorageProof(prover.parameters, prover.key_hash, proof, public, cid)


def verification_of(manifest: Manifest) -> Verification:
    """The slot roots of a manifest. Raises InputError when it has none."""
    protection = manifest.protection
    if protection is None or protection.verification is None:
        raise InputError(
            "the dataset has no slots that could be proved; protect it first: quire protect CID"
        )
    return protection.verification


class _Evidence:
    """What is shown of a slot, and how it is put together."""

    def __init__(
        self, ask: ProofAsk, verification: Verification, geometry: Geometry, samples: int
    ) -> None:
        self._ask = ask
        self._slot_roots = [root.digest for root in verification.slot_roots]
        self._cell_size = verification.cell_size
        self._cells_per_block = geometry.block_size // verification.cell_size
        self._cells = geometry.slot_blocks * self._cells_per_block
        self._block_size = geometry.block_size
        self._indices = sample_indices(
            ask.entropy, self._slot_roots[ask.slot], self._cells, samples
        )
        first = geometry.row_range(ask.slot).start
        stored = geometry.stored_blocks(ask.slot)
        drawn = sorted(dict.fromkeys(index // self._cells_per_block for index in self._indices))
        self.stored = {block: first + block for block in drawn if block < stored}  # else: pads

    def assemble(self, blocks: dict[int, bytes], tree: SlotTree) -> ProofInput:
        """The input, checked. Blocking. Raises ProofInvalid when the tree's paths are wrong."""
        zeros = bytes(self._block_size)
        samples = []
        for index in self._indices:
            block, cell = divmod(index, self._cells_per_block)
            data = blocks.get(block, zeros)
            samples.append(CellSample.of(data, cell, self._cell_size, tree.path(block)))
        made = ProofInput(
            entropy=self._ask.entropy,
            dataset_root=self._ask.claim.dataset_root,
            slot_index=self._ask.slot,
            slot_root=self._slot_roots[self._ask.slot],
            cells_per_slot=self._cells,
            cells_per_block=self._cells_per_block,
            slot_count=len(self._slot_roots),
            slot_path=slot_path(self._slot_roots, self._ask.slot),
            samples=tuple(samples),
        )
        made.check()
        return made


async def _read_blocks(store: BlockStore, root: bytes, evidence: _Evidence) -> dict[int, bytes]:
    """The blocks that were drawn, by their number in the slot; pads are left out."""
    return {block: await store.read_range(root, leaf, 1) for block, leaf in evidence.stored.items()}

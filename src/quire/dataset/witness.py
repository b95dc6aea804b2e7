"""Bytes of what somebody else needs to make a storage proof: the claim and the evidence.

    1 version ‖ 32 entropy ‖ 32 dataset root ‖ 32 slot root ‖ 4 slot ‖ 4 slots ‖ 1 log2 of the
    padded slot's cells ‖ 4 bytes of a cell ‖ 20 host, where the circuit binds one
    ‖ path of the slot root ‖ for each sample: cell ‖ path of the cell to the slot root

Numbers are big-endian, felts little-endian and canonical, nodes of paths 32 bytes. How long paths
are, and how many samples there are, follows from the numbers in front and from the circuit: a
witness has one length, one encoding, and room for nothing else.

What it tells whoever makes the proof: the cells that were drawn, as they are stored (ciphertext, of
an encrypted dataset), and which they are; hashes of their siblings; the roots of slot and dataset,
how many slots and how large; the host; and, with a look at the chain, which request it is. No other
cell of the slot is in it. Of a slot of N cells, n proofs with s samples each show a share of about
1 - (1 - 1/N)^(n s).

Source   proofs.md 4.1, 4.2; market.md 6.4
"""

from __future__ import annotations

import struct

from quire.base.errors import BadEncoding, InputError
from quire.dataset.circuit import CircuitParameters
from quire.dataset.proof_input import ProofInput
from quire.dataset.sampling import CellSample
from quire.dataset.slot_tree import NODE_BYTES, layer_sizes
from quire.dataset.storage_proof import HOST_BYTES
from quire.formats.aggregator_asking import MAX_WITNESS_BYTES
from quire.formats.felt import FELT_BYTES, check_felt
from quire.formats.varint import Buffer

VERSION = 1
_HEAD = struct.Struct(f">B{FELT_BYTES}s{FELT_BYTES}s{FELT_BYTES}sIIBI")
_ELEMENT_BYTES = 31  # of data in one felt


def encode_witness(made: ProofInput, host: bytes | None) -> bytes:
    """`host`: as in Claim. Raises InputError when it is larger than aggregators take."""
    head = _HEAD.pack(
        VERSION,
        made.entropy,
        made.dataset_root,
        made.slot_root,
        made.slot_index,
        made.slot_count,
        made.cells_per_slot.bit_length() - 1,
        len(made.samples[0].cell),
    )
    parts = [head, host or b"", made.slot_path]
    for sample in made.samples:
        parts += (sample.cell, sample.path)
    data = b"".join(parts)
    if len(data) > MAX_WITNESS_BYTES:
        raise InputError(
            f"a witness of {len(made.samples)} samples has {len(data)} bytes; aggregators take "
            f"{MAX_WITNESS_BYTES}: prove it with a key of your own"
        )
    return data


def decode_witness(data: Buffer, circuit: CircuitParameters) -> tuple[ProofInput, bytes | None]:
    """The evidence and the host. Whether paths lead where they should, `ProofInput.check` says.

    Raises   BadEncoding  not the one encoding of a witness that this circuit can prove
    """
    view = memoryview(data)
    if len(view) < _HEAD.size:
        raise BadEncoding(f"a witness has {_HEAD.size} bytes and more, not {len(view)}")
    version, entropy, root, slot_root, slot, slots, log_cells, cell_size = _HEAD.unpack_from(view)
    if version != VERSION:
        raise BadEncoding(f"a witness of version {version} is not known; {VERSION} is")
    _check_numbers(circuit, slot, slots, log_cells, cell_size)
    sizes = _Sizes(circuit, slots, log_cells, cell_size)
    if len(view) != sizes.whole:
        raise BadEncoding(
            f"a witness for {circuit.id}, slot {slot} of {slots} with 2^{log_cells} cells of "
            f"{cell_size} bytes, has {sizes.whole} bytes, not {len(view)}"
        )
    host = bytes(view[_HEAD.size : _HEAD.size + sizes.host]) if circuit.binds_host else None
    at = _HEAD.size + sizes.host
    slot_path = _path(view[at : at + sizes.slot_path])
    at += sizes.slot_path
    samples = []
    for _ in range(circuit.samples):
        paths = at + cell_size
        middle, end = paths + sizes.block_path, paths + sizes.block_path + sizes.row_path
        samples.append(
            CellSample(bytes(view[at:paths]), _path(view[paths:middle]), _path(view[middle:end]))
        )
        at = end
    for felt in (entropy, root, slot_root):
        check_felt(felt)
    made = ProofInput(
        entropy=entropy,
        dataset_root=root,
        slot_index=slot,
        slot_root=slot_root,
        cells_per_slot=1 << log_cells,
        cells_per_block=circuit.cells_per_block,
        slot_count=slots,
        slot_path=slot_path,
        samples=tuple(samples),
    )
    return made, host


def _check_numbers(
    circuit: CircuitParameters, slot: int, slots: int, log_cells: int, cell_size: int
) -> None:
    """Before anything is computed from them. Raises BadEncoding."""
    if not 0 <= slot < slots:
        raise BadEncoding(f"a witness speaks of slot {slot} of {slots}")
    if slots > 1 << circuit.max_dataset_depth:
        raise BadEncoding(
            f"circuit {circuit.id} has {1 << circuit.max_dataset_depth} slots at most, not {slots}"
        )
    if not circuit.block_depth <= log_cells <= circuit.max_slot_depth:
        raise BadEncoding(
            f"slots of circuit {circuit.id} have from 2^{circuit.block_depth} to "
            f"2^{circuit.max_slot_depth} cells, not 2^{log_cells}"
        )
    if cell_size // _ELEMENT_BYTES + 1 != circuit.cell_elements:
        raise BadEncoding(
            f"a cell of {cell_size} bytes is not the {circuit.cell_elements} field elements of "
            f"circuit {circuit.id}"
        )


class _Sizes:
    """Bytes of the parts that follow the head."""

    def __init__(
        self, circuit: CircuitParameters, slots: int, log_cells: int, cell_size: int
    ) -> None:
        self.host = HOST_BYTES if circuit.binds_host else 0
        self.slot_path = _path_bytes(slots)
        self.block_path = circuit.block_depth * NODE_BYTES
        self.row_path = _path_bytes(1 << (log_cells - circuit.block_depth))
        sample = cell_size + self.block_path + self.row_path
        self.whole = _HEAD.size + self.host + self.slot_path + circuit.samples * sample


def _path_bytes(leaf_count: int) -> int:
    return (len(layer_sizes(leaf_count)) - 1) * NODE_BYTES


def _path(view: memoryview) -> bytes:
    """Raises BadEncoding for a node that is no felt."""
    path = bytes(view)
    for at in range(0, len(path), NODE_BYTES):
        check_felt(path[at : at + NODE_BYTES])
    return path

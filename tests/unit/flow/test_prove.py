"""The evidence for a proof: what is read, what is checked, what is made anew."""

from __future__ import annotations

import dataclasses

import pytest

from quire.base.errors import BlockMissing, Bug, InputError, IntegrityError, Refused
from quire.dataset.circuit import OFFICIAL, CircuitParameters
from quire.flow.prove import NO_HOST, ProofAsk, gather, proof_of
from quire.formats.manifest import decode_manifest, encode_manifest
from quire.kernels import poseidon2
from quire.store.slot_file import HEADER_BYTES
from quire.store.slot_files import slot_file_name
from support.prove_kit import ENTROPY, HOST, SMALL, FakeProver, K, M, protected_in
from support.store_kit import BLOCK, PIN, put


@pytest.mark.parametrize("slot", range(K + M))
async def test_every_slot_gives_evidence_that_leads_to_the_manifests_roots(tmp_path, slot) -> None:
    async with protected_in(tmp_path) as held:
        made = await gather(held.ports, held.ask(slot), SMALL)
        made.check()
        verification = held.dataset.manifest.protection.verification
        assert made.slot_root == verification.slot_roots[slot].digest
        assert made.dataset_root == verification.verify_root.digest
        assert (made.slot_index, made.slot_count, len(made.samples)) == (slot, K + M, 5)
        assert made.values()["nCellsPerSlot"] == 8 * 2  # five steps, padded to eight, of two cells


class Reads:
    """Counts what is read of a store."""

    def __init__(self, store) -> None:
        self.store, self.ranges = store, []

    def __getattr__(self, name):
        return getattr(self.store, name)

    async def read_range(self, root, start, count):
        self.ranges.append((start, count))
        return await self.store.read_range(root, start, count)


async def test_only_the_blocks_that_were_drawn_are_read(tmp_path) -> None:
    async with protected_in(tmp_path) as held:
        reads = Reads(held.store)
        ports = dataclasses.replace(held.ports, store=reads)
        made = await gather(ports, held.ask(3), SMALL)
        drawn = sorted({index // 2 for index in made.indices()})
        assert reads.ranges == [(15 + block, 1) for block in drawn if block < 5]


async def test_pads_are_proved_without_being_read(tmp_path) -> None:
    """Slot 2 has four blocks, a pad of the dataset, and three pads of the slot."""
    async with protected_in(tmp_path) as held:
        seen = set()
        for number in range(12):
            made = await gather(held.ports, held.ask(2, number.to_bytes(32, "little")), SMALL)
            for index, sample in zip(made.indices(), made.samples, strict=True):
                seen.add((index // 2 >= 4, sample.cell == bytes(2048)))
        assert seen == {(False, False), (True, True)}


def _flip_nodes(disk, name, _other) -> None:
    for node in range(14):  # all but the root
        disk.corrupt(name, HEADER_BYTES + 32 * node)


def _fill_with_ones(disk, name, _other) -> None:
    disk.write_at(name, HEADER_BYTES, [b"\xff" * 14 * 32])


DAMAGES = {
    "nodes are changed": _flip_nodes,
    "nodes are no felts": _fill_with_ones,
    "the header is changed": lambda disk, name, _: disk.corrupt(name, 20),
    "it is cut": lambda disk, name, _: disk.truncate(name, HEADER_BYTES + 100),
    "it is gone": lambda disk, name, _: disk.remove(name),
    "it is that of another slot": lambda disk, name, other: disk.rename(other, name),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_slot_file_that_lies_is_made_anew_from_the_blocks(tmp_path, damage) -> None:
    async with protected_in(tmp_path) as held:
        disk, root = held.disk, held.dataset.tree_root
        name = slot_file_name(root, 1)
        good = disk.read_at(name, 0, disk.size(name))
        DAMAGES[damage](disk, name, slot_file_name(root, 0))
        (await gather(held.ports, held.ask(1), SMALL)).check()
        assert disk.read_at(name, 0, len(good) + 1) == good


async def test_a_tree_of_another_slot_under_our_name_is_noticed(tmp_path) -> None:
    async with protected_in(tmp_path) as held:
        root = held.dataset.tree_root
        other = await held.slots.open(root, 0)
        layers = held.disk.read_at(slot_file_name(root, 0), HEADER_BYTES, 15 * 32)
        await held.slots.write(root, 1, layers)
        made = await gather(held.ports, held.ask(1), SMALL)
        assert made.slot_root != other.root
        made.check()
        assert (await held.slots.open(root, 1)).root == made.slot_root


async def test_a_slot_file_that_was_lost_does_not_matter_with_all_blocks_here(tmp_path) -> None:
    async with protected_in(tmp_path) as held:
        for slot in range(K + M):
            await held.slots.remove(held.dataset.tree_root, slot)
            (await gather(held.ports, held.ask(slot), SMALL)).check()
        assert len(await held.slots.held()) == K + M


async def test_a_block_that_was_drawn_and_is_damaged_is_not_proved(tmp_path) -> None:
    async with protected_in(tmp_path) as held:
        asked = held.ask(1)
        made = await gather(held.ports, asked, SMALL)
        block = next(index // 2 for index in made.indices() if index // 2 < 5)
        content = await held.store.read_range(held.dataset.tree_root, 5 + block, 1)
        for pack in tmp_path.glob("pack-*"):
            data = pack.read_bytes()
            at = data.find(content)
            if at >= 0:
                pack.write_bytes(data[:at] + b"\0" * 100 + data[at + 100 :])
        with pytest.raises(BlockMissing):
            await gather(held.ports, asked, SMALL)


async def test_slot_roots_that_are_not_those_of_the_blocks_are_refused(tmp_path) -> None:
    """Somebody else protected the dataset, and said something else of it."""
    async with protected_in(tmp_path) as held:
        manifest = held.dataset.manifest
        verification = manifest.protection.verification
        roots = [root.digest for root in verification.slot_roots]
        roots[1] = bytes(32)
        changed = dataclasses.replace(
            verification,
            slot_roots=tuple(
                dataclasses.replace(cid, digest=root)
                for cid, root in zip(verification.slot_roots, roots, strict=True)
            ),
            verify_root=dataclasses.replace(
                verification.verify_root, digest=poseidon2.root(b"".join(roots))
            ),
        )
        protection = dataclasses.replace(manifest.protection, verification=changed)
        lied = dataclasses.replace(manifest, protection=protection)
        dataset = await held.store.put_manifest(encode_manifest(lied), PIN)
        assert decode_manifest(dataset.manifest_bytes) == lied
        ask = ProofAsk.of(dataset, 1, ENTROPY, HOST, SMALL)
        with pytest.raises(IntegrityError, match="slot root"):
            await gather(held.ports, ask, SMALL)


@pytest.mark.parametrize("slot", [-1, K + M, 1 << 40])
async def test_a_slot_that_does_not_exist_is_an_input_error(tmp_path, slot) -> None:
    async with protected_in(tmp_path) as held:
        with pytest.raises(InputError, match="does not exist"):
            held.ask(slot)


async def test_a_dataset_without_slots_is_an_input_error(tmp_path) -> None:
    async with protected_in(tmp_path) as held:
        plain = await put(held.store, b"plain" * 1000)
        with pytest.raises(InputError, match="quire protect"):
            ProofAsk.of(plain, 0, ENTROPY, HOST, SMALL)


@pytest.mark.parametrize(
    ("circuit", "why"),
    [
        (CircuitParameters(block_depth=5), "is not 32 cells"),
        (CircuitParameters(block_depth=1, cell_elements=66), "66 field elements"),
        (CircuitParameters(block_depth=1, max_slot_depth=3), "4 levels"),
        (CircuitParameters(block_depth=1, max_dataset_depth=2), "3 levels"),
    ],
)
async def test_a_circuit_that_is_too_small_or_cuts_otherwise_is_refused(
    tmp_path, circuit, why
) -> None:
    async with protected_in(tmp_path) as held:
        with pytest.raises(Refused, match=why):
            ProofAsk.of(held.dataset, 0, ENTROPY, HOST, circuit)


async def test_a_host_goes_only_with_circuits_that_bind_one(tmp_path) -> None:
    official = CircuitParameters(OFFICIAL, block_depth=1)
    async with protected_in(tmp_path) as held:
        assert ProofAsk.of(held.dataset, 0, ENTROPY, None, official).host is None
        assert ProofAsk.of(held.dataset, 0, ENTROPY, None, SMALL).host == NO_HOST
        with pytest.raises(InputError, match="does not bind"):
            ProofAsk.of(held.dataset, 0, ENTROPY, HOST, official)


async def test_a_proof_of_something_else_than_was_asked_never_leaves(tmp_path) -> None:
    async with protected_in(tmp_path) as held:
        ask, prover = held.ask(1), FakeProver()
        public = ask.claim.public()
        proof = proof_of(ask, prover, (bytes(256), public))
        assert (proof.claim, proof.cid) == (ask.claim, str(held.dataset.manifest_cid))
        with pytest.raises(Bug):
            proof_of(held.ask(2), prover, (bytes(256), public))


def test_blocks_of_the_kit_are_two_cells() -> None:
    assert 2048 << SMALL.block_depth == BLOCK

"""Proofs that the circuit of Quire makes of a real dataset, taken by the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quire.dataset.geometry import Geometry
from quire.flow.prove import ProofAsk, gather, verification_of
from quire.services.circuit_files import CircuitPlaces
from quire.services.circuits import Circuits, LoadedCircuit
from support.contract_kit import HOST, OTHER, STRANGER, Machine, deployed
from support.contract_world import FILLED, ORDER, Order, World, refuses, reverts, slot_id
from support.prove_kit import TINY, K, M, Protected, protected_in, tiny_keys
from support.trapdoor import KEY_TYPE


@dataclass
class Bench:
    """A dataset of K + M slots, a circuit with its key, a marketplace that knows the key."""

    held: Protected
    circuit: LoadedCircuit
    world: World
    order: Order
    request: bytes

    async def proof(self, index: int, host: str, challenge: bytes | None = None) -> Any:
        """A proof of a slot by a host, for the challenge that holds now."""
        if challenge is None:
            slot = slot_id(self.request, index)
            challenge = self.world.market.call("getChallenge", slot)
        entropy = challenge[:31] + b"\0"
        address = bytes.fromhex(host[2:])
        ask = ProofAsk.of(self.held.dataset, index, entropy, address, TINY)
        made = await gather(self.held.ports, ask, TINY)
        return proof_words(self.circuit.begin(made, address).run()[0])


def proof_words(proof: bytes) -> Any:
    a, b, c, d, e, f, g, h = (int.from_bytes(proof[i : i + 32]) for i in range(0, 256, 32))
    return (a, b), ((c, d), (e, f)), (g, h)


def key_of(words: bytes) -> Any:
    """The constructor argument of the verifier, from the words of a verifying key."""
    n = [int.from_bytes(words[i : i + 32]) for i in range(0, len(words), 32)]
    second = [((n[i], n[i + 1]), (n[i + 2], n[i + 3])) for i in (2, 6, 10)]
    return ((n[0], n[1]), *second, [(n[i], n[i + 1]) for i in range(14, len(n), 2)])


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    circuits = Circuits(CircuitPlaces(tiny_keys(), TINY))
    circuit = await circuits.prover(TINY)
    async with protected_in(tmp_path) as held:
        machine = Machine()
        key = key_of(circuit.verifying_key.words)
        verifier = deployed(machine, "Groth16Verifier", (KEY_TYPE,), (key,))
        world = World(machine=machine, verifier=verifier)
        manifest = held.dataset.manifest
        order = ORDER.but(
            probability=1,
            slots=K + M,
            max_slot_loss=M,
            slot_size=Geometry.of(manifest).slot_size,
            cid=held.dataset.manifest_cid.encode(),
            merkle_root=verification_of(manifest).verify_root.digest,
        )
        yield Bench(held, circuit, world, order, world.request(order))


async def test_slots_are_filled_and_proved_with_real_proofs(bench: Bench) -> None:
    world = bench.world
    slots = []
    for index, host in ((0, HOST), (4, OTHER)):
        world.reserve(bench.request, index, host)
        proof = await bench.proof(index, host)
        world.market.send(host, "fillSlot", bench.request, index, proof)
        slots.append(slot_id(bench.request, index))
    for _ in range(2):
        world.to_next_period()
        proofs = [await bench.proof(0, HOST), await bench.proof(4, OTHER)]
        world.market.send(HOST, "submitProof", slots[0], proofs[0])
        world.market.send(OTHER, "setProofDelegate", STRANGER, True)
        world.market.send(STRANGER, "submitProofs", slots[1:], proofs[1:])
    assert world.market.call("slotStates", slots) == (FILLED, FILLED)


async def test_many_real_proofs_are_taken_at_once(bench: Bench) -> None:
    world = bench.world
    indices = range(K + M)
    for index in indices:
        world.fill(bench.request, index, HOST, await bench.proof(index, HOST))
    world.to_next_period()
    slots = [slot_id(bench.request, index) for index in indices]
    proofs = [await bench.proof(index, HOST) for index in indices]
    with reverts("Proofs_InvalidProof"):
        world.market.send(HOST, "submitProofs", slots, proofs[::-1])
    done = world.market.send(HOST, "submitProofs", slots, proofs)
    assert len(done.named("ProofSubmitted")) == K + M


async def test_a_proof_is_worth_something_to_its_host_only(bench: Bench) -> None:
    world = bench.world
    proof = await bench.proof(0, HOST)
    for host in (HOST, OTHER):
        world.reserve(bench.request, 0, host)
    with reverts("Proofs_InvalidProof"):
        world.market.send(OTHER, "fillSlot", bench.request, 0, proof)
    world.market.send(HOST, "fillSlot", bench.request, 0, proof)


async def test_a_proof_is_of_its_slot_only(bench: Bench) -> None:
    world = bench.world
    for index in (0, 1):
        world.reserve(bench.request, index)
    first, second = slot_id(bench.request, 0), slot_id(bench.request, 1)
    challenge = world.market.call("getChallenge", second)
    proof = await bench.proof(0, HOST, challenge)
    assert world.market.call("getChallenge", first) != challenge
    with reverts("Proofs_InvalidProof"):
        world.market.send(HOST, "fillSlot", bench.request, 1, proof)
    right = await bench.proof(1, HOST)
    world.market.send(HOST, "fillSlot", bench.request, 1, right)


async def test_a_proof_is_for_its_challenge_only(bench: Bench) -> None:
    world = bench.world
    slot = world.fill(bench.request, 0, HOST, await bench.proof(0, HOST))
    world.to_next_period()
    old = await bench.proof(0, HOST)
    world.market.send(HOST, "submitProof", slot, old)
    world.to_next_period()
    with reverts("Proofs_InvalidProof"):
        world.market.send(HOST, "submitProof", slot, old)
    world.market.send(HOST, "submitProof", slot, await bench.proof(0, HOST))


async def test_a_proof_is_of_its_dataset_only(bench: Bench) -> None:
    world = bench.world
    root = bench.order.merkle_root
    other = world.request(bench.order.but(merkle_root=bytes([root[0] ^ 1]) + root[1:]))
    world.reserve(other, 0)
    challenge = world.market.call("getChallenge", slot_id(other, 0))
    with reverts("Proofs_InvalidProof"):
        world.market.send(HOST, "fillSlot", other, 0, await bench.proof(0, HOST, challenge))


async def test_a_root_that_is_no_number_of_the_field_is_never_proved(bench: Bench) -> None:
    world = bench.world
    other = world.request(bench.order.but(merkle_root=b"\xff" * 32))
    world.reserve(other, 0)
    with reverts("Proofs_InvalidProof"):
        world.market.send(HOST, "fillSlot", other, 0, await bench.proof(0, HOST))
    assert refuses(world.market, "getActiveSlot", slot_id(other, 0)) == "Marketplace_SlotIsFree"

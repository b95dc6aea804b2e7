"""What a host proves with: its own key, or the keys of aggregators, always the contract's."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import BadKey, Busy
from quire.base.events import EventBus
from quire.node.means import open_means, open_remote
from quire.node.proving import Proving
from quire.services.circuit_files import NOTE, VERIFYING_KEY, CircuitPlaces, NoCircuit
from quire.services.circuits import Circuits
from support.market_terms import TERMS
from support.prove_kit import TINY, tiny_keys

WRONG = replace(TERMS, zkey_hash="ab" * 32)


def proving(directory: Path, **places: Any) -> Proving:
    proofs: Any = None
    return Proving(Circuits(CircuitPlaces(directory, TINY, **places)), proofs)


@pytest.fixture
def verifying_only(tmp_path: Path) -> Path:
    own = tmp_path / TINY.id
    own.mkdir()
    for name in (VERIFYING_KEY, NOTE):
        shutil.copy(tiny_keys() / TINY.id / name, own)
    return tmp_path


class Here:
    """The parts of a node that are looked at."""

    def __init__(self) -> None:
        self.events = EventBus(SystemClock())
        self.ground: Any = SimpleNamespace(events=self.events)
        self.parts: Any = SimpleNamespace(store=SimpleNamespace(dataset=None))

    @property
    def said(self) -> list[str]:
        return [event.message for event in self.events.history()]


async def test_a_host_with_a_key_proves_by_itself() -> None:
    here = Here()
    means = await open_means(proving(tiny_keys()), here.ground, here.parts, TERMS, None)
    assert means is not None
    own = await Circuits(CircuitPlaces(tiny_keys(), TINY)).prover(TINY)
    assert (await means.prover()).key_hash == own.key_hash


async def test_a_node_without_a_proving_key_only_buys_unless_others_prove_for_it(
    verifying_only,
) -> None:
    here, has = Here(), proving(verifying_only)
    assert await open_means(has, here.ground, here.parts, TERMS, None) is None
    assert "does not sell" in here.said[0]
    remote = await open_remote(has, TERMS)
    means = await open_means(has, here.ground, here.parts, TERMS, remote)
    assert means is not None
    assert remote.own is None
    with pytest.raises(Busy, match="starting"):  # until orders can be made
        await means.prover()


async def test_whoever_has_a_key_keeps_it_for_when_nobody_else_proves() -> None:
    remote = await open_remote(proving(tiny_keys()), TERMS)
    assert remote.own is not None
    assert remote.own.verifying_key == remote.key
    remote = await open_remote(proving(tiny_keys(), has_no_key=True), TERMS)
    assert remote.own is None  # it was told not to prove


async def test_without_a_verifying_key_it_is_said_what_to_put_where(tmp_path) -> None:
    words = rf"prove-via.*{TINY.id} in {tmp_path}.*{VERIFYING_KEY} and {NOTE}"
    with pytest.raises(NoCircuit, match=words):
        await open_remote(proving(tmp_path), TERMS)


async def test_a_key_of_another_contract_is_refused_whoever_proves(verifying_only) -> None:
    for has in (proving(verifying_only), proving(tiny_keys())):
        with pytest.raises(BadKey, match="ab" * 32):
            await open_remote(has, WRONG)

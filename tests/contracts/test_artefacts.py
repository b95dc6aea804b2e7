"""The committed artefacts are what the committed sources compile to."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from quire.base.errors import InputError
from quire.chain.artefact import NAMES, artefact
from quire.chain.deployment import ADDRESSES, DEPLOYER, ORDER
from quire.kernels.keccak import keccak256
from support.solidity import build_script, compiler


@pytest.mark.slow
@pytest.mark.timeout(600)  # the compiler needs ten seconds of a core of its own
def test_the_artefacts_come_from_the_sources_byte_by_byte() -> None:
    if shutil.which("node") is None:
        pytest.skip("needs node")
    build = build_script()
    made = build.shipped(compiler())
    assert sorted(made) == sorted(f"{name}.json" for name in NAMES)
    for name, text in made.items():
        assert (build.ARTEFACTS / name).read_text() == text, f"{name}: run contracts/build.py"


@pytest.mark.parametrize("name", NAMES)
def test_every_artefact_is_ready_to_be_deployed(name: str) -> None:
    made = artefact(name)
    assert 0 < len(made.runtime) <= build_script().CODE_LIMIT
    assert len(made.bytecode) > len(made.runtime)
    values: dict[str, Any] = json.loads((build_script().ARTEFACTS / f"{name}.json").read_text())
    assert values["linkReferences"] == {}
    assert made.compiler.startswith("0.8.28+")


def test_another_contract_is_not_shipped() -> None:
    with pytest.raises(InputError, match="shipped are ChannelHub"):
        artefact("../secret")


def test_the_order_of_deployment_gives_the_known_addresses() -> None:
    """An address is the hash of the account and its count of transactions, in RLP."""
    for name, address in ADDRESSES.items():
        nonce = ORDER.index(name)
        number = bytes([nonce]) if nonce else b"\x80"
        text = bytes([0xC0 + 22, 0x80 + 20]) + DEPLOYER + number
        assert keccak256(text)[12:] == address
    assert ORDER.index("Marketplace") == 23

"""The compiled contracts that Quire ships: made by contracts/build.py, read from the package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from quire.base.errors import InputError

NAMES = (
    *("ChannelHub", "Groth16Verifier", "Marketplace"),
    *("SubmissionBonds", "TestToken", "TestVerifier"),
)


@dataclass(frozen=True, slots=True)
class Artefact:
    """One contract. Treat its values as constants: they are shared.

    bytecode  what a deployment sends, the encoded constructor arguments to follow
    runtime   what is then at its address, but for the values set by the constructor
    methods   4-byte selectors by signature, as name(type,type)
    """

    name: str
    abi: tuple[dict[str, Any], ...]
    bytecode: bytes
    runtime: bytes
    methods: dict[str, bytes]
    source_hash: str
    compiler: str


@cache
def artefact(name: str) -> Artefact:
    """Raises InputError for a name that is not shipped."""
    if name not in NAMES:
        raise InputError(f"there is no contract {name!r}; shipped are {', '.join(NAMES)}")
    values = json.loads(files("quire.chain").joinpath("artefacts", f"{name}.json").read_text())
    return Artefact(
        name=name,
        abi=tuple(values["abi"]),
        bytecode=bytes.fromhex(values["bytecode"].removeprefix("0x")),
        runtime=bytes.fromhex(values["deployedBytecode"].removeprefix("0x")),
        methods={
            signature: bytes.fromhex(selector)
            for signature, selector in values["methodIdentifiers"].items()
        },
        source_hash=values["sourceHash"],
        compiler=values["compiler"],
    )

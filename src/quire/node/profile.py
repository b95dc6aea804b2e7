"""A network profile: everything in which the networks of the Codex family differ, as data.

The profiles that come with Quire are `profiles/*.toml`; a path to a TOML file of the same shape
also names a profile. Source: lineage.md 1.2, 2.1, 2.2, 2.5.
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

import msgspec

from quire.base.errors import BadConfig, BadEncoding, InputError
from quire.chain.abi import parse_address
from quire.dataset.circuit import CircuitParameters


class Protocols(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """libp2p protocol ids. `blockexc` are those of nodes of the reference and its forks, the
    network's own first: all are served, and tried in this order. Peers under one of `trimmed` are
    sent messages without payment fields (lineage.md 2.2). `pay`: vouchers of payment channels;
    `replica`: sealed replicas at paid providers; `aggregator`: coding and proving for others."""

    exchange: str
    kad: str
    pay: str = "/quire/pay/1.0.0"
    replica: str = "/quire/replica/1.0.0"
    aggregator: str = "/quire/aggregator/1.0.0"
    blockexc: tuple[str, ...] = ()
    trimmed: tuple[str, ...] = ()


class CircuitProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """The circuit of storage proofs; see dataset.circuit. `key_hash`: SHA-256 of the .zkey file
    that the network publishes, in hexadecimal; empty where it publishes none, or on its chain
    only."""

    family: str = "codex"
    samples: int = 5
    max_slot_depth: int = 32
    max_dataset_depth: int = 8
    max_block_depth: int = 5
    max_cell_elements: int = 67
    key_hash: str = ""


class ChainProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """The market of a network. `contracts`: address of the marketplace by chain id, `hubs`: of the
    hub of payment channels, `bonds`: of the contract of submission bonds; `key_hash`: what the
    contract has to say about the circuit's key, in hexadecimal; empty: whatever it says."""

    dialect: str = "codex"  # of the contract's calls and events; there is one so far
    contracts: dict[str, str] = {}
    hubs: dict[str, str] = {}
    bonds: dict[str, str] = {}
    key_hash: str = ""


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """One network. Sizes in bytes."""

    name: str
    brand: str  # shown to people, and the key under which /debug/info gives the version
    agent: str  # told to peers by identify
    protocols: Protocols
    rest_bases: tuple[str, ...]  # where the compatible REST API is served, the first is canonical
    block_size: int = 65536
    ping: bool = True  # False where nodes do not know it and may take it ill
    circuit: CircuitProfile = CircuitProfile()
    chain: ChainProfile = ChainProfile()
    bootstrap: tuple[str, ...] = ()  # multiaddresses with /p2p/, or `spr:` records


def profile_names() -> list[str]:
    """Names of the profiles that come with Quire, sorted."""
    folder = resources.files("quire.node") / "profiles"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if ".toml" in f.name)


def load_profile(name: str) -> Profile:
    """The profile of a name, or of a path to a TOML file.

    Raises   BadConfig  there is no such profile, or it does not have the shape of one
    """
    if "/" in name or name.endswith(".toml"):
        try:
            text = Path(name).read_text("utf-8")
        except OSError as error:
            raise BadConfig(f"profile {name} cannot be read: {error.strerror}") from None
        return decode_profile(text, name)
    if name not in profile_names():
        known = ", ".join(profile_names())
        raise BadConfig(f"there is no network profile {name!r}; choose one of {known}, or a file")
    file = resources.files("quire.node") / "profiles" / f"{name}.toml"
    return decode_profile(file.read_text("utf-8"), name)


def decode_profile(text: str, origin: str) -> Profile:
    """A profile from TOML text. Raises `BadConfig`."""
    try:
        profile = msgspec.convert(tomllib.loads(text), Profile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadConfig(f"profile {origin} is not valid: {error}") from None
    protocols = profile.protocols
    if not set(protocols.trimmed) <= set(protocols.blockexc):
        raise BadConfig(f"profile {origin}: every id of trimmed must be one of blockexc")
    size = profile.block_size
    if size & (size - 1) or not 4096 <= size <= 524288:
        raise BadConfig(f"profile {origin}: block-size {size} is no power of two in 4096..524288")
    key_hash = profile.circuit.key_hash
    if key_hash and re.fullmatch("[0-9a-f]{64}", key_hash) is None:
        raise BadConfig(f"profile {origin}: key-hash {key_hash[:80]!r} is not a SHA-256 in hex")
    try:
        circuit_of(profile.circuit)
    except InputError as error:
        raise BadConfig(f"profile {origin}: {error.message}") from None
    _check_chain(profile.chain, origin)
    for base in profile.rest_bases:
        if not base.startswith("/") or base.endswith("/"):
            raise BadConfig(f"profile {origin}: {base!r} is not a REST base such as /api/codex/v1")
    return profile


def _check_chain(chain: ChainProfile, origin: str) -> None:
    if chain.dialect != "codex":
        raise BadConfig(f"profile {origin}: chain dialect {chain.dialect[:80]!r} is not codex")
    known = (chain.contracts, chain.hubs, chain.bonds)
    for chain_id, address in (each for places in known for each in places.items()):
        if re.fullmatch("[1-9][0-9]{0,19}", chain_id) is None:
            raise BadConfig(f"profile {origin}: {chain_id[:80]!r} is not the id of a chain")
        try:
            parse_address(address)
        except BadEncoding as error:
            raise BadConfig(f"profile {origin}: {error.message}") from None
    if chain.key_hash and re.fullmatch("[0-9a-f]{64}", chain.key_hash) is None:
        raise BadConfig(
            f"profile {origin}: the chain's key-hash {chain.key_hash[:80]!r} is not 64 hex digits"
        )


def circuit_of(circuit: CircuitProfile) -> CircuitParameters:
    """The circuit of a profile. Raises InputError."""
    return CircuitParameters(
        circuit.family,
        circuit.samples,
        circuit.max_slot_depth,
        circuit.max_dataset_depth,
        circuit.max_block_depth,
        circuit.max_cell_elements,
    )

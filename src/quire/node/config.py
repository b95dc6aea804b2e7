"""The settings of a node: one struct. `config_load.py` fills it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, get_args, get_type_hints

import msgspec

from quire.base.units import GIB, MIB
from quire.channels.tab import FREE_BYTES
from quire.net.nat import RELAY_DEFAULTS
from quire.node.setting import NatSetting, Setting

LOG_FORMATS = ("auto", "colors", "nocolors", "json", "none")


class NodeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of a node. Sizes in bytes, durations in seconds."""

    data_dir: Annotated[Path, Setting("path", "where everything of this node is kept", "d")] = Path(
        "~/.local/share/quire"
    )
    profile: Annotated[str, Setting("text", "network profile: a name, or a TOML file")] = "quire"
    api_bindaddr: Annotated[str, Setting("text", "address the API listens on")] = "127.0.0.1"
    api_port: Annotated[int, Setting("port", "port of the API; 0 takes a free one", "p")] = 8080
    api_cors_origin: Annotated[
        tuple[str, ...],
        Setting("list", "origin (or host[:port]) that browsers may call the API from; * is any"),
    ] = ()
    api_token_file: Annotated[
        Path | None, Setting("path", "file with the token that API calls must carry")
    ] = None
    listen: Annotated[
        tuple[str, ...], Setting("list", "multiaddress to listen on for peers", "i")
    ] = ("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
    bootstrap: Annotated[
        tuple[str, ...],
        Setting("list", "first peers: multiaddress with /p2p/, or spr: text", "b"),
    ] = ()
    nat: Annotated[
        NatSetting, Setting("nat", "any, none, upnp, pmp or extip:<IP>: the way through a router")
    ] = NatSetting()
    relay_server: Annotated[
        bool, Setting("flag", "forward for peers that nobody reaches, within limits")
    ] = False
    relay_reservations: Annotated[
        int, Setting("count", "peers that a relay forwards for at most")
    ] = RELAY_DEFAULTS.reservations
    relay_circuits: Annotated[
        int, Setting("count", "connections that a relay forwards at once at most")
    ] = RELAY_DEFAULTS.circuits
    relay_circuit_bytes: Annotated[
        int, Setting("size", "bytes a relayed connection may carry, in each direction")
    ] = RELAY_DEFAULTS.circuit_bytes
    relay_circuit_time: Annotated[
        float, Setting("duration", "how long a relayed connection may last")
    ] = RELAY_DEFAULTS.circuit_seconds
    no_profile_bootstrap: Annotated[
        bool, Setting("flag", "do not use the bootstrap records of the network profile")
    ] = False
    net_privkey: Annotated[Path, Setting("path", "network key, relative to the data directory")] = (
        Path("key")
    )
    agent_string: Annotated[str | None, Setting("text", "what peers are told this program is")] = (
        None
    )
    mdns: Annotated[bool, Setting("flag", "find peers on the local network")] = False
    max_peers: Annotated[int, Setting("count", "connections to peers at most")] = 160
    storage_quota: Annotated[int, Setting("size", "bytes the node may keep", "q")] = 20 * GIB
    block_ttl: Annotated[
        float, Setting("duration", "how long a dataset is kept; 0 is for ever", "t")
    ] = 30 * 86400.0
    block_mi: Annotated[
        float, Setting("duration", "how often datasets past their time are collected")
    ] = 600.0
    block_mn: Annotated[
        int, Setting("count", "how many datasets one step of a collection deletes at most")
    ] = 1000
    scrub_rate: Annotated[
        int, Setting("size", "bytes read again each second to find damage; 0 is never")
    ] = 4 * MIB
    circuit_dir: Annotated[
        Path, Setting("path", "circuits and their keys, relative to the data directory")
    ] = Path("circuits")
    circom_r1cs: Annotated[
        Path | None, Setting("path", "constraints (.r1cs) of the network's circuit")
    ] = None
    circom_wasm: Annotated[
        Path | None, Setting("path", "witness program (.wasm) of the network's circuit")
    ] = None
    circom_zkey: Annotated[
        Path | None, Setting("path", "proving key (.zkey) of the network's circuit")
    ] = None
    circom_no_zkey: Annotated[bool, Setting("flag", "make no proofs, whatever keys are here")] = (
        False
    )
    proof_samples: Annotated[
        int | None, Setting("count", "cells a proof shows; as the network has it if not given")
    ] = None
    max_slot_depth: Annotated[
        int | None, Setting("count", "levels of a slot's tree in the circuit, from the cells")
    ] = None
    max_dataset_depth: Annotated[
        int | None, Setting("count", "levels of the tree over the slots in the circuit")
    ] = None
    max_block_depth: Annotated[
        int | None, Setting("count", "levels of a block's tree in the circuit")
    ] = None
    max_cell_elements: Annotated[
        int | None, Setting("count", "field elements of a cell in the circuit")
    ] = None
    persistence: Annotated[
        bool, Setting("flag", "buy and sell storage on a chain; eth-provider means it too")
    ] = False
    eth_provider: Annotated[
        str | None,
        Setting("text", "node of the chain: ws:// or http:// [ws://localhost:8545 if persistence]"),
    ] = None
    eth_private_key: Annotated[
        Path | None, Setting("path", "file with the account's key in hexadecimal, mode 600")
    ] = None
    eth_keystore: Annotated[
        Path | None, Setting("path", "file with the account's key, encrypted (JSON, version 3)")
    ] = None
    eth_password_file: Annotated[
        Path | None, Setting("path", "file with the password of eth-keystore, mode 600")
    ] = None
    marketplace_address: Annotated[
        str | None, Setting("address", "the contract; else as the profile knows it for the chain")
    ] = None
    hub_address: Annotated[
        str | None, Setting("address", "the hub of payment channels; else as the profile knows it")
    ] = None
    bonds_address: Annotated[
        str | None,
        Setting("address", "the contract of submission bonds; else as the profile knows it"),
    ] = None
    channel_deposit: Annotated[
        int,
        Setting("whole", "tokens (smallest unit) that a payee's channel is topped up to have free"),
    ] = 0
    claim_from: Annotated[
        int,
        Setting("whole", "tokens (smallest unit) of a payer from which his vouchers are claimed"),
    ] = 0
    cache_price: Annotated[
        int,
        Setting("whole", "tokens (smallest unit) for a MiB of what is cached here; 0 is free"),
    ] = 0
    cache_free_bytes: Annotated[
        int, Setting("size", "of it, what a peer has a day for nothing beyond what it gave")
    ] = FREE_BYTES
    cache_max_price: Annotated[
        int,
        Setting("whole", "tokens (smallest unit) paid for a MiB that others have cached, at most"),
    ] = 0
    cache_budget: Annotated[
        int, Setting("whole", "tokens (smallest unit) paid for that in a day, at most; 0: any")
    ] = 0
    cache_limit: Annotated[
        int,
        Setting("size", "bytes of what was fetched and nothing else keeps; 0: until block-ttl"),
    ] = 0
    providers: Annotated[
        tuple[str, ...],
        Setting("list", "provider of sealed replicas to ask, besides those that are found"),
    ] = ()
    asn_table: Annotated[
        Path | None, Setting("path", "autonomous systems by address ranges (TSV of ip2asn)")
    ] = None
    provider: Annotated[
        bool, Setting("flag", "keep sealed replicas of others for pay; needs a chain with a hub")
    ] = False
    retail_price: Annotated[
        int, Setting("whole", "tokens (smallest unit) for a byte and second of a replica")
    ] = 1
    retail_get_price: Annotated[
        int, Setting("whole", "tokens (smallest unit) for a byte read; 0: the exchange serves it")
    ] = 1000
    retail_put_price: Annotated[
        int, Setting("whole", "tokens (smallest unit) for a byte written, once")
    ] = 0
    retail_space: Annotated[
        int | None, Setting("size", "of the quota, for all replicas together; else what is free")
    ] = None
    retail_term: Annotated[
        float, Setting("duration", "how long a replica is taken for, at most; it can be renewed")
    ] = 365 * 86400.0
    retail_credit: Annotated[
        int, Setting("size", "what a new reader is served ahead of payment")
    ] = MIB
    operator: Annotated[
        str | None, Setting("text", "who runs this provider, at most 64 bytes; else the account")
    ] = None
    aggregator: Annotated[
        bool, Setting("flag", "code, prove and submit for others for pay; needs a chain with a hub")
    ] = False
    aggregator_services: Annotated[
        tuple[str, ...], Setting("list", "of encode, prove, submit; else all that this node can")
    ] = ()
    aggregator_encode_price: Annotated[
        int, Setting("whole", "tokens (smallest unit) for a GiB of a dataset that is coded")
    ] = 1_000_000_000
    aggregator_first_share: Annotated[
        int, Setting("whole", "percent of it that is due once checked, the rest when hosts have it")
    ] = 60
    aggregator_prove_price: Annotated[
        int, Setting("whole", "tokens (smallest unit) for a proof that is made")
    ] = 1_000_000
    aggregator_submit_price: Annotated[
        int, Setting("whole", "tokens (smallest unit) for a proof that is brought into the chain")
    ] = 1_000_000
    aggregator_bond: Annotated[
        int, Setting("whole", "tokens (smallest unit) promised if such a proof does not get there")
    ] = 0
    aggregator_max_size: Annotated[int, Setting("size", "the largest dataset that is coded")] = (
        64 * GIB
    )
    aggregator_jobs: Annotated[int, Setting("count", "jobs under way at once, at most")] = 16
    aggregators: Annotated[
        tuple[str, ...], Setting("list", "aggregator to ask, besides those that are found")
    ] = ()
    prove_via: Annotated[
        tuple[str, ...], Setting("list", "who makes the proofs of slots here: auto, or peers")
    ] = ()
    prove_max_price: Annotated[
        int, Setting("whole", "tokens (smallest unit) paid for such a proof, at most; 0: any")
    ] = 0
    submit_via: Annotated[
        tuple[str, ...], Setting("list", "who brings them into the chain: auto, or peers")
    ] = ()
    submit_max_price: Annotated[
        int, Setting("whole", "tokens (smallest unit) paid for that, at most; 0: any")
    ] = 0
    check_confidence: Annotated[
        float, Setting("share", "with which one wrong block in a hundred of a coding is found")
    ] = 0.99
    reward_recipient: Annotated[
        str | None, Setting("address", "who gets what this host earns, besides its collateral")
    ] = None
    slots_of_request: Annotated[
        int, Setting("whole", "slots that this host takes of one request, at most; 0 is all")
    ] = 0
    rebuild_after: Annotated[
        float,
        Setting("duration", "without a byte of a slot that lost its host, it is computed"),
    ] = 20.0
    validator: Annotated[
        bool, Setting("flag", "mark proofs of others that are missing, for a reward")
    ] = False
    validator_max_slots: Annotated[
        int, Setting("whole", "slots that a validator watches; 0 is all")
    ] = 1000
    validator_groups: Annotated[
        int | None, Setting("groups", "into how many groups validators share the slots")
    ] = None
    validator_group_index: Annotated[
        int, Setting("whole", "which of the groups this one watches, from 0 on")
    ] = 0
    max_priority_fee_per_gas: Annotated[
        int, Setting("whole", "tip for each unit of gas of a transaction, in wei, at most")
    ] = 1_000_000_000
    confirmations: Annotated[
        int, Setting("whole", "blocks on top of one before what it says is acted upon")
    ] = 0
    num_threads: Annotated[
        int, Setting("threads", "threads for hashing and disk; 0: as the machine suggests")
    ] = 0
    workers: Annotated[
        str, Setting("workers", "who codes and proves: local, ray:HOST:PORT or ray:auto")
    ] = "local"
    worker_cores: Annotated[
        int, Setting("count", "cores of each worker elsewhere; of a smaller machine, all")
    ] = 4
    request_timeout: Annotated[
        float, Setting("duration", "how long a request waits for the network")
    ] = 30.0
    upload_idle_timeout: Annotated[
        float, Setting("duration", "an upload whose client sends nothing for so long is dropped")
    ] = 600.0
    upload_expiry: Annotated[
        float,
        Setting("duration", "how long an upload or protection that was begun waits to be resumed"),
    ] = 86400.0
    fetch_idle_timeout: Annotated[
        float, Setting("duration", "a background fetch without progress for so long fails")
    ] = 600.0
    drop_computed: Annotated[
        bool, Setting("flag", "give up blocks that a download computed, at its end; else cached")
    ] = False
    shutdown_timeout: Annotated[
        float, Setting("duration", "how long a stopping node lets uploads and downloads end")
    ] = 10.0
    log_level: Annotated[
        str, Setting("text", "trace, debug, info, notice, warn, error, fatal; LEVEL;LEVEL:topic")
    ] = "info"
    otlp_endpoint: Annotated[
        str | None, Setting("text", "OpenTelemetry collector to send spans to; http://host:4318")
    ] = None
    log_format: Annotated[str, Setting("text", ", ".join(LOG_FORMATS))] = "auto"
    log_file: Annotated[
        Path | None, Setting("path", "file to which log lines are added, besides standard error")
    ] = None
    metrics: Annotated[bool, Setting("flag", "serve metrics on an address of their own")] = False
    metrics_address: Annotated[str, Setting("text", "address of the metrics")] = "127.0.0.1"
    metrics_port: Annotated[int, Setting("port", "port of the metrics; 0 takes a free one")] = 8008


@cache
def settings() -> dict[str, Setting]:
    """The settings by the name that people write (`storage-quota`), in order."""
    hints = get_type_hints(NodeConfig, include_extras=True)
    return {
        written_name(field): next(a for a in get_args(hints[field])[1:] if isinstance(a, Setting))
        for field in NodeConfig.__struct_fields__
    }


def default_text(name: str) -> str:
    """The default of a setting for help texts; empty when there is none."""
    value = getattr(NodeConfig(), name.replace("-", "_"))
    if isinstance(value, tuple):
        return " ".join(value)
    return "" if value is None or value is False else str(value)


def written_name(field: str) -> str:
    """As people write the name of a field."""
    return field.replace("_", "-")

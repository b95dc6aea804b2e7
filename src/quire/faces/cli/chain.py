"""quire chain: a local chain with the contracts on it, and the contract that a node would use."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quire.base.errors import InputError, QuireError
from quire.chain.abi import address_text
from quire.chain.contract_config import ContractConfig
from quire.chain.deploy import Deployment
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain, DevChainOptions
from quire.chain.terms import Dispersal, Extensions, LazyRepair
from quire.chain.values import Address
from quire.faces.cli.circuit_options import circuit_options, places_of
from quire.faces.cli.common import Duration, json_option, show_json
from quire.services.circuit_files import CircuitPlaces, NoCircuit
from quire.services.circuits import LoadedCircuit

if TYPE_CHECKING:
    from quire.chain.evm.opening import Contracts

SHOWN_ACCOUNTS = 10
DEFAULT_PORT = 8545


@click.group()
def chain_command() -> None:
    """The chain of the marketplace: one of your own, or what is known of another."""


@chain_command.command("dev")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--block-time",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Seconds between blocks; 0 mines with each transaction.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File in which the chain is kept from one start to the next.",
)
@click.option("--period", type=Duration(), help="How long a proof period lasts.")
@click.option("--timeout", type=Duration(), help="How long after it a miss can be marked.")
@click.option("--downtime", type=int, help="Blocks of 256 for which no proof is asked.")
@click.option("--max-slashes", type=int, help="Missed proofs that cost a host its slot.")
@click.option("--slash", type=int, help="Percent of the collateral for each missed proof.")
@click.option("--repair-reward", type=int, help="Percent of the collateral for a repair.")
@click.option("--h", "h_bps", type=int, help="Window of reservations, F(1/2) in 1/10000; 0: open.")
@click.option("--any-proof", is_flag=True, help="Take every proof; no circuit is needed.")
@circuit_options
@json_option
def dev(
    port: int,
    block_time: int,
    state: Path | None,
    any_proof: bool,
    data_dir: Path | None,
    circuit_dir: Path | None,
    profile: str | None,
    config_file: Path | None,
    as_json: bool,
    **terms: Any,
) -> None:
    """Run a local chain with the marketplace, until Ctrl-C.

    The contract takes proofs of the circuit that a node with the same options would use. Everybody
    knows the keys of the accounts: nothing of value may ever be on them.
    """
    places = places_of(data_dir, circuit_dir, profile, config_file)
    words, zkey_hash = (None, "") if any_proof else _key(places)
    config = contract_config(terms, zkey_hash)
    config.check()
    options = DevChainOptions(port=port, state_file=state)
    asyncio.run(_run(options, config, words, block_time or None, as_json))


@chain_command.command("info")
@click.option("--eth-provider", help="Node of the chain: ws:// or http://.")
@click.option("--marketplace-address", help="The contract; else as the profile knows it.")
@click.option("--hub-address", help="The hub of payment channels; else as the profile knows it.")
@click.option("--bonds-address", help="The contract of bonds; else as the profile knows it.")
@click.option("--profile", help="Network profile: a name, or a TOML file.")
@click.option(
    "--config-file",
    type=click.Path(path_type=Path),
    envvar="QUIRE_CONFIG_FILE",
    help="TOML file with the settings of a node.",
)
@json_option
def info(config_file: Path | None, as_json: bool, **given: str | None) -> None:
    """What the contracts that a node would use were set up with. Needs no account."""
    from quire.node.chain_settings import market_settings
    from quire.node.config_load import load_config
    from quire.node.profile import load_profile

    flags = {name.replace("_", "-"): value for name, value in given.items() if value is not None}
    config = load_config(flags, os.environ, config_file, warn=lambda _: None)
    settings = market_settings(config, load_profile(config.profile))
    found = terms_as_dict(asyncio.run(_contracts(settings)))
    if as_json:
        show_json(found)
    else:
        for name, value in found.items():
            click.echo(f"{name:<22} {'none' if value is None else value}")


def contract_config(terms: Mapping[str, Any], zkey_hash: str) -> ContractConfig:
    """From the options that were given; the others are the reference's."""
    names = {"repair_reward": "repair_reward_percentage", "slash": "slash_percentage"}
    given: dict[str, Any] = {
        names.get(name, name): int(value)
        for name, value in terms.items()
        if value is not None and name != "h_bps"
    }
    if terms.get("h_bps") is not None:
        given["dispersal"] = Dispersal(h_bps=terms["h_bps"])
    return ContractConfig(zkey_hash=zkey_hash, **given)


def terms_as_dict(contracts: Contracts) -> dict[str, object]:
    """As data for people and programs. Durations in seconds."""
    terms = contracts.terms
    return {
        "chainId": terms.chain_id,
        "marketplace": address_text(terms.contract),
        "token": address_text(terms.token),
        "hub": _address(contracts.hub),
        "bonds": _address(contracts.bonds),
        "period": terms.period,
        "timeout": terms.timeout,
        "downtime": terms.downtime,
        "downtimeProduct": terms.downtime_product,
        "zkeyHash": terms.zkey_hash,
        "proofInputs": terms.proof_inputs,
        "repairReward": f"{terms.repair_reward_percentage} %",
        "maxSlashes": terms.max_slashes,
        "slash": f"{terms.slash_percentage} %",
        "validatorReward": f"{terms.validator_reward_percentage} %",
        "maxReservations": terms.max_reservations,
        "durationLimit": terms.duration_limit,
        "extensions": ", ".join(_extensions(terms.extensions)) or "none",
        "window": _window(terms.dispersal),
        "repair": _repair(terms.lazy_repair),
    }


def _address(found: Address | None) -> str | None:
    return None if found is None else address_text(found)


def _extensions(extensions: Extensions) -> list[str]:
    return [(each.name or "").lower().replace("_", "-") for each in extensions]


def _window(window: Dispersal) -> str:
    if not window.h_bps:
        return "open: first come, first served"
    return f"half of it for {window.h_bps / 100:g} % of all hosts, tail {window.tail_bps / 100:g} %"


def _repair(repair: LazyRepair) -> str:
    if not repair.max_delay:
        return "freed slots open at once"
    return f"freed slots open together, after {repair.max_delay} s at the latest"


async def _contracts(settings: Any) -> Contracts:
    from quire.chain.evm.opening import find_contracts
    from quire.chain.rpc import connect

    rpc = connect(settings.url)
    try:
        return await find_contracts(rpc, settings)
    finally:
        await rpc.close()


def _key(places: CircuitPlaces) -> tuple[bytes, str]:
    """Words of the verifying key, and the hash of the proving key."""
    try:
        circuit = LoadedCircuit.open(places.find(places.default), None)
    except NoCircuit as error:
        raise InputError(
            f"{error.message}; make a key for tests with: quire circuit setup, or let the contract "
            f"take every proof with --any-proof"
        ) from None
    return circuit.verifying_key.words, circuit.key_hash.hex()


async def _run(
    options: DevChainOptions,
    config: ContractConfig,
    words: bytes | None,
    block_seconds: int | None,
    as_json: bool,
) -> None:
    from quire.chain.anvil_program import anvil_program, find_anvil
    from quire.chain.deploy import deploy, deployed_before

    if find_anvil(os.environ) is None:
        click.echo("Anvil is not here; installing it from npm, once (44 MB)", err=True)
    chain = await DevChain.start(await anvil_program(os.environ), options)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        deployment = await deployed_before(chain) or await deploy(chain, config, words)
        await chain.mine_every(block_seconds)
        _show(chain, deployment, as_json)
        while not stopped.is_set():
            ended = loop.create_task(chain.until_ended())
            told = loop.create_task(stopped.wait())
            await asyncio.wait([ended, told], return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            told.cancel()
            if not stopped.is_set():
                raise QuireError("the chain ended by itself")
    finally:
        await chain.stop()


def _show(chain: DevChain, deployment: Deployment, as_json: bool) -> None:
    accounts = [dev_account(index) for index in range(SHOWN_ACCOUNTS)]
    if as_json:
        show_json(
            {
                "url": chain.url,
                "chainId": chain.expected_id,
                "marketplace": address_text(deployment.marketplace),
                "token": address_text(deployment.token),
                "hub": _address(deployment.hub),
                "bonds": _address(deployment.bonds),
                "accounts": [{"address": a.text, "key": f"0x{a.key.hex()}"} for a in accounts],
            }
        )
        return
    click.echo(f"chain        {chain.url}   id {chain.expected_id}")
    click.echo(f"marketplace  {address_text(deployment.marketplace)}")
    click.echo(f"token        {address_text(deployment.token)}")
    click.echo(f"hub          {_address(deployment.hub) or 'none'}")
    click.echo(f"bonds        {_address(deployment.bonds) or 'none'}\n")
    click.echo("accounts, with gas and tokens; everybody knows these keys:")
    for account in accounts:
        click.echo(f"  {account.text}  0x{account.key.hex()}")
    click.echo(
        "\nA node trades here with:\n"
        f"  quire node --eth-provider {chain.url} --eth-private-key <file with a key, mode 600>\n"
        "Ctrl-C ends the chain."
    )

"""The embedded chain: its life, its time, and the contracts where Codex nodes look for them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from dataclasses import replace

import pytest

from quire.base.errors import BadConfig, EnvironmentProblem
from quire.chain.abi import address_text, decode
from quire.chain.anvil_program import NoAnvil, anvil_program, find_anvil
from quire.chain.artefact import artefact
from quire.chain.deploy import deploy
from quire.chain.deployment import TOKENS_EACH
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain, DevChainOptions
from support.local_chain import QUICK, deployed_chain, local_chain

MARKETPLACE = "0x322813Fd9A801c5507c9de605d63CEA4f2CE6c44"


async def asked(chain: DevChain, to: bytes, contract: str, call: str, *arguments: bytes) -> bytes:
    data = artefact(contract).methods[call] + b"".join(a.rjust(32, b"\0") for a in arguments)
    shape = {"to": address_text(to), "data": f"0x{data.hex()}"}
    return bytes.fromhex((await chain.call("eth_call", shape, "latest"))[2:])


async def block_hash(chain: DevChain, number: int) -> str:
    return (await chain.call("eth_getBlockByNumber", hex(number), False))["hash"]


async def test_the_marketplace_is_where_every_codex_node_looks_for_it():
    async with deployed_chain() as (chain, deployed):
        assert address_text(deployed.marketplace) == MARKETPLACE
        assert await chain.chain_id() == 31337
        assert await chain.block_number() > 256
        (token,) = decode(
            ["address"], await asked(chain, deployed.marketplace, "Marketplace", "token()")
        )
        assert token == f"0x{deployed.token.hex()}"
        for index in (0, 19):
            holder = dev_account(index).address
            balance = await asked(chain, deployed.token, "TestToken", "balanceOf(address)", holder)
            assert int.from_bytes(balance) == TOKENS_EACH


async def test_contracts_are_put_on_an_empty_chain_only():
    async with deployed_chain() as (chain, _):
        with pytest.raises(EnvironmentProblem, match="empty chain"):
            await deploy(chain, QUICK, None)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (replace(QUICK, slash_percentage=51), "at most 1 slashes fit"),
        (replace(QUICK, repair_reward_percentage=93), "92 % at most"),
        (replace(QUICK, period=0), "period"),
        (replace(QUICK, timeout=0), "timeout"),
        (replace(QUICK, downtime=256), "downtime"),
    ],
)
def test_a_contract_that_could_not_pay_is_refused_before_it_is_deployed(config, said):
    with pytest.raises(BadConfig, match=said):
        config.check()


async def test_time_and_blocks_move_when_they_are_told_to():
    async with local_chain() as chain:
        await chain.hold()
        await chain.mine(5)
        assert await chain.block_number() == 5
        before = await chain.time()
        await chain.advance(1000)
        assert await chain.time() >= before + 1000
        target = await chain.time() + 500
        await chain.warp(target)
        newest = await chain.call("eth_getBlockByNumber", "latest", False)
        assert int(newest["timestamp"], 16) == target


async def test_a_rewound_chain_has_other_blocks_and_keeps_its_time():
    async with local_chain() as chain:
        await chain.mine(10)
        await chain.advance(5000)
        kept, lost, time = (
            await block_hash(chain, 8),
            await block_hash(chain, 9),
            await chain.time(),
        )
        await chain.rewind(3)
        assert await chain.block_number() == 12
        assert await block_hash(chain, 8) == kept
        assert await block_hash(chain, 9) != lost
        assert await chain.time() >= time


async def test_a_stopped_chain_goes_on_where_it_was(tmp_path):
    options = DevChainOptions(state_file=tmp_path / "state.json")
    async with deployed_chain(options=options) as (chain, deployed):
        await chain.advance(3000)
        number, time, port = await chain.block_number(), await chain.time(), chain.port
        old = await block_hash(chain, 100)
        await chain.stop()
        assert not chain.is_alive
        await chain.start_again()
        assert (await chain.block_number(), chain.port) == (number, port)
        assert await chain.time() >= time
        assert await block_hash(chain, 100) == old
        assert len(await asked(chain, deployed.marketplace, "Marketplace", "token()")) == 32


async def test_a_port_that_is_taken_is_told_of():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        options = DevChainOptions(port=other.getsockname()[1])
        with pytest.raises(EnvironmentProblem, match="at its start"):
            await DevChain.start(await anvil_program(os.environ), options)


async def test_another_chain_at_the_port_is_not_taken_for_the_own_one():
    async with local_chain() as chain:
        chain._options = replace(chain._options, chain_id=5)
        with pytest.raises(EnvironmentProblem, match=r"id 31337.*expected id 5"):
            await chain._until_it_answers()


async def test_the_chain_ends_with_the_process_that_started_it_and_leaves_nothing(tmp_path):
    script = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from quire.chain.dev_chain import DevChain\n"
        "async def main():\n"
        "    chain = await DevChain.start(Path(sys.argv[1]))\n"
        "    print(chain.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    program = str(await anvil_program(os.environ))
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, program),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    pid = int(await parent.stdout.readline())
    os.kill(pid, 0)
    assert any(tmp_path.iterdir())
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    async with asyncio.timeout(20):
        while is_running(pid) or any(tmp_path.iterdir()):
            await asyncio.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_that_is_named_and_not_there_is_told_of(tmp_path):
    with pytest.raises(NoAnvil, match="QUIRE_ANVIL"):
        find_anvil({"QUIRE_ANVIL": str(tmp_path / "anvil")})
    assert find_anvil({"HOME": str(tmp_path), "PATH": str(tmp_path)}) is None


async def test_where_npm_is_missing_the_remedy_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoAnvil, match="QUIRE_ANVIL"):
        await anvil_program({"HOME": str(tmp_path), "PATH": str(tmp_path)})

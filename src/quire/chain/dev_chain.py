"""A chain of one's own: Anvil as a child process, for development, tests and the demo.

    chain = await DevChain.start(program)       a free port of this machine, id 31337, block 0
    ... connect(chain.url) ...
    await chain.stop()

It is asked only after it is sure that the own child answers: it is alive, has the id that it was
told and is at the block where it was left. It ends with this process, however this process ends.

    blocks      mined with each transaction, or every `block_seconds`
    time        runs with the machine's; `advance` and `warp` move it forward
    state       with `state_file` it is kept over `stop` and `start_again`, on the same port

Source   market.md 7.3
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire.base.errors import ChainUnreachable, EnvironmentProblem, RpcRefused
from quire.chain.deployment import LOCAL_CHAIN_ID
from quire.chain.quantity import quantity
from quire.chain.rpc import Rpc, connect

ACCOUNTS = 20
START_SECONDS = 30.0
STOP_SECONDS = 20.0
LOOK_SECONDS = 0.02
PORT_TRIES = 5
LAST_WORDS = 600

# The child reads from a pipe that only this process writes to. When the pipe ends without a word,
# this process is gone, and the chain is killed. What it had put on the disk goes with it.
GUARD = (
    'old=$1; shift; exec 3<&0; (read word <&3 || { kill -9 $$; rm -rf "$old"; }) '
    '>/dev/null 2>&1 & exec "$@" </dev/null 3<&-'
)


@dataclass(frozen=True, slots=True)
class DevChainOptions:
    """`block_seconds` None: a block with each transaction. `port` 0: a free one. `timestamp`: unix
    seconds of the first block, from which time runs on. `log`: what Anvil says is added there."""

    chain_id: int = LOCAL_CHAIN_ID
    port: int = 0
    block_seconds: int | None = None
    accounts: int = ACCOUNTS
    state_file: Path | None = None
    timestamp: int | None = None
    log: Path | None = None


DEFAULTS = DevChainOptions()


class DevChain:
    """One chain; stopped and started again it is the same one."""

    def __init__(self, program: Path, options: DevChainOptions, port: int) -> None:
        self._program = program
        self._options = options
        self._block_seconds = options.block_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._old_states = ""  # a directory that Anvil leaves behind when it is killed
        self._left_at = 0
        self._time_ahead = 0.0  # of the loop's clock, when it was stopped
        self.port = port
        self.rpc: Rpc = connect(self.url)

    @classmethod
    async def start(cls, program: Path, options: DevChainOptions = DEFAULTS) -> DevChain:
        """A new chain. Raises EnvironmentProblem."""
        for attempt in range(PORT_TRIES):
            chain = cls(program, options, options.port or free_port())
            try:
                await chain.start_again()
            except EnvironmentProblem:
                await chain.stop()
                if options.port or attempt == PORT_TRIES - 1:
                    raise
            else:
                return chain
        raise AssertionError("the last try returns or raises")

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def expected_id(self) -> int:
        return self._options.chain_id

    async def until_ended(self) -> None:
        """Wait until the child has ended, for whatever reason."""
        if self._process is not None:
            await self._process.wait()

    @property
    def pid(self) -> int | None:
        """None while it is stopped."""
        return self._process.pid if self.is_alive and self._process is not None else None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start_again(self) -> None:
        """Start it, with the state it was stopped with. Raises EnvironmentProblem."""
        assert not self.is_alive
        log = None if self._options.log is None else self._options.log.open("ab")
        shutil.rmtree(self._old_states, ignore_errors=True)
        self._old_states = tempfile.mkdtemp(prefix="quire-chain-")
        words = (str(self._program), *self._arguments(), "--cache-path", self._old_states)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *("sh", "-c", GUARD, "anvil", self._old_states, *words),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL if log is None else log,
                stderr=asyncio.subprocess.PIPE if log is None else log,
                start_new_session=True,  # Ctrl-C in a terminal is for us; we stop it in order
            )
        except OSError as error:
            raise EnvironmentProblem(f"{self._program} does not run: {error.strerror}") from None
        finally:
            if log is not None:
                log.close()
        await self._until_it_answers()
        if self._left_at:
            await self._catch_up(int(self._time_ahead + asyncio.get_running_loop().time()))

    async def stop(self) -> None:
        """In order: the state is written."""
        if self.is_alive:
            try:
                self._left_at = await self.block_number()
                self._time_ahead = await self.time() - asyncio.get_running_loop().time()
            except (ChainUnreachable, RpcRefused):
                pass
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """At once, as a crash; the state since its last stop is lost."""
        await self._end(signal.SIGKILL)

    async def _end(self, number: signal.Signals) -> None:
        await self.rpc.close()
        self.rpc = connect(self.url)
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.write(b"over\n")  # the guard ends without killing
            process.stdin.close()
        if process.returncode is None:
            process.send_signal(number)
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        self._process = None
        shutil.rmtree(self._old_states, ignore_errors=True)

    def _arguments(self) -> list[str]:
        options = self._options
        words = ["--host", "127.0.0.1", "--port", str(self.port), "--quiet"]
        words += ["--chain-id", str(options.chain_id), "--accounts", str(options.accounts)]
        words += ["--order", "fifo", "--preserve-historical-states"]
        if self._block_seconds is not None:
            words += ["--block-time", str(self._block_seconds)]
        if options.state_file is not None:
            words += ["--state", str(options.state_file)]
        if options.timestamp is not None and not self._left_at:
            words += ["--timestamp", str(options.timestamp)]
        return words

    async def _until_it_answers(self) -> None:
        """Raises EnvironmentProblem, also when the child ends while somebody else answers."""
        assert self._process is not None
        answers = asyncio.ensure_future(self._identify())
        ended = asyncio.ensure_future(self._process.wait())
        await asyncio.wait(
            [answers, ended], timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for task in (answers, ended):
            task.cancel()
        if self._process.returncode is not None:
            raise EnvironmentProblem(
                f"the embedded chain ended with {self._process.returncode} at its start: "
                f"{await self._last_words()}"
            )
        if not answers.done():
            raise EnvironmentProblem(
                f"the embedded chain did not answer at {self.url} within {START_SECONDS:.0f} s"
            )
        answers.result()

    async def _identify(self) -> None:
        """Wait for the port, and see who is there."""
        while not await _is_open(self.port):  # noqa: ASYNC110  (nothing tells of a port)
            await asyncio.sleep(LOOK_SECONDS)
        chain_id, number = await self.chain_id(), await self.block_number()
        is_behind = self._block_seconds is None and number < self._left_at
        if chain_id != self._options.chain_id or is_behind:
            raise EnvironmentProblem(
                f"another chain answers at {self.url}: id {chain_id}, block {number}; "
                f"expected id {self._options.chain_id}, block {self._left_at}"
            )

    async def _last_words(self) -> str:
        if self._process is None or self._process.stderr is None:
            return f"see {self._options.log}"
        said = (await self._process.stderr.read()).decode("utf-8", "replace").strip()
        return said[-LAST_WORDS:] or "without a word"

    # ---- asking and moving it ----

    async def call(self, method: str, *params: Any) -> Any:
        """Any method of Anvil. Raises RpcRefused and ChainUnreachable."""
        return await self.rpc.call(method, list(params))

    async def chain_id(self) -> int:
        return quantity(await self.call("eth_chainId"), "chain id")

    async def block_number(self) -> int:
        return quantity(await self.call("eth_blockNumber"), "block number")

    async def time(self) -> int:
        """Unix seconds that the next block may have."""
        block = await self.call("eth_getBlockByNumber", "pending", False)
        return quantity(block["timestamp"], "block's time")

    async def mine(self, blocks: int = 1, *, seconds_between: int = 0) -> None:
        await self.call("anvil_mine", hex(blocks), hex(seconds_between))

    async def advance(self, seconds: int) -> None:
        """Move time forward and mine a block."""
        await self.call("evm_increaseTime", seconds)
        await self.mine()

    async def warp(self, timestamp: int) -> None:
        """Mine a block with exactly this time, which is to come. Time goes on from it."""
        await self.call("evm_setNextBlockTimestamp", timestamp)
        await self.mine()

    async def mine_every(self, seconds: int | None) -> None:
        """Every so many seconds; None: with each transaction."""
        await self.hold()
        if seconds is None:
            await self.call("evm_setAutomine", True)
        else:
            await self.call("evm_setIntervalMining", seconds)
        self._block_seconds = seconds

    async def hold(self) -> None:
        """Mine only when told, by `mine`."""
        await self.call("evm_setIntervalMining", 0)
        await self.call("evm_setAutomine", False)

    async def rewind(self, blocks: int) -> None:
        """Take the newest blocks back, with their transactions, and put empty others in their
        place and one on top: a re-organisation."""
        time = await self.time()
        await self.call("anvil_reorg", blocks, [])
        await self._catch_up(time)
        await self.mine()

    async def _catch_up(self, time: int) -> None:
        """Anvil forgets that its time was moved."""
        lost = time - await self.time()
        if lost > 0:
            await self.call("evm_increaseTime", lost)


async def _is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def free_port() -> int:
    """One that nobody listened on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

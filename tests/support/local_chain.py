"""A local chain for a test, with the contracts on it or without."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quire.chain.anvil_program import anvil_program
from quire.chain.contract_config import ContractConfig
from quire.chain.deploy import Deployment, deploy
from quire.chain.dev_chain import DEFAULTS, DevChain, DevChainOptions

# Short periods, as the reference's own tests have; proofs are asked for by every pointer.
QUICK = ContractConfig(period=10, timeout=5, downtime=0, max_slashes=2)


@asynccontextmanager
async def local_chain(options: DevChainOptions = DEFAULTS) -> AsyncIterator[DevChain]:
    """An empty chain, on a port of its own; it mines with each transaction."""
    chain = await DevChain.start(await anvil_program(os.environ), options)
    try:
        yield chain
    finally:
        await chain.stop()


@asynccontextmanager
async def deployed_chain(
    config: ContractConfig = QUICK,
    verifying_key: bytes | None = None,
    options: DevChainOptions = DEFAULTS,
) -> AsyncIterator[tuple[DevChain, Deployment]]:
    """One with the contracts; without a key every proof that is not all zeros is taken."""
    async with local_chain(options) as chain:
        yield chain, await deploy(chain, config, verifying_key)

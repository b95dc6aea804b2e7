"""Puts the contracts on a local chain, in the order in which every Codex node expects them.

    257 blocks, then by nonce of account 0: token, verifier, test verifier, 20 mints, marketplace,
    hub, bonds

Source   market.md 1.7; `deployment` has the order and what follows from it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quire.base.errors import BadConfig, EnvironmentProblem, RpcRefused
from quire.chain.abi import address_text, encode
from quire.chain.artefact import artefact
from quire.chain.contract_config import TYPES, ContractConfig
from quire.chain.deployment import ADDRESSES, DEPLOYER, FIRST_BLOCK, ORDER, TOKENS_EACH
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain
from quire.chain.quantity import octets, quantity
from quire.chain.values import Address

WORD_BYTES = 32
KEY_FIXED_WORDS = 14  # of a verifying key, before the points of its inputs
DEPLOY_GAS = 7_000_000
MINT_GAS = 100_000
PARTS = ("TestToken", "Marketplace", "ChannelHub", "SubmissionBonds")  # of a Deployment


@dataclass(frozen=True, slots=True)
class Deployment:
    """`hub`, `bonds` None: the chain was set up before there were such contracts."""

    token: Address
    marketplace: Address
    hub: Address | None
    bonds: Address | None


async def deploy(
    chain: DevChain, config: ContractConfig, verifying_key: bytes | None
) -> Deployment:
    """Needs an empty chain that mines with each transaction.

    verifying_key  words of the circuit's key (`VerifyingKey.words`); None: the test verifier, which
                   takes every proof that is not all zeros
    Raises         BadConfig, EnvironmentProblem (the chain is not empty), ChainUnreachable
    """
    config.check()
    used = quantity(
        await chain.call("eth_getTransactionCount", address_text(DEPLOYER), "latest"), "nonce"
    )
    if used:
        raise EnvironmentProblem(
            f"contracts are deployed to an empty chain; account 0 of the one at {chain.url} has "
            f"sent {used} transactions"
        )
    await chain.mine(max(0, FIRST_BLOCK - await chain.block_number()))
    verifier = ADDRESSES["TestVerifier" if verifying_key is None else "Groth16Verifier"]
    arguments = {
        "TestToken": b"",
        "Groth16Verifier": _key_argument(verifying_key or bytes(_key_bytes(3))),
        "TestVerifier": b"",
        "Marketplace": encode(TYPES, config.values(ADDRESSES["TestToken"], verifier)),
        "ChannelHub": encode(["address", "address"], [ADDRESSES["TestToken"], DEPLOYER]),
        "SubmissionBonds": encode(["address"], [ADDRESSES["Marketplace"]]),
    }
    await chain.hold()
    try:
        sent = [await _send(chain, nonce, step, arguments) for nonce, step in enumerate(ORDER)]
        await chain.mine()
    finally:
        await chain.mine_every(None)
    for step, transaction in zip(ORDER, sent, strict=True):
        await _check(chain, step, transaction)
    return Deployment(*(ADDRESSES[name] for name in PARTS))


async def deployed_before(chain: DevChain) -> Deployment | None:
    """What is on a chain that was stopped and started again; None when it is empty."""
    if not await _has_code(chain, "Marketplace"):
        return None
    later = [
        ADDRESSES[name] if await _has_code(chain, name) else None
        for name in ("ChannelHub", "SubmissionBonds")
    ]
    return Deployment(ADDRESSES["TestToken"], ADDRESSES["Marketplace"], *later)


async def mint(chain: DevChain, account: Address, tokens: int) -> None:
    """Give test tokens; they are there with the next block."""
    data = f"0x{_mint_call(account, tokens).hex()}"
    await _hand_over(chain, {"to": address_text(ADDRESSES["TestToken"]), "data": data})


async def _has_code(chain: DevChain, name: str) -> bool:
    code = await chain.call("eth_getCode", address_text(ADDRESSES[name]), "latest")
    return bool(octets(code, "code"))


async def _send(
    chain: DevChain, nonce: int, step: str, arguments: Mapping[str, bytes]
) -> dict[str, str]:
    """One step of ORDER; what was sent, with its hash."""
    if step == "mint":
        data = _mint_call(dev_account(nonce - ORDER.index("mint")).address, TOKENS_EACH)
        shape = {"to": address_text(ADDRESSES["TestToken"]), "gas": hex(MINT_GAS)}
    else:
        data = artefact(step).bytecode + arguments[step]
        shape = {"gas": hex(DEPLOY_GAS)}
    return await _hand_over(chain, {**shape, "data": f"0x{data.hex()}", "nonce": hex(nonce)})


async def _hand_over(chain: DevChain, shape: dict[str, str]) -> dict[str, str]:
    """From account 0, whose key the chain has."""
    shape = {"from": address_text(DEPLOYER), **shape}
    return {**shape, "hash": await chain.call("eth_sendTransaction", shape)}


async def _check(chain: DevChain, step: str, sent: dict[str, str]) -> None:
    """Whether it is in a block and has succeeded. Raises BadConfig, EnvironmentProblem."""
    receipt = await chain.call("eth_getTransactionReceipt", sent.pop("hash"))
    if not isinstance(receipt, dict):
        raise EnvironmentProblem(f"{step} of the deployment came into no block")
    if quantity(receipt.get("status"), "status") != 1:
        try:
            again = {name: value for name, value in sent.items() if name != "nonce"}
            await chain.call("eth_call", again, "latest")
        except RpcRefused as refusal:
            raise BadConfig(f"{step} refuses what it is set up with: {refusal.message}") from None
        raise EnvironmentProblem(f"{step} of the deployment failed")
    created = (receipt.get("contractAddress") or "").lower()
    if step in ADDRESSES and created != f"0x{ADDRESSES[step].hex()}":
        raise EnvironmentProblem(
            f"{step} came to {created}, not to {address_text(ADDRESSES[step])}"
        )


def _mint_call(account: Address, tokens: int) -> bytes:
    method = artefact("TestToken").methods["mint(address,uint256)"]
    return method + encode(["address", "uint256"], [account, tokens])


def _key_argument(words: bytes) -> bytes:
    """abi.encode of a verifying key, whose words stand in the order of the struct already."""
    fixed, points = words[: KEY_FIXED_WORDS * WORD_BYTES], words[KEY_FIXED_WORDS * WORD_BYTES :]
    offset = (KEY_FIXED_WORDS + 1) * WORD_BYTES
    numbers = (WORD_BYTES, offset, len(points) // (2 * WORD_BYTES))
    outer, inner, count = (number.to_bytes(WORD_BYTES, "big") for number in numbers)
    return outer + fixed + inner + count + points


def _key_bytes(inputs: int) -> int:
    return (KEY_FIXED_WORDS + 2 * (inputs + 1)) * WORD_BYTES

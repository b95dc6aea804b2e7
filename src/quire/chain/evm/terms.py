"""Finds the marketplace contract and reads what it was set up with, or says why it is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quire.base.errors import ChainUnreachable, Reverted, WrongChain
from quire.chain.abi import address_text, parse_address, told_address
from quire.chain.evm import methods
from quire.chain.evm.methods import Method
from quire.chain.evm.reader import Reader
from quire.chain.quantity import octets
from quire.chain.rpc import Rpc
from quire.chain.terms import NO_EXTENSIONS, Dispersal, Extensions, LazyRepair, Terms
from quire.chain.values import NO_ADDRESS, Address

REFERENCE_INPUTS = 3  # public inputs of a proof
INPUT_COUNTS = (3, 4)


def contract_for(chain_id: int, named: str | None, known: Mapping[str, str]) -> Address:
    """The address that was named, or the one known for the chain. Raises WrongChain."""
    text = named or known.get(str(chain_id))
    if text is None:
        ids = ", ".join(sorted(known, key=int)) or "no chain"
        raise WrongChain(
            f"the chain has the id {chain_id}, and no marketplace is known for it (known: {ids}); "
            f"is it the right chain? If so, give --marketplace-address",
            chain_id=chain_id,
        )
    return parse_address(text)


async def find_contract(
    rpc: Rpc, chain_id: int, named: str | None, known: Mapping[str, str], what: str, option: str
) -> Address | None:
    """One that a market can do without: what was named, or what is known for the chain if it is
    there. Raises WrongChain when nothing is where it was named."""
    text = named or known.get(str(chain_id))
    if text is None:
        return None
    found = parse_address(text)
    if await has_code(rpc, found):
        return found
    if named is None:
        return None  # a chain of a developer from before there was such a contract
    raise WrongChain(
        f"there is no {what} at {text} on chain {chain_id}: no code; is it the right chain, and "
        f"{option} right?",
        chain_id=chain_id,
    )


async def read_terms(rpc: Rpc, chain_id: int, contract: Address) -> Terms:
    """Raises WrongChain when there is no marketplace, or one that is not understood."""
    await _check_code(rpc, chain_id, contract, "marketplace contract")
    reader = Reader(rpc, contract, NO_ADDRESS)
    config, token, extensions = await answers(
        reader, [(methods.CONFIG, []), (methods.TOKEN, []), (methods.EXTENSIONS, [])]
    )
    if config is None or token is None:
        missing = "configuration()" if config is None else "token()"
        raise WrongChain(
            f"the contract at {address_text(contract)} on chain {chain_id} does not answer "
            f"{missing} as a Codex marketplace of 2025 does: another contract, or another version"
        )
    token_address = told_address(token)
    await _check_code(rpc, chain_id, token_address, "token")
    has = NO_EXTENSIONS if extensions is None else Extensions(extensions & sum(Extensions))
    return await _terms(reader, chain_id, token_address, config, has)


async def _terms(
    reader: Reader, chain_id: int, token: Address, config: Any, has: Extensions
) -> Terms:
    (repair, slashes, slash, reward), proofs, (reservations,), limit = config
    period, timeout, downtime, product, zkey_hash = proofs
    window, lazy = await answers(reader, [(methods.DISPERSAL, []), (methods.LAZY_REPAIR, [])])
    return Terms(
        chain_id=chain_id,
        contract=reader.contract,
        token=token,
        repair_reward_percentage=repair,
        max_slashes=slashes,
        slash_percentage=slash,
        validator_reward_percentage=reward,
        period=period,
        timeout=timeout,
        downtime=downtime,
        downtime_product=product,
        zkey_hash=zkey_hash,
        max_reservations=reservations,
        duration_limit=limit,
        extensions=has,
        proof_inputs=await _input_count(reader, has),
        dispersal=Dispersal(*window) if window and Extensions.DISPERSAL in has else Dispersal(),
        lazy_repair=LazyRepair(*lazy) if lazy and Extensions.LAZY_REPAIR in has else LazyRepair(),
    )


async def _input_count(reader: Reader, has: Extensions) -> int:
    """The reference has no call for it, and three."""
    if not has:
        return REFERENCE_INPUTS
    (count,) = await answers(reader, [(methods.PROOF_INPUTS, [])])
    if count is None:
        return REFERENCE_INPUTS
    if count not in INPUT_COUNTS:
        raise WrongChain(
            f"the marketplace takes proofs with {count} public inputs; this version makes those "
            f"with 3 or 4"
        )
    return int(count)


async def answers(reader: Reader, asked: Sequence[tuple[Method, Sequence[Any]]]) -> list[Any]:
    """None for a call that the contract does not know. Raises ChainUnreachable."""
    found = []
    for method, values in asked:
        try:
            found.append(await reader.ask(method, *values))
        except Reverted:
            found.append(None)
        except ChainUnreachable as error:
            if "not its answer" not in error.message:
                raise
            found.append(None)
    return found


async def has_code(rpc: Rpc, address: Address) -> bool:
    return bool(octets(await rpc.call("eth_getCode", [f"0x{address.hex()}", "latest"]), "code"))


async def _check_code(rpc: Rpc, chain_id: int, address: Address, what: str) -> None:
    if not await has_code(rpc, address):
        raise WrongChain(
            f"there is no {what} at {address_text(address)} on chain {chain_id}: no code; is it "
            f"the right chain, and --marketplace-address right?",
            chain_id=chain_id,
        )

"""Finds the hub of payment channels and looks whether it is one, or says why not."""

from __future__ import annotations

from collections.abc import Mapping

from quire.base.errors import WrongChain
from quire.chain.abi import address_text, told_address
from quire.chain.eip712 import domain_separator
from quire.chain.evm import hub_methods as methods
from quire.chain.evm.reader import Reader
from quire.chain.evm.terms import answers, find_contract
from quire.chain.hub import CHALLENGE_SECONDS, HubDomain
from quire.chain.rpc import Rpc
from quire.chain.terms import Terms
from quire.chain.values import NO_ADDRESS, Address


async def find_hub(
    rpc: Rpc, terms: Terms, named: str | None, known: Mapping[str, str]
) -> Address | None:
    """The hub that was named, or the one known for the chain if it is there; None: there is none.

    Raises   WrongChain  what was named is no hub, or one of another token
    """
    hub = await find_contract(
        rpc, terms.chain_id, named, known, "hub of payment channels", "--hub-address"
    )
    if hub is not None:
        await _check(rpc, terms, hub)
    return hub


async def token_separator(rpc: Rpc, token: Address) -> bytes | None:
    """Of the token's permissions (EIP-2612); None where it knows none."""
    reader = Reader(rpc, token, NO_ADDRESS)
    separator, nonce = await answers(
        reader, [(methods.TOKEN_SEPARATOR, []), (methods.NONCES, [NO_ADDRESS])]
    )
    return None if separator is None or nonce is None else bytes(separator)


async def _check(rpc: Rpc, terms: Terms, hub: Address) -> None:
    """Raises WrongChain."""
    where = f"the contract at {address_text(hub)} on chain {terms.chain_id}"
    token, challenge, separator = await answers(
        Reader(rpc, hub, NO_ADDRESS),
        [(methods.TOKEN, []), (methods.CHALLENGE, []), (methods.SEPARATOR, [])],
    )
    if challenge != CHALLENGE_SECONDS or separator != domain_separator(
        HubDomain(terms.chain_id, hub)
    ):
        raise WrongChain(f"{where} is no hub of payment channels, or one of another version")
    if token is None or told_address(token) != terms.token:
        raise WrongChain(
            f"{where} is a hub of another token ({token}) than the marketplace's "
            f"({address_text(terms.token)})"
        )

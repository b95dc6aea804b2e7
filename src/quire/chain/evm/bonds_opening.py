"""Finds the contract of bonds and looks whether it is one, or says why not."""

from __future__ import annotations

from collections.abc import Mapping

from quire.base.errors import WrongChain
from quire.chain.abi import address_text, told_address
from quire.chain.bonds import CLAIM_SECONDS, NAME, NOTICE_PERIODS, BondsDomain
from quire.chain.eip712 import domain_separator
from quire.chain.evm import bonds_methods as methods
from quire.chain.evm.reader import Reader
from quire.chain.evm.terms import answers, find_contract
from quire.chain.rpc import Rpc
from quire.chain.terms import Terms
from quire.chain.values import NO_ADDRESS, Address

WHAT = "contract of submission bonds"


async def find_bonds(
    rpc: Rpc, terms: Terms, named: str | None, known: Mapping[str, str]
) -> Address | None:
    """The contract that was named, or the one known for the chain if it is there; None: there is
    none.

    Raises   WrongChain  what was named is no such contract, or one of another marketplace
    """
    bonds = await find_contract(rpc, terms.chain_id, named, known, WHAT, "--bonds-address")
    if bonds is None:
        return None
    marketplace, claim, notice, separator = await answers(
        Reader(rpc, bonds, NO_ADDRESS),
        [
            (methods.MARKETPLACE, []),
            (methods.CLAIM_SECONDS, []),
            (methods.NOTICE_SECONDS, []),
            (methods.SEPARATOR, []),
        ],
    )
    where = f"the contract at {address_text(bonds)} on chain {terms.chain_id}"
    expected = domain_separator(BondsDomain(terms.chain_id, bonds), NAME)
    if marketplace is None or (claim, separator) != (CLAIM_SECONDS, expected):
        raise WrongChain(f"{where} is no {WHAT}, or one of another version")
    if told_address(marketplace) != terms.contract:
        raise WrongChain(
            f"{where} holds bonds for another marketplace ({marketplace}) than "
            f"{address_text(terms.contract)}"
        )
    if notice != CLAIM_SECONDS + NOTICE_PERIODS * terms.period:
        raise WrongChain(f"{where} lets bonds go {notice} s after they were announced")
    return bonds

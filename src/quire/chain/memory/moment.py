"""One call of the contract: what it knows and remembers, when it runs, and who calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from quire.base.errors import Reverted
from quire.chain.events import MarketEvent
from quire.chain.memory.state import State
from quire.chain.reverts import WORDS
from quire.chain.terms import Terms
from quire.chain.values import Address

GRAVE = bytes(18) + b"\xde\xad"

# Whether a proof of 256 bytes is right for its public inputs.
VerifyProof = Callable[[Sequence[int], bytes], bool]


@dataclass(frozen=True, slots=True)
class Block:
    """The block in which a call runs. `hash_of` knows the 256 blocks before it."""

    number: int
    timestamp: int
    hash_of: Callable[[int], bytes]


def refuse(name: str) -> NoReturn:
    words = WORDS.get(name, "a number is out of its range, or tokens are missing")
    raise Reverted(f"the contract refuses: {words} ({name})", name=name)


def need(is_so: bool, name: str) -> None:
    if not is_so:
        refuse(name)


class Moment:
    """Base of the rules. A refused call may leave `state` half changed: throw it away then."""

    def __init__(
        self,
        terms: Terms,
        state: State,
        block: Block,
        caller: Address,
        verify_proof: VerifyProof,
        deposit: int = 0,
    ) -> None:
        self.terms = terms
        self.state = state
        self.block = block
        self.now = block.timestamp
        self.caller = caller
        self.events: list[MarketEvent] = []
        self.deposit = deposit  # of a registration
        self._verify_proof = verify_proof

    def pull(self, amount: int) -> None:
        self.state.received += amount
        self.move(self.caller, self.terms.contract, amount)

    def pay(self, recipient: Address, amount: int) -> None:
        self.state.sent += amount
        self.move(self.terms.contract, recipient, amount)

    def burn(self) -> int:
        """What belongs to nobody goes to nobody."""
        amount = self.state.burnable
        self.state.burnable = 0
        self.state.burned += amount
        self.move(self.terms.contract, GRAVE, amount)
        return amount

    def move(self, giver: Address, taker: Address, amount: int) -> None:
        """Tokens. Refused when the giver has too few."""
        tokens = self.state.tokens
        need(tokens.get(giver, 0) >= amount, "ERC20InsufficientBalance")
        tokens[giver] = tokens.get(giver, 0) - amount
        tokens[taker] = tokens.get(taker, 0) + amount

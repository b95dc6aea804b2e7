"""A small world of blocks with one marketplace contract, its token, a hub of payment channels and
a contract of bonds, shared by many accounts.

Blocks come from whoever calls `mine`: a test by hand, each transaction (`automine`), or a task that
follows a clock. Every block keeps the state after it, so that the last ones can be taken back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from quire.base.errors import Reverted
from quire.chain.bonds import BondsDomain
from quire.chain.events import MarketEvent
from quire.chain.hub import HubDomain
from quire.chain.memory.ledger import Ledger
from quire.chain.memory.moment import Block, VerifyProof
from quire.chain.memory.state import State
from quire.chain.port import Head
from quire.chain.terms import Terms
from quire.chain.values import Address
from quire.kernels.keccak import keccak256

FIRST_BLOCK = 300  # the contract needs 256 blocks before it
KEPT_STATES = 64  # so many blocks can be taken back
ETHER = 10**18
PROOF_BYTES = 256
HUB = b"\x0b" * 20
BONDS = b"\xb0" * 20

Call = Callable[[Ledger], None]


def accepts_all_but_zero(_inputs: object, proof: bytes) -> bool:
    """The verifier of tests: every proof is right but the one that is all zeros."""
    return len(proof) == PROOF_BYTES and any(proof)


@dataclass(eq=False, slots=True)
class Transaction:
    """A call that waits for a block. `problem`: with what it was refused in it; `events`: what it
    told."""

    sender: Address
    call: Call
    gas: int
    on_mined: Callable[[Transaction], None] = lambda _: None
    hash: bytes = b""
    block: int | None = None
    problem: Reverted | None = None
    events: tuple[MarketEvent, ...] = ()


@dataclass(slots=True)
class Mined:
    """A block. `state` after it; None when it is too old to be taken back."""

    head: Head
    parent: bytes
    events: tuple[MarketEvent, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    state: State | None = None
    gas: dict[Address, int] = field(default_factory=dict)


class MemoryWorld:
    """`block_seconds` from one block to the next, unless the time is set."""

    def __init__(
        self,
        terms: Terms,
        timestamp: int,
        *,
        verify_proof: VerifyProof = accepts_all_but_zero,
        block_seconds: int = 1,
        automine: bool = True,
        seed: bytes = b"",
        deposit: int = 0,
    ) -> None:
        self.terms = terms
        self.hub = HubDomain(terms.chain_id, HUB)
        self.bonds = BondsDomain(terms.chain_id, BONDS)
        self.block_seconds = block_seconds
        self.automine = automine
        self.gas: dict[Address, int] = {}  # wei
        self.gas_price = 10**9
        self.deposit = deposit
        self._verify_proof = verify_proof
        self._seed = seed
        self._fork = 0  # so that the blocks of every branch have hashes of their own
        self._sent = 0
        self._pool: list[Transaction] = []
        self._listeners: list[Callable[[], None]] = []
        self._next_timestamp: int | None = None
        self._parents: dict[bytes, Head] = {}  # by hash, of all branches
        self._state = State()
        head = Head(FIRST_BLOCK, self._hash(FIRST_BLOCK), timestamp)
        self._first = Mined(head, b"", state=State())
        self._blocks = [self._first]
        self._with_state: deque[Mined] = deque(self._blocks)

    # ---- what is ----

    @property
    def head(self) -> Head:
        return self._blocks[-1].head

    @property
    def next_timestamp(self) -> int:
        """Of the next block, as far as it is known."""
        if self._next_timestamp is not None:
            return max(self._next_timestamp, self.head.timestamp)
        return self.head.timestamp + self.block_seconds

    def block(self, number: int) -> Mined | None:
        index = number - FIRST_BLOCK
        return self._blocks[index] if 0 <= index < len(self._blocks) else None

    def parent_of(self, head: Head) -> Head | None:
        """Also of a head that is not part of the chain any more."""
        return self._parents.get(head.hash)

    def is_canonical(self, head: Head) -> bool:
        block = self.block(head.number)
        return block is not None and block.head.hash == head.hash

    def blocks_after(self, number: int) -> list[Mined]:
        return self._blocks[max(0, number + 1 - FIRST_BLOCK) :]

    def moment(self, caller: Address) -> Ledger:
        """To ask something as of the next block. What it changes is thrown away."""
        return self._moment(self._state.copy(), caller)

    @property
    def state(self) -> State:
        """As of the newest block."""
        return self._state

    # ---- what is done ----

    def mint(self, account: Address, tokens: int, gas: int = ETHER) -> None:
        """Give an account tokens, and wei to pay for its transactions."""
        self._state.tokens[account] = self._state.tokens.get(account, 0) + tokens
        self.gas[account] = self.gas.get(account, 0) + gas
        self._blocks[-1].state = self._state.copy()
        self._blocks[-1].gas = dict(self.gas)

    def send(self, transaction: Transaction) -> None:
        self._sent += 1
        transaction.hash = keccak256(b"transaction" + self._sent.to_bytes(8, "big"))
        self._pool.append(transaction)
        if self.automine:
            self.mine()

    def set_time(self, timestamp: int) -> None:
        """The next block has this time, and those before it is mined are asked as of it."""
        self._next_timestamp = timestamp

    def mine(self, blocks: int = 1) -> Head:
        for _ in range(blocks):
            self._mine_one()
        for listener in list(self._listeners):
            listener()
        return self.head

    def reorganise(self, depth: int, *, loses_transactions: bool = False) -> Head:
        """Take back the last blocks; one more than that come instead of them, with the same times.
        The transactions run again in the first of them, or are lost."""
        taken = self._blocks[-depth:]
        assert 0 < depth < len(self._with_state)
        del self._blocks[-depth:]
        for _ in taken:
            self._with_state.pop()
        base = self._blocks[-1]
        assert base.state is not None
        self._state, self.gas = base.state.copy(), dict(base.gas)
        self._fork += 1
        again = [] if loses_transactions else [t for b in taken for t in b.transactions]
        self._pool = [*again, *self._pool]
        for block in taken:
            self._next_timestamp = block.head.timestamp
            self._mine_one()
        return self.mine()

    def on_head(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call it after every change of the head; the result ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # ---- inside ----

    def _mine_one(self) -> None:
        head = Head(self.head.number + 1, self._hash(self.head.number + 1), self.next_timestamp)
        pool, self._pool = self._pool, []
        events: list[MarketEvent] = []
        for transaction in pool:
            events += self._run(transaction, head.number)
        mined = Mined(
            head, self.head.hash, tuple(events), tuple(pool), self._state.copy(), dict(self.gas)
        )
        self._parents[head.hash] = self.head
        self._blocks.append(mined)
        self._with_state.append(mined)
        if len(self._with_state) > KEPT_STATES:
            self._with_state.popleft().state = None
        self._next_timestamp = None
        for transaction in pool:
            transaction.on_mined(transaction)

    def _run(self, transaction: Transaction, number: int) -> list[MarketEvent]:
        fee = transaction.gas * self.gas_price
        self.gas[transaction.sender] = max(0, self.gas.get(transaction.sender, 0) - fee)
        transaction.block, transaction.problem, transaction.events = number, None, ()
        state = self._state.copy()
        moment = self._moment(state, transaction.sender)
        try:
            transaction.call(moment)
        except Reverted as problem:
            transaction.problem = problem
            return []
        self._state = state
        transaction.events = tuple(moment.events)
        return moment.events

    def _moment(self, state: State, caller: Address) -> Ledger:
        block = Block(self.head.number + 1, self.next_timestamp, self._hash_of)
        return Ledger(self.terms, state, block, caller, self._verify_proof, self.deposit)

    def _hash_of(self, number: int) -> bytes:
        block = self.block(number)
        return self._hash(number) if block is None else block.head.hash

    def _hash(self, number: int) -> bytes:
        fork = self._fork if number > FIRST_BLOCK else 0
        return keccak256(b"%s block %d of branch %d" % (self._seed, number, fork))

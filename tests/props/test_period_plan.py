"""What is planned for a period agrees with the contract's formulas, block by block.

The chain here is made of nothing but numbers: blocks with drawn intervals, and the formulas of
market.md 2.7 and 2.9 (pointer, requirement, marking) written out once more.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from quire.chain.port import Head, ProofStatus
from quire.chain.terms import Terms
from quire.market.block_pace import BlockPace, Blocks
from quire.market.period_blocks import PeriodBlocks
from quire.market.period_plan import Duty, Look, later, plan_period
from support.market_terms import TERMS


class Chain:
    """Blocks from `first` on, one each `seconds`; one slot of which a proof is always wanted."""

    def __init__(self, terms: Terms, first: int, start: int, seconds: int, salt: int) -> None:
        self.terms, self.first, self.start = terms, first, start
        self.seconds, self.salt = seconds, salt

    def timestamp(self, block: int) -> int:
        return self.start + (block - self.first) * self.seconds

    def period(self, block: int) -> int:
        return self.timestamp(block) // self.terms.period

    def pointer(self, block: int, period: int) -> int:
        shift = period * self.terms.downtime_product % 256
        return (block % 256 + shift + self.salt) % 256

    def asked_about(self, block: int, period: int) -> int:
        """The block whose hash is the challenge."""
        return block - 1 - self.pointer(block, period)

    def status(self, block: int) -> ProofStatus:
        period = self.period(block)
        pointer = self.pointer(block, period)
        challenge = self.asked_about(block, period).to_bytes(32, "big")
        is_required = pointer >= self.terms.downtime
        return ProofStatus(period, is_required, not is_required, challenge, pointer)

    def may_be_marked(self, period: int) -> bool:
        """Whether any block of the window lets a missing proof be marked."""
        end = (period + 1) * self.terms.period
        block = self.first
        while self.timestamp(block) < end + self.terms.timeout:
            is_in_window = self.timestamp(block) > end
            if is_in_window and self.pointer(block, period) >= self.terms.downtime:
                return True
            block += 1
        return False

    def plan(self, block: int, pace: BlockPace, blocks: PeriodBlocks):
        status = self.status(block)
        elapsed = blocks.elapsed(status.period, block)
        now = float(self.timestamp(block - 1))
        return plan_period(Look.at(status, now, elapsed, self.terms, pace), self.terms, pace)


chains = st.builds(
    Chain,
    st.sampled_from((TERMS, replace(TERMS, period=90, downtime=96, downtime_product=97))),
    st.integers(1_000, 100_000),
    st.integers(1_700_000_000, 1_700_100_000),
    st.integers(3, 12),  # period + timeout stay below the downtime's blocks
    st.integers(0, 255),
)


def walk(chain: Chain, blocks: int):
    """Every block with what a host knows by then: (block, plan), as of that block."""
    pace, seen = BlockPace(chain.terms), PeriodBlocks(chain.terms)
    for block in range(chain.first, chain.first + blocks):
        head = Head(block, b"", chain.timestamp(block))
        pace.note(head)
        seen.note(head)
        if block > chain.first + 1 and chain.period(block + 1) > chain.period(chain.first):
            yield block + 1, chain.plan(block + 1, pace, seen)


@given(chains)
def test_no_proof_is_made_for_a_pointer_that_wrapped_or_is_sure_to_wrap(chain: Chain) -> None:
    for block, plan in walk(chain, 120):
        period = chain.period(block)
        first = block
        while chain.period(first - 1) == period:
            first -= 1
        has_wrapped = chain.pointer(block, period) < block - first
        if has_wrapped:
            assert plan.duty is Duty.WRAPPED
        if plan.duty is Duty.WRAPS:
            last = block
            while chain.period(last) == period:
                last += 1
            assert chain.asked_about(last, period) != chain.asked_about(block, period)


@given(chains)
def test_whatever_can_be_marked_is_proved(chain: Chain) -> None:
    """Of a period of which the first block was seen: when it is planned not to prove at all, then
    no block of the marking window would have let the miss be marked."""
    planned: dict[int, set[Duty]] = {}
    for block, plan in walk(chain, 120):
        planned.setdefault(chain.period(block), set()).add(plan.duty)
    for period, duties in planned.items():
        if not duties & {Duty.REQUIRED, Duty.COMING}:
            assert not chain.may_be_marked(period)


@given(chains)
def test_a_proof_sent_in_time_meets_its_challenge_or_is_not_wanted(
    chain: Chain,
) -> None:
    for block, plan in walk(chain, 120):
        if plan.duty not in (Duty.REQUIRED, Duty.COMING):
            continue
        sent_into = block
        while chain.timestamp(sent_into) < plan.latest:
            sent_into += 1
        if plan.latest < chain.timestamp(block):
            continue  # too late already
        assert chain.period(sent_into) == chain.period(block)
        now, then = chain.status(block), chain.status(sent_into)
        assert later(now, sent_into - block, chain.terms) in (then, None)
        if then.challenge != now.challenge:  # then nobody can mark it either
            assert not chain.may_be_marked(now.period)


@given(chains, st.integers(0, 300))
def test_a_status_is_carried_on_to_later_blocks_until_the_wrap(chain: Chain, steps: int) -> None:
    period_long = replace(chain.terms, period=10**9)
    slow = Chain(period_long, chain.first, 10**9, 1, chain.salt)
    now, then = slow.status(slow.first), slow.status(slow.first + steps)
    found = later(now, steps, period_long)
    if now.pointer + steps > 255:
        assert found is None
        assert then.challenge != now.challenge
    else:
        assert found == then


def test_without_measured_blocks_a_proof_is_made_to_be_safe() -> None:
    pace = BlockPace(TERMS)
    status = ProofStatus(10, True, False, bytes(32), 250)
    look = Look.at(status, float(TERMS.period_start(10)), Blocks(0, 256), TERMS, pace)
    assert plan_period(look, TERMS, pace).duty is Duty.REQUIRED

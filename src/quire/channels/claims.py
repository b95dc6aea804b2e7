"""When a payee takes to the hub what vouchers promise him, and which vouchers go together.

A claim costs gas, so it waits until it is worth it; a close that is pending cannot wait.

Source   point.md 4.2: claim when the unclaimed value is above 20 × the cost of a claim, and always
before close_at
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from quire.chain.values import Address
from quire.channels.account import Account

WORTH_FACTOR = 20
BATCH = 32  # payers in one transaction; 20 000 gas each
FIRST_CLAIM_GAS = 61_881  # of one payer; point.md 4.2
ASSUMED_GAS_PRICE = 10**9  # wei, until a claim has shown what it costs


@dataclass(frozen=True, slots=True)
class ClaimPolicy:
    """`threshold`: tokens from which a voucher is claimed; 0: 20 × `cost`.
    `cost`: of claiming one voucher, in tokens."""

    threshold: int = 0
    cost: int = FIRST_CLAIM_GAS * ASSUMED_GAS_PRICE

    @property
    def worth(self) -> int:
        return self.threshold or WORTH_FACTOR * self.cost

    def is_due(self, account: Account) -> bool:
        """Whether to claim now."""
        if account.unclaimed <= 0:
            return False
        return bool(account.seen.close_at) or account.unclaimed > self.worth


def claims_due(
    accounts: Iterable[Account],
    policy: ClaimPolicy,
    *,
    urgent: Collection[Address] = (),
    is_all: bool = False,
) -> list[Account]:
    """Those to be claimed now, the soonest close first, then the largest sums. `urgent`: payers
    whose vouchers the hub may not take for ever; claimed if that brings more than it costs."""

    def is_due(account: Account) -> bool:
        if is_all:
            return account.unclaimed > 0
        is_urgent = account.payer in urgent and account.unclaimed > policy.cost
        return is_urgent or policy.is_due(account)

    return sorted(filter(is_due, accounts), key=_urgency)


def batches_of(accounts: Sequence[Account], size: int = BATCH) -> list[list[Account]]:
    return [list(accounts[start : start + size]) for start in range(0, len(accounts), size)]


def _urgency(account: Account) -> tuple[int, int, bytes]:
    closes = account.seen.close_at or (1 << 64)
    return closes, -account.unclaimed, account.payer

"""An account of a payer at this node, as payee: what he was billed, what his vouchers promise.

Of all vouchers of a payer only the highest is kept: it contains the others. Pure.

Source   point.md 4.2 (off-chain rules)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from quire.base.units import format_time
from quire.chain.hub import HubChannel
from quire.chain.values import Address

NOTHING = HubChannel()
FORGIVEN_SHARE = 8  # of what a payer has paid, the part that may be forgiven him


class Verdict(Enum):
    """What becomes of a voucher whose signature is right."""

    BEST = "best"  # it is higher than any before
    KNOWN = "known"  # what we hold is as high or higher
    OVERDRAWN = "overdrawn"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Account:
    """Sums in the smallest unit of the token, since ever.

    received   what the best voucher promises; at least `claimed`
    forgiven   what was billed and is not asked for any more; not part of `billed`
    signature  of the best voucher; empty when none is held (the journal was lost)
    seen       the channel as the hub said last; it is as of `seen_at`, unix seconds of the chain
    """

    payer: Address
    billed: int = 0
    received: int = 0
    signature: bytes = field(default=b"", repr=False)
    seen: HubChannel = NOTHING
    seen_at: float = 0.0
    forgiven: int = 0

    @property
    def covered(self) -> int:
        """Of what was received, what the deposit is there for."""
        return min(self.received, self.seen.deposit)

    @property
    def due(self) -> int:
        """Billed and not covered; negative: paid ahead."""
        return self.billed - self.covered

    @property
    def unclaimed(self) -> int:
        """What a claim would bring now: no voucher is worth more than the deposit."""
        if not self.signature or self.received > self.seen.deposit:
            return 0
        return self.received - self.seen.claimed

    def bill(self, amount: int) -> Account:
        return replace(self, billed=self.billed + amount)

    def forgive(self, amount: int) -> Account:
        """Ask no more for a bill of a replica that its owner has given up, as far as it is due; the
        same account where too much was forgiven already. Otherwise one bill that he does not think
        he owes would end all that is kept for him."""
        amount = min(amount, self.due)
        if amount <= 0 or (self.forgiven + amount) * FORGIVEN_SHARE > self.received:
            return self
        return replace(self, billed=self.billed - amount, forgiven=self.forgiven + amount)

    def look(self, seen: HubChannel, at: float) -> Account:
        """What the hub says. Where it paid out more than this journal knows of, the journal was set
        back: that much had been billed and received."""
        more = max(0, seen.claimed - self.received)
        return replace(
            self,
            billed=self.billed + more,
            received=self.received + more,
            signature=b"" if more else self.signature,
            seen=seen,
            seen_at=at,
        )

    def judge(self, cumulative: int) -> Verdict:
        """Of a voucher of this payer, by what the hub said last."""
        if cumulative <= self.received:
            return Verdict.KNOWN
        if self.seen.close_at:
            return Verdict.CLOSING
        return Verdict.BEST if cumulative <= self.seen.deposit else Verdict.OVERDRAWN

    def take(self, cumulative: int, signature: bytes) -> Account:
        """Keep a voucher that was judged BEST."""
        assert cumulative > self.received
        return replace(self, received=cumulative, signature=signature)

    def has_room(self, amount: int) -> bool:
        """Whether the channel can pay so much beyond all that is owed, by the last look."""
        owed = max(self.billed, self.received)
        return not self.seen.close_at and owed + amount <= self.seen.deposit


def words_of_account(account: Account) -> str:
    """For people; amounts in the smallest unit of the token."""
    seen = account.seen
    due = f"{account.due} tokens are due" if account.due > 0 else "nothing is due"
    if account.due < 0:
        due = f"{-account.due} tokens are paid ahead"
    told = (
        f"{account.billed} tokens were billed, {account.received} received in vouchers, "
        f"{seen.claimed} claimed; {due}"
    )
    if seen.close_at:
        told += f"; it closes its channel at {format_time(seen.close_at)}"
    return told

"""Whatever is done with offers, every byte and every token of them is in one place."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from quire.base.errors import BadOffer, NotFound, Refused
from quire.chain.values import Ask
from quire.market.availability import Availability, Change
from quire.market.ledger import Account, Ledger, Share

SLOTS = [bytes([number]) * 32 for number in range(1, 9)]
OFFERS = [bytes([number]) * 32 for number in range(101, 104)]
sizes = st.integers(1, 1000)
maybe = st.none() | st.integers(0, 2000)


class Offering(RuleBasedStateMachine):
    """A plain account beside it: what each slot took, and what was lost."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.taken: dict[bytes, Share] = {}

    @rule(offer=st.sampled_from(OFFERS), size=sizes, collateral=sizes)
    def open(self, offer: bytes, size: int, collateral: int) -> None:
        if all(account.terms.id != offer for account in self.ledger.accounts()):
            self.ledger.open(Availability(offer, size, 3600, 1, collateral))

    @rule(offer=st.sampled_from(OFFERS), size=maybe, collateral=maybe, until=maybe)
    def amend(
        self, offer: bytes, size: int | None, collateral: int | None, until: int | None
    ) -> None:
        change = Change(total_size=size, total_collateral=collateral, until=until)
        try:
            self.ledger.amend(self.ledger.amended(offer, change))
        except (BadOffer, NotFound):
            return

    @rule(offer=st.sampled_from(OFFERS))
    def close(self, offer: bytes) -> None:
        try:
            self.ledger.close(offer)
        except (NotFound, Refused):
            return
        assert all(share.offer != offer for share in self.taken.values())

    @rule(slot=st.sampled_from(SLOTS), size=sizes, price=st.integers(0, 3))
    def take(self, slot: bytes, size: int, price: int) -> None:
        """As a sale does: match, then reserve."""
        found = self.ledger.match(Ask(1, 1, price, 1, size, 60, 0), 1500)
        if slot not in self.taken and isinstance(found, Account):
            share = Share(found.terms.id, bytes(32), 0, slot, size, 0, size * price, 1500)
            self.ledger.reserve(share)
            self.taken[slot] = share

    @rule(slot=st.sampled_from(SLOTS), hosted=st.integers(0, 2000))
    def host(self, slot: bytes, hosted: int) -> None:
        self.ledger.host(slot, hosted)

    @rule(slot=st.sampled_from(SLOTS), lost=st.integers(0, 1000))
    def end(self, slot: bytes, lost: int) -> None:
        before = {a.terms.id: replace_of(a) for a in self.ledger.accounts()}
        self.ledger.end(slot, lost)
        share = self.taken.pop(slot, None)
        if share is None:
            return
        account, old = self.ledger.account(share.offer), before[share.offer]
        gone = min(lost, share.locked)
        assert account.free == old[0] + share.reserved
        assert account.remaining == old[1] + share.locked - gone
        assert account.terms.total_collateral == old[2] - gone

    @invariant()
    def everything_is_in_one_place(self) -> None:
        for account in self.ledger.accounts():
            account.check()
            mine = [s for s in self.taken.values() if s.offer == account.terms.id]
            assert account.free == account.terms.total_size - sum(s.reserved for s in mine)
            assert account.remaining == account.terms.total_collateral - sum(s.locked for s in mine)
            assert sorted(account.shares) == sorted(s.slot_id for s in mine)
        assert self.ledger.promised >= 0
        assert self.ledger.promised <= sum(a.terms.total_size for a in self.ledger.accounts())


def replace_of(account: Account) -> tuple[int, int, int]:
    return account.free, account.remaining, account.terms.total_collateral


TestOffering = Offering.TestCase

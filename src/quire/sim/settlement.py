"""Whether everybody got what is due to him, and no more: what customers promised by voucher against
what they were brought, and what the contracts say.

Nothing of it believes a customer's own check: results are compared with what is known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from quire.aggregation.job import ENDS as JOB_ENDS
from quire.aggregation.order import ENDS, At, Order
from quire.aggregation.receipt import decode_receipt
from quire.aggregation.values import EncodeWork, ProveWork, SubmitWork
from quire.base.invariant import invariant
from quire.chain.events import ProofSubmitted
from quire.chain.memory.world import MemoryWorld
from quire.chain.values import NO_ADDRESS, Address, SlotId
from quire.dataset.geometry import Geometry
from quire.formats.manifest import decode_manifest
from quire.sim.coded import coded_at_once
from quire.sim.members import Life, Member
from quire.sim.prover import holds


@dataclass(frozen=True, slots=True)
class Away:
    """A node could not act, in seconds of the chain."""

    since: float
    until: float


class Settlement:
    """Of one chain and its members. `content`: what was coded, in blocks of so many bytes."""

    def __init__(self, chain: MemoryWorld, content: bytes, block_size: int) -> None:
        self._chain = chain
        self._content = content
        self._block_size = block_size

    # ---- money ----

    def check_customer(self, member: Member) -> None:
        """Every voucher of a member stands for good results, each of which was paid once."""
        life = _living(member)
        orders, payments = life.aggregation.orders.all(), life.retail.payments
        for channel in payments.channels():
            mine = [order for order in orders if order.offer.offer.payee == channel.payee]
            bills = {bill.key: bill.amount for bill in payments.bills(channel.payee)}
            under_way = [order for order in mine if order.at in (At.PAYING, At.SETTLING)]
            due = sum(order.cost for order in mine)
            due += sum(bills.get(order.bill(order.paid), 0) for order in under_way)
            invariant(
                channel.promised == due,
                f"{member.name} promised {channel.promised} to {channel.payee.hex()[:8]} for "
                f"results that cost {due}",
            )
        for order in orders:
            is_due = order.cost > 0 or order.at in (At.PAYING, At.SETTLING)
            invariant(
                not is_due or self._is_good(order),
                f"{member.name} pays {order.peer} for a wrong result of order {order.key}",
            )
        self._check_once(member, orders)

    def _check_once(self, member: Member, orders: Iterable[Order]) -> None:
        """One proof, one pay, whoever made it or brought it into the chain."""
        paid: set[ProveWork | tuple[SlotId, int]] = set()
        for order in orders:
            work = order.work
            if isinstance(work, EncodeWork) or not order.cost:
                continue
            what = work if isinstance(work, ProveWork) else (work.slot_id, work.period)
            invariant(what not in paid, f"{member.name} paid for one proof twice: {order.key}")
            paid.add(what)

    def check_payee(self, member: Member, customers: Sequence[Member]) -> None:
        """An aggregator has charged nobody more than he promised it."""
        income = _living(member).retail.income
        promised = {each.account: self._promised(each, member.account) for each in customers}
        for account in income.accounts():
            most = promised.get(account.payer, 0)
            invariant(
                account.billed <= account.received <= most,
                f"{member.name} billed {account.billed} and has vouchers for {account.received}; "
                f"{most} were promised to it",
            )

    def _promised(self, customer: Member, payee: Address) -> int:
        channel = _living(customer).retail.payments.channel(payee)
        return 0 if channel is None else channel.promised

    def _is_good(self, order: Order) -> bool:
        match order.work:
            case EncodeWork(_, k, m):
                receipt = decode_receipt(order.result)
                manifest = decode_manifest(receipt.manifest)
                root, slots = coded_at_once(self._content, k, m, self._block_size)
                protection = manifest.protection
                if protection is None or protection.verification is None:
                    return False
                found = [each.digest for each in protection.verification.slot_roots]
                is_whole = Geometry.of(manifest).original_blocks == -(
                    -len(self._content) // self._block_size
                )
                return is_whole and (manifest.tree_cid.digest, found) == (root, slots)
            case ProveWork() as work:
                return holds(work.public, order.result)
            case SubmitWork(slot_id, period):
                return self._submitter(slot_id, period) == order.offer.offer.payee
        return False

    def _submitter(self, slot_id: SlotId, period: int) -> Address | None:
        """Whose transaction brought the proof of a period."""
        for block in self._chain.blocks_after(0):
            if self._chain.terms.period_of(block.head.timestamp) != period:
                continue
            for sent in block.transactions:
                for event in sent.events:
                    if isinstance(event, ProofSubmitted) and event.slot_id == slot_id:
                        return sent.sender
        return None

    # ---- bonds ----

    def check_bonds(self, deposits: Mapping[Address, int], each: int) -> None:
        """What left the bonds was claimed, once for each missed proof, and was missed: what was
        promised, or what the miss has cost if that was less."""
        state, moment = self._chain.state, self._chain.moment(NO_ADDRESS)
        left = sum(state.bonds.bonds[account].amount for account in deposits)
        claimed = state.bonds.claimed
        owed = sum(min(each, moment.slash_of(slot_id)) for _, _, slot_id, _ in claimed)
        invariant(
            sum(deposits.values()) - left == owed,
            f"{left} of {sum(deposits.values())} tokens are left of the bonds after {len(claimed)} "
            f"claims of {owed}",
        )
        for _, _, slot_id, period in claimed:
            missing = state.slots[slot_id].missing
            invariant(period in missing, f"a bond paid for period {period}, which was not missed")

    # ---- slots ----

    def check_slots(
        self, hosts: Mapping[Address, str], away: Mapping[str, Sequence[Away]], needed: float
    ) -> None:
        """A proof was missed by none of these hosts that was there for so many seconds before the
        end of its period: its own prover and its own transaction would have saved it."""
        for slot_id, slot in self._chain.state.slots.items():
            name = hosts.get(slot.host or b"")
            if name is None:
                continue
            for period in sorted(slot.missing):
                end = self._chain.terms.period_end(period)
                was_away = any(
                    each.since < end and each.until > end - needed for each in away[name]
                )
                invariant(
                    was_away,
                    f"slot {slot_id.hex()[:8]} of {name} was marked for period {period}, which its "
                    "host could have saved",
                )

    # ---- ends ----

    def check_ends(self, member: Member, begun_before: float) -> None:
        """No order and no job waits for nothing; those of proofs that were due before a second of
        the chain have ended."""
        life = _living(member)
        aggregation, now = life.aggregation, life.retail.hub.clock.now()
        for order in aggregation.orders.all():
            waits = aggregation.orders.next_deadline(order.key)
            has_ended = order.at in ENDS and order.is_told
            _check_wait(member, f"order {order.key} ({order.at})", has_ended, waits, now)
            is_over = order.at in ENDS or order.at in (At.SERVING, At.CLAIMING)
            is_over = is_over or order.at in (At.PAYING, At.SETTLING)
            invariant(
                is_over or order.deadline >= begun_before,
                f"{member.name}: order {order.key} is {order.at} since before its deadline",
            )
        jobs = aggregation.jobs
        for job in jobs or ():
            assert jobs is not None
            waits = jobs.machines.next_deadline(job.key)
            has_ended = job.at in JOB_ENDS and job.is_dropped
            _check_wait(member, f"job {job.key} ({job.at.name})", has_ended, waits, now)


def _check_wait(
    member: Member, what: str, has_ended: bool, waits: tuple[str, float] | None, now: float
) -> None:
    invariant(
        has_ended or (waits is not None and waits[1] > now - 5.0),
        f"{member.name}: {what} waits for nothing: {waits}, now is {now:.0f}",
    )


def _living(member: Member) -> Life:
    assert member.life is not None
    return member.life

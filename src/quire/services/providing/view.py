"""Leases as their operator sees them: who has what here, until when, and what he owes."""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.units import format_duration
from quire.chain.values import Address
from quire.channels.port import Income
from quire.formats.replica_codes import LeaseState
from quire.point.billing import Bill, unsettled
from quire.point.lease import Lease
from quire.services.providing.leases import Leases


@dataclass(frozen=True, slots=True)
class ClientView:
    """What one client has here. Sums in tokens, over all that he was ever billed here."""

    client: Address
    replicas: int
    size_bytes: int
    received: int
    due: int
    overdue_seconds: int

    @property
    def words(self) -> str:
        if self.due > 0:
            since = format_duration(self.overdue_seconds)
            return f"owes {self.due} tokens, the oldest for {since}"
        return f"has paid {-self.due} tokens ahead" if self.due else "owes nothing"


def client_views(leases: Leases, income: Income) -> list[ClientView]:
    """Of all clients who have something here, in the order in which they came."""
    clients = dict.fromkeys(lease.order.client for lease in leases)
    found = []
    for client in clients:
        theirs = [each for each in leases.of_client(client) if each.at is not LeaseState.DELETED]
        if theirs:
            found.append(
                ClientView(
                    client,
                    len(theirs),
                    sum(each.order.sealed_bytes for each in theirs),
                    income.received(client),
                    income.due(client),
                    leases.overdue_seconds(client),
                )
            )
    return found


def next_bill(lease: Lease) -> Bill | None:
    """The next bill of a replica that is stored; None when all are in the client's account."""
    if lease.at is not LeaseState.STORED:
        return None
    return min(unsettled(lease.terms), key=lambda bill: bill.due_at, default=None)

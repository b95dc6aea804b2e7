"""Who gave and who took how much: the seed of fairness between peers."""

from __future__ import annotations

from dataclasses import dataclass

from quire.net.transport import PeerId


@dataclass(slots=True)
class Account:
    """Payload bytes exchanged with one peer; only what verified counts as received."""

    received_bytes: int = 0
    sent_bytes: int = 0
    wasted_bytes: int = 0  # received twice, or after it was cancelled
    timeouts: int = 0


@dataclass(slots=True)
class Traffic:
    """Payload moved under one protocol, all peers together; received is what verified."""

    received_bytes: int = 0
    received_blocks: int = 0
    sent_bytes: int = 0
    sent_blocks: int = 0


ACCOUNTS_MAX = 10_000  # about 2 MB; then the account that was opened first is closed


class Ledger:
    """The accounts of the peers of one node, since its start."""

    def __init__(self) -> None:
        self._accounts: dict[PeerId, Account] = {}
        self.traffic: dict[str, Traffic] = {}  # by protocol id

    def of(self, peer: PeerId) -> Account:
        account = self._accounts.get(peer)
        if account is None:
            while len(self._accounts) >= ACCOUNTS_MAX:
                del self._accounts[next(iter(self._accounts))]
            account = self._accounts[peer] = Account()
        return account

    def received(self, peer: PeerId, protocol: str, size_bytes: int, blocks: int) -> None:
        """Count blocks that a peer delivered and that verified."""
        self.of(peer).received_bytes += size_bytes
        traffic = self.traffic.setdefault(protocol, Traffic())
        traffic.received_bytes += size_bytes
        traffic.received_blocks += blocks

    def sent(self, peer: PeerId, protocol: str, size_bytes: int, blocks: int) -> None:
        """Count blocks that a peer was given."""
        self.of(peer).sent_bytes += size_bytes
        traffic = self.traffic.setdefault(protocol, Traffic())
        traffic.sent_bytes += size_bytes
        traffic.sent_blocks += blocks

    def all(self) -> dict[PeerId, Account]:
        return dict(self._accounts)

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


class Ledger:
    """The accounts of all peers of one node, since its start."""

    def __init__(self) -> None:
        self._accounts: dict[PeerId, Account] = {}

    def of(self, peer: PeerId) -> Account:
        return self._accounts.setdefault(peer, Account())

    def all(self) -> dict[PeerId, Account]:
        return dict(self._accounts)

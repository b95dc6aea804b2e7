"""What the parts that buy and sell by the byte ask of the payment channels of their node.

A *bill* is a key that names one debt for ever (such as "<link>/0"): paying it twice sends the same
voucher twice. Amounts in the smallest unit of the token.
"""

from __future__ import annotations

from typing import Protocol

from quire.chain.values import Address
from quire.channels.voucher import Voucher


class Payments(Protocol):
    """As payer."""

    @property
    def payer(self) -> Address: ...

    async def room(self, payee: Address) -> int:
        """What the channel can still promise: deposit less all promised; 0 without a channel, or
        when a close is pending. Raises ChainUnreachable."""

    async def fund(self, payee: Address, at_least: int, wish: int = 0) -> None:
        """Have room for `at_least`, and for `wish` or what the policy of this node wishes where
        there is money for it; in one transaction with other payees that ask at the same time. Looks
        at the chain first, so that a repeated call sends the difference only.

        Raises   InsufficientFunds  the wallet has not enough (facts: balance, needed)
                 Reverted, NotMined, ChainUnreachable
        """

    async def pay(self, bill: str, peer: str, payee: Address, amount: int) -> int:
        """Promise `amount` more for a bill and hand the voucher to the peer; the cumulative sum of
        that voucher. Durable before it is sent. A bill that was promised before keeps its amount
        and sum; the newest voucher of the channel is what is sent.

        Raises   ChannelTooSmall  the channel has no room for it; nothing was promised
                 PeerSilent, PeerGone, PeerRefused  it may not have got there; call again
                 VoucherRefused   the payee will not take it; trying again cannot help
        """

    async def introduction(self, payee: Address) -> bytes:
        """The signature, 65 bytes, under a voucher of nothing to a payee: worth nothing, and shows
        him that this node speaks for the payer. Whoever asks to be billed sends it along, so that
        nobody can run up debts in another's name."""

    async def forget(self, bill_prefix: str) -> None:
        """These bills are settled and will not be asked for again."""


class Income(Protocol):
    """As payee. `billed` and received sums are durable."""

    @property
    def payee(self) -> Address: ...

    async def is_funded(self, payer: Address, amount: int) -> bool:
        """Whether the payer's channel has room for `amount` beyond all that he owes, with no close
        pending. Raises ChainUnreachable."""

    async def bill(self, payer: Address, bill: str, amount: int) -> None:
        """He owes this; once for each bill."""

    async def forgive(self, payer: Address, amount: int) -> bool:
        """Ask no more for a bill of something that he has given up, as far as it is due; False
        where nothing is due or too much was forgiven already."""

    async def is_introduced(self, payer: Address, introduction: bytes) -> bool:
        """Whether it is the payer's introduction (see Payments), by himself or by his delegate.
        Raises ChainUnreachable."""

    def due(self, payer: Address) -> int:
        """Billed less received, as far as his deposit covers that; negative: paid ahead."""

    def received(self, payer: Address) -> int:
        """What his best voucher promises."""

    async def take(self, voucher: Voucher) -> int:
        """The sum accepted now, durable. An older voucher than the best returns the best's sum.

        Raises   VoucherRefused  foreign payee, not his signature, above the deposit, close pending
        """

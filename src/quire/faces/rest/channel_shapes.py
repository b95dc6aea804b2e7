"""The JSON shapes of payment channels. Amounts are texts, in the token's smallest unit."""

from __future__ import annotations

from quire.chain.abi import address_text
from quire.channels.account import Account
from quire.channels.channel import Channel
from quire.faces.rest.purchase_shapes import WaitsFor
from quire.faces.rest.shape import Shape


class PaidChannel(Shape, frozen=True):
    """A channel of this node to a payee. Sums since ever: `promised` in vouchers, `claimed` by the
    payee, `deposit` at the hub; `room`: what can still be promised. `takenOver`: promised before
    the journal was set back. `closeAt`: unix seconds of the chain, 0 for no close."""

    payee: str
    state: str
    words: str
    deposit: str
    claimed: str
    promised: str
    room: str
    taken_over: str
    bills: int
    close_at: int
    waits_for: WaitsFor | None
    trouble: str | None


class EarningChannel(Shape, frozen=True):
    """A channel of a payer to this node. Sums since ever: `billed` to him, `received` in vouchers,
    `claimed` at the hub; `unclaimed`: what a claim would bring; `due`: billed and not received,
    negative when he paid ahead."""

    payer: str
    words: str
    billed: str
    received: str
    claimed: str
    unclaimed: str
    due: str
    deposit: str
    close_at: int


class ChannelList(Shape, frozen=True):
    """The account at the hub: `balance` in it, `tokens` outside, null where the chain does not
    answer (`trouble`; then everything is as it was known last)."""

    account: str
    hub: str
    chain_id: int
    balance: str | None
    tokens: str | None
    trouble: str | None
    paid: list[PaidChannel]
    earning: list[EarningChannel]


class FundsBody(Shape, frozen=True):
    """Tokens of the account, inside and outside the hub."""

    balance: str
    tokens: str


class ClaimedBody(Shape, frozen=True):
    """What a claim brought."""

    claimed: str


def paid_channel(
    channel: Channel, words: str, bills: int, waits_for: tuple[str, float] | None, trouble: str
) -> PaidChannel:
    seen = channel.seen
    return PaidChannel(
        payee=address_text(channel.payee),
        state=channel.at.value,
        words=words,
        deposit=str(seen.deposit),
        claimed=str(seen.claimed),
        promised=str(channel.promised),
        room=str(max(0, channel.room)),
        taken_over=str(channel.taken_over),
        bills=bills,
        close_at=seen.close_at,
        waits_for=None if waits_for is None else WaitsFor(*waits_for),
        trouble=trouble or None,
    )


def earning_channel(account: Account, words: str) -> EarningChannel:
    seen = account.seen
    return EarningChannel(
        payer=address_text(account.payer),
        words=words,
        billed=str(account.billed),
        received=str(account.received),
        claimed=str(seen.claimed),
        unclaimed=str(account.unclaimed),
        due=str(account.due),
        deposit=str(seen.deposit),
        close_at=seen.close_at,
    )

"""The rules of the contract of payment channels, executable.

A refused call raises Reverted; its fact `name` is the contract's error.

Source   point.md 4.2, variant B; contracts/README.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quire.chain.eip712 import domain_separator, voucher_digest
from quire.chain.hub import CHALLENGE_SECONDS, Claim, HubChannel, HubDomain
from quire.chain.memory.hub_state import Delegation
from quire.chain.memory.moment import Moment, need
from quire.chain.values import NO_ADDRESS, Address
from quire.kernels.signing import recover_address

MOST_TOKENS = (1 << 128) - 1  # of a channel


class HubRules:
    """One call, by the caller of `moment`, in its block. Thrown away with it when refused."""

    def __init__(self, moment: Moment, domain: HubDomain) -> None:
        self.state = moment.state.hub
        self._moment = moment
        self._domain = domain
        self._caller = moment.caller
        self._now = moment.now

    # ---- what is ----

    def balance(self, account: Address) -> int:
        return self.state.balances.get(account, 0)

    def channel(self, payer: Address, payee: Address) -> HubChannel:
        return self.state.channels.get((payer, payee), HubChannel())

    def delegation(self, payer: Address) -> Delegation:
        return self.state.delegations.get(payer, Delegation())

    # ---- tokens in and out ----

    def deposit(self, amount: int) -> None:
        self._add(self._caller, amount)
        self._moment.move(self._caller, self._domain.contract, amount)

    def withdraw(self, amount: int) -> None:
        self._take(amount)
        self._moment.move(self._domain.contract, self._caller, amount)

    # ---- payers ----

    def allocate(self, sums: Sequence[tuple[Address, int]]) -> None:
        for payee, amount in sums:
            need(payee != NO_ADDRESS, "Hub_ZeroAddress")
            before = self.channel(self._caller, payee)
            deposit = before.deposit + amount
            need(deposit <= MOST_TOKENS, "Panic")
            self._put(self._caller, payee, replace(before, deposit=deposit, close_at=0))
        self._take(sum(amount for _, amount in sums))

    def request_close(self, payee: Address) -> None:
        channel = self.channel(self._caller, payee)
        need(not channel.close_at, "Hub_AlreadyClosing")
        close_at = self._now + CHALLENGE_SECONDS
        self._put(self._caller, payee, replace(channel, close_at=close_at))

    def release(self, payee: Address) -> None:
        channel = self.channel(self._caller, payee)
        need(channel.close_at > 0, "Hub_NotClosing")
        need(self._now >= channel.close_at, "Hub_TooEarly")
        self._put(self._caller, payee, HubChannel(channel.claimed, channel.claimed))
        self._add(self._caller, channel.free)

    def set_delegate(self, signer: Address | None) -> None:
        """The one before goes on signing for a while, and meanwhile there can be no third."""
        mine = self.delegation(self._caller)
        if signer == mine.signer:
            return
        if mine.signer is not None:
            is_in_notice = self._now < mine.until and mine.previous not in (mine.signer, signer)
            need(not is_in_notice, "Hub_DelegateInNotice")
            until = self._now + CHALLENGE_SECONDS
            mine = replace(mine, previous=mine.signer, until=until)
        self.state.delegations[self._caller] = replace(mine, signer=signer)

    # ---- payees ----

    def claim(self, claims: Sequence[Claim]) -> None:
        separator = domain_separator(self._domain)
        for each in claims:
            channel = self.channel(each.payer, self._caller)
            need(each.payer != NO_ADDRESS, "Hub_ZeroAddress")
            need(each.cumulative > channel.claimed, "Hub_NothingToClaim")
            need(each.cumulative <= channel.deposit, "Hub_AboveDeposit")
            digest = voucher_digest(separator, each.payer, self._caller, each.cumulative)
            signer = recover_address(each.signature, digest)
            need(signer is not None and self._may_sign(each.payer, signer), "Hub_BadSignature")
            self._put(each.payer, self._caller, replace(channel, claimed=each.cumulative))
            self._add(self._caller, each.cumulative - channel.claimed)

    # ---- inside ----

    def _may_sign(self, payer: Address, signer: Address) -> bool:
        its = self.delegation(payer)
        is_previous = signer == its.previous and self._now < its.until
        return signer in (payer, its.signer) or is_previous

    def _put(self, payer: Address, payee: Address, channel: HubChannel) -> None:
        self.state.channels[payer, payee] = channel

    def _add(self, account: Address, amount: int) -> None:
        self.state.balances[account] = self.balance(account) + amount

    def _take(self, amount: int) -> None:
        has = self.balance(self._caller)
        need(has >= amount, "Hub_InsufficientBalance")
        self.state.balances[self._caller] = has - amount

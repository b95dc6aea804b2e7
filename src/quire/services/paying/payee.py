"""The payee's side: what others owe this node, and what they have promised. Implements
`channels.port.Income`.

The best voucher of a payer is durable before it is answered. A deposit cannot shrink before a close
was pending for CHALLENGE_SECONDS, so a look at the hub is good for a part of that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from quire.base.errors import BadEncoding, ChainError, VoucherRefused
from quire.base.events import EventBus
from quire.chain.abi import id_text
from quire.chain.hub import CHALLENGE_SECONDS, Hub, HubChannel
from quire.chain.values import Address
from quire.channels.account import Account, Verdict
from quire.channels.account_record import decode_account, encode_billed, encode_received
from quire.channels.billed import Billed
from quire.channels.bills import number_of, series_of
from quire.channels.voucher import Voucher
from quire.formats.pay import PayAnswer, PayRequest
from quire.formats.replica_codes import Code
from quire.services.paying.hub_look import HubLook
from quire.services.paying.payer import place_of
from quire.services.paying.signers import Signers
from quire.store.journal import Journal, Record

LOOK_GOOD_SECONDS = CHALLENGE_SECONDS / 4  # of the chain
_CODES = {Verdict.OVERDRAWN: Code.OVERDRAWN, Verdict.CLOSING: Code.OVERDRAWN}


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: Code
    text: str


class Payee:
    """All accounts of payers at one node."""

    def __init__(self, hub: Hub, journal: Journal, events: EventBus) -> None:
        self._hub = hub
        self._journal = journal
        self._events = events
        self._look = HubLook(hub)
        self.signers = Signers(hub)
        place = place_of(hub)
        self._filed_account, self._filed_voucher = f"account {place}", f"voucher {place}"
        self._accounts: dict[Address, Account] = {}
        self._billed: dict[Address, Billed] = {}
        self._lock = asyncio.Lock()  # the journal writes one thing at a time anyway
        self.worth_a_look = asyncio.Event()  # an account has changed: is it to be claimed?

    # ---- life ----

    async def start(self) -> None:
        """Read the journal. Raises StoreCorrupt."""
        billed = await self._journal.read(self._filed_account)
        received = await self._journal.read(self._filed_voucher)
        for key in dict.fromkeys([*billed, *received]):
            text, _, series = key.partition("/")
            try:
                if series:
                    marks = self._billed.setdefault(bytes.fromhex(text[2:]), Billed())
                    marks.restore(series, int.from_bytes(billed[key], "big"))
                    continue
                account = decode_account(billed.get(key), received.get(key))
            except (BadEncoding, ValueError) as error:
                self._events.publish(
                    "channel.unreadable", text, f"the record of its account cannot be read: {error}"
                )
                continue
            self._accounts[account.payer] = account

    async def stop(self) -> None:
        await self._look.stop()
        await self.signers.stop()

    # ---- the port ----

    @property
    def payee(self) -> Address:
        return self._hub.account

    async def is_funded(self, payer: Address, amount: int) -> bool:
        return (await self._looked_at(payer)).has_room(amount)

    async def bill(self, payer: Address, bill: str, amount: int) -> None:
        async with self._lock:
            marks = self._billed.setdefault(payer, Billed())
            if marks.has(bill):
                return
            account = self.account(payer).bill(amount)
            key, filed = id_text(payer), self._filed_account
            mark = number_of(bill).to_bytes(8, "big")
            await self._journal.write(
                [
                    Record(filed, key, encode_billed(account)),
                    Record(filed, f"{key}/{series_of(bill)}", mark),
                ]
            )
            self._accounts[payer] = account
            quiet = [Record(filed, f"{key}/{series}", None) for series in marks.add(bill)]
            if quiet:
                await self._journal.write(quiet)

    async def forgive(self, payer: Address, amount: int) -> bool:
        async with self._lock:
            before = self.account(payer)
            account = before.forgive(amount)
            if account == before:
                return False
            await self._write(account)
            self._accounts[payer] = account
        self._events.publish(
            "channel.forgiven",
            id_text(payer),
            f"it is not asked for {account.forgiven - before.forgiven} tokens any more",
        )
        return True

    async def is_introduced(self, payer: Address, introduction: bytes) -> bool:
        return await self.signers.is_signed(Voucher(payer, self.payee, 0, introduction))

    def due(self, payer: Address) -> int:
        return self.account(payer).due

    def received(self, payer: Address) -> int:
        return self.account(payer).received

    async def take(self, voucher: Voucher) -> int:
        refusal = await self._take(voucher)
        if refusal is not None:
            raise VoucherRefused(refusal.text, code=refusal.code.name)
        return self.account(voucher.payer).received

    # ---- accounts ----

    def account(self, payer: Address) -> Account:
        """As this node knows it; an empty one for somebody who has none."""
        return self._accounts.get(payer) or Account(payer)

    def accounts(self) -> list[Account]:
        """Oldest first."""
        return list(self._accounts.values())

    async def answer(self, request: PayRequest) -> PayAnswer:
        """What a payer is told who sends a voucher."""
        voucher = Voucher(request.payer, request.payee, request.cumulative, request.signature)
        try:
            refusal = await self._take(voucher)
        except ChainError as error:
            refusal = _Refusal(Code.BUSY, f"the chain does not answer: {error.message}")
        if refusal is not None and refusal.code is not Code.OVERDRAWN:
            return PayAnswer(0, refusal.code, refusal.text)
        account = self.account(voucher.payer)
        marks = self._billed.get(voucher.payer)
        return PayAnswer(
            account.received,
            Code.OK if refusal is None else refusal.code,
            "" if refusal is None else refusal.text,
            account.signature if account.received > voucher.cumulative else b"",
            account.billed,
            marks is not None and marks.has(request.memo),
        )

    async def look(self, payers: Sequence[Address]) -> list[Account]:
        """Read the hub for accounts, in one question; what it says is durable. Raises
        ChainUnreachable, DiskFull."""
        seen = await asyncio.gather(*(self._look.channel(each, self.payee) for each in payers))
        at = self._hub.clock.now()
        return [
            await self.saw(payer, channel, at) for payer, channel in zip(payers, seen, strict=True)
        ]

    async def saw(self, payer: Address, seen: HubChannel, at: float) -> Account:
        """Keep what the hub says of an account."""
        async with self._lock:
            before = self.account(payer)
            account = before.look(seen, at)
            if payer not in self._accounts:
                return account  # it owes nothing and has promised nothing: a look, no account
            if (account.billed, account.received, account.seen) != (
                before.billed,
                before.received,
                before.seen,
            ):
                await self._write(account)
            self._accounts[payer] = account
            return account

    # ---- inside ----

    async def _take(self, voucher: Voucher) -> _Refusal | None:
        """None: the best voucher of the payer is at least as high, durably."""
        if voucher.payee != self.payee:
            text = f"this node is paid at {id_text(self.payee)}, not at {id_text(voucher.payee)}"
            return _Refusal(Code.BAD_VOUCHER, text)
        if not await self.signers.is_signed(voucher):
            text = f"it is not signed by {id_text(voucher.payer)} or its delegate"
            return _Refusal(Code.BAD_VOUCHER, text)
        payer, total = voucher.payer, voucher.cumulative
        account = self.account(payer)
        verdict = account.judge(total)
        age = self._hub.clock.now() - account.seen_at
        if verdict is not Verdict.KNOWN and (
            verdict is not Verdict.BEST or age > LOOK_GOOD_SECONDS
        ):
            account = await self._looked_at(payer)
        async with self._lock:
            known = self._accounts.get(payer)
            account = account if known is None else known
            verdict = account.judge(total)
            if verdict is Verdict.BEST:
                account = account.take(total, voucher.signature)
                await self._write(account)
                self._accounts[payer] = account
        if verdict in (Verdict.BEST, Verdict.KNOWN):
            if verdict is Verdict.BEST:
                self._tell(account)
            return None
        return _Refusal(_CODES[verdict], _why(account, total, verdict))

    async def _looked_at(self, payer: Address) -> Account:
        return (await self.look([payer]))[0]

    async def _write(self, account: Account) -> None:
        key = id_text(account.payer)
        await self._journal.write(
            [
                Record(self._filed_account, key, encode_billed(account)),
                Record(self._filed_voucher, key, encode_received(account)),
            ]
        )

    def _tell(self, account: Account) -> None:
        self.worth_a_look.set()
        self._events.publish(
            "channel.voucher",
            id_text(account.payer),
            f"it has promised {account.received} tokens since ever; {account.billed} were billed",
            received=account.received,
            billed=account.billed,
        )


def _why(account: Account, total: int, verdict: Verdict) -> str:
    seen = account.seen
    if verdict is Verdict.CLOSING:
        return f"a close of the channel of {id_text(account.payer)} is pending: top it up first"
    return (
        f"the channel of {id_text(account.payer)} has a deposit of {seen.deposit} tokens, too "
        f"little for a voucher of {total}: top it up with {total - seen.deposit} or more"
    )

"""Takes to the hub what vouchers promise this node, in time and in batches.

The hub is looked at whenever a voucher is worth it, at each start, and at least every
CHALLENGE_SECONDS / 4 of the chain: so a close that is pending is seen, and all that was promised is
claimed before it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from quire.base.errors import DeadlineExceeded, InsufficientFunds, QuireError, Reverted
from quire.base.events import EventBus
from quire.base.units import format_time
from quire.base.waits import Waits
from quire.chain.abi import id_text
from quire.chain.hub import CHALLENGE_SECONDS, Claim, Hub
from quire.channels.account import Account
from quire.channels.claims import ClaimPolicy, batches_of, claims_due
from quire.channels.voucher import Voucher
from quire.services.background import Background
from quire.services.paying.payee import Payee
from quire.services.paying.payer import FUNDS

CHAIN_SECONDS = CHALLENGE_SECONDS / 4  # between two looks, at most, by the chain
LOOK_SECONDS = 600.0  # and by this machine
HELD_SECONDS = 60.0  # while vouchers are held: blocks with a deposit may be taken back
RETRY_SECONDS = 15.0  # after trouble


class Claiming:
    """The watcher of one payee."""

    def __init__(
        self,
        hub: Hub,
        payee: Payee,
        *,
        events: EventBus,
        waits: Waits,
        policy: ClaimPolicy | None = None,
    ) -> None:
        self._hub = hub
        self._payee = payee
        self._events = events
        self._waits = waits
        self.policy = policy or ClaimPolicy()
        self._told: dict[bytes, int] = {}  # payer -> close that was told
        self._uncovered: dict[bytes, int] = {}  # payer -> what was told to lack a deposit
        self._refused: dict[bytes, int] = {}  # payer -> sum that the hub did not take
        self._claiming = asyncio.Lock()
        self._task = Background("claims", self._run, events)

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def claim_all(self) -> int:
        """Claim whatever there is, worth its gas or not; the tokens that it brought.

        Raises   InsufficientFunds  no gas
                 NotMined, ChainUnreachable
        """
        return await self._claim(await self._accounts(), is_all=True)

    async def look(self) -> int:
        """Read the hub for every account, and claim what is due; the tokens that it brought."""
        accounts = await self._accounts()
        for account in accounts:
            self._tell(account)
        return await self._claim(accounts, is_all=False)

    # ---- inside ----

    async def _run(self) -> None:
        while True:
            wake = self._payee.worth_a_look
            wake.clear()
            try:
                await self.look()
                is_held = any(account.unclaimed for account in self._payee.accounts())
                pause = HELD_SECONDS if is_held else LOOK_SECONDS
            except QuireError as error:
                kind = FUNDS if isinstance(error, InsufficientFunds) else "channel.not-claimed"
                self._events.publish(kind, "", f"vouchers are not claimed: {error.message}")
                pause = RETRY_SECONDS
            await self._sleep(wake, pause)

    async def _sleep(self, wake: asyncio.Event, seconds: float) -> None:
        """Until the next look: so long, a quarter of the challenge, or a voucher that is due."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        chain = loop.create_task(self._until_chain(deadline))
        try:
            while not chain.done():
                woken = loop.create_task(wake.wait())
                try:
                    await asyncio.wait([chain, woken], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    woken.cancel()
                wake.clear()
                if any(self._is_due(account) for account in self._payee.accounts()):
                    return
        finally:
            chain.cancel()
            await asyncio.wait([chain])

    async def _until_chain(self, deadline: float) -> None:
        until = self._hub.clock.now() + CHAIN_SECONDS
        try:
            await self._hub.clock.until(until, deadline)
        except DeadlineExceeded:
            return

    def _is_due(self, account: Account) -> bool:
        return self._is_new(account) and self.policy.is_due(account)

    def _is_new(self, account: Account) -> bool:
        """Whether the hub has not refused this very voucher."""
        return self._refused.get(account.payer) != account.received

    async def _accounts(self) -> list[Account]:
        payers = [account.payer for account in self._payee.accounts() if account.signature]
        return await self._payee.look(payers) if payers else []

    async def _claim(self, accounts: Sequence[Account], *, is_all: bool) -> int:
        async with self._claiming:
            fresh = [self._payee.account(each.payer) for each in accounts]
            urgent = (
                set()
                if is_all
                else {
                    each.payer
                    for each in fresh
                    if each.unclaimed and not await self._is_lasting(each)
                }
            )
            due = [
                each
                for each in claims_due(fresh, self.policy, urgent=urgent, is_all=is_all)
                if is_all or self._is_new(each)
            ]
            return sum([await self._claim_batch(batch) for batch in batches_of(due)])

    async def _is_lasting(self, account: Account) -> bool:
        voucher = Voucher(account.payer, self._payee.payee, account.received, account.signature)
        return await self._payee.signers.is_lasting(voucher)

    async def _claim_batch(self, batch: Sequence[Account]) -> int:
        """All in one transaction; where the hub refuses one of them, each alone."""
        claims = [Claim(each.payer, each.received, each.signature) for each in batch]
        ends = min((each.seen.close_at for each in batch if each.seen.close_at), default=0)
        reason = f"{len(claims)} vouchers are being claimed"
        if ends:
            reason += f", before {format_time(ends)}"
        deadline = asyncio.get_running_loop().time() + LOOK_SECONDS
        try:
            with self._waits.waiting("", reason, deadline):
                receipt = await self._hub.claim(claims)
        except Reverted as error:
            if len(batch) > 1:
                return sum([await self._claim_batch([each]) for each in batch])
            self._refused[batch[0].payer] = batch[0].received
            self._events.publish(
                "channel.claim-refused",
                id_text(batch[0].payer),
                f"the hub does not take its voucher of {batch[0].received} tokens: {error.message}",
            )
            return 0
        self.policy = replace(self.policy, cost=max(1, receipt.fee // len(batch)))
        after = await self._payee.look([each.payer for each in batch])
        brought = 0
        for before, now in zip(batch, after, strict=True):
            tokens = max(0, now.seen.claimed - before.seen.claimed)
            brought += tokens
            self._events.publish(
                "channel.claimed",
                id_text(now.payer),
                f"{tokens} tokens of its vouchers are claimed, {now.seen.claimed} since ever",
                tokens=tokens,
                claimed=now.seen.claimed,
            )
        return brought

    def _tell(self, account: Account) -> None:
        """Once each: a close, and vouchers that have lost their deposit."""
        lost = account.received - account.covered
        if lost and self._uncovered.get(account.payer) != lost:
            self._events.publish(
                "channel.uncovered",
                id_text(account.payer),
                f"its deposit is {account.seen.deposit} tokens and its voucher says "
                f"{account.received}: {lost} are due again until it tops its channel up",
            )
        self._uncovered[account.payer] = lost
        close_at = account.seen.close_at
        if close_at and self._told.get(account.payer) != close_at:
            self._events.publish(
                "channel.closing",
                id_text(account.payer),
                f"it closes its channel at {format_time(close_at)}; {account.unclaimed} tokens "
                "are claimed before",
            )
        self._told[account.payer] = close_at

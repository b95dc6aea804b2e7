"""Money in the model of links: the production machine of channels over a hub that is a dict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from quire.base.errors import ChannelTooSmall, InsufficientFunds, QuireError
from quire.channels.channel import Bill, Channel, Fund, Promise, Seen, TopUp
from quire.channels.channel_machine import ChannelMachine, bill_of
from support.link_world import World


class Ledger:
    """`journal` and `bills` survive a crash. A promise and its bill are written together."""

    machine = ChannelMachine()

    def __init__(self, world: World, top_up: int) -> None:
        self.world = world
        self.top_up = top_up  # how many times what is needed is put into a channel
        self.journal: dict[bytes, bytes] = {}
        self.bills: dict[str, Bill] = {}
        self.promised: dict[bytes, int] = {}
        self.on_promise: Callable[[Bill], None] = lambda bill: None

    def _load(self, payee: bytes) -> Channel:
        data = self.journal.get(payee)
        channel = Channel(payee) if data is None else self.machine.decode(data)
        seen = Seen(self.world.channel(payee))
        return self.machine.step(channel, seen)[0]

    def _save(self, channel: Channel) -> None:
        self.journal[channel.payee] = self.machine.encode(channel)

    def room(self, payee: bytes) -> int:
        return max(0, self._load(payee).room)

    def fund(self, payee: bytes, least: int, funded: Callable[[QuireError | None], None]) -> None:
        """Intent first, then the transaction, which reads the hub before it sends anything."""
        channel, effects = self.machine.step(self._load(payee), Fund(least, least * self.top_up))
        self._save(channel)
        if channel.room >= least:
            funded(None)
        elif TopUp() in effects or channel.want:
            wait = 2 + self.world.rng.random() * 10
            self.world.after(wait, lambda: self._top_up(payee, least, funded))

    def _top_up(
        self, payee: bytes, least: int, funded: Callable[[QuireError | None], None]
    ) -> None:
        world, channel = self.world, self._load(payee)
        if channel.want:
            seen = world.channel(payee)
            need = max(0, channel.least - seen.deposit)
            give = min(max(need, channel.want - seen.deposit), world.wallet)
            if give < need:
                self._save(replace(channel, at=type(channel.at).OPEN, least=0, want=0))
                funded(InsufficientFunds("the wallet is empty"))
                return
            world.wallet -= give
            world.hub[payee] = replace(seen, deposit=seen.deposit + give)
            channel = self.machine.step(channel, Seen(world.hub[payee]))[0]
            self._save(channel)
        if channel.room >= least:
            funded(None)
        else:  # others were faster
            self.fund(payee, least, funded)

    def promise(self, key: str, payee: bytes, amount: int) -> Bill:
        """Durable when it returns. Raises ChannelTooSmall."""
        known = self.bills.get(key)
        if known is not None:
            return known
        before = self._load(payee)
        channel, _ = self.machine.step(before, Promise(key, amount))
        bill = bill_of(before, channel)
        if bill is None:
            raise ChannelTooSmall(f"room for {before.room}, not {amount}")
        self._save(channel)
        self.bills[key] = bill
        self.promised[payee] = channel.promised
        self.on_promise(bill)
        return bill

"""The market on the screen while it runs: a line for each slot, each account, each period."""

from __future__ import annotations

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo.market_watch import MarketWatch
from quire.chain.values import Address, SlotState

COLOURS = {
    SlotState.FREE: "dim",
    SlotState.FILLED: "green",
    SlotState.REPAIR: "red",
    SlotState.PAID: "cyan",
    SlotState.FINISHED: "cyan",
}
PERIODS = 6  # the last ones are shown


class MarketView:
    """Shown below the steps as long as the block lasts; redrawn with every block."""

    def __init__(self, console: Console, watch: MarketWatch, names: dict[Address, str]) -> None:
        self._watch = watch
        self._names = names
        self._live = Live(console=console, get_renderable=self._draw, auto_refresh=False)
        watch.on_block = self._refresh

    def __enter__(self) -> MarketView:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.on_block = lambda: None
        self._live.transient = True
        self._live.stop()

    def _refresh(self) -> None:
        if self._live.is_started:
            self._live.refresh()

    def _draw(self) -> RenderableType:
        watch = self._watch
        if watch.head is None:
            return Text("")
        terms = watch.market.terms
        left = terms.period_end(watch.period) - watch.now
        title = f"block {watch.head.number}, period {watch.period}, {left} s of it left"
        return Group(
            Text(f"        {title}", style="bold"), Columns([self._slots(), self._accounts()])
        )

    def _slots(self) -> Table:
        watch = self._watch
        last = range(watch.period - PERIODS + 1, watch.period + 1)
        table = Table("slot", "state", "host", "collateral", "missed", box=None, padding=(0, 1))
        table.add_column("proofs of the last periods")
        for line in watch.slots:
            proved = {proof.period for proof in watch.proofs if proof.slot == line.index}
            marks = "".join(self._mark(line.index, period, proved) for period in last)
            table.add_row(
                str(line.index),
                Text(line.state.name.lower(), COLOURS.get(line.state, "yellow")),
                self._names.get(line.host, "?") if line.host else "",
                f"{line.collateral:,}",
                str(line.missed or ""),
                f"{marks}{' asked' if line.is_required else ''}",
            )
        return table

    def _mark(self, slot: int, period: int, proved: set[int]) -> str:
        if period in proved:
            return "✔"
        return "✘" if (slot, period) in self._watch.overdue else "·"

    def _accounts(self) -> Table:
        table = Table("account", box=None, padding=(0, 1))
        table.add_column("tokens", justify="right")
        for account in self._watch.accounts:
            balance = self._watch.balances.get(account, 0)
            table.add_row(self._names.get(account, "?"), f"{balance:,}")
        return table

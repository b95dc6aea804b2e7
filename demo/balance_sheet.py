"""Where every token is at the end, and whether everybody got what the contract says."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from demo.contract_run import CLIENT, VALIDATOR, Run
from quire.base.errors import IntegrityError
from quire.chain.deployment import TOKENS_EACH
from quire.chain.values import Ask
from quire.faces.local_market import BURNED


@dataclass(frozen=True, slots=True)
class Line:
    """One account: what it had before and has now, in the smallest unit, and why it changed."""

    name: str
    before: int
    after: int
    why: str = ""

    @property
    def change(self) -> int:
        return self.after - self.before


async def settle(run: Run, console: Console) -> None:
    """Have burnt what is nobody's, print the sheet, and check that it adds up to the token."""
    market = run.market
    await market.burn()
    request = await market.observer.request(run.request_id)
    rewards = _rewards(run, request.ask)
    slots = {run.name_of(host): slot for slot, host in run.holders.items()}
    lines = []
    for account, name in market.names.items():
        after = await market.observer.balance(account)
        line = Line(name, run.before[name], after)
        lines.append(Line(name, line.before, after, _why(line, request.ask, slots, rewards)))
    others = [await market.observer.balance(account) for account in market.others]
    lines.append(Line("others", TOKENS_EACH * len(others), sum(others), "take no part"))
    kept = await market.observer.balance(market.observer.terms.contract)
    burned = await market.observer.balance(BURNED)
    lines.append(Line("contract", 0, kept, "keeps nothing"))
    lines.append(Line("burned", 0, burned, "rest of that collateral"))
    minted = await market.minted()
    console.print(_table(lines, minted))
    _check(lines, minted)
    if kept:
        raise IntegrityError(f"{kept:,} tokens are still in the contract, and are nobody's")


def _rewards(run: Run, ask: Ask) -> dict[str, int]:
    """What comes of the collateral that was lost."""
    terms = run.market.observer.terms
    lost = ask.collateral_per_slot
    slashed = lost * terms.slash_percentage // 100
    found = terms.max_slashes * (slashed * terms.validator_reward_percentage // 100)
    repaired = lost * terms.repair_reward_percentage // 100
    return {VALIDATOR: found, run.killed: -lost, run.repairer: repaired}


def _why(line: Line, ask: Ask, slots: dict[str, int], rewards: dict[str, int]) -> str:
    """Why a balance changed. Raises IntegrityError when the contract does not say so."""
    reasons = []
    rest = line.change - rewards.get(line.name, 0)
    if line.name in slots:
        seconds, odd = divmod(rest, ask.price_per_slot_per_second)
        if odd or not 0 < seconds <= ask.duration:
            raise IntegrityError(f"{line.name} got {rest:,} tokens for slot {slots[line.name]}")
        reasons.append(f"slot {slots[line.name]}: {seconds} s")
    elif line.name == CLIENT:
        reasons.append("paid for the slots")
    elif rest:
        raise IntegrityError(f"{line.name} has {rest:,} tokens more than it should")
    if line.name in rewards:
        names = {VALIDATOR: "its marks"}
        reasons.append(names.get(line.name, "repair" if rewards[line.name] > 0 else "collateral"))
    return ", ".join(reasons)


def _table(lines: list[Line], minted: int) -> Table:
    table = Table("account", title="Balance sheet, in tokens", title_justify="left", box=None)
    for name in ("at the end", "change"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("for", no_wrap=True)
    for line in lines:
        table.add_row(line.name, f"{line.after:,}", f"{line.change:+,}", line.why)
    table.add_section()
    total, change = sum(line.after for line in lines), sum(line.change for line in lines)
    table.add_row("together", f"{total:,}", f"{change:+,}", "of")
    table.add_row("made", f"{minted:,}")
    return table


def _check(lines: list[Line], minted: int) -> None:
    """Raises IntegrityError unless every token that was ever made is in the sheet."""
    for when, total in (
        ("before", sum(line.before for line in lines)),
        ("after", sum(line.after for line in lines)),
    ):
        if total != minted:
            raise IntegrityError(
                f"the balances {when} add up to {total:,} tokens, but {minted:,} were made"
            )

"""Who stored, billed and was paid what at the end; where every token is."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from demo.retail_run import CLIENT, LIAR, PROVIDERS, READER, REFUSER, Run
from quire.base.errors import IntegrityError
from quire.base.units import format_size
from quire.faces.local_market import BURNED


async def settle(run: Run, console: Console) -> None:
    """Print the sheet and check it. Raises IntegrityError when anything does not add up. The liar
    may bill for what it was sent; without a receipt that holds it is owed nothing."""
    stored = _stored(run)
    title = "Replicas, and millions of tokens"
    table = Table("provider", title=title, title_justify="left", box=None)
    for name in ("stored", "billed", "vouchers", "by reader", "claimed"):
        table.add_column(name, justify="right", no_wrap=True)
    columns = (run.billed, run.promised, run.read_received, run.claimed)
    for name in PROVIDERS:
        kept = format_size(stored[name]) if stored[name] else "nothing"
        table.add_row(name, kept, *(_millions(column[name]) for column in columns))
    table.add_section()
    table.add_row(
        "together",
        format_size(sum(stored.values())),
        *(_millions(sum(column.values())) for column in columns),
    )
    console.print(table)
    if sum(run.promised.values()) != int(run.upload["paid"]):
        raise IntegrityError("the vouchers are not what the replicas cost")
    for name in PROVIDERS:
        if stored[name] and run.promised[name] != run.billed[name]:
            raise IntegrityError(f"the vouchers for {name} are not what it billed")
        if run.claimed[name] != run.promised[name] + run.read_received[name]:
            raise IntegrityError(f"{name} claimed {run.claimed[name]:,} tokens")
        if run.read_received[name] > run.read_promised[name]:
            raise IntegrityError(f"{name} has more of the reader than was promised")
    for name in (REFUSER, LIAR):
        if stored[name] or run.claimed[name]:
            raise IntegrityError(f"{name} was paid, or counts as one that stores")
    await _check_tokens(run, console)


def _millions(tokens: int) -> str:
    return f"{tokens / 1e6:,.3f}" if tokens else "0"


def _stored(run: Run) -> dict[str, int]:
    """Bytes of signed replicas by provider."""
    found = dict.fromkeys(PROVIDERS, 0)
    for link in run.upload["links"]:
        if link["state"] == "SIGNED":
            found[run.names[link["peer"]]] += link["blocks"] * 65_536
    return found


async def _check_tokens(run: Run, console: Console) -> None:
    """The hub keeps what is in channels and not claimed, and what is in accounts; no more."""
    market = run.market
    chain, hub = market.observer, market.hub
    pairs = [
        (market.account(payer), market.account(payee))
        for payer in (CLIENT, READER)
        for payee in PROVIDERS
    ]
    channels = await hub.channels(pairs)
    in_channels = sum(channel.deposit - channel.claimed for channel in channels)
    in_accounts = sum([await hub.balance(account) for account in market.names])
    kept = await chain.balance(hub.domain.contract)
    if kept != in_channels + in_accounts:
        raise IntegrityError(f"the hub has {kept:,} tokens, not {in_channels + in_accounts:,}")
    if sum(channel.claimed for channel in channels) != sum(run.claimed.values()):
        raise IntegrityError("the hub has paid out something else than what was claimed")
    holders = [*market.names, *market.others, hub.domain.contract, chain.terms.contract, BURNED]
    total, minted = sum([await chain.balance(each) for each in holders]), await market.minted()
    if total != minted:
        raise IntegrityError(f"{total:,} tokens are somewhere, but {minted:,} were made")
    console.print(
        f"  hub      keeps {kept:,}: {in_channels:,} in channels, {in_accounts:,} in accounts",
        soft_wrap=True,
    )
    console.print(f"  tokens   {total:,}, all that were ever made", soft_wrap=True)

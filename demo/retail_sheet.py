"""Who stored, billed and was paid what at the end; where every token is."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from demo.retail_run import CLIENT, LIAR, PROVIDERS, READER, REFUSER, Run
from quire.base.errors import IntegrityError
from quire.base.units import format_size
from quire.faces.local_market import BURNED


async def settle(run: Run, console: Console) -> None:
    """Print the sheet and check it. Raises IntegrityError when anything does not add up."""
    stored = _stored(run)
    table = Table("provider", title="Replicas and tokens", title_justify="left", box=None)
    for name in ("stored", "billed", "vouchers", "of readers", "claimed"):
        table.add_column(name, justify="right", no_wrap=True)
    columns = (run.billed, run.promised, run.read_promised, run.claimed)
    for name in PROVIDERS:
        kept = format_size(stored[name]) if stored[name] else "nothing"
        table.add_row(name, kept, *(f"{column[name]:,}" for column in columns))
    table.add_section()
    table.add_row(
        "together",
        format_size(sum(stored.values())),
        *(f"{sum(column.values()):,}" for column in columns),
    )
    console.print(table)
    if run.promised != run.billed or sum(run.billed.values()) != int(run.upload["paid"]):
        raise IntegrityError("the vouchers are not what was billed")
    for name in PROVIDERS:
        if run.claimed[name] != run.promised[name] + run.read_promised[name]:
            raise IntegrityError(f"{name} claimed {run.claimed[name]:,} tokens")
    for name in (REFUSER, LIAR):
        if stored[name] or run.claimed[name]:
            raise IntegrityError(f"{name} was paid, or counts as one that stores")
    await _check_tokens(run, console)


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

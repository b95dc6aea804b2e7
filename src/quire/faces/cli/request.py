"""quire request: buy storage for a dataset, or a stream, after its cost was shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from quire.base.errors import InputError, InsufficientFunds
from quire.base.units import format_duration, format_size
from quire.faces.cli.coding import Rows, code, code_stream, show_checked, show_coding
from quire.faces.cli.common import (
    Amount,
    Duration,
    Size,
    dataset_and_cap,
    json_option,
    show_json,
    with_client,
)
from quire.faces.cli.main import Context
from quire.faces.cli.purchases import show_purchase, watch_purchase
from quire.faces.cli.stream_source import Source, opened_source
from quire.formats.cap import DatasetCap
from quire.formats.cid import Cid
from quire.market.bid import NODES, TOLERANCE

EXPIRY_SECONDS = 3600.0  # that hosts have to fill every slot; less for short durations
SPARE_SECONDS = 600  # that an aggregator serves beyond it
PROOF_PROBABILITY = 100  # one proof in so many periods, as the reference has it


@click.command()
@click.argument("cid", required=False)
@click.option("--for", "--duration", "duration", type=Duration(), required=True,
              help="How long it is kept, such as 30d.")  # fmt: skip
@click.option("--price", type=Amount(), required=True,
              help="Tokens for each byte and second, in the smallest unit.")  # fmt: skip
@click.option("--collateral", type=Amount(), required=True,
              help="Tokens that a host has at stake for each byte.")  # fmt: skip
@click.option("--nodes", type=int, help="Hosts; each keeps one slot.  [default: 3]")
@click.option("--tolerance", type=int, help="Of them, as many may be lost.  [default: 1]")
@click.option("--nines", type=float,
              help="Choose nodes, tolerance and proofs instead: 9 is at most one chance in 10^9 "
              "to lose it.")  # fmt: skip
@click.option("--expiry", type=Duration(),
              help="How long hosts have to fill every slot.  [default: 1h]")  # fmt: skip
@click.option("--proof-probability", "proof_probability", type=int,
              help="A slot proves itself once in so many periods.  [default: 100]")  # fmt: skip
@click.option("--via", multiple=True,
              help="Have it coded by this aggregator (a peer), or by any: auto.")  # fmt: skip
@click.option("--max-coding", "max_coding", type=Amount(),
              help="Tokens for the coding, at most.  [default: what is shown]")  # fmt: skip
@click.option("--stream", type=click.Path(allow_dash=True),
              help="No CID: this file, or standard input (-), of which nothing is kept here."
              )  # fmt: skip
@click.option("--size", type=Size(), help="Bytes that come from standard input.")
@click.option("--plain", is_flag=True, help="Do not encrypt what streams.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--quote", "is_quote", is_flag=True, help="Show the cost and end.")
@click.option("--watch", is_flag=True, help="Follow it until it runs, or came to nothing.")
@json_option
@click.pass_obj
def request_command(
    context: Context, cid: str | None, duration: float, price: int, collateral: int,
    nodes: int | None, tolerance: int | None, nines: float | None, expiry: float | None,
    proof_probability: int | None, via: tuple[str, ...], max_coding: int | None,
    stream: str | None, size: int | None, plain: bool, yes: bool, is_quote: bool, watch: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Buy storage for the dataset CID: hosts keep it for so long, and prove it.

    The cost is shown, and asked for, before anything is signed. The dataset is then coded and its
    slots are offered to hosts. Once the purchase is started, this node may leave. What hosts keep
    has a CID of its own; of a capability, the one for that is shown.

    With --via an aggregator codes it; what he made is checked here, and paid only if it is right.
    With --stream he gets a file, encrypted, of which nothing is kept here."""
    if nines is not None and (nodes is not None or tolerance is not None):
        raise InputError("--nines chooses nodes and tolerance; give one or the other")
    if as_json and not (yes or is_quote):
        raise InputError("with --json nobody is asked: give --yes to buy, or --quote")
    if (cid is None) == (stream is None):
        raise InputError("say what is to be kept: a CID, or --stream FILE")
    bid: dict[str, Any] = {
        "duration": int(duration),
        "expiry": int(min(EXPIRY_SECONDS, duration / 2) if expiry is None else expiry),
        "pricePerBytePerSecond": str(price),
        "collateralPerByte": str(collateral),
    }
    given = {"nodes": nodes, "tolerance": tolerance, "nines": nines}
    bid |= {name: value for name, value in given.items() if value is not None}
    if proof_probability is not None or nines is None:
        bid["proofProbability"] = str(proof_probability or PROOF_PROBABILITY)
    request = Request(context, bid, via, max_coding, yes, is_quote, watch, as_json)
    if stream is not None:
        request.stream(stream, size, is_plain=plain)
    elif size is not None or plain:
        raise InputError("--size and --plain are about --stream")
    else:
        assert cid is not None
        request.dataset(cid)


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the command. `bid`: as the API takes it."""

    context: Context
    bid: dict[str, Any]
    via: tuple[str, ...]
    max_coding: int | None
    is_agreed: bool
    is_quote: bool
    is_watched: bool
    as_json: bool

    def dataset(self, text: str) -> None:
        """Of a dataset that the node can find."""
        name, cap = dataset_and_cap(self.context, text)
        dataset = str(name)
        quote = self._quote(dataset)
        bought = _bought(self.bid, quote)
        coding = self._coding(int(quote["datasetSize"]), bought) if self.via else None
        if self.is_quote and self.as_json:
            show_json(quote if coding is None else quote | {"coding": coding})
        if self.is_quote:
            return
        self._agree(quote, "Pay this and ask for hosts?")
        if coding is not None:
            rows = self._rows(bought, coding)
            encoding = code(self.context, dataset, rows, is_quiet=self.as_json)
            dataset = self._coded(encoding)
        elif not self.as_json:
            click.echo("the dataset is coded and the request written to the chain...", err=True)
        self._buy(dataset, bought, cap)

    def stream(self, file: str, size: int | None, *, is_plain: bool) -> None:
        """Of what streams by."""
        if not self.via or "nines" in self.bid:
            raise InputError(
                "who codes what streams by? give --via auto, or an aggregator"
                if not self.via
                else "--nines looks at the dataset first; of a stream say --nodes and --tolerance"
            )
        with opened_source(file, size, is_plain=is_plain) as source:
            self._stream(source)

    def _stream(self, source: Source) -> None:
        bid = {"nodes": NODES, "tolerance": TOLERANCE} | self.bid
        coding = self._coding(source.sent_bytes, bid)
        if self.is_quote:
            if self.as_json:
                show_json({"coding": coding})
            return
        if not self.is_agreed:
            click.confirm("Pay this and send it?", abort=True, err=True)
        encoding = code_stream(self.context, source, self._rows(bid, coding), is_quiet=self.as_json)
        dataset = self._coded(encoding)
        self._agree(self._quote(dataset), "Pay this too and ask for hosts?")
        self._buy(dataset, bid, source.cap(dataset))

    # ---- steps ----

    def _quote(self, dataset: str) -> dict[str, Any]:
        quote = with_client(self.context, lambda client: client.quote(dataset, self.bid))
        if not self.as_json:
            _show_quote(quote)
        return quote

    def _coding(self, size: int, bid: dict[str, Any]) -> dict[str, Any]:
        offer = show_coding(self.context, size, self._rows(bid))
        if not self.as_json:
            click.echo(f"coding   {offer['words']}")
        return offer

    def _rows(self, bid: dict[str, Any], coding: dict[str, Any] | None = None) -> Rows:
        """No more is paid than was shown, unless more was allowed."""
        most = self.max_coding
        if most is None and coding is not None:
            most = int(coding["price"])
        nodes, tolerance = int(bid["nodes"]), int(bid["tolerance"])
        return Rows(nodes, tolerance, self.via, int(bid["expiry"]) + SPARE_SECONDS, most)

    def _agree(self, quote: dict[str, Any], question: str) -> None:
        if int(quote["missing"]):
            raise InsufficientFunds(
                f"the request costs up to {quote['maxPrice']} tokens and the account has "
                f"{quote['balance']}; {quote['missing']} more are needed, or a shorter duration or "
                "a lower price"
            )
        if not self.is_agreed:
            click.confirm(question, abort=True, err=True)

    def _coded(self, encoding: dict[str, Any]) -> str:
        if not self.as_json:
            show_checked(encoding)
        return str(encoding["result"])

    def _buy(self, dataset: str, bid: dict[str, Any], cap: DatasetCap | None) -> None:
        _buy(self.context, dataset, bid, self.is_watched, self.as_json, cap)


def _bought(bid: dict[str, Any], quote: dict[str, Any]) -> dict[str, Any]:
    """What was shown is what is bought, also when it was planned."""
    names = ("nodes", "tolerance", "proofProbability")
    kept = {name: value for name, value in bid.items() if name != "nines"}
    return kept | {name: quote[name] for name in names}


def _buy(
    context: Context, dataset: str, bid: dict[str, Any], is_watched: bool, as_json: bool,
    cap: DatasetCap | None,
) -> None:  # fmt: skip
    purchase = with_client(context, lambda client: client.request_storage(dataset, bid))
    if is_watched:
        purchase = watch_purchase(
            context, purchase["requestId"], until=("started",), is_quiet=as_json
        )
    at = None if cap is None or not purchase["cid"] else cap.at(Cid.parse(purchase["cid"])).text
    if as_json:
        show_json(purchase if at is None else purchase | {"cap": at})
        return
    if is_watched:
        show_purchase(purchase)
    else:
        click.echo(purchase["requestId"])
    if at is not None:
        click.echo(at)


def _show_quote(quote: dict[str, Any]) -> None:
    nines = "" if quote["nines"] is None else f" ({quote['nines']:.1f} nines)"
    sizes = [format_size(quote[name]) for name in ("datasetSize", "paidBytes", "slotSize")]
    duration, expiry = format_duration(quote["duration"]), format_duration(quote["expiry"])
    price, a_day = _amount(quote["maxPrice"]), _amount(quote["pricePerDay"])
    stake, stakes = _amount(quote["collateralPerSlot"]), _amount(quote["collateral"])
    balance = _amount(quote["balance"])
    rows = {
        "hosts": f"{quote['nodes']}, of which any {quote['tolerance']} may be lost{nines}",
        "size": f"{sizes[0]}; {sizes[1]} are paid for, in slots of {sizes[2]}",
        "time": f"{duration}; hosts have {expiry} to fill every slot",
        "proofs": f"about {quote['proofsPerSlot']:,.1f} of each slot",
        "price": f"at most {price} tokens, paid in now; {a_day} a day",
        "stakes": f"{stake} of each host, {stakes} in all",
        "gas": f"about {quote['gas']:,} (an estimate)",
        "account": f"{quote['account']} has {balance} tokens",
    }
    for name, text in rows.items():
        click.echo(f"{name:<8} {text}")


def _amount(text: str) -> str:
    return f"{int(text):,}"

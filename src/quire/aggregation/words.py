"""Orders and jobs in the words of people."""

from __future__ import annotations

from quire.aggregation.job import Job
from quire.aggregation.values import EncodeWork, Offer, ProveWork, SubmitWork, Work
from quire.base.units import format_duration, format_size, format_time
from quire.chain.abi import address_text, id_text
from quire.formats.aggregator_codes import Reason

REASONS = {
    Reason.PARAMETERS: "it is not the dataset, or not the rows, that were ordered",
    Reason.LEAVES: "blocks of the original are not where they belong",
    Reason.TREE_ROOT: "the root of the tree is not that of the leaves",
    Reason.PARITY: "a parity block is not what the data gives",
    Reason.SLOT_ROOT: "the root of a slot is not that of its blocks",
    Reason.DIGEST: "the digest of a block is not its own",
    Reason.VERIFY_ROOT: "the root over the slots is not theirs",
    Reason.SIGNATURE: "the receipt is not signed, or is another order's",
    Reason.PROOF: "the proof is false, or about something else",
    Reason.LATE: "it came too late",
    Reason.WITHHELD: "blocks that were coded are not served",
}


def work_in_words(work: Work) -> str:
    """What is to be done: `coding zDv... (64.0 MiB) with 4 + 2 rows`."""
    match work:
        case EncodeWork():
            what = "a dataset that is pushed" if work.original is None else str(work.original)
            return f"coding {what} ({format_size(work.size)}) with {work.k} + {work.m} rows"
        case ProveWork():
            return f"making a proof for the circuit's key {work.key_hash.hex()[:16]}"
        case SubmitWork():
            slot = id_text(work.slot_id)
            return f"bringing the proof of slot {slot} for period {work.period} into the chain"


def price_in_words(offer: Offer) -> str:
    """`900 tokens to 0x...: 600 once checked, 300 when hosts have the blocks`."""
    whole = f"{offer.price:,} tokens to {address_text(offer.payee)}"
    if offer.price_last == 0:
        return f"{whole}, once checked"
    first, last = f"{offer.price_first:,}", f"{offer.price_last:,}"
    return f"{whole}: {first} once checked, {last} when hosts have the blocks"


def deadline_in_words(deadline: int, now: float) -> str:
    """`due 12:00:00 UTC, in 5 min`; both in unix seconds of the chain."""
    left = deadline - now
    when = f"in {format_duration(left)}" if left >= 0 else f"{format_duration(-left)} ago"
    return f"due {format_time(deadline)}, {when}"


def subject_of(job: Job) -> str:
    """What a job is about, as orders have it: the dataset's CID, or "0x" and the slot id; empty
    where the aggregator does not know it."""
    match job.work:
        case EncodeWork(original=None) | ProveWork():
            return ""
        case EncodeWork(original=original):
            return str(original)
        case SubmitWork(slot_id=slot_id):
            return id_text(slot_id)

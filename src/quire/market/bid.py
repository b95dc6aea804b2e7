"""What a client wants of its hosts and pays them, and why a contract cannot have it.

The checks and their order are the reference's, and so is `reference` of a refusal: the words in
which its API answers. The message says the same with the numbers that would work.

Source   content.md 6.6, market.md 2.2
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import InputError
from quire.base.units import format_duration
from quire.chain.terms import Terms
from quire.chain.values import Ask
from quire.dataset.geometry import Geometry, check_protection

NODES, TOLERANCE = 3, 1  # unless somebody says otherwise


class BadTerms(InputError):
    """The contract, or the code of the dataset, does not allow it."""

    code, http = "bad-terms", 422

    def __init__(self, message: str, *, reference: str = "", **facts: object) -> None:
        super().__init__(message, **facts)
        self.reference = reference or message


def _refused(reference: str, message: str) -> BadTerms:
    return BadTerms(message, reference=reference)


@dataclass(frozen=True, slots=True)
class Bid:
    """Durations in seconds, prices in the smallest unit of the token."""

    duration: int
    expiry: int  # seconds in which every slot has to be filled
    proof_probability: int  # on average one proof in so many periods
    price_per_byte_per_second: int
    collateral_per_byte: int
    nodes: int = NODES  # data and parity
    tolerance: int = TOLERANCE  # of them, as many may be lost

    @property
    def k(self) -> int:
        return self.nodes - self.tolerance

    @property
    def m(self) -> int:
        return self.tolerance

    def ask(self, geometry: Geometry) -> Ask:
        """What the contract is told, for a dataset of this shape."""
        return Ask(
            proof_probability=self.proof_probability,
            price_per_byte_per_second=self.price_per_byte_per_second,
            collateral_per_byte=self.collateral_per_byte,
            slots=geometry.slots,
            slot_size=geometry.slot_size,
            duration=self.duration,
            max_slot_loss=geometry.m,
        )


def check_terms(bid: Bid, terms: Terms) -> None:
    """Raise BadTerms for what no dataset can have."""
    if not 0 < bid.expiry < bid.duration:
        raise _refused(
            "Expiry must be greater than zero and less than the request's duration",
            f"an expiry of {bid.expiry} s does not fit a duration of {bid.duration} s; hosts have "
            f"at least 1 s and at most {max(bid.duration - 1, 1)} s to fill every slot",
        )
    for value, reference, what in (
        (bid.proof_probability, "Proof probability", "a proof probability"),
        (bid.collateral_per_byte, "Collateral per byte", "a collateral per byte"),
        (bid.price_per_byte_per_second, "Price per byte per second", "a price"),
    ):
        if value < 1:
            raise _refused(
                f"{reference} must be greater than zero", f"{what} of {value} is too low; 1 works"
            )
    if bid.duration > terms.duration_limit:
        raise _refused(
            f"Duration exceeds limit of {terms.duration_limit} seconds",
            f"a duration of {bid.duration} s is longer than this contract allows; "
            f"{terms.duration_limit} s works ({format_duration(terms.duration_limit)})",
        )
    _check_nodes(bid)


def _check_nodes(bid: Bid) -> None:
    if bid.tolerance < 1:
        raise _refused(
            "Tolerance needs to be bigger then zero",
            f"a tolerance of {bid.tolerance} lets no host fail; {_fitting(bid)}",
        )
    if bid.tolerance > bid.nodes:
        raise _refused(
            "Invalid parameters: `tolerance` cannot be greater than `nodes`",
            f"of {bid.nodes} nodes {bid.tolerance} cannot be lost; {_fitting(bid)}",
        )
    if bid.k <= 1 or bid.k < bid.m:
        raise _refused(
            "Invalid parameters: parameters must satify `1 < (nodes - tolerance) ≥ tolerance`",
            f"{bid.nodes} nodes with a tolerance of {bid.tolerance} leave {bid.k} for the data, "
            f"which has to be 2 at least, and as many as may be lost; {_fitting(bid)}",
        )


def _fitting(bid: Bid) -> str:
    """The nearest that works."""
    tolerance = max(bid.tolerance, 1)
    with_nodes = f"with a tolerance of {tolerance} at least {max(2 * tolerance, 3)} nodes work"
    if bid.nodes < 3:
        return f"{with_nodes}; 3 nodes with a tolerance of 1 are the fewest"
    return f"{with_nodes}, with {bid.nodes} nodes a tolerance from 1 to {bid.nodes // 2}"


def check_dataset(bid: Bid, blocks: int, block_size: int) -> Geometry:
    """The shape of the protected dataset. Raises BadTerms, BadProtection."""
    if bid.k > blocks:
        least = bid.k * block_size
        fits = f"with {blocks} for the data" if blocks > 1 else "none does; put files together"
        raise _refused(
            f"Dataset too small for erasure parameters, need at least {least} bytes",
            f"a dataset of {blocks} blocks of {block_size} bytes cannot be spread over {bid.k} "
            f"nodes for the data: that needs {least} bytes; fewer nodes work: {fits}",
        )
    check_protection(bid.k, bid.m, blocks, block_size)
    return Geometry(blocks, bid.k, bid.m, block_size)


def check_protected(bid: Bid, geometry: Geometry) -> None:
    """Raise BadTerms unless a dataset that is protected already is what is bid for."""
    if (bid.k, bid.m) != (geometry.k, geometry.m):
        wanted = f"nodes {geometry.slots}, tolerance {geometry.m}"
        raise _refused(
            f"Dataset is protected already, with {wanted}",
            f"the dataset is protected with {geometry.k} + {geometry.m} already, which cannot be "
            f"changed; {wanted} works, or a request for the dataset that it was made of",
        )

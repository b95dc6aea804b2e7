"""What an aggregator does, how it answers, and how far a job is. Source   market.md 6.4"""

from __future__ import annotations

from enum import IntEnum


class Service(IntEnum):
    """Each may be offered alone."""

    ENCODE = 1  # a dataset is coded, with its slot trees, and served until hosts have it
    PROVE = 2  # a storage proof is made of sampled cells
    SUBMIT = 3  # proofs of many slots and hosts get into the chain together


class Code(IntEnum):
    OK = 0
    REFUSED = 1
    BUSY = 2
    PRICE = 3  # the offer is not known any more, or does not fit what is asked; ask for another
    NOT_OFFERED = 4  # this service, this circuit, this size
    UNKNOWN_JOB = 5
    CONFLICT = 6  # the job id is used for something else
    NOT_FUNDED = 7  # the customer's channel has no room for the price
    UNPAID = 8  # no voucher has come for what is released
    EXPIRED = 9
    BAD_PROOF = 10
    INCOMPLETE = 11  # blocks of the dataset are not here
    NOT_DELEGATE = 12  # the host has not appointed this aggregator on the chain
    INTERNAL = 13


class Stage(IntEnum):
    """How far a job is at the aggregator."""

    ACCEPTED = 1
    WORKING = 2
    READY = 3  # the result is there; the customer checks it and pays
    SERVING = 4  # paid; the coded blocks are served until hosts have them
    SETTLED = 5
    FAILED = 6
    CANCELLED = 7
    UNPAID = 8  # the customer did not release it in time
    DISPUTED = 9


class Reason(IntEnum):
    """What a customer says is wrong with a result."""

    PARAMETERS = 1  # not the dataset, K, M or block size that was ordered
    LEAVES = 2  # the customer's own blocks are not where they belong
    TREE_ROOT = 3
    PARITY = 4
    SLOT_ROOT = 5
    DIGEST = 6  # a block's Poseidon2 digest
    VERIFY_ROOT = 7
    SIGNATURE = 8  # the receipt is not signed, or is another order's
    PROOF = 9  # false, or about something else
    LATE = 10
    WITHHELD = 11  # blocks are not served

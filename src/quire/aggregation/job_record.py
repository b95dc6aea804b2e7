"""Bytes of a job in the aggregator's journal, and back."""

from __future__ import annotations

from quire.aggregation.job import Job
from quire.aggregation.values import JOB_ID_BYTES, EncodeWork, Work, service_of
from quire.base.errors import BadEncoding
from quire.chain.values import ADDRESS_BYTES
from quire.formats.aggregator_codes import Stage
from quire.formats.cid import is_manifest
from quire.formats.peer_id import decode_peer_id
from quire.formats.record import check_numbers, decode_record, encode_record

FORMAT = 1
_RESULT_STAGES = (Stage.READY, Stage.SERVING, Stage.SETTLED, Stage.UNPAID, Stage.DISPUTED)


def encode_job(job: Job) -> bytes:
    return encode_record(FORMAT, job)


def decode_job(data: bytes) -> Job:
    """What `encode_job` was given. Raises BadEncoding."""
    job = decode_record(data, Job, "job", FORMAT)
    check_ordered("job", job.job_id, job.peer, job.customer, job.work)
    if job.offer.offer.service is not service_of(job.work):
        raise BadEncoding("the record of a job has an offer of another service")
    if job.at in _RESULT_STAGES and not job.result:
        raise BadEncoding(f"the record of a job in {job.at.name} has no result")
    for part in (job, job.offer.offer):
        check_numbers("job", part)
    return job


def check_ordered(what: str, job_id: bytes, peer: str, account: bytes, work: Work) -> None:
    """What jobs and orders have in common. Raises BadEncoding."""
    if len(job_id) != JOB_ID_BYTES or len(account) != ADDRESS_BYTES:
        raise BadEncoding(f"the record of a {what} has an id or an account of another length")
    decode_peer_id(peer)
    if isinstance(work, EncodeWork):
        if work.original is not None and not is_manifest(work.original):
            raise BadEncoding(f"the record of a {what} names something else than a dataset")
        if work.k < 1 or work.m < 1 or work.size < 1 or work.block_size < 1:
            raise BadEncoding(f"the record of a {what} has numbers out of range")

"""Resumable uploads against a model that is a handful of byte strings: whatever is created, sent,
broken off, refused, forgotten or crashed, offsets, space and datasets are those of the model."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quire.base.errors import PeerGone, QuotaExceeded
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.flow.part import ChecksumMismatch, OffsetMismatch, Part, UploadGone, UploadPlan
from quire.flow.resume import ResumableUploads, cid_text
from quire.formats.cid import Cid
from quire.formats.tus import Checksum
from quire.store.store import Store
from support.store_kit import BLOCK, Remote, TurnedClock, assert_sound, get, store_in

LIFE = 1000.0
SIZES = st.sampled_from((1, 17, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK, 40 * BLOCK + 9))


def bytes_of(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@dataclass
class Model:
    """One upload as it should be."""

    data: bytes  # all of it
    length: int | None
    offset: int = 0
    expires_at: float = 0.0
    is_gone: bool = False
    cid: str | None = field(default=None)


class Resuming(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = TurnedClock()
        self.directory = Path(tempfile.mkdtemp(prefix="quire-resumable-"))
        self.models: dict[str, Model] = {}
        self.serial = 0
        self.open_store()

    def run(self, work):
        return self.loop.run_until_complete(work)

    def open_store(self) -> None:
        self.opened = store_in(self.directory, clock=self.clock, quota_bytes=400 * BLOCK)
        self.store: Store = self.run(self.opened.__aenter__())
        self.serial += 1
        self.uploads = ResumableUploads(
            self.store,
            EventBus(self.clock),
            Waits(self.clock),
            self.clock,
            random.Random(self.serial),
            lifetime_seconds=LIFE,
        )

    def pick(self, number: int) -> tuple[str, Model]:
        return list(self.models.items())[number % len(self.models)]

    @rule(size=SIZES, is_known=st.booleans())
    def create(self, size: int, is_known: bool) -> None:
        self.serial += 1
        plan = UploadPlan(BLOCK, size if is_known else None)
        try:
            row = self.run(self.uploads.create(plan))
        except QuotaExceeded:
            return  # the quota: what the model holds is looked at below
        self.models[row.id] = Model(
            bytes_of(self.serial, size), plan.length, expires_at=self.clock.now() + LIFE
        )

    @precondition(lambda self: self.models)
    @rule(
        number=st.integers(0, 99),
        size=SIZES,
        how=st.sampled_from(("whole", "broken", "checked", "wrong", "checked-broken", "misplaced")),
        tells_length=st.booleans(),
    )
    def append(self, number: int, size: int, how: str, tells_length: bool) -> None:
        upload_id, model = self.pick(number)
        body = model.data[model.offset : model.offset + size]
        sent = body[: len(body) // 2] if "broken" in how else body
        digest = hashlib.sha256(b"other" if how == "wrong" else body).digest()
        is_checked = how in ("checked", "wrong", "checked-broken")
        part = Part(
            model.offset + (1 if how == "misplaced" else 0),
            len(model.data) if tells_length and model.length is None else None,
            None,
            Checksum("sha256", digest) if is_checked else None,
        )

        async def pieces():
            for at in range(0, len(sent), 10_000):
                yield sent[at : at + 10_000]
            if "broken" in how:
                raise PeerGone("the connection ended")

        def tell_length() -> None:
            if part.length is not None:
                model.length = part.length

        is_late = model.expires_at <= self.clock.now()
        try:
            row = self.run(self.uploads.append(upload_id, part, pieces()))
        except UploadGone:
            assert is_late or model.is_gone
            model.is_gone = True
        except OffsetMismatch:
            assert how == "misplaced"
        except ChecksumMismatch:
            assert how == "wrong"
            tell_length()
        except PeerGone:
            assert "broken" in how
            tell_length()
            if not is_checked and sent:
                model.offset += len(sent)
                model.expires_at = self.clock.now() + LIFE
        except QuotaExceeded:  # of unknown length, or the length just told
            row = self.run(self.uploads.state(upload_id))
            model.offset, model.length = row.position, row.length
            model.expires_at = row.expires_at
        else:
            assert how in ("whole", "checked") or model.cid
            tell_length()
            if model.cid is None:
                model.offset += len(sent)
                model.expires_at = self.clock.now() + LIFE
                assert row.position == model.offset
                model.cid = cid_text(row)
            assert (model.cid is not None) == (model.offset == model.length)

    @precondition(lambda self: self.models)
    @rule(number=st.integers(0, 99))
    def look(self, number: int) -> None:
        upload_id, model = self.pick(number)
        try:
            row = self.run(self.uploads.state(upload_id))
        except UploadGone:
            assert model.is_gone or model.expires_at <= self.clock.now()
            model.is_gone = True
            return
        assert not model.is_gone
        assert (row.position, row.length) == (model.offset, model.length)
        model.cid = cid_text(row)
        assert (model.cid is not None) == (model.offset == model.length)

    @precondition(lambda self: self.models)
    @rule(number=st.integers(0, 99))
    def remove(self, number: int) -> None:
        upload_id, model = self.pick(number)
        try:
            self.run(self.uploads.remove(upload_id))
        except UploadGone:
            assert model.is_gone or model.expires_at <= self.clock.now()
        model.is_gone = True

    @rule(seconds=st.sampled_from((1.0, 400.0, 1001.0)))
    def let_time_pass(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.run(self.uploads.expire())
        for model in self.models.values():
            model.is_gone = model.is_gone or model.expires_at <= self.clock.now()

    @rule(is_orderly=st.booleans())
    def restart(self, is_orderly: bool) -> None:
        """In good order, or as after a crash: from a copy of what is on the disk."""
        copy = self.directory
        if not is_orderly:
            copy = Path(tempfile.mkdtemp(prefix="quire-resumable-"))
            shutil.copytree(self.directory, copy, dirs_exist_ok=True)
        self.run(self.opened.__aexit__(None, None, None))
        if not is_orderly:
            shutil.rmtree(self.directory)
            self.directory = copy
        self.models = {key: model for key, model in self.models.items() if not model.is_gone}
        self.open_store()

    @invariant()
    def what_is_complete_reads_back(self) -> None:
        for model in self.models.values():
            if model.cid is None:
                continue
            dataset = self.run(self.store.dataset(Cid.parse(model.cid)))
            assert dataset is not None
            assert dataset.tree_root == Remote.of(model.data).root
            assert self.run(get(self.store, dataset)) == model.data

    @invariant()
    def what_is_reserved_is_what_is_open(self) -> None:
        reserved = 0
        for model in self.models.values():
            if model.is_gone or model.cid is not None:
                continue
            whole = model.offset // BLOCK * BLOCK
            length = None if model.length is None else -(-model.length // BLOCK) * BLOCK
            reserved += 512 + (0 if length is None else length - whole)
        space = self.store.space()
        assert space.quota_reserved_bytes == reserved
        assert space.quota_used_bytes + reserved <= space.quota_max_bytes

    def teardown(self) -> None:
        async def end() -> None:
            for row in await self.store.resumables.every():
                await self.store.resumables.remove(row.id)
            for dataset in await self.store.datasets():
                await self.store.delete(dataset.manifest_cid)
            await assert_sound(self.store)
            assert self.store.space().quota_used_bytes == 0

        self.run(end())
        self.run(self.opened.__aexit__(None, None, None))
        self.loop.close()
        shutil.rmtree(self.directory)


Resuming.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
test_resumable_uploads_behave_as_the_model = Resuming.TestCase

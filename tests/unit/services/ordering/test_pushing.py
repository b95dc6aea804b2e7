"""A dataset that streams by: what goes up, what is kept, what happens when answers are lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from quire.aggregation.order import At
from quire.aggregation.stripes import draw
from quire.base.errors import BlockMissing, Bug, InputError, PeerSilent, Refused
from quire.dataset.geometry import Geometry
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest
from quire.formats.manifest import decode_manifest
from quire.kernels.hashing import merkle_root, sha256_blocks
from quire.services.ordering import pushing
from quire.services.ordering.encoding import EncodeTerms
from quire.services.ordering.pushing import RUN_BYTES, Streamed, runs_of
from quire.services.ordering.streamed import StreamedOriginal
from support.encoding_nodes import Town, pieces, town
from support.memory_store import random_bytes

BLOCK = 65536
TERMS = EncodeTerms(4, 2)
BLOCKS, SHORT = 90, 11
DATA = random_bytes(BLOCKS * BLOCK - SHORT, 7)


class Line:
    """To an aggregator: counts what goes up; loses as many questions and answers as it is told."""

    def __init__(self, town: Town, *, every: int = 0) -> None:
        self._pushing = town.encoding._pushing
        self._inner = self._pushing._client
        self._pushing._client = self
        self._every = every
        self.sent = self.asked = self.lost = 0

    async def ask(
        self,
        peer: str,
        request: AggregatorRequest,
        deadline: float,
        addresses: Sequence[str] = (),
    ) -> AggregatorAnswer:
        self.sent += sum(map(len, request.segments()))
        self.asked += 1
        turn = self.asked % self._every if self._every else 1
        if turn == 0:
            self.lost += 1
            raise PeerSilent("the question was lost")
        answer = await self._inner.ask(peer, request, deadline, addresses)
        if self._every and turn == self._every // 2:
            self.lost += 1
            raise PeerSilent("the answer was lost")
        return answer


def in_town(directory: Path, main: Callable[[Town], Awaitable[None]]) -> None:
    async def run() -> None:
        async with town(directory) as it, asyncio.timeout(60):
            await main(it)

    asyncio.run(run())


def test_what_goes_up_is_the_file_and_less_than_a_hundredth_more(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        line = Line(it)
        await it.encoding.stream(Streamed(len(DATA)), pieces(DATA), TERMS)
        assert len(DATA) <= line.sent <= 1.01 * len(DATA)

    in_town(tmp_path, main)


def test_what_is_not_answered_is_pushed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "PAUSE_SECONDS", 0.01)

    async def main(it: Town) -> None:
        line = Line(it, every=4)
        encoded = await it.encoding.stream(Streamed(len(DATA)), pieces(DATA), TERMS)
        assert line.lost >= 4
        (order,) = it.orders.all()
        assert order.at in (At.PAYING, At.SERVING)
        dataset = await it.client.node.store.dataset(encoded)
        assert dataset is not None
        assert dataset.manifest.original_size == len(DATA)

    in_town(tmp_path, main)


def test_a_stream_that_breaks_off_is_given_up_and_costs_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA[:RUN_BYTES]
        raise ConnectionError("the sender is gone")

    async def main(it: Town) -> None:
        with pytest.raises(ConnectionError):
            await it.encoding.stream(Streamed(len(DATA)), broken(), TERMS)
        (order,) = it.orders.all()
        assert (await it.until_told(order.key)).at is At.CANCELLED
        assert it.promised(it.coders[0]) == 0
        assert not it.encoding._streams

    in_town(tmp_path, main)


def test_an_aggregator_that_forgets_the_job_ends_the_stream(tmp_path: Path) -> None:
    async def main(it: Town) -> None:
        async def slow() -> AsyncIterator[bytes]:
            yield DATA[:RUN_BYTES]
            (order,) = it.orders.all()
            await it.orders.cancel(order.key)
            yield DATA[RUN_BYTES:]

        with pytest.raises(Refused):
            await it.encoding.stream(Streamed(len(DATA)), slow(), TERMS)
        (order,) = it.orders.all()
        assert (await it.until_told(order.key)).at is At.CANCELLED

    in_town(tmp_path, main)


@pytest.mark.parametrize("size", [1, 8 * BLOCK, 8 * BLOCK + 1, 17 * BLOCK - 3])
@pytest.mark.parametrize("piece", [1000, RUN_BYTES, 3 * RUN_BYTES])
def test_runs_are_whole_blocks_of_all_bytes(size: int, piece: int) -> None:
    async def main() -> None:
        data = random_bytes(size, 1)
        runs = [run async for run in runs_of(pieces(data, piece), size)]
        assert all(len(run) == RUN_BYTES for run in runs[:-1])
        assert len(runs[-1]) % BLOCK == 0
        joined = b"".join(runs)
        assert joined[:size] == data
        assert not any(joined[size:])

    asyncio.run(main())


@pytest.mark.parametrize(("said", "words"), [(9, "more than the 9"), (11, "10 of the 11")])
def test_a_stream_that_has_another_length_is_refused(said: int, words: str) -> None:
    async def main() -> None:
        with pytest.raises(InputError, match=words):
            async for _ in runs_of(pieces(bytes(10), 4), said):
                pass

    asyncio.run(main())


def test_what_is_kept_of_a_stream_are_its_digests_and_the_drawn_columns(tmp_path: Path) -> None:
    async def main() -> None:
        geometry = Geometry(BLOCKS, 4, 2, BLOCK)
        drawn = draw(bytes(32), geometry, 0.9)
        assert len(drawn.columns) < geometry.steps
        original = StreamedOriginal(drawn, tmp_path, None)
        with pytest.raises(Bug):
            _ = original.manifest
        async for run in runs_of(pieces(DATA), len(DATA)):
            await original.take(run)
        digests = sha256_blocks(DATA, BLOCK)
        manifest = decode_manifest(original.seal(len(DATA), "a", None))
        assert manifest.tree_cid.digest == merkle_root(digests)
        assert await original.leaves(3, 5) == digests[3 * 32 : 8 * 32]
        padded = DATA.ljust(geometry.rounded * BLOCK, b"\0")
        for count in (1, 3):
            for first in range(0, len(drawn.columns), count):
                columns = drawn.columns[first : first + count]
                rows = await original.rows(geometry, columns)
                for row in range(4):
                    places = [geometry.index(row, column) * BLOCK for column in columns]
                    assert rows[row] == b"".join(padded[at : at + BLOCK] for at in places)
        assert list(tmp_path.iterdir()) == []  # files without names
        original.close()
        original.close()
        with pytest.raises(BlockMissing):
            await original.leaves(0, 1)

    asyncio.run(main())

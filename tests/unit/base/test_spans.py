"""Spans: nested, ended whatever happens, inherited by tasks, and nothing without a recorder."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

import pytest

from quire.base.spans import RECORDER, span


class Kept:
    def __init__(self, recorder, name, parent, remote, facts):
        self.name, self.parent, self.remote, self.facts = name, parent, remote, dict(facts)
        self.problem, self.is_over = None, False
        recorder.spans.append(self)

    def note(self, **facts):
        self.facts.update(facts)

    def end(self, problem):
        assert not self.is_over
        self.problem, self.is_over = problem, True


class Keeper:
    def __init__(self):
        self.spans = []

    def begin(self, name, parent, remote, facts):
        return Kept(self, name, parent, remote, facts)


@pytest.fixture
def keeper():
    kept = Keeper()
    token = RECORDER.set(kept)
    yield kept
    RECORDER.reset(token)


def test_spans_lie_in_each_other_and_take_facts(keeper):
    with span("outer", size=3) as outer:
        with span("inner"):
            outer.note(more="yes")
        with span("second"):
            pass
    first, inner, second = keeper.spans
    assert first.facts == {"size": 3, "more": "yes"}
    assert inner.parent is first
    assert second.parent is first
    assert first.parent is None
    assert all(s.is_over and s.problem is None for s in keeper.spans)


def test_a_problem_ends_the_span_and_goes_on(keeper):
    with pytest.raises(KeyError), span("doomed"):
        raise KeyError("x")
    assert isinstance(keeper.spans[0].problem, KeyError)
    with span("next"):
        pass
    assert keeper.spans[1].parent is None


async def test_a_task_inherits_the_span_it_was_started_in(keeper):
    async def work():
        with span("work"):
            await asyncio.sleep(0)

    with span("request"):
        task = asyncio.create_task(work())
    await task
    assert keeper.spans[1].parent is keeper.spans[0]


async def test_a_generator_leaves_its_consumer_alone(keeper):
    async def pieces():
        with span("download", is_current=False):
            yield 1
            yield 2

    async for _ in pieces():
        with span("consumer"):
            pass
    download, *consumers = keeper.spans
    assert download.is_over
    assert [c.parent for c in consumers] == [None, None]


def test_without_a_recorder_nothing_is_kept():
    def run():
        with span("nobody listens") as opened:
            opened.note(a=1)
        return RECORDER.get()

    assert copy_context().run(run) is None

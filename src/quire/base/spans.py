"""Where time goes: named spans inside each other, for whoever records them.

Nothing is recorded unless a recorder is set, as `node/tracing.py` does; without one a span costs a
look at one variable. A task inherits recorder, span and request id from where it was started.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Span(Protocol):
    """Something that takes time and has not ended."""

    def note(self, **facts: object) -> None:
        """Add facts: texts, numbers, flags."""

    def end(self, problem: BaseException | None) -> None:
        """It is over, well or with a problem."""


class Recorder(Protocol):
    """Takes spans. `remote` is a W3C traceparent that came with a request, or empty."""

    def begin(
        self, name: str, parent: Span | None, remote: str, facts: Mapping[str, object]
    ) -> Span: ...


class _Unrecorded:
    def note(self, **facts: object) -> None:
        """Nobody listens."""

    def end(self, problem: BaseException | None) -> None:
        """Nobody listens."""


RECORDER: ContextVar[Recorder | None] = ContextVar("quire_recorder", default=None)
REQUEST_ID: ContextVar[str] = ContextVar("quire_request_id", default="")  # of the API, or empty
_CURRENT: ContextVar[Span | None] = ContextVar("quire_span", default=None)
_UNRECORDED = _Unrecorded()


@contextmanager
def span(
    name: str, *, remote: str = "", is_current: bool = True, **facts: object
) -> Iterator[Span]:
    """A span for the length of the block; a problem that leaves the block ends it as failed.

    is_current  spans begun inside become its children; False in generators, whose consumers run
                between their steps
    """
    recorder = RECORDER.get()
    if recorder is None:
        yield _UNRECORDED
        return
    opened = recorder.begin(name, _CURRENT.get(), remote, facts)
    token = _CURRENT.set(opened) if is_current else None
    try:
        yield opened
    except BaseException as problem:
        opened.end(problem)
        raise
    else:
        opened.end(None)
    finally:
        if token is not None:
            _CURRENT.reset(token)

"""Fuzz logs of the marketplace and reasons of refusals: an event, none, or `BadEncoding`; words."""

from quire.base.errors import BadEncoding, Reverted
from quire.chain.evm.logs import _EVENTS, decode_event, topic_of
from quire.chain.reverts import reverted

VECTORS = ("market_events.json",)
TOPICS = [topic_of(name) for name in _EVENTS]


def check(data: bytes) -> None:
    error = reverted(data, "a call")
    assert isinstance(error, Reverted)
    assert "\n" not in error.message
    if not data:
        return
    topic = TOPICS[data[0] % len(TOPICS)]
    first, second = data[1:33].ljust(32, b"\0"), data[33:65].ljust(32, b"\0")
    for topics in ([topic], [topic, first], [topic, first, second]):
        try:
            event = decode_event(topics, data[33:])
        except BadEncoding:
            continue
        assert event is not None


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)

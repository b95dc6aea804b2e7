"""Fuzz `decode_reputation`: what is accepted is written the same way, and can be gone on with."""

from quire.base.errors import BadEncoding
from quire.point.choice_port import Outcome
from quire.point.networks import networks_of
from quire.point.reputation import Reputation, decode_reputation, encode_reputation

VECTORS = ()
NOW = 1_800_000_000.0
KNOWN = Reputation(NOW, NOW, 3.5, 0.25, 2, NOW + 60, NOW, "why", 0.1, ("/ip4/8.8.8.8/tcp/1",))
SEEDS = (
    encode_reputation(Reputation(NOW, NOW)),
    encode_reputation(KNOWN),
    b'{"format":1,"reputation":{"first_seen":1,"at":1e308}}',
)


def check(data: bytes) -> None:
    try:
        known = decode_reputation(data)
    except BadEncoding:
        return
    assert decode_reputation(encode_reputation(known)) == known
    networks_of(known.addresses)
    for outcome in Outcome:
        later = known.after(outcome, NOW)
        later.keeps_away(NOW)
        assert 0 <= later.bound(NOW) <= 1
        assert 0.5 <= later.age_factor(NOW) <= 1


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)

"""Fuzz `decode_profile`: TOML text gives a network profile or a `BadConfig`."""

from importlib import resources

from quire.base.errors import BadConfig
from quire.node.profile import decode_profile, profile_names

VECTORS = ()
SEEDS = tuple(
    (resources.files("quire.node") / "profiles" / f"{name}.toml").read_bytes()
    for name in profile_names()
)


def check(data: bytes) -> None:
    try:
        profile = decode_profile(data.decode("utf-8", "replace"), "fuzz")
    except BadConfig:
        return
    assert 4096 <= profile.block_size <= 524288


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)

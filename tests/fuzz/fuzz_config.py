"""Fuzz `load_config`: a file, the environment and flags give a configuration or a `BadConfig`."""

from quire.base.errors import BadConfig
from quire.node.config_load import load_config

VECTORS = ()
SEEDS = (
    b'data-dir = "/tmp/x"\nstorage-quota = "10g"\nblock-ttl = 0\n',
    b'api-port = 8080\nlisten = ["/ip4/127.0.0.1/tcp/0"]\nmdns = true\n',
    b'log-level = "debug;trace:node"\nmax-peers = 7\nrequest-timeout = "1.5m"\n',
    b"storage-quota=20g",
)


class _File:
    """As much of a path as `load_config` uses."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read_text(self, encoding: str) -> str:
        return self.data.decode(encoding)


def check(data: bytes) -> None:
    name, _, value = data.decode("utf-8", "replace").partition("=")
    variable = "QUIRE_" + name.strip().upper().replace("-", "_")
    sources = (
        ({}, {}, _File(data)),
        ({}, {variable: value}, None),
        ({name.strip(): value}, {}, None),
    )
    flags, environment, file = sources[len(data) % 3]  # one of them, as they are slow
    try:
        config = load_config(flags, environment, file)
    except BadConfig:
        return
    assert config.storage_quota >= 0
    assert config.request_timeout > 0


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)

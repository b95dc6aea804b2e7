"""Quire: a durable, decentralised storage engine.

Programs use `quire.Client`. Read next: ARCHITECTURE.md at the root of the repository, then
`quire.flow`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quire.faces.sdk import Client as Client

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`Client`, loaded with its first use."""
    if name == "Client":
        from quire.faces.sdk import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

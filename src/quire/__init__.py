"""Quire: a durable, decentralised storage engine.

Read next: ARCHITECTURE.md at the root of the repository, then `quire.flow`.
"""

__version__ = "0.1.0"

"""Trees that the exchange does not serve: sealed replicas, whose readers pay their provider.

A tree is withheld when every dataset of it is kept as a replica and as nothing else, and when it
was registered as one before a block of it was here: what is public already cannot be taken away by
having it stored. Belongs to the loop's thread.
"""

from __future__ import annotations

from collections.abc import Iterable

REPLICA = "replica"  # the kind of their retention roots


class Withheld:
    """The roots of such trees, while replicas are withheld at all."""

    def __init__(self, roots: Iterable[bytes] = ()) -> None:
        self._roots = dict.fromkeys(roots)
        self.is_on = True  # False: replicas cost nothing to read, so whoever names one may have it

    def __contains__(self, root: bytes) -> bool:
        """Whether it is such a tree, withheld or not."""
        return root in self._roots

    def add(self, root: bytes) -> None:
        self._roots[root] = None

    def remove(self, root: bytes) -> None:
        self._roots.pop(root, None)

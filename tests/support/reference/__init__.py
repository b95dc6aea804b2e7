"""A scripted peer that behaves like a node of the Codex reference (nim-codex), over real sockets.

An implementation of its own, from the description in network.md 1.2-1.6 and 2.1-2.8: it shares no
code with Quire, so that a mistake of ours does not cancel itself out.

    node.py      listens and dials: multistream, Noise, mplex, identify
    engine.py    the block exchange with the reference's habits
    content.py   datasets, trees, proofs, manifests
"""

from support.reference.content import Content
from support.reference.engine import Habits
from support.reference.node import ReferenceNode

__all__ = ["Content", "Habits", "ReferenceNode"]

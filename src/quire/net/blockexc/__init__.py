"""The Codex block exchange, for peers that do not speak ours. Begin reading in `engine.py`."""

from quire.net.blockexc.engine import Blockexc
from quire.net.blockexc.link import Ids

__all__ = ["Blockexc", "Ids"]

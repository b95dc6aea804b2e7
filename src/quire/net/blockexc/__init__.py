"""The Codex block exchange, for peers that do not speak ours. Begin reading in `engine.py`."""

from quire.net.blockexc.engine import Blockexc

__all__ = ["Blockexc"]

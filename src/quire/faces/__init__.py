"""How a node is used: `rest/` over HTTP, `cli/` from a shell, `client.py` from Python.

Faces translate and check; what a node does is in `quire.flow` and `quire.node`.
"""

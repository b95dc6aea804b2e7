"""The data's way through a node, one stage a file. Read them in this order.

1. `upload.py`    a stream of bytes becomes a dataset: blocks, tree and manifest, durable at once
2. `announce.py`  the network is told what the node holds complete, and again after a restart
3. `fetch.py`     a manifest CID becomes a manifest, and then a background job that gets the blocks
4. `download.py`  a dataset becomes a stream of bytes again, from here or from other nodes
5. `protect.py`   a dataset becomes a protected one: k + m rows, each a slot with a tree of its own
6. `slots.py`     this node takes a slot, holds it, and gives it up
7. `rebuild.py`   a slot that nobody holds any more is computed from k others
8. `prove.py`     a slot proves that it is there, for one challenge
9. `delete.py`    a dataset is taken out, and the network is told no more about it

Every stage takes the parts it works on as arguments, so that the simulator runs the same code.
"""

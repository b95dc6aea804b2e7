"""The store: block bytes in pack files, everything else in one SQLite database.

    upload.py, partial.py   bytes come in, by upload or by fetch
    segment.py, packs.py    hashed, deduplicated, written to extents of pack files
    committer.py            one sync and one transaction cover every change that is waiting
    meta.py                 the transaction: blocks, tree, manifest become visible together
    read.py, proof.py       bytes and proofs go out, verified
    reclaim.py              what nothing refers to any more is given back to the disk
    recovery.py             what a crash left behind is undone at the next start

What must hold, and is checked by `audit.py`: a block row's `refs` is the number of present leaves
with its digest; nothing is visible before its bytes are durable; offsets of a pack are never used
twice, so a reader of deleted data finds its bytes or zeros, and the hash tells which.

Read next: `store.py`, then `port.py` for what other layers may ask.
"""

"""Bytes and texts <-> values, pure: nothing here reads a clock, a file or a socket.

Every decoder checks sizes before it allocates and raises only `QuireError`. Encoders are
byte-identical with the Codex reference wherever a CID or a foreign node depends on the bytes; the
cases that show it are in `vectors/`. Read next: `cid.py`, `manifest.py`, `merkle.py`.
"""

"""Encrypted datasets, format PN-ENC-1, and sealed replicas of them.

    header ‖ content ‖ padding  ─► records of 65520 bytes ─► one block of 65536 bytes each

Read in this order: `keys.py`, `header.py`, `padme.py`, `records.py`; then `convergent.py`,
`derive.py`, `seal.py`, `signed_blob.py`, `replica_map.py`.

Source   point.md 6.5, 7.3 to 7.6, A5 to A8; vectors/envelope.json
"""

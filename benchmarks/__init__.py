"""Benchmarks: every figure beside its limit, measured in the same run. Run: `make bench`.

Read next: `__main__.py`, which lists them in order.
"""

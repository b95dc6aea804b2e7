"""The ground everything stands on: errors, units, clock, randomness, invariants, events.

This layer imports nothing of Quire. Read next: `errors.py`.
"""

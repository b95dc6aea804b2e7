"""The simulator: production code on a virtual clock, network and disk, one seed per run.

A world is built from the same classes as a real node; only what lies behind the ports is replaced.
Time jumps to the next timer, so minutes pass in milliseconds, and everything that varies is drawn
from the seed, so that a run that fails can be repeated exactly. Nothing imports this package except
the tests and the command `quire sim`. Read next: `world.py`, then `scenarios/diagram_a.py`.
"""

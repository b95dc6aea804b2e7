"""One node as a whole: its configuration, its wiring, its life, and its account of itself.

profile.py    which network: brand, protocol ids, REST bases, block size, bootstrap records
config.py     which node: one struct, filled from file, environment and flags
build.py      the only place that constructs adapters; gives a `Node`
lifecycle.py  start and stop in order, background loops, signals
why.py        the causal chain of one CID, in words
doctor.py     whether these surroundings are fit to run in
"""

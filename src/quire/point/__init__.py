"""The retail side, pure: offers, links, chunks and files of sealed replicas, and their bills.

A *file* is an encrypted dataset that is kept as sealed replicas; a *chunk* is a run of its blocks;
a *link* is one replica of one chunk at one provider. Names of states are those of the seed.
"""

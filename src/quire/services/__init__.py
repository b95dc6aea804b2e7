"""What a node does by itself, without being asked: each service is a loop with a pace.

maintenance.py   deletes what nothing keeps any more
scrub.py         reads every block again, slowly, and finds what the disk has lost
fsck.py          checks and repairs everything at once, on request
repair.py        gets damaged blocks from other nodes
"""

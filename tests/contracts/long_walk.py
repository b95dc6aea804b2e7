"""Random walks of contract and model by hand: as many as one likes.

PYTHONPATH=src:tests python tests/contracts/long_walk.py FIRST_SEED LAST_SEED STEPS
"""

import random
import sys
from collections import Counter

from support.contract_twin import Twin
from support.contract_walk import Walk, a_setup


def main(first: int, last: int, steps: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(first, last):
        choices = random.Random(seed)
        setup, inputs = a_setup(choices)
        walk = Walk(Twin(setup, inputs), choices)
        walk.steps(steps)
        counts.update(walk.counts)
    print(f"{(last - first) * steps} steps agree")
    for name, count in sorted(counts.items()):
        print(f"{count:8d}  {name}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))

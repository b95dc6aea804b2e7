"""Random lives of payment channels: as many as one likes.

PYTHONPATH=src:tests python tests/props/long_channels.py FIRST_SEED LAST_SEED
"""

import sys
from collections import Counter

from support.channel_walk import Walk


def main(first: int, last: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(first, last):
        counts += Walk(seed).run()
    print(f"{last - first} lives of a channel: every bill is paid once")
    for name, count in sorted(counts.items()):
        print(f"{count:8d}  {name}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))

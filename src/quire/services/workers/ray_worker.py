"""What Ray runs as an actor: a worker with a number of cores. Ray's processes import it by name."""

from __future__ import annotations

import os

from quire.services.workers.worker import Worker


class RayWorker(Worker):
    """A process of its own, which keeps circuits open between proofs."""

    def __init__(self, cores: int) -> None:
        # The kernels make their pool of threads with their first use.
        os.environ["RAYON_NUM_THREADS"] = str(cores)
        super().__init__()

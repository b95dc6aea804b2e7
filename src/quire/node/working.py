"""Who does the heavy work of a node: its own threads, or a cluster, as the setting says."""

from __future__ import annotations

from quire.flow.workers import Workers
from quire.node.config import NodeConfig
from quire.node.parts import Ground
from quire.node.setting import RAY
from quire.services.workers.local import LocalWorkers
from quire.services.workers.ray import RayCluster, need_ray
from quire.services.workers.remote import RemoteWorkers


def check_workers(config: NodeConfig) -> None:
    """Raise BadConfig when what is wanted cannot be here."""
    if config.workers.startswith(RAY):
        need_ray()


def workers_of(config: NodeConfig, ground: Ground) -> Workers:
    """Not started yet."""
    if not config.workers.startswith(RAY):
        return LocalWorkers(ground.waits)
    cluster = RayCluster(config.workers.removeprefix(RAY))
    return RemoteWorkers(cluster, ground.events, ground.waits, cores=config.worker_cores)

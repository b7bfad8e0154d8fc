"""Shards made by the workers of a Ray cluster."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from ecg_llm.data_builders.build import ShardResult, ShardTask, build_shard

OBJECT_STORE_BYTES = 200 * 2**20
"""Of a local cluster; only lists of records and results pass through it."""


def run_ray(tasks: Iterable[ShardTask], *, workers: int | None) -> Iterator[ShardResult]:
    """Make shards on Ray: the cluster that ``RAY_ADDRESS`` names, else one on this machine.

    The folder of the source and that of the set must be the same for all machines, as on a shared
    file system: shards are written by the workers.
    """
    import ray

    ours = not ray.is_initialized()
    if ours:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        local: dict[str, Any] = {
            "num_cpus": workers,
            "object_store_memory": OBJECT_STORE_BYTES,
            "include_dashboard": False,
        }
        ray.init(log_to_driver=False, **({} if "RAY_ADDRESS" in os.environ else local))
    try:
        resources: Any = ray.cluster_resources  # Ray leaves it untyped
        at_once = workers or max(1, int(resources().get("CPU", 1)))
        # A task that dies is not tried again as it is, but record by record.
        remote = ray.remote(num_cpus=1, max_retries=0)(build_shard)
        waiting = iter(tasks)
        flying: deque[tuple[ShardTask, Any]] = deque()
        while True:
            while len(flying) < 2 * at_once and (task := next(waiting, None)) is not None:
                flying.append((task, remote.remote(task)))
            if not flying:
                return
            task, reference = flying.popleft()
            try:
                result: ShardResult = ray.get(reference)
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
                result = build_shard(task, isolated=True)
            yield result
    finally:
        if ours:
            ray.shutdown()

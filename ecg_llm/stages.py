"""How long the parts of an interpretation take, for those who ask."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_clock: ContextVar[dict[str, float] | None] = ContextVar("ecg_llm_stages", default=None)


@contextmanager
def clocked() -> Iterator[dict[str, float]]:
    """Note the time of every stage that runs inside.

    Yields
    ------
    dict of str to float, ms
        By stage; filled as they end.

    Examples
    --------
    >>> with clocked() as stages_ms:
    ...     with stage("measure"):
    ...         pass
    >>> list(stages_ms)
    ['measure']
    """
    stages_ms: dict[str, float] = {}
    token = _clock.set(stages_ms)
    try:
        yield stages_ms
    finally:
        _clock.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Run one stage; costs next to nothing while nobody asks.

    Parameters
    ----------
    name : str
        Such as ``measure``; its times add up.
    """
    stages_ms = _clock.get()
    if stages_ms is None:
        yield
        return
    begun = time.perf_counter()
    try:
        yield
    finally:
        stages_ms[name] = stages_ms.get(name, 0.0) + (time.perf_counter() - begun) * 1000

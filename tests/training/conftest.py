"""A packed set small enough to train on within a second."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecg_llm.training.pack import Pack, pack


@pytest.fixture(autouse=True)
def fresh_accelerator() -> Iterator[None]:
    """Forget the precision of a test: accelerate holds a process to the first one it was told."""
    yield
    if "accelerate" in sys.modules:
        from accelerate.state import AcceleratorState

        AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="session")
def small_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Two dozen simulated records."""
    folder: Path = tmp_path_factory.mktemp("pack")
    return pack(None, folder / "packed", n_simulated=24, seed=1)

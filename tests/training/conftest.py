"""A packed set small enough to train on within a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecg_llm.training.pack import Pack, pack


@pytest.fixture(scope="session")
def small_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Two dozen simulated records."""
    folder: Path = tmp_path_factory.mktemp("pack")
    return pack(None, folder / "packed", n_simulated=24, seed=1)

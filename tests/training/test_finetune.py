"""Fine-tuning with few labels, on a set small enough to train on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecg_llm.eval.finetune import evaluate
from ecg_llm.training.pack import Pack


@pytest.mark.slow
def test_each_share_is_a_run_of_its_own(small_pack: Pack, tmp_path: Path) -> None:
    n = len(small_pack)
    fold = np.where(np.arange(n) < n // 2, 1, 9).astype(np.int8)
    records = replace(small_pack, source=np.array(["ptbxl"] * n), fold=fold)
    result = evaluate(records, tmp_path, start="", steps=2, shares=(0.1, 1.0))
    assert [row.share for row in result.rows] == [0.1, 1.0]
    assert all(
        (tmp_path / f"share-{row.share:g}" / "signal_encoder.onnx").is_file() for row in result.rows
    )
    assert result.rows[0].n_labels < result.rows[1].n_labels + 1
    assert "fresh weights" in result.render()

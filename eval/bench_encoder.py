"""How fast records become tokens, beside PyTorch running the same net."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecg_llm.eval.bench_measure import shortest_ms
from ecg_llm.eval.result import Result

if TYPE_CHECKING:
    from ecg_llm.record import ECGRecord

_COLD_RUNS = 3


@dataclass(frozen=True, kw_only=True)
class EncoderBench(Result):
    """What ``ecgllm bench encoder`` prints; every time is the shortest of its repeats.

    Attributes
    ----------
    cores : int
        Of this machine.
    single_ms, torch_single_ms : float, ms
        One record to tokens, resampling counted: ONNX Runtime as the program runs it, and PyTorch.
    batched_per_s, torch_batched_per_s : float, 1/s
        Records of one large batch.
    largest_difference : float
        Between the tokens of both.
    classify_cold_s : float, s
        ``ecgllm classify FILE --task ptbxl-super`` in a process of its own, imports counted.
    """

    cores: int
    single_ms: float
    torch_single_ms: float
    batched_per_s: float
    torch_batched_per_s: float
    largest_difference: float
    classify_cold_s: float

    def render(self) -> str:
        """Give the result as text."""
        ours = f"{self.single_ms:12.1f} ms {self.batched_per_s:14.0f} records/s"
        torch = f"{self.torch_single_ms:12.1f} ms {self.torch_batched_per_s:14.0f} records/s"
        return (
            f"12 leads, 10 s at 500 Hz to tokens; cores: {self.cores}\n"
            f"{'':14}{'single':>12}    {'batched':>14}\n"
            f"{'ONNX Runtime':14}{ours}\n"
            f"{'PyTorch':14}{torch}\n"
            f"ratio         {self.torch_single_ms / self.single_ms:12.1f} ×  "
            f"{self.batched_per_s / self.torch_batched_per_s:14.1f} ×\n"
            f"largest difference between them {self.largest_difference:.1e}\n"
            f"`ecgllm classify` cold {self.classify_cold_s:.2f} s"
        )


def bench_encoder(*, batch: int = 256, repeats: int = 20) -> EncoderBench:
    """Time the bundled signal encoder in both forms, in one run.

    Parameters
    ----------
    batch : int
        Records of the large batch, all simulated.
    """
    from ecg_llm.data_builders.synthetic import synthetic_ecg
    from ecg_llm.encode import encode

    some = [synthetic_ecg(seed=seed).record for seed in range(8)]
    many = [some[k % len(some)] for k in range(batch)]
    with_torch = _torch_encoder()
    ours, theirs = encode(some[:1]).tokens[0], with_torch(some[:1])[0]
    return EncoderBench(
        cores=os.cpu_count() or 1,
        single_ms=shortest_ms(lambda: encode(some[:1]), repeats),
        torch_single_ms=shortest_ms(lambda: with_torch(some[:1]), repeats),
        batched_per_s=1000 * batch / shortest_ms(lambda: encode(many), 2),
        torch_batched_per_s=1000 * batch / shortest_ms(lambda: with_torch(many), 2),
        largest_difference=float(np.abs(ours - theirs).max()),
        classify_cold_s=_classify_cold_s(),
    )


def _torch_encoder() -> Callable[[list[ECGRecord]], Any]:
    """Give the same from records to tokens in PyTorch, for records of 10 s."""
    import torch

    from ecg_llm.encoders.signal_input import encoder_input, stack_inputs
    from ecg_llm.training.store import load_encoder

    net = load_encoder()

    def encode(records: list[ECGRecord]) -> Any:
        signal, present, calibrated, _ = stack_inputs([encoder_input(r) for r in records])
        inputs = [torch.split(torch.from_numpy(x), 16) for x in (signal, present, calibrated)]
        with torch.inference_mode():
            return torch.cat([net(*part).tokens for part in zip(*inputs, strict=True)]).numpy()

    return encode


def _classify_cold_s() -> float:
    """Time a whole ``ecgllm classify`` of one record, start of Python counted."""
    from ecg_llm.data_builders.synthetic import synthetic_ecg

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.csv"
        record = synthetic_ecg(seed=1).record
        np.savetxt(path, record.signal.T, "%.4f", ",", header=",".join(record.leads), comments="")
        command = [sys.executable, "-m", "ecg_llm.cli", "classify", str(path)]
        command += ["--task", "ptbxl-super", "--fs", f"{record.fs:g}", "--unit", "mV", "--json"]

        def run() -> None:
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own words

        return shortest_ms(run, _COLD_RUNS) / 1000

"""Throughput of engines on the same model, each asked by many at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from ecg_llm.errors import ConfigError
from ecg_llm.serving.engine import EngineHost, EngineSpec, RemoteModel, Usage

if TYPE_CHECKING:
    from ecg_llm.lm import TextModel
    from ecg_llm.prompt import Prompt
    from ecg_llm.serving.settings import EngineKind

MOST_CONCURRENT = 128
START_S = 600.0
ANSWER_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """One engine at one number of requests at a time.

    Attributes
    ----------
    engine : str
        Which.
    concurrent : int
        Requests at one time.
    answers : int
        How many were timed.
    tokens_per_second : float
        New tokens over all answers.
    answers_per_second : float
        Whole answers.
    first_ms : float, ms
        Mean time to the first piece of an answer.
    """

    engine: str
    concurrent: int
    answers: int
    tokens_per_second: float
    answers_per_second: float
    first_ms: float


@dataclass(frozen=True, kw_only=True)
class EngineBench:
    """What ``ecgllm bench engines`` prints.

    Attributes
    ----------
    model : str
        Which was asked.
    rows : tuple of Throughput
        By engine and requests at a time.
    """

    model: str
    rows: tuple[Throughput, ...]

    def render(self) -> str:
        """Give the result as text.

        Returns
        -------
        str
        """
        first = self.rows[0].engine
        base = {row.concurrent: row for row in self.rows if row.engine == first}
        lines = [
            f"model {self.model}",
            f"engine        at a time  tokens/s  answers/s  first piece  beside {first}",
        ]
        for row in self.rows:
            ratio = row.answers_per_second / base[row.concurrent].answers_per_second
            lines.append(
                f"{row.engine:<14}{row.concurrent:>9}{row.tokens_per_second:>10.1f}"
                f"{row.answers_per_second:>11.2f}{row.first_ms:>10.0f} ms{ratio:>12.1f} ×"
            )
        return "\n".join(lines)


def bench_engines(
    *,
    model: str | None,
    engines: Sequence[str] = ("plain", "transformers", "vllm"),
    concurrent: Sequence[int] = (1, 8, 32),
    max_new_tokens: int = 64,
    rounds: int = 2,
) -> EngineBench:
    """Time engines on the same model and prompts, one after the other.

    Parameters
    ----------
    model : str or None
        Checkpoint; None for the bundled one.
    engines : sequence of str
        ``plain`` (transformers, one answer after the other), ``transformers``, ``vllm``,
        ``onnx``; the others are set beside the first.
    concurrent : sequence of int
        Requests at one time, at most 128.
    max_new_tokens : int
        Longest answer.
    rounds : int
        Answers that each of the askers waits for.

    Returns
    -------
    EngineBench

    Raises
    ------
    ConfigError
        If an engine does not start.
    """
    if not all(1 <= n <= MOST_CONCURRENT for n in concurrent):
        raise ConfigError(f"1 to {MOST_CONCURRENT} requests at one time are allowed.")
    prompts = _prompts(8)
    rows = []
    name = ""
    for kind in engines:
        host = _host(kind, model)
        host.start()
        try:
            if not _ready(host):
                raise ConfigError(f"engine {kind} did not start: {host.fault or 'no word'}")
            name = host.name
            _ask(host, prompts, 1, 1, max_new_tokens)  # what is compiled at first use
            rows += [_timed(host, kind, prompts, n, rounds, max_new_tokens) for n in concurrent]
        finally:
            host.close()
    return EngineBench(model=name, rows=tuple(rows))


def _host(kind: str, model: str | None) -> EngineHost:
    """Make the host of one engine."""
    if kind == "plain":
        return EngineHost(partial(_plain, model))
    spec = EngineSpec(model=model, kind=cast("EngineKind", kind))
    return EngineHost(spec.load, concurrent=spec.concurrent)


def _plain(model: str | None) -> TextModel:
    """Load a checkpoint without anything around it."""
    from pathlib import Path

    from ecg_llm.lm import MINI
    from ecg_llm.lm_transformers import TransformersModel

    return TransformersModel(MINI if model is None else Path(model))


def _ready(host: EngineHost) -> bool:
    """Wait for an engine, but not once it has said why it cannot start."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and not host.fault:
        if host.wait(0.5):
            return True
    return False


def _timed(
    host: EngineHost,
    kind: str,
    prompts: Sequence[Prompt],
    concurrent: int,
    rounds: int,
    max_new_tokens: int,
) -> Throughput:
    begun = time.perf_counter()
    models = _ask(host, prompts, concurrent, rounds, max_new_tokens)
    seconds = time.perf_counter() - begun
    usage = Usage()
    for one in models:
        usage = usage.plus(one.usage)
    return Throughput(
        engine=kind,
        concurrent=concurrent,
        answers=len(models),
        tokens_per_second=usage.completion / seconds,
        answers_per_second=len(models) / seconds,
        first_ms=sum(one.stages_ms["prefill"] for one in models) / len(models),
    )


def _ask(
    host: EngineHost,
    prompts: Sequence[Prompt],
    concurrent: int,
    rounds: int,
    max_new_tokens: int,
) -> list[RemoteModel]:
    """Ask from so many threads, each one answer after the other."""

    def one(number: int) -> RemoteModel:
        model = RemoteModel(host, ANSWER_S)
        model.generate([prompts[number % len(prompts)]], max_new_tokens=max_new_tokens)
        return model

    with ThreadPoolExecutor(concurrent) as pool:
        return list(pool.map(one, range(concurrent * rounds)))


def _prompts(number: int) -> list[Prompt]:
    """Ask for reports of simulated ECGs."""
    from ecg_llm.analysis import analyse
    from ecg_llm.data_builders.synthetic import synthetic_ecg
    from ecg_llm.prompt import build

    records = [synthetic_ecg(bpm=50 + k % 100, seed=k).record for k in range(number)]
    return [build(None, [analyse(record)]) for record in records]

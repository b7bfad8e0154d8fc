"""Throughput of engines on the same model, each asked by many at once."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from ecg_llm.errors import ConfigError
from ecg_llm.eval.result import Result
from ecg_llm.serving.engine import EngineHost, RemoteModel, Usage
from ecg_llm.serving.engine_spec import EngineSpec

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
    tokens : tuple of float
        Of a prompt, of those the tracing's, and of an answer; on average.
    same : int
        Answers that are, word for word, those of the first engine.
    """

    engine: str
    concurrent: int
    answers: int
    tokens_per_second: float
    answers_per_second: float
    first_ms: float
    tokens: tuple[float, float, float]
    same: int


@dataclass(frozen=True, kw_only=True)
class EngineBench(Result):
    """What ``ecgllm bench engines`` prints.

    Attributes
    ----------
    model : str
        Which was asked.
    ecgs : int
        Different ones that were asked about.
    rows : tuple of Throughput
        By engine and requests at a time.
    """

    model: str
    ecgs: int
    rows: tuple[Throughput, ...]

    def render(self) -> str:
        """Give the result as text."""
        names = list(dict.fromkeys(row.engine for row in self.rows))
        prompt, ecg, answer = self.rows[0].tokens
        speed = {(row.engine, row.concurrent): row.answers_per_second for row in self.rows}
        beside = "".join(f"{'beside ' + name:>22}" for name in names[:-1])
        lines = [
            f"model {self.model}, {os.cpu_count()} processors; reports of {self.ecgs} simulated "
            "ECGs, asked for by turns",
            f"prompts of {prompt:.0f} tokens, {ecg:.0f} of them the tracing's; answers of "
            f"{answer:.0f}; the likeliest words, numbers read from the prompt",
            "engine        at a time  tokens/s  answers/s  first piece"
            f"{'as ' + names[0]:>16}{beside}",
        ]
        for row in self.rows:
            ratios = (row.answers_per_second / speed[name, row.concurrent] for name in names[:-1])
            same = f"{row.same} of {row.answers}"
            lines.append(
                f"{row.engine:<14}{row.concurrent:>9}{row.tokens_per_second:>10.1f}"
                f"{row.answers_per_second:>11.2f}{row.first_ms:>10.0f} ms"
                f"{same:>14}" + "".join(f"{ratio:>20.1f} ×" for ratio in ratios)
            )
        return "\n".join(lines)


def bench_engines(
    *,
    model: str | None,
    engines: Sequence[str] = ("plain", "transformers", "vllm"),
    concurrent: Sequence[int] = (1, 8, 32),
    max_new_tokens: int = 64,
    rounds: int = 8,
    ecgs: int = 8,
) -> EngineBench:
    """Time engines on the same model and prompts, one after the other; all beside the first.

    Of ``rounds`` answers that each asker waits for, after one that is not timed. An engine may keep
    what it has read of a prompt, as vLLM does; with as many ECGs as answers nothing comes twice.
    """
    if not all(1 <= n <= MOST_CONCURRENT for n in concurrent):
        raise ConfigError(f"1 to {MOST_CONCURRENT} requests at one time are allowed.")
    prompts = _prompts(ecgs)
    rows: list[Throughput] = []
    wanted: dict[int, str] = {}
    name = ""
    for kind in engines:
        host = _host(kind, model)
        host.start()
        try:
            if not _ready(host):
                raise ConfigError(f"engine {kind} did not start: {host.fault or 'no word'}")
            name = host.name
            for n in concurrent:
                _ask(host, prompts, n, 1, max_new_tokens)  # what is made ready at first use
                rows.append(_timed(host, kind, prompts, n, rounds, max_new_tokens, wanted))
        finally:
            host.close()
    return EngineBench(model=name, ecgs=ecgs, rows=tuple(rows))


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
    wanted: dict[int, str],
) -> Throughput:
    """Time one engine; its answers are compared with those of the first one, by prompt."""
    begun = time.perf_counter()
    answers = _ask(host, prompts, concurrent, rounds, max_new_tokens)
    seconds = time.perf_counter() - begun
    n = len(answers)
    usage = Usage()
    same = 0
    for number, (one, text) in enumerate(answers):
        usage = usage.plus(one.usage)
        same += wanted.setdefault(number % len(prompts), text) == text
    return Throughput(
        engine=kind,
        concurrent=concurrent,
        answers=n,
        tokens_per_second=usage.completion / seconds,
        answers_per_second=n / seconds,
        first_ms=sum(one.stages_ms["prefill"] for one, _ in answers) / n,
        tokens=(usage.prompt / n, usage.ecg / n, usage.completion / n),
        same=same,
    )


def _ask(
    host: EngineHost,
    prompts: Sequence[Prompt],
    concurrent: int,
    rounds: int,
    max_new_tokens: int,
) -> list[tuple[RemoteModel, str]]:
    """Ask from so many threads, each one answer after the other."""

    def one(number: int) -> tuple[RemoteModel, str]:
        model = RemoteModel(host, ANSWER_S)
        prompt = prompts[number % len(prompts)]
        return model, model.generate([prompt], max_new_tokens=max_new_tokens)[0]

    with ThreadPoolExecutor(concurrent) as pool:
        return list(pool.map(one, range(concurrent * rounds)))


def _prompts(number: int) -> list[Prompt]:
    """Ask for reports of simulated ECGs."""
    from ecg_llm.analysis import analyse
    from ecg_llm.data_builders.synthetic import synthetic_ecg
    from ecg_llm.prompt import build

    records = [synthetic_ecg(bpm=50 + k % 100, seed=k).record for k in range(number)]
    return [build(None, [analyse(record)]) for record in records]

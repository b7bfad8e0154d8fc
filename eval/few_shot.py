"""How well a handful of examples teaches the fusion part a new kind of question: 5-way 5-shot."""

from __future__ import annotations

import copy
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_llm.data_builders.shards import load_finished, read_shards
from ecg_llm.errors import ConfigError
from ecg_llm.eval.patients import effective, numbered, wilson
from ecg_llm.eval.result import Result
from ecg_llm.prompt import SHORT, Prompt, build_from_facts
from ecg_llm.training.few_shot import Example, adapt
from ecg_llm.training.talks import SLOT

if TYPE_CHECKING:
    from ecg_llm.training.language import Features

KINDS = ("verify", "choose", "query")
WAYS, SHOTS, ASKED = 5, 5, 5


Interval = tuple[float, float, float] | None


@dataclass(frozen=True)
class FewShot(Result):
    """Accuracy of an adapted model.

    Attributes
    ----------
    rows : tuple of tuple
        Kind; right after adaptation and right before, each with its 95 % interval; chance.
    episodes : int
        Of each kind.
    """

    rows: tuple[tuple[str, Interval, Interval, float], ...]
    episodes: int

    def render(self) -> str:
        """Give the table as text."""
        lines = [f"{WAYS}-way {SHOTS}-shot, {self.episodes} episodes a kind, tokens only"]
        lines.append(f"{'kind':8} {'adapted':24} {'before':24} chance")
        for kind, after, before, chance in self.rows:
            shown = [_words(share) for share in (after, before)]
            lines.append(f"{kind:8} {shown[0]:24} {shown[1]:24} {100 * chance:.0f} %")
        return "\n".join(lines)


@dataclass(frozen=True)
class Item:
    """One question: its words, answer, record and patient, and the class it belongs to."""

    question: str
    answer: str
    record: str
    patient: str
    way: str


def _read_items(talks: Path, split: str) -> dict[str, list[Item]]:
    """Read the questions with short answers of a split of built conversations, by kind.

    A way is what is asked for (verify) or answered (choose, query).
    """
    out: dict[str, list[Item]] = defaultdict(list)
    load_finished(talks, "instruct")
    for row in read_shards(
        talks, split, ("kind", "form", "messages", "answer", "records", "patient")
    ):
        if row["kind"] not in KINDS or len(row["records"]) != 1 or not row["answer"]:
            continue
        said = [part["text"] for part in row["messages"][0]["content"] if part["text"]]
        answer = ", ".join(row["answer"])
        way = row["form"] if row["kind"] == "verify" else answer
        record = row["records"][0]
        patient = row["patient"] or record
        out[row["kind"]].append(Item(f"{said[-1]} {SHORT}", answer, record, patient, way))
    return out


def evaluate(
    base: Path,
    talks: Path,
    features: Features,
    *,
    episodes: int = 4,
    steps: int = 40,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> FewShot:
    """Adapt to five examples of each of five classes, and ask five more of each.

    Parameters
    ----------
    base : Path
        Checkpoint to adapt, anew for every episode.
    talks : Path
        Conversations; questions of fold 9 are used, whose records nothing was learnt from.
    """
    from ecg_llm.lm_transformers import load_checkpoint

    model, processor = load_checkpoint(base)
    items = _read_items(talks, "val")
    rng = random.Random(seed)  # noqa: S311 (a choice, no secret)
    rows, done = [], 0
    for kind in KINDS:
        by_way: dict[str, list[Item]] = defaultdict(list)
        for item in items[kind]:
            if item.record in features.vector:
                by_way[item.way].append(item)
        n_patients = {way: len({item.patient for item in of}) for way, of in by_way.items()}
        ways = sorted(way for way, n in n_patients.items() if n >= SHOTS + ASKED)
        if len(ways) < WAYS:
            raise ConfigError(
                f"{talks}: {len(ways)} kinds of {kind} questions have {SHOTS + ASKED} patients of "
                f"fold 9 each; {WAYS} such kinds are needed: build conversations on more records."
            )
        right = before = 0
        patients: list[str] = []
        chances = []
        for _ in range(episodes):
            shown, queries = _episode(by_way, rng.sample(ways, WAYS), rng)
            answers = sorted({item.answer for item in shown})
            chances.append(1 / len(answers))
            before += _count(model, processor, queries, answers, features)
            learner = copy.deepcopy(model)
            examples = [Example(_prompt(item), item.answer) for item in shown]
            given = [_inputs(item, features) for item in shown]
            adapt(learner, processor, examples, steps=steps, features=given, seed=seed)
            right += _count(learner.eval(), processor, queries, answers, features)
            patients += [item.patient for item in queries]
            done += 1
            if progress is not None:
                progress(done, len(KINDS) * episodes)
        chance = sum(chances) / len(chances)
        asked, told = len(patients), effective(numbered(patients))
        rows.append((kind, wilson(right, asked, told), wilson(before, asked, told), chance))
    return FewShot(rows=tuple(rows), episodes=episodes)


def _episode(
    by_way: Mapping[str, Sequence[Item]], ways: Sequence[str], rng: random.Random
) -> tuple[list[Item], list[Item]]:
    """Draw the questions of an episode: those shown, and those asked.

    Five of each class, fewer where its patients are needed by others; no patient who is shown is
    asked about.
    """
    taken: dict[str, bool] = {}
    parts: tuple[list[Item], list[Item]] = ([], [])
    # A class with few patients takes its own first.
    for way in sorted(ways, key=lambda way: len({item.patient for item in by_way[way]})):
        mixed = rng.sample(list(by_way[way]), len(by_way[way]))
        for is_asked, count in ((False, SHOTS), (True, ASKED)):
            for item in mixed:
                if count and taken.setdefault(item.patient, is_asked) is is_asked:
                    parts[is_asked].append(item)
                    count -= 1
    return parts


def _words(share: Interval) -> str:
    if share is None:
        return "–"
    middle, low, high = (100 * part for part in share)
    return f"{middle:.0f} % ({low:.0f}–{high:.0f})"


def _prompt(item: Item) -> Prompt:
    from ecg_llm.claims.facts import Facts

    return build_from_facts(item.question, [Facts()], [SLOT], parts=("tokens",))


def _inputs(item: Item, features: Features) -> Mapping[str, Any]:
    import torch

    return features.inputs([item.record], torch.device("cpu"))


def _count(
    model: Any, processor: Any, queries: Sequence[Item], answers: Sequence[str], features: Features
) -> int:
    """Count the queries whose right answer is the likeliest of those that were shown."""
    import torch

    right = 0
    end = processor.end
    for item in queries:
        scores = []
        for answer in answers:
            prompt = Prompt(messages=_prompt(item).messages)
            inputs = dict(processor([prompt], answers=[answer + end]), **_inputs(item, features))
            n = len(processor.tokenizer.encode(answer + end, add_special_tokens=False))
            with torch.inference_mode():
                logits = model(**inputs).logits[0, -n - 1 : -1]
            words = inputs["input_ids"][0, -n:, None]
            scores.append(float(logits.log_softmax(-1).gather(1, words).sum()))
        right += answers[scores.index(max(scores))] == item.answer
    return right

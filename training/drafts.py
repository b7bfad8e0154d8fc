"""Reports drafted by a language model while it learns: prompts as in use, in batches, judged."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ecg_llm.assistant import analyse
from ecg_llm.data_builders.rows import record_of
from ecg_llm.data_builders.shards import load_manifest, read_row
from ecg_llm.data_builders.talk import report_answer
from ecg_llm.errors import ConfigError, RecordError
from ecg_llm.ground.known import known_of
from ecg_llm.lm_numbers import Numbers, numbers_of
from ecg_llm.lm_transformers import as_numpy
from ecg_llm.prompt import build, facts_of
from ecg_llm.training.language_batches import layout_of
from ecg_llm.training.language_stages import LINEAR
from ecg_llm.training.reward import Reward, reward
from ecg_llm.training.talks import TEXT

if TYPE_CHECKING:
    from ecg_llm.claims.facts import Facts
    from ecg_llm.prompt import Prompt
    from ecg_llm.training.language import Features
    from ecg_llm.training.language_recipe import LanguageRecipe

RECORDS = 600
"""Records that prompts are made of."""
JUDGED = 64
"""Records of the training folds that nothing is learnt from: they choose among the checkpoints."""
TEMPERATURE = 0.7
"""Of the drawing: as likely as the model holds its words (1), drafts wander off too often."""
LONGEST = 200
"""Tokens of an answer."""
BATCH = 32
"""Answers written at a time."""
_COLUMNS = (
    *("record", "dataset", "patient", "labels", "fs", "leads", "derived", "signal", "gain"),
    *("calibrated", "age_years", "sex", "sha256", "notes"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """A prompt for a report, and what the report is held against.

    Attributes
    ----------
    prompt : Prompt
        From `ecg_llm.prompt.build`, as in use.
    facts : Facts
        Of the record.
    statements : mapping of str to float
        What people stated, with its likelihood in percent.
    record : str
        Its name.
    canonical : str
        The report that `ecg_llm.data_builders.talk` writes of what the prompt shows.
    """

    prompt: Prompt
    facts: Facts
    statements: Mapping[str, float]
    record: str
    canonical: str


class Words(nn.Module):
    """A table of words with the projected tokens of ECGs behind it, each a word of its own.

    TRL gives a policy words only; so its prompts can hold tracings.

    Parameters
    ----------
    words : nn.Embedding
        Of the language model.
    n_words : int
        Of its tokenizer.
    ecgs : Tensor, shape (n_ecgs, tokens_per_ecg, hidden_size)
        From ``project``.
    """

    def __init__(self, words: nn.Embedding, n_words: int, ecgs: Tensor) -> None:
        super().__init__()
        self.words = words
        self.n_words = n_words
        self.register_buffer("ecgs", ecgs.flatten(0, 1), persistent=False)

    @property
    def weight(self) -> Tensor:
        """The words' own table."""
        return self.words.weight

    def forward(self, ids: Tensor) -> Tensor:
        """Look ids up.

        Returns
        -------
        Tensor, shape (..., hidden_size)
        """
        n = self.n_words
        ecgs: Any = self.ecgs
        found = ecgs[(ids - n).clamp(min=0)].to(self.weight)
        said: Tensor = self.words(ids.clamp(max=n - 1))
        return torch.where((ids < n)[..., None], said, found)


def _worded(text: str, place: int, each: int) -> str:
    """Put the tokens of the ECG at a place of the table, so many each, into a prompt as words."""
    return text.replace("<ecg>" * each, "".join(_ecg_words(place, each)))


def _ecg_words(place: int, each: int) -> list[str]:
    """Name the tokens of the ECG at a place of the table."""
    return [f"<ecg {place} {k}>" for k in range(each)]


class ReadDigits:
    """Numbers are read from the prompt as in use, other words are drawn: for ``generate``.

    Parameters
    ----------
    numbers : Numbers
        Of the vocabulary.
    n_asked : int
        Length of the padded prompts.
    """

    def __init__(self, numbers: Numbers, n_asked: int) -> None:
        self.numbers = numbers
        self.n_asked = n_asked
        self.free: list[list[bool]] = []
        """For each token, in which rows the model chose it."""
        self._readers: list[Any] = []
        self._numbers = sorted(numbers.first)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Leave one token where a number stands."""
        if not self._readers:
            self._readers = [self.numbers.reader(row) for row in input_ids.tolist()]
        best = scores.argmax(-1).tolist()
        free = []
        for k, said in enumerate(input_ids[:, self.n_asked :].tolist()):
            logits = scores[k]
            token = self._readers[k].choose(best[k], said, lambda row=logits: as_numpy(row))
            within = bool(said) and said[-1] in self.numbers.digits
            number = token in self.numbers.first or (within and token in self.numbers.points)
            free.append(token == best[k] and not number)
            if free[-1]:  # a number stands where it is likeliest, nowhere else
                scores[k, self._numbers] = float("-inf")
            else:
                scores[k] = float("-inf")
                scores[k, token] = 0.0
        self.free.append(free)
        return scores


class Drafter:
    """A language model with adapters, and the prompts that it is asked.

    Parameters
    ----------
    model : EcgLlmForConditionalGeneration
        Whose language model gets adapters and `Words`.
    processor : EcgLlmProcessor
        Of it.
    every : sequence of Asked
        The prompts.
    features : Features
        Of their records.
    rank : int
        Of the adapters.
    """

    def __init__(
        self, model: Any, processor: Any, every: Sequence[Asked], features: Features, rank: int
    ) -> None:
        from peft import LoraConfig, get_peft_model

        self.every = every
        laid = layout_of(processor)
        self.pad, self.end = laid.pad, laid.end
        self.tokenizer = copy.deepcopy(processor.tokenizer)
        self.tokenizer.eos_token = processor.end
        self.numbers = numbers_of(processor.tokenizer.backend_tokenizer)
        each, n_words = model.config.tokens_per_ecg, len(self.tokenizer)
        self.tokenizer.add_tokens([w for k in range(len(every)) for w in _ecg_words(k, each)])
        self.texts = [_worded(laid.text(one.prompt), k, each) for k, one in enumerate(every)]
        self.ids: list[list[int]] = [
            self.tokenizer.encode(text, add_special_tokens=False) for text in self.texts
        ]
        given = features.inputs([one.record for one in every], model.device)
        with torch.inference_mode():
            ecgs = model.project(given["ecg_tokens"], given["ecg_vector"])
        table = Words(model.get_input_embeddings(), n_words, ecgs.clone())
        model.language_model.set_input_embeddings(table)
        settings = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(LINEAR))
        self.policy: Any = get_peft_model(model.language_model, settings)

    def write(self, places: Sequence[int], *, draw: bool) -> list[tuple[list[int], list[int]]]:
        """Answer prompts in one batch, padded on the left.

        Parameters
        ----------
        places : sequence of int
            Of the prompts; one may stand there several times.
        draw : bool
            Draw words at `TEMPERATURE`; False takes the likeliest, as in use.

        Returns
        -------
        list of tuple of list of int
            Of each answer the ids, and 1 where the model was free to choose.
        """
        asked = [self.ids[k] for k in places]
        longest = max(map(len, asked))
        device = self.policy.device
        rows = [[self.pad] * (longest - len(ids)) + ids for ids in asked]
        mask = [[0] * (longest - len(ids)) + [1] * len(ids) for ids in asked]
        read = ReadDigits(self.numbers, longest)
        learning = self.policy.training
        self.policy.eval()
        with torch.no_grad():
            out = self.policy.generate(
                input_ids=torch.tensor(rows, device=device),
                attention_mask=torch.tensor(mask, device=device),
                max_new_tokens=LONGEST,
                do_sample=draw,
                **({"temperature": TEMPERATURE, "top_k": 0} if draw else {}),
                logits_processor=[read],
                use_cache=True,
                pad_token_id=self.pad,
                eos_token_id=self.end,
            )
        self.policy.train(learning)
        answers = []
        for k, ids in enumerate(out[:, longest:].tolist()):
            n = ids.index(self.end) + 1 if self.end in ids else len(ids)
            answers.append((ids[:n], [int(free[k]) for free in read.free[:n]]))
        return answers

    def drafts(self, places: Sequence[int], *, draw: bool) -> list[str]:
        """Answer prompts in batches of like length; see `write`."""
        order = sorted(range(len(places)), key=lambda k: len(self.ids[places[k]]))
        out = [""] * len(places)
        for first in range(0, len(order), BATCH):
            part = order[first : first + BATCH]
            answers = self.write([places[k] for k in part], draw=draw)
            for k, (ids, _) in zip(part, answers, strict=True):
                out[k] = self.tokenizer.decode(ids, skip_special_tokens=True).strip()
        return out

    def earns(self, place: int, text: str) -> Reward:
        """Judge a draft."""
        one = self.every[place]
        return reward(text, one.facts, one.statements)


def ask(records: Path, recipe: LanguageRecipe) -> tuple[list[Asked], list[Asked]]:
    """Analyse records of a set as in use, and ask for a report on each.

    Parameters
    ----------
    records : Path
        A set of records; its part ``train`` is used.
    recipe : LanguageRecipe
        What prompts show; `RECORDS` are drawn by its seed.
    """
    rng = Random(recipe.seed)  # noqa: S311 (drawing, no secret)
    shards = load_manifest(records).shards
    names = sorted(name for name, shard in shards.items() if shard.split == "train")
    places = [(name, k) for name in names for k in range(shards[name].n_rows)]
    rng.shuffle(places)
    parts, shares = zip(*recipe.mixture(), strict=True)
    learnt: list[Asked] = []
    judged: list[Asked] = []
    apart: set[str] = set()
    for name, k in places:
        row = read_row(records / name, k, _COLUMNS)
        patient = row["patient"] or row["record"]
        if len(judged) < JUDGED:
            apart.add(patient)
        elif len(learnt) == RECORDS:
            break
        try:
            found = analyse(record_of(row))
        except RecordError:
            continue
        if found.measurements is None:
            continue
        likely = {item["code"]: item["likelihood"] for item in row["labels"]}
        one = Asked(
            prompt=build(None, [found], parts=rng.choices(parts, shares)[0]),
            facts=known_of(found).facts,
            statements={code: 100.0 if of is None else of for code, of in likely.items()},
            record=row["record"],
            canonical=report_answer(facts_of(found), TEXT, ()),
        )
        (judged if patient in apart else learnt).append(one)
    if not learnt:
        raise ConfigError(f"{records}: {len(judged)} records are too few to learn from.")
    return learnt, judged

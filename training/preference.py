"""Preference training: drafts of the model's own, judged by the grounding check."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from ecg_llm.chat_layout import layout
from ecg_llm.claims.check import check_text
from ecg_llm.claims.extract import extract_claims
from ecg_llm.claims.stated import missing
from ecg_llm.training.language_stages import LINEAR, save
from ecg_llm.training.talks import TEXT, draw, read_talks
from ecg_llm.vocabulary import canonical_code, members

if TYPE_CHECKING:
    from ecg_llm.claims.facts import Facts
    from ecg_llm.training.language_recipe import LanguageRecipe

PROMPTS = 2000
ANSWERS = 8
"""Answers drawn for each prompt; they are compared with each other."""
LONG_WORDS = 120
"""Words beyond which a report costs reward."""


@dataclass(frozen=True)
class Reward:
    """What a draft earns, in parts from 0 to 1.

    Attributes
    ----------
    supported : float
        Share of its claims that the record bears out.
    contradicted : float
        Share that the record contradicts.
    complete : float
        Share of the findings worth saying that it says.
    right : float
        F1 of its findings against those that people stated; 0 where they stated none.
    long : float
        Words beyond `LONG_WORDS`, relative to them.
    """

    supported: float
    contradicted: float
    complete: float
    right: float
    long: float

    @property
    def total(self) -> float:
        """One number: claims count most, silence earns nothing."""
        return self.supported - 2 * self.contradicted + self.complete + 0.5 * self.right - self.long


def reward(text: str, facts: Facts, stated: Sequence[str] = ()) -> Reward:
    """Judge a draft by what the record bears out; no word of a reference text is looked for.

    Parameters
    ----------
    text : str
        The draft.
    facts : Facts
        Of the record.
    stated : sequence of str
        Codes that people stated.

    Returns
    -------
    Reward

    Examples
    --------
    >>> from ecg_llm.claims.facts import Facts
    >>> facts = Facts.from_json({"qrs_ms": {"value": 94.0, "unit": "ms"}})
    >>> reward("QRS 94 ms.", facts).total > reward("QRS 140 ms.", facts).total
    True
    """
    checked = check_text(text, facts=facts)
    n = max(len(checked), 1)
    present = [f for f in facts.findings.values() if f.status == "present"]
    worth = [f for f in present if f.urgency != "normal"]
    left_out = missing(text, worth)
    said = {
        canonical_code(claim.subject)
        for claim in extract_claims(text)
        if claim.kind == "finding" and not claim.negated and claim.certainty != "unjudged"
    }
    wanted = {canonical_code(code) for code in stated}
    hit = sum(1 for code in wanted if not said.isdisjoint(members(code)))
    found = 2 * hit / (len(said) + len(wanted)) if said and wanted else 0.0
    return Reward(
        supported=sum(claim.status == "supported" for claim in checked) / n,
        contradicted=sum(claim.status == "contradicted" for claim in checked) / n,
        complete=1 - len(left_out) / len(worth) if worth else float(bool(checked)),
        right=min(found, 1.0),
        long=max(0.0, len(text.split()) / LONG_WORDS - 1),
    )


def train_preference(
    base: Path, records: Path, out: Path, recipe: LanguageRecipe, tell: Callable[[str], None]
) -> Path:
    """Let the model answer, judge its answers by `reward`, and prefer the better ones (GRPO).

    Parameters
    ----------
    base : Path
        Checkpoint to begin with.
    records : Path
        A set of records.
    out : Path
        Folder for checkpoints, adapters and model; a stopped run goes on there.
    recipe : LanguageRecipe
        Of stage ``preference``.
    tell : callable
        Takes lines of progress.

    Returns
    -------
    Path
        The saved model.

    Notes
    -----
    Prompts show values and findings but no tokens: TRL gives a policy text only.
    """
    import warnings

    from datasets import Dataset
    from peft import LoraConfig, get_peft_model

    from ecg_llm.lm_transformers import load_checkpoint

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TRL tells of optional packages when it is imported
        import trl
    learner: Any = trl
    model, processor = load_checkpoint(base, four_bit=recipe.four_bit)
    known = read_talks(records)
    rng = Random(recipe.seed)  # noqa: S311 (drawing, no secret)
    drawn = list(itertools.islice(draw({"report": known["report"]}, rng, [(TEXT, 1.0)]), PROMPTS))
    about = [(talk.facts[-1], talk.labels) for talk, _, _ in drawn]
    slots = model.config.tokens_per_ecg
    rows = {
        "prompt": [layout(prompt.messages, slots) for _, prompt, _ in drawn],
        "which": list(range(len(drawn))),
    }
    calls = itertools.count()

    def judged(completions: list[str], which: list[int], **_: Any) -> list[float]:
        rewards = [
            reward(text, *about[k]).total for text, k in zip(completions, which, strict=True)
        ]
        if next(calls) % 20 == 0:
            tell(f"reward {sum(rewards) / len(rewards):.3f}  says: {completions[0]}")
        return rewards

    settings = learner.GRPOConfig(
        output_dir=str(out),
        max_steps=recipe.steps or 200,
        per_device_train_batch_size=ANSWERS,
        num_generations=ANSWERS,
        max_completion_length=recipe.length // 2,
        learning_rate=recipe.peak_lr,
        beta=0.04,
        bf16=recipe.bf16,
        gradient_checkpointing=recipe.checkpointing,
        save_steps=50,
        logging_steps=10,
        report_to=[],
        seed=recipe.seed,
    )
    # Prompts hold no slots, so the language model alone is the policy.
    adapters = LoraConfig(
        r=recipe.lora_rank, lora_alpha=2 * recipe.lora_rank, target_modules=list(LINEAR)
    )
    policy = get_peft_model(model.language_model, adapters)
    trainer = learner.GRPOTrainer(
        model=policy,
        reward_funcs=judged,
        args=settings,
        train_dataset=Dataset.from_dict(rows),
        processing_class=processor.tokenizer,
    )
    saved = sorted(out.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    trainer.train(resume_from_checkpoint=str(saved[-1]) if saved else None)
    policy.save_pretrained(str(out / "adapter"))
    model.language_model = policy.merge_and_unload()
    return save(model, processor.tokenizer.backend_tokenizer, out / "model")

"""Preference training: drafts of the model's own, judged by the grounding check (TRL)."""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ecg_llm.data_builders.shards import write_whole
from ecg_llm.errors import ConfigError
from ecg_llm.lm_transformers import load_checkpoint
from ecg_llm.training.drafts import LONGEST, TEMPERATURE, Drafter, ask
from ecg_llm.training.language import HISTORY, Features, identity_of
from ecg_llm.training.language_card import write_card
from ecg_llm.training.language_stages import TARGETS, save
from ecg_llm.training.reward import Reward, mean
from ecg_llm.training.runs import hold_to
from ecg_llm.training.store import share_weights

if TYPE_CHECKING:
    from ecg_llm.training.language_recipe import LanguageRecipe
    from ecg_llm.training.talks import Sets

ANSWERS = 8
"""Answers drawn for each prompt; they are compared with each other."""
JUDGEMENTS = 8
"""How often the drafts on records held apart are judged and the adapters kept."""
MARGIN = 0.1
"""How much more the better draft of a pair has to earn."""
PAIRS = "pairs.jsonl"


def pairs(
    drafter: Drafter, places: Sequence[int], tell: Callable[[str], None] = lambda line: None
) -> list[dict[str, Any]]:
    """Draw drafts, judge them, and pair the best of a prompt with lesser ones.

    Returns
    -------
    list of dict
        ``prompt``, ``chosen``, ``rejected``, and what both earn (``better``, ``worse``). The best
        may be the canonical report; what it is paired with is the likeliest draft, and the worst
        of those drawn. A prompt whose likeliest draft lacks nothing teaches nothing.
    """
    likeliest = dict(zip(places, drafter.drafts(places, draw=False), strict=True))
    open_ = [k for k in places if _lacks(drafter.earns(k, likeliest[k]))]
    tell(f"{len(open_)} of {len(places)} likeliest drafts lack something; {ANSWERS} more of each")
    asked = [k for k in open_ for _ in range(ANSWERS)]
    drawn = iter(drafter.drafts(asked, draw=True))
    out = []
    for k in open_:
        texts = [next(drawn) for _ in range(ANSWERS)]
        texts += [likeliest[k], drafter.every[k].canonical]
        earned = {text: drafter.earns(k, text).total for text in texts}
        best = max(earned, key=lambda text: earned[text])
        worst = min(earned, key=lambda text: earned[text])
        for lesser in dict.fromkeys((likeliest[k], worst)):
            if earned[best] - earned[lesser] >= MARGIN:
                out.append(
                    {
                        "prompt": drafter.texts[k],
                        "chosen": best,
                        "rejected": lesser,
                        "better": round(earned[best], 4),
                        "worse": round(earned[lesser], 4),
                    }
                )
    return out


def _lacks(earned: Reward) -> bool:
    """Tell whether a draft could be better by the check."""
    whole = earned.supported == 1 and earned.complete == 1
    return not whole or earned.repeated > 0 or earned.long > 0


def train_preference(
    sets: Sets,
    features: Features,
    out: Path,
    recipe: LanguageRecipe,
    tell: Callable[[str], None],
) -> Path:
    """Let the model draft reports, judge them by `reward`, and prefer the better ones.

    Parameters
    ----------
    sets : Sets
        Records, the base, and the encoder.
    features : Features
        Of the records, by the frozen encoder.
    out : Path
        Folder for checkpoints, adapters and model; a stopped run goes on there.

    Returns
    -------
    Path
        The saved model: of the checkpoint whose drafts on records held apart earned most.

    Raises
    ------
    ConfigError
        If ``out`` holds a run with another recipe, base, set of records or encoder.
    """
    from peft import PeftModel
    from transformers import TrainerCallback

    base = sets.base
    assert base is not None
    hold_to(out, identity_of(recipe, sets.digests()))
    torch.manual_seed(recipe.seed)
    model, processor = load_checkpoint(base, four_bit=recipe.four_bit)
    learnt, judged = ask(sets.records, recipe)
    tell(f"{len(learnt)} prompts, {len(judged)} held apart")
    drafter = Drafter(model, processor, [*learnt, *judged], features, recipe.lora_rank)
    history = _lines(out / HISTORY)
    began = time.monotonic() - max((row["seconds"] for row in history), default=0.0)

    class Watch(TrainerCallback):
        """Note what the likeliest drafts on the records held apart earn."""

        def note(self, step: int) -> None:
            places = range(len(learnt), len(drafter.every))
            texts = drafter.drafts(places, draw=False)
            earned = mean([drafter.earns(k, text) for k, text in zip(places, texts, strict=True)])
            row = {"step": step, "seconds": time.monotonic() - began, "total": earned.total}
            row = {name: round(value, 4) for name, value in (row | asdict(earned)).items()}
            history.append(row)
            _write_lines(out / HISTORY, history)
            tell(f"held apart {row}\nsays: {texts[step % len(texts)]}")

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            # A run that was stopped while it judged a checkpoint judges it now.
            if state.global_step not in {row["step"] for row in history}:
                self.note(state.global_step)

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.note(state.global_step)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            shown = {k: v for k, v in (logs or {}).items() if k in _SHOWN}
            tell(f"step {state.global_step}  {time.monotonic() - began:.0f} s  {shown}")

    start = _grpo if recipe.method == "grpo" else _dpo
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TRL tells of optional packages when it is imported
        trainer = start(drafter, range(len(learnt)), out, recipe, tell)
    trainer.add_callback(Watch())
    # Its state is what is written last of a checkpoint: without it, it is not whole.
    whole = [path.parent.name for path in out.glob("checkpoint-*/trainer_state.json")]
    last = max((int(name.split("-")[1]) for name in whole), default=0)
    # A run that is done would learn for one step more.
    if last < trainer.args.max_steps or last not in {row["step"] for row in history}:
        trainer.train(resume_from_checkpoint=str(out / f"checkpoint-{last}") if last else None)
    best = max((row for row in history if row["step"]), key=lambda row: row["total"])
    tell(f"best: step {best['step']}")
    chosen = out / f"checkpoint-{best['step']}"
    model, _ = load_checkpoint(base)  # whole, also where 4 bits learnt
    _put_adapter(chosen, base, out / "adapter")
    model = PeftModel.from_pretrained(model, str(out / "adapter")).merge_and_unload()
    folder = save(model, processor, out / "model")
    shutil.copy(write_card(folder, recipe, sets, history), out / "adapter")
    return folder


def _put_adapter(chosen: Path, base: Path, folder: Path) -> None:
    """Make adapters of the language model, as TRL has them, some of the whole model."""
    from safetensors.torch import load_file, save_file

    weights, config = "adapter_model.safetensors", "adapter_config.json"
    within = "base_model.model."
    learnt = load_file(chosen / weights)
    folder.mkdir(exist_ok=True)
    save_file(
        {name.replace(within, f"{within}language_model.", 1): w for name, w in learnt.items()},
        folder / weights,
    )
    settings = json.loads((chosen / config).read_text(encoding="utf-8"))
    settings |= {"base_model_name_or_path": str(base), "target_modules": TARGETS}
    (folder / config).write_text(json.dumps(settings, indent=2), encoding="utf-8")
    share_weights(folder)


def _lines(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else ()
    return [json.loads(line) for line in lines]


def _write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    write_whole(path, "\n".join(lines).encode())


_SHOWN = ("loss", "reward", "step_time", "rewards/margins", "rewards/accuracies")


def _settings(recipe: LanguageRecipe, out: Path) -> dict[str, Any]:
    """Give what both ways of learning share."""
    steps = recipe.steps or 100
    return {
        "output_dir": str(out),
        "max_steps": steps,
        "learning_rate": recipe.peak_lr,
        "lr_scheduler_type": "cosine",
        "warmup_steps": max(1, round(recipe.warmup * steps)),
        "max_grad_norm": recipe.clip,
        "bf16": recipe.bf16,
        "gradient_checkpointing": recipe.checkpointing,
        "save_steps": max(1, steps // JUDGEMENTS),
        "logging_steps": 5,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "disable_tqdm": True,
        "report_to": [],
        "seed": recipe.seed,
    }


def _dpo(
    drafter: Drafter,
    places: Sequence[int],
    out: Path,
    recipe: LanguageRecipe,
    tell: Callable[[str], None],
) -> Any:
    """Make a trainer on pairs that are drawn and judged once."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer  # type: ignore[attr-defined]

    path = out / PAIRS
    if not path.is_file():
        _write_lines(path, pairs(drafter, places, tell))
    known = _lines(path)
    if not known:
        raise ConfigError(f"{path}: no draft earned {MARGIN} more than another of its prompt.")
    tell(f"{len(known)} pairs")
    return DPOTrainer(
        model=drafter.policy,
        args=DPOConfig(
            **_settings(recipe, out),
            per_device_train_batch_size=recipe.rows,
            max_length=None,
            # The better draft is learnt too, else both may become less likely.
            loss_type=["sigmoid", "sft"],
            loss_weights=[1.0, 1.0],
            beta=0.1,
        ),
        train_dataset=Dataset.from_list(
            [{name: pair[name] for name in ("prompt", "chosen", "rejected")} for pair in known]
        ),
        processing_class=drafter.tokenizer,
    )


def _grpo(
    drafter: Drafter,
    places: Sequence[int],
    out: Path,
    recipe: LanguageRecipe,
    tell: Callable[[str], None],
) -> Any:
    """Make a trainer that draws drafts at every step."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer  # type: ignore[attr-defined]

    def rollout(prompts: list[str], trainer: Any) -> dict[str, Any]:
        asked = [int(k) for k in prompts]
        answers = drafter.write(asked, draw=True)
        return {
            "prompt_ids": [drafter.ids[k] for k in asked],
            "completion_ids": [said for said, _ in answers],
            "logprobs": None,
            "env_mask": [free for _, free in answers],
        }

    def check(prompts: list[str], completions: list[str], **_: Any) -> list[float | None]:
        drafts = zip(prompts, completions, strict=True)
        return [drafter.earns(int(k), text.strip()).total for k, text in drafts]

    tell(f"{ANSWERS * recipe.rows} drafts a step")
    return GRPOTrainer(
        model=drafter.policy,
        reward_funcs=check,
        args=GRPOConfig(
            **_settings(recipe, out),
            per_device_train_batch_size=recipe.rows * ANSWERS,
            num_generations=ANSWERS,
            max_completion_length=LONGEST,
            temperature=TEMPERATURE,
        ),
        train_dataset=Dataset.from_dict({"prompt": [str(k) for k in places]}),
        processing_class=drafter.tokenizer,
        rollout_func=rollout,
    )

"""Any checkpoint of ours through transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_llm.errors import ConfigError
from ecg_llm.inference import file_hashes
from ecg_llm.lm_numbers import NumberReader, Numbers, numbers_of

if TYPE_CHECKING:
    from ecg_llm.model import EcgLlmConfig
    from ecg_llm.prompt import Prompt

NEEDED = ("torch", "transformers", "safetensors")


class TransformersModel:
    """A checkpoint of `ecg_llm.model`, or an adapter of peft on one.

    Parameters
    ----------
    folder : Path
        From ``save_pretrained``.
    read_numbers : bool
        Keep numbers to those of the prompt (`ecg_llm.lm_numbers`).
    """

    def __init__(self, folder: Path, *, read_numbers: bool = True) -> None:
        if lacking := [name for name in NEEDED if find_spec(name) is None]:
            raise ConfigError(
                f"{folder}: a checkpoint needs {', '.join(lacking)}: pip install 'ecg_llm[model]'."
            )
        self.model, self.processor = load_checkpoint(folder)
        self.name = folder.name
        self.hashes = file_hashes(sorted(folder.glob("*.safetensors")))
        tokenizer = self.processor.tokenizer
        self._end = {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(self.processor.end)}
        self.numbers = numbers_of(tokenizer.backend_tokenizer) if read_numbers else None

    def generate(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 256) -> list[str]:
        """Answer prompts, all in one batch."""
        import torch

        if not prompts:
            return []
        inputs = self.processor(prompts).to(self.model.device)
        with torch.inference_mode():
            out = self.model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=self.processor.tokenizer.pad_token_id,
                eos_token_id=list(self._end),
                logits_processor=self._processors(inputs["input_ids"].shape[1]),
            )
        answers = out[:, inputs["input_ids"].shape[1] :]
        decode = self.processor.tokenizer.batch_decode
        return [text.strip() for text in decode(answers, skip_special_tokens=True)]

    def _processors(self, n_asked: int) -> list[Any]:
        return [] if self.numbers is None else [_ReadNumbers(self.numbers, n_asked)]

    def stream(self, prompt: Prompt, *, max_new_tokens: int = 256) -> Iterator[str]:
        """Answer a prompt piece by piece."""
        import torch
        from transformers import DynamicCache

        inputs = dict(self.processor(prompt).to(self.model.device))
        cache = DynamicCache()
        said: list[int] = []
        told = ""
        mask = inputs["attention_mask"]
        asked = inputs["input_ids"][0].tolist()
        numbers = None if self.numbers is None else self.numbers.reader(asked)
        for _ in range(max_new_tokens):
            with torch.inference_mode():
                logits = self.model(**inputs, past_key_values=cache, use_cache=True).logits
            row = logits[0, -1]
            token = int(row.argmax())
            if numbers is not None:
                token = numbers.choose(token, said, partial(as_numpy, row))
            if token in self._end:
                break
            said.append(token)
            text = self.processor.tokenizer.decode(said, skip_special_tokens=True).lstrip()
            if not text.endswith("�") and len(text) > len(told):
                yield text[len(told) :]
                told = text
            mask = torch.cat([mask, mask.new_ones(1, 1)], dim=1)
            inputs = {
                "input_ids": torch.tensor([[token]], device=mask.device),
                "attention_mask": mask,
            }

    def score(self, prompt: Prompt, answers: Sequence[str]) -> list[float]:
        """Give the log-probability of answers, each with its end."""
        import torch

        tokenizer = self.processor.tokenizer
        scores = []
        for answer in answers:
            ending = answer + self.processor.end
            inputs = self.processor([prompt], answers=[ending]).to(self.model.device)
            n_words = len(tokenizer.encode(ending, add_special_tokens=False))
            with torch.inference_mode():
                logits = self.model(**inputs).logits[0, -n_words - 1 : -1].float()
            words = inputs["input_ids"][0, -n_words:]
            chosen = logits.log_softmax(-1).gather(1, words[:, None])
            scores.append(float(chosen.sum()))
        return scores


class _ReadNumbers:
    """`Numbers` in the form that generate takes, for one batch."""

    def __init__(self, numbers: Numbers, n_asked: int) -> None:
        self.numbers = numbers
        self.n_asked = n_asked
        self.readers: list[NumberReader] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        if not self.readers:
            self.readers = [self.numbers.reader(row) for row in input_ids.tolist()]
        said = input_ids[:, self.n_asked :].tolist()
        return written_over(scores, dict(enumerate(zip(self.readers, said, strict=True))))


def written_over(scores: Any, rows: Mapping[int, tuple[NumberReader, Sequence[int]]]) -> Any:
    """Leave one token in the rows whose likeliest is not what the prompt says.

    Parameters
    ----------
    scores : Tensor, shape (batch, vocabulary)
        Logits of the next tokens.
    rows : mapping of int to tuple of (NumberReader, sequence of int)
        By row, what reads its numbers and what its answer says so far.

    Returns
    -------
    Tensor
        ``scores``, changed in its place.
    """
    best = scores.argmax(-1).tolist()
    chosen = {
        row: numbers.choose(best[row], said, partial(as_numpy, scores[row]))
        for row, (numbers, said) in rows.items()
    }
    changed = {row: token for row, token in chosen.items() if token != best[row]}
    if changed:
        scores[list(changed)] = float("-inf")
        scores[list(changed), list(changed.values())] = 0.0
    return scores


def as_numpy(row: Any) -> Any:
    """Give logits as NumPy has them.

    Parameters
    ----------
    row : Tensor, shape (vocabulary,)
        On any device, of any precision.

    Returns
    -------
    np.ndarray, shape (vocabulary,), float32
    """
    return row.float().cpu().numpy()


def load_checkpoint(folder: Path, *, four_bit: bool = False) -> tuple[Any, Any]:
    """Load a model and its processor; an adapter is merged into the model it belongs to.

    Parameters
    ----------
    folder : Path
        Of a checkpoint, or of an adapter.
    four_bit : bool
        Hold the language model in 4 bits, for training adapters on one consumer GPU.

    Returns
    -------
    model : EcgLlmForConditionalGeneration
        Ready to infer.
    processor : EcgLlmProcessor

    Raises
    ------
    ConfigError
        If the folder holds neither, or the adapter's model is not there.
    """
    import torch
    from transformers.utils import logging

    from ecg_llm.model import EcgLlmForConditionalGeneration, EcgLlmProcessor

    # Of reading and writing files, which takes no time.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    base = model_folder(folder)
    if base != folder and find_spec("peft") is None:
        raise ConfigError(f"{folder}: an adapter needs peft: pip install 'ecg_llm[model]'.")
    kind = torch.bfloat16 if device == "cuda" else torch.float32
    more = {"quantization_config": _four_bit()} if four_bit else {}
    model = EcgLlmForConditionalGeneration.from_pretrained(base, dtype=kind, **more)
    if base != folder:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, folder).merge_and_unload()
    model = model if four_bit else model.to(device)
    return model.eval(), EcgLlmProcessor.from_pretrained(base)


def checkpoint_config(folder: Path) -> EcgLlmConfig:
    """Read the configuration of a checkpoint, or of the model that an adapter belongs to.

    Parameters
    ----------
    folder : Path
        As for `load_checkpoint`.

    Returns
    -------
    EcgLlmConfig

    Raises
    ------
    ConfigError
        As `load_checkpoint`.
    """
    from ecg_llm.model import EcgLlmConfig

    config: EcgLlmConfig = EcgLlmConfig.from_pretrained(model_folder(folder))
    return config


def model_folder(folder: Path) -> Path:
    """Give the folder of a checkpoint's whole model: for an adapter, of the one it belongs to.

    Parameters
    ----------
    folder : Path
        Of a checkpoint, or of an adapter, which names its model by the path that it had in
        training, also taken from the adapter's folder.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        If there is no such model, or it reads no ECGs.
    """
    import json

    places, adapter = [folder], folder / "adapter_config.json"
    if adapter.is_file():
        named = json.loads(adapter.read_text(encoding="utf-8")).get("base_model_name_or_path")
        places = [Path(named), folder.parent / named] if named else []
        what = f"the model in {named!r}, to which this adapter belongs, is not there"
        what += f'; put it there, or change "base_model_name_or_path" in {adapter.name}.'
    else:
        what = "neither config.json nor adapter_config.json is there; "
        if (folder / "model" / "config.json").is_file():
            what += f"a model is in {folder / 'model'}."
        else:
            what += "give the folder of a model, such as model/ of what ecgllm train wrote."
    base = next((path for path in places if (path / "config.json").is_file()), None)
    if base is None:
        raise ConfigError(f"{folder}: {what}")
    kind = json.loads((base / "config.json").read_text(encoding="utf-8")).get("model_type")
    if kind != "ecg_llm":
        raise ConfigError(
            f"{base}: a model of type {kind!r}, which reads no ECGs; begin with what "
            f"`ecgllm train base --language-model {base}` makes of it."
        )
    return base


def _four_bit() -> Any:
    """Quantise the language model only: encoder and projectors are small and learn."""
    import torch
    from transformers import BitsAndBytesConfig

    from ecg_llm.model.modeling import need_bitsandbytes

    need_bitsandbytes()
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=["encoder", "ecg_projector", "image_projector", "lm_head"],
    )

"""The bundled model through ONNX Runtime: no torch, and its weights kept once.

``decoder.onnx`` is a graph without weights; they come from ``model.safetensors``, the same file
that transformers and vLLM read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecg_llm.chat_layout import END, SPECIAL, layout
from ecg_llm.errors import ConfigError
from ecg_llm.inference import file_hashes, onnx_runtime, session_options
from ecg_llm.lm_numbers import numbers_of

if TYPE_CHECKING:
    from ecg_llm.prompt import Prompt
    from ecg_llm.record import ECGRecord

Array = npt.NDArray[np.float32]
FILES = ("config.json", "decoder.onnx", "model.safetensors", "tokenizer.json")
WINDOW_S = 10.0
"""What the encoder looks at of a record."""
_END = SPECIAL.index(END)
_KINDS = {"F16": np.float16, "F32": np.float32}
_LM = "language_model.model."


class OnnxModel:
    """A small Llama with projectors, exported by ``ecgllm train``.

    Parameters
    ----------
    folder : Path
        With `FILES`.
    threads : int
        Of ONNX Runtime; 0 lets it choose.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        from tokenizers import Tokenizer

        ort = onnx_runtime()
        if lacking := [name for name in FILES if not (folder / name).is_file()]:
            raise ConfigError(
                f"{folder}: {', '.join(lacking)} missing; a model for ONNX Runtime has "
                f"{', '.join(FILES)}, as ecgllm train writes them."
            )
        self.name = folder.name
        self.hashes = file_hashes(folder / name for name in FILES)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        text = config["text_config"]
        self._config = config
        self.tokens_per_ecg = (config["pooled_tokens"] or config["encoder_tokens"]) + config[
            "vector_tokens"
        ]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.numbers = numbers_of(self.tokenizer)
        weights = read_safetensors(folder / "model.safetensors")
        self._words = weights[f"{_LM}embed_tokens.weight"]
        self._projectors = {
            kind: {
                name.removeprefix(f"{kind}_projector."): tensor
                for name, tensor in weights.items()
                if name.startswith(f"{kind}_projector.")
            }
            for kind in ("ecg", "image")
        }
        options = session_options(threads)
        own = [name for name in weights if name.startswith(_LM)]
        # Linear maps are stored [out, in]; the graph multiplies from the left.
        handed = [
            ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(weights[name].T)) for name in own
        ]
        options.add_external_initializers(own, handed)
        self._session = ort.InferenceSession(
            str(folder / "decoder.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._kept = handed  # ONNX Runtime does not copy them
        self._value = ort.OrtValue.ortvalue_from_numpy
        size = text.get("head_dim") or text["hidden_size"] // text["num_attention_heads"]
        self._turns = _rotations(text["max_position_embeddings"], size, float(_theta(text)))
        layers = range(text["num_hidden_layers"])
        self._past = [name for k in layers for name in (f"past_key_{k}", f"past_value_{k}")]
        self._outputs = ["logits", *(name.replace("past", "present") for name in self._past)]
        self._empty = np.zeros((1, text["num_key_value_heads"], 0, size), np.float32)
        self._longest = text["max_position_embeddings"]

    def generate(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 256) -> list[str]:
        """Answer prompts, one after the other."""
        return ["".join(self.stream(prompt, max_new_tokens=max_new_tokens)) for prompt in prompts]

    def stream(self, prompt: Prompt, *, max_new_tokens: int = 256) -> Iterator[str]:
        """Answer a prompt piece by piece."""
        said: list[int] = []
        told = ""
        for token in self.ids(prompt, max_new_tokens=max_new_tokens):
            said.append(token)
            text = self.tokenizer.decode(said, skip_special_tokens=True).lstrip()
            if len(text) > len(told) and not text.endswith("�"):
                yield text[len(told) :]
                told = text

    def ids(self, prompt: Prompt, *, max_new_tokens: int = 256) -> Iterator[int]:
        """Give the likeliest next token until the answer ends.

        Parameters
        ----------
        prompt : Prompt
            From `ecg_llm.prompt.build`.
        max_new_tokens : int
            Longest answer.

        Yields
        ------
        int
        """
        asked = self.tokenizer.encode(layout(prompt.messages, self.tokens_per_ecg)).ids
        numbers = self.numbers.reader(asked)
        said: list[int] = []
        embedded = self.embed(prompt)
        state, length = None, 0
        for _ in range(max_new_tokens):
            logits, state, length = self._step(embedded, state, length, wanted=1)
            row = logits[0, -1]
            token = numbers.choose(int(row.argmax()), said, partial(np.asarray, row))
            if token == _END or length >= self._longest:
                return
            said.append(token)
            yield token
            embedded = self._words[None, [token]]

    def score(self, prompt: Prompt, answers: Sequence[str]) -> list[float]:
        """Give the log-probability of answers, each with its end."""
        first, state, length = self._step(self.embed(prompt), None, 0, wanted=1)
        scores = []
        for answer in answers:
            words = [*self.tokenizer.encode(answer).ids, _END]
            rest = self._words[None, words[:-1]]
            logits = first[0]
            if len(words) > 1:
                more, _, _ = self._step(rest, state, length, wanted=len(words) - 1)
                logits = np.concatenate([first[0], more[0]])
            top = logits.max(axis=1)
            total = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
            scores.append(float((logits[np.arange(len(words)), words] - total).sum()))
        return scores

    def embed(self, prompt: Prompt) -> Array:
        """Lay out a prompt and put the ECGs' tokens into their slots.

        Parameters
        ----------
        prompt : Prompt
            From `ecg_llm.prompt.build`.

        Returns
        -------
        np.ndarray, shape (1, length, width)

        Raises
        ------
        ConfigError
            If slots and records differ in number, or the prompt is longer than the model reads.
        """
        ids = np.array(self.tokenizer.encode(layout(prompt.messages, self.tokens_per_ecg)).ids)
        if len(ids) >= self._longest:
            raise ConfigError(
                f"the prompt takes {len(ids)} tokens but the model reads {self._longest}; ask "
                "with less history or fewer ECGs."
            )
        embedded: Array = self._words[ids]
        slots = np.isin(ids, (self._config["ecg_token_id"], self._config["image_token_id"]))
        needed = len(prompt.records) * self.tokens_per_ecg
        if slots.sum() != needed:
            raise ConfigError(
                f"{slots.sum()} slots in the prompt but {needed} tokens of "
                f"{len(prompt.records)} records; build prompts with prompt.build()."
            )
        if needed:
            embedded[slots] = self.project(prompt.records).reshape(needed, -1)
        out: Array = embedded[None]
        return out

    def project(self, records: Sequence[ECGRecord]) -> Array:
        """Encode records and bring them into the language model's space.

        Parameters
        ----------
        records : sequence of ECGRecord
            One at least.

        Returns
        -------
        np.ndarray, shape (n_records, tokens_per_ecg, width)
        """
        from ecg_llm.encode import WEIGHTS, encode

        # The projector for pages learnt from the signal encoder's tokens.
        found = encode([record.segment(0, WINDOW_S) for record in records], weights=WEIGHTS)
        out = []
        for k, record in enumerate(records):
            weights = self._projectors["image" if record.origin == "page" else "ecg"]
            out.append(
                projected(
                    found.tokens[k],
                    found.vector[k],
                    weights,
                    self._config["pooled_tokens"],
                    self._config["vector_tokens"],
                )
            )
        return np.stack(out)

    def _step(
        self, embedded: Array, state: list[Any] | None, length: int, *, wanted: int
    ) -> tuple[Array, list[Any], int]:
        """Read some tokens after those that the state holds."""
        new = embedded.shape[1]
        total = length + new
        value = self._value
        feeds = {
            "embedded": value(np.ascontiguousarray(embedded, np.float32)),
            "first_wanted": value(np.array([new - wanted])),
            "last_place": value(np.array([total - 1], np.int32)),
            "total_length": value(np.array(total, np.int32)),
            "cosines": value(self._turns[0]),
            "sines": value(self._turns[1]),
        }
        held = state or [value(self._empty) for _ in self._past]
        feeds.update(zip(self._past, held, strict=True))
        logits, *state = self._session.run_with_ort_values(self._outputs, feeds)
        return logits.numpy(), state, total


def projected(
    tokens: Array, vector: Array, weights: dict[str, Array], pooled: int, n_vector: int
) -> Array:
    """Bring one ECG's features into the language model's space, as `ecg_llm.model.projector` does.

    Parameters
    ----------
    tokens : np.ndarray, shape (n_tokens, width_in)
        From the encoder, in order of time.
    vector : np.ndarray, shape (width_in,)
        From the encoder.
    weights : dict of str to np.ndarray
        Of the projector.
    pooled : int
        Tokens that the encoder's are averaged to; 0 keeps each.
    n_vector : int
        Tokens made of the vector.

    Returns
    -------
    np.ndarray, shape (pooled + n_vector, width)
    """
    if pooled:
        n = len(tokens)
        cuts = [(k * n // pooled, -(-(k + 1) * n // pooled)) for k in range(pooled)]
        tokens = np.stack([tokens[first:last].mean(axis=0) for first, last in cuts])
    out = _mapped(tokens, weights, "token")
    if not n_vector:
        return out
    return np.concatenate([_mapped(vector[None], weights, "vector").reshape(n_vector, -1), out])


def _mapped(x: Array, weights: dict[str, Array], of: str) -> Array:
    """Norm, linear map, GELU, linear map."""
    from scipy.special import erf

    x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    x = x * weights[f"{of}_norm.weight"] + weights[f"{of}_norm.bias"]
    x = x @ weights[f"{of}_in.weight"].T + weights[f"{of}_in.bias"]
    x = 0.5 * x * (1 + erf(x / np.sqrt(2)))
    out: Array = (x @ weights[f"{of}_out.weight"].T + weights[f"{of}_out.bias"]).astype(np.float32)
    return out


def read_safetensors(path: Path) -> dict[str, Array]:
    """Read the tensors of a file, in single precision.

    Parameters
    ----------
    path : Path
        Of half or single precision.

    Returns
    -------
    dict of str to np.ndarray

    Raises
    ------
    ConfigError
        If a tensor is of another kind.
    """
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    out = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _KINDS:
            raise ConfigError(
                f"{path}: {name} is {entry['dtype']}; {' or '.join(_KINDS)} is needed."
            )
        first, last = entry["data_offsets"]
        kind = np.dtype(_KINDS[entry["dtype"]])
        raw = np.frombuffer(data, kind, (last - first) // kind.itemsize, start + first)
        out[name] = raw.reshape(entry["shape"]).astype(np.float32)
    return out


def _theta(text: dict[str, Any]) -> float:
    """Find the base of the rotations, which transformers has written in two places."""
    told = (text.get("rope_parameters") or {}).get("rope_theta") or text.get("rope_theta")
    return float(told or 10_000)


def _rotations(places: int, size: int, theta: float) -> tuple[Array, Array]:
    """Give cosines and sines of the rotary position code."""
    speed = theta ** (-np.arange(0, size, 2) / size)
    angle = np.arange(places)[:, None] * speed
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)

"""Trained encoders on disk: half-precision weights once, read by torch and by the ONNX graph."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

import ecg_llm
from ecg_llm.encoders.onnx import export
from ecg_llm.encoders.signal import EncoderOutput, SignalEncoder, SignalEncoderConfig
from ecg_llm.encoders.signal_input import WINDOW
from ecg_llm.errors import ConfigError

NAME, PAGE_NAME = "signal_encoder", "page_encoder"
WEIGHTS = Path(ecg_llm.__file__).parent / "weights"


def save_encoder(
    encoder: SignalEncoder,
    folder: Path,
    card: dict[str, Any],
    extra: dict[str, Tensor] | None = None,
) -> None:
    """Write weights, ONNX graph and card of an encoder: ``signal_encoder.*``.

    Parameters
    ----------
    encoder : SignalEncoder
        Trained; its weights are rounded to half precision here.
    extra : dict of str to Tensor, optional
        Weights to keep beside it, such as those of the linear head.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{NAME}.safetensors"
    save_file(_halved(encoder) | {key: _half(x) for key, x in (extra or {}).items()}, weights)
    _export(encoder, folder / f"{NAME}.onnx", [weights])
    _write_card(folder, NAME, {"config": vars(encoder.config), **card})


def save_page_encoder(
    encoder: SignalEncoder, folder: Path, card: dict[str, Any], base: Path | None = None
) -> None:
    """Write an encoder for pages: only the weights that are not the signal encoder's.

    Parameters
    ----------
    folder : Path
        Where to; it gets a copy of the signal encoder, into which the graph points too.
    base : Path, optional
        Folder of the signal encoder; the bundled one if left out.
    """
    from safetensors.torch import load_file, save_file

    folder.mkdir(parents=True, exist_ok=True)
    base = base or WEIGHTS
    shared, own = folder / f"{NAME}.safetensors", folder / f"{PAGE_NAME}.safetensors"
    if base.resolve() != folder.resolve():
        for end in ("safetensors", "json", "onnx"):
            shutil.copyfile(base / f"{NAME}.{end}", folder / f"{NAME}.{end}")
    before = load_file(shared)
    halves = _halved(encoder)
    save_file({key: x for key, x in halves.items() if not torch.equal(x, before[key])}, own)
    _export(encoder, folder / f"{PAGE_NAME}.onnx", [shared, own])
    # The graph points into the signal encoder's file, which must stay the same.
    digest = hashlib.sha256(shared.read_bytes()).hexdigest()
    _write_card(folder, PAGE_NAME, {"config": vars(encoder.config), "base": digest, **card})


def _halved(encoder: SignalEncoder) -> dict[str, Tensor]:
    """Round the weights of an encoder to half precision, and give them so."""
    state = encoder.cpu().eval().state_dict()
    halves = {f"encoder.{key}": _half(x) for key, x in state.items()}
    with torch.no_grad():
        for key, x in state.items():
            x.copy_(halves[f"encoder.{key}"])
    return halves


def _write_card(folder: Path, name: str, document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=1) + "\n"
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    share_weights(folder)


def share_weights(folder: Path) -> None:
    """Let those read the weights of a folder who may read the files beside them.

    Parameters
    ----------
    folder : Path
        Of a model. ``safetensors`` lets only the owner read what it writes, so that a server that
        runs as somebody else could not load it.
    """
    beside = next(folder.glob("*.json"))
    for path in folder.glob("*.safetensors"):
        path.chmod(beside.stat().st_mode)


def load_encoder(folder: Path | None = None, name: str = NAME) -> SignalEncoder:
    """Load a trained encoder for torch.

    Parameters
    ----------
    folder : Path, optional
        Written by `save_encoder`; the bundled one if left out.

    Raises
    ------
    ConfigError
        If it is not there or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = folder or WEIGHTS
    try:
        card = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / f"{NAME}.safetensors")
        if name == PAGE_NAME:
            tensors |= load_file(folder / f"{PAGE_NAME}.safetensors")
        config: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in card["config"].items()
        }
        encoder = SignalEncoderConfig(**config).build()
        encoder.load_state_dict(
            {k.removeprefix("encoder."): x for k, x in tensors.items() if k.startswith("encoder.")}
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ConfigError(
            f"{folder}: no trained encoder there ({error}); train one with `ecgllm train encoder`."
        ) from error
    return encoder.eval()


def check_blind(folder: Path, folds: Sequence[int]) -> None:
    """Refuse an encoder that has learnt from records which are to judge it.

    Parameters
    ----------
    folds : sequence of int
        Of PTB-XL, which it must not have seen, nor the encoder that it began with.

    Raises
    ------
    ConfigError
        If it has, or its card does not tell.
    """
    place: Path | None = folder
    been: set[Path] = set()
    while place is not None:
        if place.resolve() in been:
            raise ConfigError(
                f"{place}: by its card this encoder began with itself, so that nobody can say "
                "which folds it has seen."
            )
        been.add(place.resolve())
        try:
            recipe = json.loads((place / f"{NAME}.json").read_text(encoding="utf-8"))["recipe"]
            learnt, start = set(recipe["data"]["folds"]), str(recipe["start"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{place}: no card of a trained encoder there ({error}), so that nobody can say "
                "which folds it has seen."
            ) from error
        if seen := learnt & set(folds):
            raise ConfigError(
                f"{place}: this encoder was trained on folds {sorted(seen)}, which are to judge "
                "it; give one trained without them (--blind of train head), or other folds."
            )
        place = None if not start else WEIGHTS if start == "bundled" else Path(start)


def load_tensors(folder: Path | None = None) -> dict[str, npt.NDArray[np.float32]]:
    """Load what stands beside the encoder, such as its linear head."""
    from safetensors.torch import load_file

    tensors = load_file((folder or WEIGHTS) / f"{NAME}.safetensors")
    return {k: x.float().numpy() for k, x in tensors.items() if not k.startswith("encoder.")}


class _Flat(nn.Module):
    """The encoder with plain outputs; times follow from the number of tokens."""

    def __init__(self, encoder: SignalEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(
        self, signal: Tensor, present: Tensor, calibrated: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        out: EncoderOutput = self.encoder(signal, present, calibrated)
        return out.tokens, out.vector, out.log_var


def _half(x: Tensor) -> Tensor:
    return x.detach().half().contiguous() if x.is_floating_point() else x.detach().contiguous()


def _export(encoder: SignalEncoder, path: Path, weights: Sequence[Path]) -> None:
    """Write the graph; its weights stay in the files beside it: in the last that has them."""
    import onnx
    from onnx import TensorProto, helper

    inputs = {
        "signal": torch.zeros(2, 12, WINDOW),
        "present": torch.ones(2, 12, WINDOW, dtype=torch.bool),
        "calibrated": torch.ones(2, dtype=torch.bool),
    }
    outputs = ["tokens", "vector", "log_var"]
    export(
        _Flat(encoder),
        inputs,
        outputs,
        {key: {0: "windows"} for key in (*inputs, *outputs)},
        path,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        opset_version=17,
    )
    model = onnx.load(path)
    places = {name: (file.name, *at) for file in weights for name, at in _places(file).items()}
    kept, casts = [], []
    for item in model.graph.initializer:
        if item.name not in places:
            kept.append(item)
            continue
        location, first, length, shape = places[item.name]
        assert list(item.dims) == shape
        half = TensorProto(name=f"{item.name}.half", data_type=TensorProto.FLOAT16, dims=shape)
        half.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", first), ("length", length)):
            half.external_data.add(key=key, value=str(value))
        kept.append(half)
        casts.append(helper.make_node("Cast", [half.name], [item.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    path.write_bytes(model.SerializeToString())


def _places(weights: Path) -> dict[str, tuple[int, int, list[int]]]:
    """Find the half-precision arrays of a safetensors file: first byte, length and shape."""
    with weights.open("rb") as file:
        (n,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(n))
    return {
        name: (
            8 + n + at["data_offsets"][0],
            at["data_offsets"][1] - at["data_offsets"][0],
            at["shape"],
        )
        for name, at in header.items()
        if name != "__metadata__" and at["dtype"] == "F16"
    }

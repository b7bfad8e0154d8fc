"""Nets as ONNX graphs whose sizes stay free."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def export(
    net: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    free: Mapping[str, Mapping[int, str]],
    path: Path,
    **settings: Any,
) -> None:
    """Write a net as ONNX.

    Parameters
    ----------
    net : nn.Module
        Trained; set to evaluation here.
    inputs : mapping of str to Tensor
        An example of each, by name.
    outputs : sequence of str
        Names of what it gives.
    free : mapping of str to mapping of int to str
        Of inputs and outputs the axes whose length is not fixed, with a name for each.
    path : Path
        File to write; its folder is made if it is not there.
    **settings
        For `torch.onnx.export`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # The exporter that keeps axes free announces its successor, which does not yet.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(),
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: dict(axes) for name, axes in free.items()},
            dynamo=False,
            **settings,
        )

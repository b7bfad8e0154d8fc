"""What the nets share that run without torch: how they are loaded and named, and the sigmoid."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError


def sigmoid(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Turn log odds into probabilities.

    Parameters
    ----------
    logits : np.ndarray
        What lies beyond ±30 is as good as certain and would overflow in single precision.

    Returns
    -------
    np.ndarray
        Of the same shape and precision, 0 to 1.

    Examples
    --------
    >>> sigmoid(np.array([-1e4, 0.0, 1e4])).round(3)
    array([0. , 0.5, 1. ])
    """
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))))


def onnx_runtime() -> Any:
    """Import ONNX Runtime, which otherwise reports its use to its maker.

    Returns
    -------
    module

    Notes
    -----
    From release 1.32 on it keeps a device number and events in the home directory and sends them
    over the network, from the import on: nothing that reads patients' files may do that.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def session_options(threads: int | None = None) -> Any:
    """Give the settings of every ONNX session of the program.

    Parameters
    ----------
    threads : int, optional
        Of one run; by default ``OMP_NUM_THREADS``, or all cores if that is not set.

    Returns
    -------
    onnxruntime.SessionOptions

    Notes
    -----
    Idle threads sleep instead of turning in circles: on a machine that others use as well (a
    server, a folder run) a record takes half the time so, on an idle one a fifth longer.
    """
    onnxruntime = onnx_runtime()

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if threads is not None:
        options.intra_op_num_threads = threads
    elif asked.isdigit():  # one of many processes must not take all cores
        options.intra_op_num_threads = int(asked)
    return options


@functools.cache
def session(weights: Path) -> Any:
    """Load a net once per process.

    Parameters
    ----------
    weights : Path
        ONNX file.

    Returns
    -------
    onnxruntime.InferenceSession

    Raises
    ------
    ConfigError
        If the file is not there, or cannot be loaded.
    """
    if not weights.is_file():
        raise ConfigError(
            f"{weights}: these weights are not there; reinstall the package, or train them anew "
            "(`ecgllm train --help` lists how)."
        )
    onnxruntime = onnx_runtime()

    try:
        return onnxruntime.InferenceSession(
            str(weights), session_options(), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime has classes of its own for each kind
        raise ConfigError(
            f"{weights}: this net cannot be loaded ({str(error)[:200]}); it or a file of weights "
            "beside it is damaged or gone. Put a whole copy there."
        ) from error


def file_hashes(paths: Iterable[Path]) -> dict[str, str]:
    """Give the SHA-256 of files, by which a report names the weights that made it.

    Parameters
    ----------
    paths : iterable of Path
        Weights.

    Returns
    -------
    dict of str to str
        By file name.
    """
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

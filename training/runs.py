"""What keeps a training run to itself: its checkpoint, written whole, and a note of what it is."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ecg_llm.data_builders.shards import write_whole
from ecg_llm.errors import ConfigError

RUN = "run.json"


def same_run(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with another run.

    Parameters
    ----------
    path : Path
        What is left of the run.
    before, now : mapping
        What it was, and what it would be: recipe, data, version of the code.

    Raises
    ------
    ConfigError
        If they differ.
    """
    if changed := _changed(before, now):
        raise ConfigError(
            f"{path}: it is of a run with another {', '.join(changed)}; give another --out."
        )


def _changed(before: Any, now: Mapping[str, Any]) -> list[str]:
    """Name what differs, such as ``recipe.loop.steps``."""
    before = before if isinstance(before, Mapping) else {}  # an earlier version wrote a text
    names = []
    for key in sorted({*before, *now}):
        one, other = before.get(key), now.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            names += [f"{key}.{part}" for part in _changed(one, other)]
        elif one != other:
            names.append(key)
    return names


def hold_to(folder: Path, identity: Mapping[str, Any]) -> None:
    """Note in a folder what a run is, and refuse to go on there with another one.

    Parameters
    ----------
    folder : Path
        Of the run; made if it is not there.
    identity : mapping
        Whatever changes what the run makes.

    Raises
    ------
    ConfigError
        If the folder is of another run.
    """
    path = folder / RUN
    folder.mkdir(parents=True, exist_ok=True)
    now = json.dumps(identity, indent=1)
    if path.is_file():
        same_run(path, json.loads(path.read_text(encoding="utf-8")), json.loads(now))
    write_whole(path, now.encode())


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint beside the old one, then put it in its place.

    Raises
    ------
    ConfigError
        If there is no room for it; the old one stays.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        torch.save(dict(state), new)
    except RuntimeError as error:  # how torch tells of a full disk
        new.unlink(missing_ok=True)
        raise ConfigError(
            f"{path}: this checkpoint could not be written; is the disk full? Make room and give "
            "the same command again: it goes on from the last one that is whole."
        ) from error
    new.replace(path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read what a stopped run kept.

    Raises
    ------
    ConfigError
        If the file is damaged.
    """
    with path.open("rb") as file:
        try:
            saved: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
        except (RuntimeError, OSError, EOFError, pickle.UnpicklingError):
            raise ConfigError(
                f"{path}: this checkpoint is damaged; remove it to begin anew, or put a copy back."
            ) from None
    return saved

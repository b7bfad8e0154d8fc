"""Recipes from short TOML files; what a recipe does not know is an error that names the nearest."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from ecg_llm.errors import ConfigError

T = TypeVar("T")


def read_recipe(of: type[T], name: str, folder: Path) -> T:
    """Read a recipe.

    Parameters
    ----------
    of : type
        A dataclass of which every field has a default; tables fill dataclasses inside it.
    name : str
        A recipe that ships, or the path of a TOML file.

    Raises
    ------
    ConfigError
        If there is no such recipe, or it holds an unknown key or a value of a wrong kind.
    """
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    if not path.is_file():
        known = sorted(path.stem for path in folder.glob("*.toml"))
        raise ConfigError(
            f"recipe {name!r}: there is none{near(name, known)}; all: {', '.join(known)}, or the "
            "path of a TOML file."
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: this is no TOML ({error}).") from None
    filled: T = _filled(of, table, path.name)
    return filled


def near(name: str, known: Iterable[str]) -> str:
    """Ask whether something of a like name is meant.

    Returns
    -------
    str
        To put behind the name; empty if nothing is alike.
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _filled(of: type[Any], table: dict[str, Any], where: str) -> Any:
    """Build a dataclass from a table, refusing what it does not know."""
    known = {item.name: getattr(of(), item.name) for item in fields(of)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise ConfigError(
                f"{where}: unknown key {key!r}{near(key, known)}; known are {', '.join(known)}."
            )
        default = known[key]
        if is_dataclass(default) and isinstance(value, dict):
            value = _filled(type(default), value, f"{where} [{key}]")
        elif isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value)
        elif isinstance(default, float) and type(value) is int:
            value = float(value)
        if type(value) is not type(default):
            raise ConfigError(
                f"{where}: {key} = {value!r} is of kind {type(value).__name__}; "
                f"{type(default).__name__} is needed."
            )
        values[key] = value
    return of(**values)

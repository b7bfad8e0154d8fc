"""Recipes: short TOML files that say what to learn, from what, and how long."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ecg_llm.errors import ConfigError
from ecg_llm.ptbxl import TRAINING_FOLDS
from ecg_llm.training.loop import LoopConfig
from ecg_llm.training.views import ViewConfig

RECIPES = Path(__file__).parent / "recipes" / "encoder"


@dataclass(frozen=True)
class DataConfig:
    """Which of the packed records to learn from."""

    folds: tuple[int, ...] = TRAINING_FOLDS
    """Folds of PTB-XL that train; records of other sources always do. 9 judges, 10 is kept back."""
    simulated: int = 4000
    """Simulated records."""
    shares: dict[str, float] = field(default_factory=dict)
    """Part of a batch by source; what its size makes it if left out. 0 leaves a source out."""
    few: int = 0
    """Learn from the labels of so many records only; 0 for all."""


@dataclass(frozen=True)
class Recipe:
    """One stage of training, or several in sequence."""

    objective: str = "supervised"
    """``supervised``, ``latent``, ``masked``, ``contrast``, ``adapt``, ``page`` or ``sequence``."""
    size: str = "mini"
    """Size of the encoder: ``mini``, ``small``, ``base`` or ``large``."""
    start: str = ""
    """Trained encoder to begin with: a folder that `train encoder` wrote, or ``bundled``."""
    stages: tuple[str, ...] = ()
    """Recipes of a sequence, in order; each begins with what the one before it gave."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    """Steps and rates."""
    data: DataConfig = field(default_factory=DataConfig)
    """Records."""
    views: ViewConfig = field(default_factory=ViewConfig)
    """How they are changed."""
    options: dict[str, Any] = field(default_factory=dict)
    """Of the objective."""
    given: dict[str, Any] = field(default_factory=dict)
    """Settings of the loop that a caller gave instead of the file's; every stage takes them."""

    def to_dict(self) -> dict[str, Any]:
        """Give all settings as plain values."""
        return asdict(self)


def starting_folder(recipe: Recipe) -> Path | None:
    """Give the folder of the encoder to begin with.

    Parameters
    ----------
    recipe : Recipe
        Its ``start``.

    Returns
    -------
    Path or None
        None for the bundled one.
    """
    return None if recipe.start == "bundled" else Path(recipe.start)


def recipe_names() -> list[str]:
    """List the recipes that ship.

    Returns
    -------
    list of str
    """
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(name: str, **changes: Any) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    name : str
        One that ships, or the path of a TOML file.
    **changes
        Settings that override the file: ``size``, ``start``, or ``steps`` and ``seed`` of the loop.

    Returns
    -------
    Recipe

    Raises
    ------
    ConfigError
        If there is no such recipe, or it holds an unknown key or a value of a wrong kind.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        near = _nearest(name, recipe_names())
        raise ConfigError(
            f"recipe {name!r}: there is none{near}; all: {', '.join(recipe_names())}."
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: this is no TOML ({error}).") from None
    recipe = _filled(Recipe, table, str(path.name))
    loop = {
        key: changes.pop(key) for key in ("steps", "seed", "batch") if changes.get(key) is not None
    }
    given = {key: value for key, value in changes.items() if value is not None}
    made: Recipe = replace(recipe, loop=replace(recipe.loop, **loop), given=loop, **given)
    return made


def _filled(of: type[Any], table: dict[str, Any], where: str) -> Any:
    """Build a dataclass from a table, refusing what it does not know."""
    known = {item.name: item for item in fields(of)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise ConfigError(
                f"{where}: unknown key {key!r}{_nearest(key, list(known))}; "
                f"known are {', '.join(known)}."
            )
        default = getattr(of(), key)
        if hasattr(default, "__dataclass_fields__") and isinstance(value, dict):
            values[key] = _filled(type(default), value, f"{where} [{key}]")
            continue
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value)
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not type(default):
            raise ConfigError(
                f"{where}: {key} = {value!r} is of kind {type(value).__name__}; "
                f"{type(default).__name__} is needed."
            )
        values[key] = value
    return of(**values)


def _nearest(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""

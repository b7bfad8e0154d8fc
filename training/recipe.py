"""Recipes: short TOML files that say what to learn, from what, and how long."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecg_llm.ptbxl import TRAINING_FOLDS
from ecg_llm.training.loop import LoopConfig
from ecg_llm.training.toml_recipe import read_recipe
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

    @property
    def start_folder(self) -> Path | None:
        """Folder of the encoder to begin with; None for the bundled one."""
        return None if self.start == "bundled" else Path(self.start)


def load_recipe(name: str, **changes: Any) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    name : str
        One that ships, or the path of a TOML file.
    **changes
        Settings that override the file: ``size``, ``start``, or ``steps`` and ``seed`` of the loop.

    Raises
    ------
    ConfigError
        If there is no such recipe, or it holds an unknown key or a value of a wrong kind.
    """
    recipe = read_recipe(Recipe, name, RECIPES)
    loop = {
        key: changes.pop(key) for key in ("steps", "seed", "batch") if changes.get(key) is not None
    }
    given = {key: value for key, value in changes.items() if value is not None}
    return replace(recipe, loop=replace(recipe.loop, **loop), given=loop, **given)

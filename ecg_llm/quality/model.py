"""The two small models of the quality gate: plain arrays, read from one file, run with numpy."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import ConfigError
from ecg_llm.inference import sigmoid

WEIGHTS = Path(__file__).parent.parent / "weights" / "quality.npz"


@dataclass(frozen=True, kw_only=True, eq=False)
class Trees:
    """Boosted decision trees for the probability that experts accept a record.

    Attributes
    ----------
    feature : np.ndarray, shape (n_trees, n_nodes), int16
        Column a node asks for; 0 in a leaf.
    threshold : np.ndarray, shape (n_trees, n_nodes), float64
        A node goes left up to this value; infinite in a leaf.
    left, right : np.ndarray, shape (n_trees, n_nodes), int16
        Next node; a leaf names itself.
    value : np.ndarray, shape (n_trees, n_nodes), float32
        What a leaf adds to the log odds of its committee member, learning rate included.
    depth : int
        Questions from root to leaf.
    start : np.ndarray, shape (n_members,), float64
        Log odds before the first tree; the trees are shared out evenly among the members.
    """

    feature: npt.NDArray[np.int16]
    threshold: npt.NDArray[np.float64]
    left: npt.NDArray[np.int16]
    right: npt.NDArray[np.int16]
    value: npt.NDArray[np.float32]
    depth: int
    start: npt.NDArray[np.float64]

    def probability(self, features: npt.NDArray[np.float32]) -> float:
        """Run every tree and average the members' probabilities.

        Parameters
        ----------
        features : np.ndarray, shape (n_features,)
            From `ecg_llm.quality.features.Features.pooled`.

        Returns
        -------
        float
            0 to 1.
        """
        n_trees, n_nodes = self.feature.shape
        root = n_nodes * np.arange(n_trees)
        node = root  # counted through all the trees
        for _ in range(self.depth):
            go_left = features[self.feature.take(node)] <= self.threshold.take(node)
            node = root + np.where(go_left, self.left.take(node), self.right.take(node))
        leaves = self.value.take(node).astype(np.float64)
        odds = self.start + leaves.reshape(len(self.start), -1).sum(axis=1)
        return float(sigmoid(odds).mean())


@dataclass(frozen=True, kw_only=True, eq=False)
class SwapNet:
    """A committee of small perceptrons that name the exchange a record looks like.

    Attributes
    ----------
    kinds : np.ndarray of str, shape (n_kinds,)
        ``none`` first.
    limits : np.ndarray, shape (n_kinds,)
        Probability from which a kind is reported.
    mean, deviation : np.ndarray, shape (n_features,)
        To standardise the input.
    w1, w2, w3 : np.ndarray, shape (n_members, n_in, n_out)
        Weights of the layers.
    b1, b2, b3 : np.ndarray, shape (n_members, n_out)
        Their offsets.
    """

    kinds: npt.NDArray[np.str_]
    limits: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float32]
    deviation: npt.NDArray[np.float32]
    w1: npt.NDArray[np.float32]
    b1: npt.NDArray[np.float32]
    w2: npt.NDArray[np.float32]
    b2: npt.NDArray[np.float32]
    w3: npt.NDArray[np.float32]
    b3: npt.NDArray[np.float32]

    def probabilities(self, waves: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the committee.

        Parameters
        ----------
        waves : np.ndarray, shape (n_records, n_features)
            From `ecg_llm.quality.reversal.wave_features`.

        Returns
        -------
        np.ndarray, shape (n_records, n_kinds)
        """
        x = np.clip((waves - self.mean) / self.deviation, -4, 4)
        hidden = np.maximum(x @ self.w1 + self.b1[:, None], 0)
        hidden = np.maximum(hidden @ self.w2 + self.b2[:, None], 0)
        logits = hidden @ self.w3 + self.b3[:, None]
        odds = np.exp(logits - logits.max(axis=2, keepdims=True))
        share = odds / odds.sum(axis=2, keepdims=True)
        return np.asarray(share.mean(axis=0), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class QualityModel:
    """Both models, and where they come from.

    Attributes
    ----------
    gate : Trees
        Accepts or refuses a record.
    swaps : SwapNet
        Suspects exchanged electrodes.
    provenance : str
        Data, seed and settings of the fit.
    """

    gate: Trees
    swaps: SwapNet
    provenance: str

    def save(self, path: Path) -> None:
        """Write one NPZ file, the same bytes for the same model.

        Parameters
        ----------
        path : Path
            Where to.
        """
        arrays: dict[str, Any] = {"provenance": np.array(self.provenance)}
        for part, model in (("gate", self.gate), ("swaps", self.swaps)):
            for field in fields(model):
                arrays[f"{part}.{field.name}"] = np.asarray(getattr(model, field.name))
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> QualityModel:
        """Read what `save` wrote.

        Parameters
        ----------
        path : Path
            The file.

        Returns
        -------
        QualityModel

        Raises
        ------
        ConfigError
            If it is not such a file.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays: dict[str, Any] = {name: stored[name] for name in stored.files}
            gate = {f.name: arrays[f"gate.{f.name}"] for f in fields(Trees)}
            gate["depth"] = int(gate["depth"])
            swaps = {f.name: arrays[f"swaps.{f.name}"] for f in fields(SwapNet)}
            return cls(
                gate=Trees(**gate),
                swaps=SwapNet(**swaps),
                provenance=str(arrays["provenance"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path}: not the parameters of the quality gate ({error}); "
                "write them with `ecgllm train quality`."
            ) from error


@lru_cache(maxsize=1)
def bundled_model() -> QualityModel:
    """Read the parameters that ship with the package, once.

    Returns
    -------
    QualityModel
    """
    return QualityModel.load(WEIGHTS)

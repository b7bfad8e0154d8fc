"""Sort the beats of a record by shape and timing."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from ecg_llm.delineate import Delineation
from ecg_llm.signal import median, quantile
from ecg_llm.windows import BeatWindows

Array = npt.NDArray[np.float64]
BeatClass = Literal["normal", "supraventricular", "ventricular", "paced", "unknown"]

SAME_SHAPE = 0.75
"""Two beats with at least this similarity (2ab / (a² + b²) over all leads) look alike."""
PREMATURE = 0.84
"""A beat is early if its RR is below this share of the usual RR."""
SHORTER = 0.92
"""And below this share of the usual RR of the record."""
ABRUPT = 0.86
"""And below this share of the RR before it."""
FUSION_S = 0.010
"""By which PR is shorter than usual where the ventricles have begun by themselves."""
_WIDE_MS, _WIDER_MS = 115.0, 25.0


def similarity(windows: BeatWindows) -> Array:
    """Compare the QRS complexes of all beats in all leads together.

    Parameters
    ----------
    windows : BeatWindows
        Aligned beats.

    Returns
    -------
    np.ndarray, shape (n_beats, n_beats)
        1 for equal shape and size, 0 for unrelated, negative for opposite; NaN for a beat cut off
        by the end of the record.
    """
    qrs = windows.signal[:, :, windows.slice(-0.10, 0.14)]
    n_leads, n_beats, width = qrs.shape
    missing = np.isnan(qrs)
    cut = missing.sum(axis=(0, 2)) > 0.2 * n_leads * width
    filled = np.where(missing, np.float32(0), qrs)[:, :, : width // 4 * 4]
    coarse = np.asarray(sum(filled[:, :, k::4] for k in range(4))) / 4
    vectors = coarse.transpose(1, 0, 2).reshape(n_beats, -1).astype(np.float64)
    vectors -= vectors.mean(axis=1, keepdims=True)
    products = vectors @ vectors.T
    power = np.diag(products)
    alike = 2 * products / np.maximum(power[:, None] + power, 1e-12)
    alike[cut] = alike[:, cut] = np.nan
    return np.asarray(alike)


def group_shapes(alike: Array) -> npt.NDArray[np.int_]:
    """Group beats of one shape, the largest group first.

    Parameters
    ----------
    alike : np.ndarray, shape (n_beats, n_beats)
        From `similarity`.

    Returns
    -------
    np.ndarray, shape (n_beats,), int
        Group of each beat from 0; -1 for a beat that could not be compared.
    """
    groups = np.full(len(alike), -1)
    left = np.isfinite(np.diag(alike))
    near = np.nan_to_num(alike, nan=-1.0) >= SAME_SHAPE
    near |= np.eye(len(alike), dtype=bool)  # a line without a QRS resembles nothing, itself neither
    group = 0
    while left.any():
        counts = np.where(left, (near & left).sum(axis=1), -1)
        members = near[int(np.argmax(counts))] & left
        groups[members] = group
        left &= ~members
        group += 1
    return groups


def classify(
    windows: BeatWindows, delineation: Delineation, pacing_spikes_s: tuple[float, ...] = ()
) -> tuple[BeatClass, ...]:
    """Tell normal, early, ventricular and paced beats apart.

    The usual beats are those of the largest group of one shape; of two groups of similar size,
    as in bigeminy, the one that does not come early. A beat of another shape is ventricular if its
    QRS is wide, or clearly wider than usual, and no P wave goes before it at the usual distance; or
    if it begins before the P wave could lead to it, alone among usual beats (a fusion beat). A
    usual beat that comes early in an otherwise regular rhythm is supraventricular.

    Parameters
    ----------
    windows : BeatWindows
        Aligned beats.
    delineation : Delineation
        Their waves.
    pacing_spikes_s : tuple of float, s
        Times of pacing spikes.

    Returns
    -------
    tuple of str
        One class a beat.
    """
    n = delineation.n_beats
    groups = group_shapes(similarity(windows))
    onset, end = delineation.column("qrs_on"), delineation.column("qrs_off")
    width_ms = 1000 * (end - onset)
    early = _early(delineation.r_s)
    usual = _usual_group(groups, early, width_ms)
    early = _early(delineation.r_s, (groups != usual) & (groups >= 0))
    pr_s = onset - delineation.column("p_on")
    has_p = _has_usual_p(pr_s, groups == usual)
    usual_width, usual_pr_s = _median(width_ms[groups == usual]), _median(pr_s[groups == usual])
    # Several in a row may be a block that comes and goes, and a beat at an end may be cut off.
    as_usual = np.pad(np.isin(groups, (usual, -1)), 1, constant_values=False)
    alone = as_usual[:-2] & as_usual[2:]
    fusion = alone & (pr_s < usual_pr_s - FUSION_S) & (width_ms >= usual_width + _WIDER_MS)
    regular = _regular_without(delineation.r_s, early | ((groups != usual) & (groups >= 0)))
    spikes = np.asarray(pacing_spikes_s)

    kinds: list[BeatClass] = []
    for k in range(n):
        start = onset[k] if np.isfinite(onset[k]) else delineation.r_s[k] - 0.05
        near = (spikes > start - 0.060) & (spikes < start + 0.030)
        wide = width_ms[k] >= _WIDE_MS or width_ms[k] >= usual_width + _WIDER_MS
        if near.any():
            kinds.append("paced")
        elif groups[k] == -1:
            kinds.append("unknown")
        elif groups[k] == usual:
            # The beat after an extra beat may come early without being one.
            follows = k > 0 and groups[k - 1] not in (usual, -1)
            premature = early[k] and regular and not follows
            kinds.append("supraventricular" if premature else "normal")
        elif wide and (early[k] or not has_p[k] or fusion[k]):
            kinds.append("ventricular")
        elif early[k] and regular:
            kinds.append("supraventricular")
        else:
            kinds.append("unknown")
    return tuple(kinds)


def pooled_beats(kinds: tuple[BeatClass, ...]) -> npt.NDArray[np.bool_]:
    """Choose the beats that the record's intervals are pooled over.

    Parameters
    ----------
    kinds : tuple of str
        From `classify`.

    Returns
    -------
    np.ndarray, shape (n_beats,), bool
        All but ventricular beats, where others remain.
    """
    chosen = np.array([kind != "ventricular" for kind in kinds], bool)
    return chosen if chosen.any() else ~chosen


def usual_beats(kinds: tuple[BeatClass, ...]) -> npt.NDArray[np.bool_]:
    """Choose the beats of the usual shape, which the amplitudes are taken from.

    Parameters
    ----------
    kinds : tuple of str
        From `classify`.

    Returns
    -------
    np.ndarray, shape (n_beats,), bool
        The normal beats; without any, the commonest other kind.
    """
    for kind in ("normal", "paced", "ventricular", "supraventricular"):
        chosen = np.array([found == kind for found in kinds])
        enough = 1 if kind == "normal" else 2
        if chosen.sum() >= enough and chosen.sum() >= 0.2 * len(kinds):
            return chosen
    return np.ones(len(kinds), bool)


def _early(r_s: Array, other: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.bool_]:
    """Mark the beats whose RR is short beside the usual RR around them.

    RR intervals that begin or end with another kind of beat are no measure of the usual one.
    """
    early = np.zeros(len(r_s), bool)
    rr = np.diff(r_s)
    usual = rr.copy()
    if other is not None and (~(other[1:] | other[:-1])).sum() >= 3:
        usual[other[1:] | other[:-1]] = np.nan
    places = np.arange(len(rr))[:, None] + np.array([-4, -3, -2, -1, 1, 2, 3, 4])
    there = (places >= 0) & (places < len(rr))
    around = np.where(there, usual[np.clip(places, 0, max(len(rr) - 1, 0))], np.nan)
    # In bigeminy half of the RR are short: the upper half is the usual one.
    enough = np.isfinite(around).sum(axis=1) >= 2
    short = enough & (rr < PREMATURE * quantile(around, 0.6))
    # After a pause RR is short beside it, not beside the rhythm.
    short &= rr < SHORTER * float(quantile(rr[None], 0.6)[0]) if len(rr) else short
    for k in np.flatnonzero(short):
        # Sinus arrhythmia shortens RR little by little, an early beat at once.
        early[k + 1] = k == 0 or early[k] or rr[k] < ABRUPT * rr[k - 1]
    return early


def _usual_group(
    groups: npt.NDArray[np.int_], early: npt.NDArray[np.bool_], width_ms: Array
) -> int:
    """Choose the group of the underlying rhythm."""
    largest = int((groups == 0).sum())
    best, best_score = 0, -np.inf
    for group in range(int(groups.max(initial=-1)) + 1):
        members = groups == group
        if members.sum() < max(0.5 * largest, 2) and group:
            continue
        score = members.sum() / max(largest, 1) - 2 * early[members].mean()
        score -= max(_median(width_ms[members]) - 120, 0) / 100
        if score > best_score:
            best, best_score = group, float(score)
    return best


def _has_usual_p(pr_s: Array, members: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Mark the beats whose PR is that of the usual beats."""
    there = members & np.isfinite(pr_s)
    if there.sum() < 0.5 * members.sum():
        return np.zeros(len(pr_s), bool)
    return np.abs(pr_s - median(pr_s[there])) < 0.040


def _regular_without(r_s: Array, other: npt.NDArray[np.bool_]) -> bool:
    """Tell whether the RR intervals between undisturbed beats are alike."""
    rr = np.diff(r_s)
    plain = ~(other[1:] | other[:-1])
    if plain.sum() < 3:
        return not other.all()
    kept = rr[plain]
    usual = median(kept)
    return median(np.abs(kept - usual)) < 0.06 * usual


def _median(values: Array) -> float:
    """Take the median of the values that are there, NaN without any."""
    values = values[np.isfinite(values)]
    return median(values) if len(values) else np.nan

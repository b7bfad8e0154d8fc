"""Simulated 12-lead ECGs whose every wave, interval and statement is known.

`synthetic_ecg` makes one as asked; `random_ecg` and `generate` draw patients, rhythms, conditions
and noise at stated frequencies, from a seed alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ecg_llm.data_builders.synthetic_conditions import CATALOGUE, ECTOPY
from ecg_llm.data_builders.synthetic_noise import draw_noise
from ecg_llm.data_builders.synthetic_rhythm import ECTOPIC, NOT_CONDUCTED, ONE_TO_ONE, RHYTHMS
from ecg_llm.data_builders.synthetic_simulate import SyntheticECG, synthetic_ecg
from ecg_llm.quality.electrodes import SWAPS
from ecg_llm.record import Sex

__all__ = ["SyntheticECG", "draw_conditions", "generate", "random_ecg", "synthetic_ecg"]

RHYTHM_SHARE = {
    "sinus": 0.745, "sinus_arrhythmia": 0.04, "af": 0.085, "flutter": 0.012, "mobitz1": 0.006,
    "mobitz2": 0.004, "av_block_2to1": 0.004, "av_block3": 0.004, "av_block3_junctional": 0.003,
    "junctional": 0.008, "svt": 0.008, "atrial_tachycardia": 0.005, "vt": 0.007, "vf": 0.002,
    "asystole": 0.001, "pause": 0.004, "paced_atrial": 0.008, "paced_ventricular": 0.024,
    "paced_dual": 0.020, "paced_af": 0.010,
}  # fmt: skip
"""How often each rhythm is drawn: about as in a hospital's ECGs (AF, flutter and pacing as in
PTB-XL, Wagner P et al. Sci Data 2020;7:154), rare ones somewhat more often."""

ECTOPY_SHARE = {
    "PAC": 0.030, "blocked_pac": 0.004, "PVC": 0.045, "multiform_pvc": 0.006, "BIGU": 0.006,
    "TRIGU": 0.005, "couplets": 0.004, "fusion_pvc": 0.002,
}  # fmt: skip
"""Of the records whose rhythm can have them."""

CONDUCTION_SHARE = {
    "CRBBB": 0.035, "IRBBB": 0.05, "CLBBB": 0.03, "ILBBB": 0.006, "IVCD": 0.03, "WPW": 0.006,
}  # fmt: skip
FASCICLE_SHARE = {"LAFB": 0.07, "LPFB": 0.01, "left_axis": 0.04, "right_axis": 0.02}
ATRIAL_SHARE = {"1AVB": 0.045, "RAO/RAE": 0.01, "LAO/LAE": 0.03}
CHAMBER_SHARE = {"LVH": 0.05, "LVH_strain": 0.04, "RVH": 0.012, "LVOLT": 0.015,
                 "fragmented_qrs": 0.02}  # fmt: skip
RECOVERY_SHARE = {
    **{key: 0.15 / 63 for key in CATALOGUE if key.startswith("mi_")},
    **{key: 0.06 / 13 for key in CATALOGUE if key.startswith(("INJ", "ISC"))},
    "LOWT": 0.03, "INVT": 0.02, "STD_": 0.02, "LNGQT": 0.012, "short_qt": 0.002,
    "pericarditis": 0.006, "early_repolarisation": 0.02, "brugada1": 0.004,
    "hyperkalaemia": 0.006, "hypokalaemia": 0.006, "DIG": 0.012, "ANEUR": 0.004,
}  # fmt: skip
"""At most one condition is drawn from each of these groups."""
TACHYCARDIAS = ("svt", "atrial_tachycardia", "vt")
"""Rhythms that are called so from 100/min on."""


def _one(shares: dict[str, float], rng: np.random.Generator, common: bool) -> tuple[str, ...]:
    """Draw one name or none; where rare things are wanted, all alike in half of the cases."""
    names = list(shares)
    if not common:
        return (str(rng.choice(names)),) if rng.random() < 0.3 else ()
    weights = np.array([*shares.values(), max(0.0, 1 - sum(shares.values()))])
    k = int(rng.choice(len(weights), p=weights / weights.sum()))
    return (names[k],) if k < len(names) else ()


def draw_conditions(
    rhythm: str, rng: np.random.Generator, *, common: bool = True
) -> tuple[str, ...]:
    """Draw conditions that a rhythm can show and that can stand together.

    Parameters
    ----------
    rhythm : str
        Key of `ecg_llm.data_builders.synthetic_rhythm.RHYTHMS`.
    rng : numpy.random.Generator
        Source of chance.
    common : bool
        At the shares of this module; else all conditions alike, for rare classes.

    Returns
    -------
    tuple of str
        Keys of the catalogue and at most one premature-beat pattern.
    """
    drawn: tuple[str, ...] = ()
    patterns = ECTOPIC.get(rhythm, ())
    possible = {name: share for name, share in ECTOPY_SHARE.items() if ECTOPY[name] in patterns}
    if possible:
        drawn += _one(possible, rng, common)
    if rhythm in NOT_CONDUCTED:
        return drawn
    form = _one(CONDUCTION_SHARE, rng, common)
    if "WPW" in form and rhythm not in ONE_TO_ONE:
        form = ()
    if rhythm in ONE_TO_ONE and "WPW" not in form:
        form += _one(ATRIAL_SHARE, rng, common)
    if not {"WPW", "CLBBB", "ILBBB"} & set(form):
        form += _one(FASCICLE_SHARE, rng, common)
        chamber = _one(CHAMBER_SHARE, rng, common)
        turned = {"LAFB", "left_axis", "LPFB", "right_axis"} & set(form)
        if not (turned and {"RVH", "LVH", "LVH_strain"} & set(chamber)):
            form += chamber
        recovery = _one(RECOVERY_SHARE, rng, common)
        # Two conditions that set ST and T against each other would make a label untrue.
        if not ({"LVH_strain", "CRBBB", "RVH", "IVCD"} & set(form)) or any(
            key.startswith("mi_inferior") for key in recovery
        ):
            form += recovery
    if "RAO/RAE" in form:  # these would flatten its tall P wave
        form = tuple(key for key in form if key not in ("LVOLT", "hyperkalaemia"))
    return form + drawn


def random_ecg(
    seed: int,
    *,
    fs: float = 500.0,
    seconds: float = 10.0,
    noise: bool = True,
    rare: float = 0.0,
    swaps: float = 0.0,
) -> SyntheticECG:
    """Draw one ECG: patient, rhythm, conditions and noise.

    Parameters
    ----------
    seed : int
        All there is to know: the same seed gives the same bits.
    fs : float, Hz
        Sampling rate.
    seconds : float, s
        Length.
    noise : bool
        Whether to add noise.
    rare : float
        Part of the records in which every rhythm and condition is as likely as any other, instead
        of at the shares of this module.
    swaps : float
        Part of the records with two electrodes exchanged. Their marks are of the leads before.

    Returns
    -------
    SyntheticECG

    Examples
    --------
    >>> one, again = random_ecg(7), random_ecg(7)
    >>> bool((one.record.signal == again.record.signal).all())
    True
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x5EED]))
    common = bool(rng.random() >= rare)
    names = list(RHYTHM_SHARE)
    weights = np.array(list(RHYTHM_SHARE.values()))
    rhythm = str(rng.choice(names, p=weights / weights.sum()))
    if not common and rng.random() < 0.5:
        rhythm = str(rng.choice(names))
    conditions = draw_conditions(rhythm, rng, common=common)
    sex: Sex = "female" if rng.random() < 0.48 else "male"
    age = float(np.clip(rng.normal(62, 17), 18, 95))
    usual = RHYTHMS[rhythm]
    slowest = 105 if rhythm in TACHYCARDIAS else 28  # RR varies: the mean may be a little slower
    varied = usual * np.exp(0.22 * rng.standard_normal()) if usual else 0.0
    bpm = float(np.clip(varied, slowest, 230)) if usual else None
    return synthetic_ecg(
        rhythm=rhythm,
        bpm=bpm,
        conditions=conditions,
        seconds=seconds,
        fs=fs,
        noise=draw_noise(rng) if noise else None,
        age_years=round(age),
        sex=sex,
        seed=int(rng.integers(0, 2**31)),
        electrode_swap=str(rng.choice(SWAPS)) if rng.random() < swaps else "",
        ratio=int(rng.choice([0, 2, 3, 4])) if rhythm == "flutter" else 0,
    )


def generate(n: int, seed: int = 0, **options: Any) -> Iterator[SyntheticECG]:
    """Draw many ECGs.

    Parameters
    ----------
    n : int
        How many.
    seed : int
        Of the whole set; record k of it does not depend on ``n``.
    **options
        As in `random_ecg`.

    Yields
    ------
    SyntheticECG
    """
    for k in range(n):
        own = int(np.random.SeedSequence([seed, k]).generate_state(1, np.uint32)[0])
        yield random_ecg(own, **options)

"""Whether the atria fibrillate or flutter: a small fitted model, and what it rests on."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ecg_llm.errors import ConfigError
from ecg_llm.findings.atrial import ESCAPE_BPM, P_MOSTLY, RR_CHANGE, AtrialActivity
from ecg_llm.findings.case import Case
from ecg_llm.findings.checks import Check, all_of, fact, opposite, unknown
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.sources import FIBRILLATION

WEIGHTS = Path(__file__).parents[1] / "weights" / "rhythm.json"
FEATURES = ("p_coherence", "log_irregularity", "p_share", "wave_share")
"""What the model reads, in this order; see `features`."""
_IRREGULARITY_RANGE = (0.005, 0.3)
MIN_IRREGULARITY = 0.02
"""RR that change less than this from beat to beat are not those of atrial fibrillation."""
P_BEFORE_QRS = "P wave before the QRS"
P_REPETITION = "repetition of the stretch before the QRS"
FLUTTER_BPM = (220.0, 350.0)
MIN_FLUTTER_SHARE = 0.48
"""Share of the power between the beats that flutter waves have at least."""
MIN_DOUBLED_SHARE = 0.55
"""The same of waves twice as fast as beats below `T_MEETS_P_BPM`: P and T of a sinus tachycardia
make such a rhythm too."""
MAYBE_SHARE = 0.40
"""From which what repeats before the QRS may be the other one of two flutter waves."""
T_MEETS_P_BPM = 130.0
"""Rate above which T reaches the P wave of the next beat."""
ESCAPE = "a slow regular rhythm without P waves may be an escape rhythm"
LOOK_ALIKE = (
    "without clear P waves sinus tachycardia, atrial flutter and supraventricular tachycardia may "
    "look the same"
)


@dataclass(frozen=True, kw_only=True)
class FibrillationModel:
    """Logistic regression for the probability of atrial fibrillation.

    Attributes
    ----------
    features : tuple of str
        Names of what it reads.
    means, scales, weights : tuple of float
        Of each feature; a missing feature counts as its mean.
    constant : float
        Log odds where every feature is at its mean.
    present, absent : float
        Probability from which atrial fibrillation is present, and below which it is absent.
    card : dict of str to str
        Data, licence, how it was fitted and how it does.
    """

    features: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    constant: float
    present: float
    absent: float
    card: dict[str, Any]

    def probability(self, values: tuple[float | None, ...]) -> float:
        """Estimate the probability.

        ``values`` are those of `features`.
        """
        logit = self.constant
        rows = zip(values, self.means, self.scales, self.weights, strict=True)
        for value, mean, scale, weight in rows:
            logit += 0.0 if value is None else weight * (value - mean) / scale
        return 1 / (1 + math.exp(-logit))

    def save(self, path: Path) -> None:
        """Write the model as JSON."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> FibrillationModel:
        """Read a model.

        Raises
        ------
        ConfigError
            If the file is missing or reads other features than this program measures.
        """
        try:
            raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            for key in ("features", "means", "scales", "weights"):
                raw[key] = tuple(raw[key])
            model = cls(**raw)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path}: no model of the rhythm could be read ({error}); install the program "
                "again, or fit the model with 'ecgllm train rhythm'."
            ) from None
        if model.features != FEATURES:
            raise ConfigError(
                f"{path}: reads {', '.join(model.features)}; this program measures "
                f"{', '.join(FEATURES)}. Fit the model with 'ecgllm train rhythm'."
            )
        return model


@lru_cache(maxsize=1)
def fibrillation_model() -> FibrillationModel:
    """Read the bundled model once."""
    return FibrillationModel.load(WEIGHTS)


def features(activity: AtrialActivity) -> tuple[float | None, ...]:
    """Give what the model reads.

    In the order of `FEATURES`; None where it could not be measured.
    """
    low, high = _IRREGULARITY_RANGE
    change = activity.irregularity
    return (
        activity.p_coherence,
        None if change is None else math.log(min(max(change, low), high)),
        activity.p_share,
        activity.wave_share,
    )


def fibrillation_probability(activity: AtrialActivity) -> float | None:
    """Estimate the probability of atrial fibrillation.

    None if the beats are too few to tell how regular they are.

    References
    ----------
    .. [1] Hindricks G et al. Eur Heart J 2021;42:373-498 (irregular RR without distinct P waves).
    """
    if activity.irregularity is None:
        return None
    return fibrillation_model().probability(features(activity))


def with_probability(finding: Finding, activity: AtrialActivity) -> Finding:
    """Add the probability of atrial fibrillation to the finding."""
    probability = fibrillation_probability(activity)
    return replace(finding, probability=None if probability is None else round(probability, 3))


def check_fibrillation(activity: AtrialActivity, case: Case) -> Check:
    """Check for irregular RR without P waves that repeat."""
    if activity.irregularity is not None and activity.irregularity < MIN_IRREGULARITY:
        rate = case.value("heart_rate_bpm")
        if rate is not None and rate <= ESCAPE_BPM and activity.atria_unseen:
            return unknown(ESCAPE)
        return opposite(_steady(activity.irregularity))
    probability = fibrillation_probability(activity)
    if probability is None and activity.p_share >= 0.8:
        n, of_all = float(activity.n_with_p), f"of {activity.n_judged}"
        words = "≥ 80 % of the beats"
        return opposite(fact(True, P_BEFORE_QRS, n, of_all, words, FIBRILLATION))
    if probability is None:
        return unknown("too few undisturbed beats to tell atrial fibrillation")
    model = fibrillation_model()
    seen = activity.p_share >= 0.85
    if probability >= model.present and (seen or (activity.p_coherence or 0.0) >= 0.8):
        what = "P waves go before nearly all beats" if seen else "what goes before the QRS repeats"
        return unknown(f"RR are irregular, but {what}")
    if model.absent < probability < model.present:
        return unknown(
            "the P waves and the irregularity of RR leave atrial fibrillation open "
            f"(probability {probability:.2f})"
        )
    holds = probability >= model.present
    lead = next((x for x in ("II", "V1") if x in case.measurements.leads), None)
    span = (case.measurements.from_s, round(case.measurements.to_s, 3))
    repetition = fact(
        holds,
        P_REPETITION,
        activity.p_coherence,
        "",
        "no P waves that repeat",
        FIBRILLATION,
        lead=lead,
        span_s=span,
    )
    change = fact(
        holds,
        RR_CHANGE,
        None if activity.irregularity is None else 100 * activity.irregularity,
        "%",
        "irregular",
        FIBRILLATION,
        span_s=span,
    )
    return change if activity.p_coherence is None else all_of(repetition, change)


def _steady(irregularity: float) -> Check:
    """RR that are too regular for fibrillation."""
    return fact(
        irregularity < MIN_IRREGULARITY,
        RR_CHANGE,
        100 * irregularity,
        "%",
        f"< {100 * MIN_IRREGULARITY:g} %",
        FIBRILLATION,
    )


def check_flutter(case: Case, activity: AtrialActivity) -> Check:
    """Check for a saw-tooth of one frequency between the beats, without P waves."""
    hidden = _may_hide(case, activity)
    if activity.locked_hz is None or activity.locked_share is None:
        return unknown(LOOK_ALIKE) if hidden else Check(False)
    rate = case.value("heart_rate_bpm") or 0.0
    per_minute = 60 * activity.locked_hz
    doubled = rate < T_MEETS_P_BPM and abs(per_minute - 2 * rate) < 0.04 * per_minute
    lead = next((x for x in ("II", "V1") if x in case.measurements.leads), None)
    holds = (
        FLUTTER_BPM[0] <= per_minute <= FLUTTER_BPM[1]
        and activity.locked_share >= (MIN_DOUBLED_SHARE if doubled else MIN_FLUTTER_SHARE)
        and activity.p_share < 0.3
        and per_minute > 1.5 * rate
    )
    if hidden and not holds:
        return unknown(LOOK_ALIKE)
    return fact(
        holds,
        "atrial waves between the beats",
        per_minute,
        "/min",
        f"{FLUTTER_BPM[0]:g} to {FLUTTER_BPM[1]:g}/min, of one frequency",
        FIBRILLATION,
        lead=lead,
        span_s=(case.measurements.from_s, round(case.measurements.to_s, 3)),
    )


def _may_hide(case: Case, activity: AtrialActivity) -> bool:
    """Whether every other flutter wave may lie in a narrow QRS or in T, where nobody sees it."""
    rate, qrs = case.value("heart_rate_bpm") or 0.0, case.value("qrs_global_ms")
    change = activity.irregularity
    regular = change is not None and change < MIN_IRREGULARITY
    half = FLUTTER_BPM[0] / 2 <= rate <= FLUTTER_BPM[1] / 2
    locked = (activity.locked_share or 0.0) >= MAYBE_SHARE
    p_waves = activity.p_share >= P_MOSTLY if locked else activity.p_waves
    return half and regular and not p_waves and qrs is not None and qrs < 120

"""Judge the technical quality of a tracing before anything is read from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import groupby, pairwise
from typing import Any, Literal

import numpy as np

from ecg_llm.leads import limb_sources
from ecg_llm.quality.bands import WORKING_FS, Bands, split_bands
from ecg_llm.quality.features import Features, measure_features
from ecg_llm.quality.leads import LeadQuality, judge_leads
from ecg_llm.quality.model import QualityModel, bundled_model
from ecg_llm.quality.pacing import find_pacing_spikes
from ecg_llm.quality.page import judge_page
from ecg_llm.quality.reversal import Suspicion, suspect_electrodes, suspect_rows
from ecg_llm.record import MAX_DURATION_S, MIN_DURATION_S, MIN_FS, ECGRecord
from ecg_llm.signal import standstills

__all__ = ["LeadQuality", "Quality", "Suspicion", "Verdict", "assess", "readable_part"]

Verdict = Literal["accept", "limit", "refuse"]

WINDOW_S = 10.0
"""Experts marked stretches of this length; longer records are judged by such windows."""
PAGE_REASON = "read from the image of a page, not from a recording"
GAP_S = 0.15
"""A gap of all leads in which a whole QRS complex may be missing."""
END_GAP_S = 1.0
"""A longer one at an end of the record is left off; a shorter one hides no RR."""
PADDING_S = 2.0
"""All leads keep to one value for so long at an end where a device fills up its last block."""
LARGEST_QRS_MV = 50.0
"""No heart makes a higher one: the unit is wrong."""
ACCEPT_FROM = 0.5
"""Probability from which a stretch is accepted."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Technical quality of one record.

    Attributes
    ----------
    record : str
        Name of the record.
    verdict : {"accept", "limit", "refuse"}
        ``limit``: read, but some leads or stretches are left out.
    reasons : tuple of str
        Why it is limited or refused, in plain words.
    score : float
        Probability that experts would call the record acceptable.
    leads : dict of str to LeadQuality
        By lead name, in the record's order.
    suspicions : tuple of Suspicion
        Electrode reversals and misplaced rows.
    pacing_spikes_s : tuple of float, s
        Times of pacing spikes.
    from_s, to_s : float, s
        The stretch that was judged.
    """

    record: str
    verdict: Verdict
    reasons: tuple[str, ...]
    score: float
    leads: dict[str, LeadQuality]
    suspicions: tuple[Suspicion, ...]
    pacing_spikes_s: tuple[float, ...]
    from_s: float
    to_s: float

    @property
    def acceptable(self) -> bool:
        """Whether the record may be interpreted at all."""
        return self.verdict != "refuse"

    @property
    def usable_leads(self) -> tuple[str, ...]:
        """Names of the leads that may be measured."""
        return tuple(name for name, lead in self.leads.items() if lead.usable)

    def to_dict(self) -> dict[str, Any]:
        """Give the fields as plain JSON values, with ``acceptable`` beside them.

        Returns
        -------
        dict
        """
        return {"record": self.record, "acceptable": self.acceptable, **asdict(self)}


@dataclass(frozen=True, eq=False)
class _Stretch:
    """A judged part of the record."""

    bands: Bands
    features: Features
    leads: dict[str, LeadQuality]
    score: float
    refusals: tuple[str, ...]


def assess(record: ECGRecord, model: QualityModel | None = None) -> Quality:
    """Judge whether a record can be read, and which of its leads.

    Parameters
    ----------
    record : ECGRecord
        Any leads, 100 Hz or more.
    model : QualityModel, optional
        Parameters to use in place of the bundled ones.

    Returns
    -------
    Quality
        A record longer than 15 s is judged in windows of 10 s; if some are unusable, the longest
        acceptable stretch is taken and the reasons say so. So is the longest stretch between
        moments that no lead recorded: RR across them is not known. Short ends at which all leads
        keep to one value are left off.

    References
    ----------
    .. [1] Silva I, Moody GB, Celi L. Improving the quality of ECGs collected using mobile phones:
       the PhysioNet/Computing in Cardiology Challenge 2011. Comput Cardiol 2011;38:273-276.

    Examples
    --------
    >>> import numpy as np
    >>> flat = ECGRecord(signal=np.zeros((1, 5000)), fs=500, leads=("I",), name="nothing")
    >>> quality = assess(flat)
    >>> quality.verdict, quality.leads["I"].reasons
    ('refuse', ('flat',))
    """
    if record.origin == "page":
        return _of_page(record)
    model = model or bundled_model()
    if record.n_samples < MIN_DURATION_S * record.fs or not record.leads:
        found = f"{record.duration_s:.1f} s" if record.leads else "no lead"
        needed = f"at least {MIN_DURATION_S:.0f} s of one lead are needed"
        return _unjudged(record, f"{found} of ECG where {needed}")
    if record.fs < MIN_FS:
        return _unjudged(
            record, f"sampled at {record.fs:g} Hz where at least {MIN_FS:g} are needed"
        )
    reasons = []
    to_s = record.duration_s
    if to_s > MAX_DURATION_S:
        to_s = MAX_DURATION_S
        reasons.append(f"only the first {to_s:.0f} s of {record.duration_s:.0f} s were judged")
    first, last, score = *_longest_recorded(record, to_s), None
    if (first, last) != (0.0, to_s):
        gaps, left = "all leads have gaps in common", f"{first:.1f} to {last:.1f} s"
        if last - first < MIN_DURATION_S:
            needed = f"is shorter than the {MIN_DURATION_S:.0f} s that are needed"
            return _unjudged(record, f"{gaps}; the longest stretch without, {left}, {needed}")
        reasons.append(f"{gaps}; only {left} of {to_s:.1f} s, without one, were judged")
    (first, last), still = _without_padding(record, first, last)
    if last - first >= 1.5 * WINDOW_S:
        whole = first, last
        first, last, score = _longest_acceptable(record, *whole, model)
        if (first, last) != whole:
            reasons.append(f"only {first:.0f} to {last:.0f} s of {to_s:.0f} s can be read")
    part = record.segment(first, last)
    stretch = _judge(part, model)
    if score is not None:
        # Each window was accepted by itself; the limits hold for windows, not for minutes.
        stretch = replace(stretch, score=score, refusals=_unreadable(stretch.leads))
    usable = tuple(name for name, lead in stretch.leads.items() if lead.usable)
    # Also of a refused record: an exchange may be why a lead is flat.
    suspicions = suspect_rows(part.leads, part.derived, stretch.bands.ecg, usable)
    if not any("row" in suspicion.kind for suspicion in suspicions):
        suspicions += suspect_electrodes(part.leads, stretch.features, model.swaps, usable)
    spikes: tuple[float, ...] = ()
    if not stretch.refusals:
        beats_s = stretch.features.beats / WORKING_FS
        spikes = find_pacing_spikes(part, stretch.bands, usable, beats_s)
        spikes = tuple(first + at for at in spikes)
        reasons += _left_out(stretch.leads)
    reasons += [
        f"all leads stand still from {a:.1f} to {b:.1f} s, as where a recording drops out"
        for a, b in still
        if b - a < last - first
    ]
    return Quality(
        record=record.name,
        verdict="refuse" if stretch.refusals else "limit" if reasons else "accept",
        reasons=(*stretch.refusals, *reasons),
        score=round(stretch.score, 4),
        leads=stretch.leads,
        suspicions=suspicions,
        pacing_spikes_s=spikes,
        from_s=first,
        to_s=last,
    )


def readable_part(record: ECGRecord, quality: Quality | None = None) -> ECGRecord:
    """Leave out the leads, or the time, for which a tracing is refused, if the rest is good.

    Parameters
    ----------
    record : ECGRecord
        What was read.
    quality : Quality, optional
        Its quality; assessed here if not given.

    Returns
    -------
    ECGRecord
        The same one if it is not refused, or most leads are bad, or the others would be refused as
        well, or exchanged electrodes may be why a lead is flat. Else without the bad leads, or
        the time in which all leads stand still, which a note tells.

    Notes
    -----
    Experts call a tracing with a flat lead unacceptable: it should be recorded again. Where that
    cannot be done, most leads still tell the rhythm.
    """
    quality = quality or assess(record)
    if not quality.acceptable and (moving := _without_standstills(record)) is not None:
        return moving
    bad = {name: lead.reasons[0] for name, lead in quality.leads.items() if not lead.usable}
    exchanged = any("row" not in suspicion.kind for suspicion in quality.suspicions)
    if quality.acceptable or not bad or 2 * len(bad) > len(record.leads) or exchanged:
        return record
    left = tuple(name for name in record.leads if name not in bad)
    if not assess(rest := record.select(left)).acceptable:
        return record
    note = f"With all its leads this tracing would be refused; left out: {_by_reason(bad)}."
    return replace(rest, notes=(*record.notes, note))


def _without_standstills(record: ECGRecord) -> ECGRecord | None:
    """Take for not recorded when all leads stand still, if the rest is good by itself."""
    still = standstills(record.signal, record.fs)
    if not still:
        return None
    signal = record.signal.copy()
    for a, b in still:
        signal[:, round(a * record.fs) : round(b * record.fs)] = np.nan
    when = " and ".join(f"from {a:.1f} to {b:.1f} s" for a, b in still)
    note = (
        f"All leads stand still {when}, as where a recording drops out, which is not judged: "
        "that the heart stood still is not excluded."
    )
    rest = replace(record, signal=signal, notes=(*record.notes, note))
    return rest if assess(rest).acceptable else None


def _judge(part: ECGRecord, model: QualityModel) -> _Stretch:
    """Judge one stretch as a whole."""
    bands = split_bands(part)
    features = measure_features(bands)
    leads = _with_computed(part, judge_leads(part.leads, bands, features))
    score = model.gate.probability(features.pooled())
    refusals = _refusals(leads, features, bands, score)
    if part.calibrated and features.unit_mv > LARGEST_QRS_MV:
        found = f"QRS complexes of {features.unit_mv:.0f} mV, where an ECG has 0.1 to 10 mV"
        refusals = (f"{found}: the unit is wrong",)
    return _Stretch(bands, features, leads, score, refusals)


def _with_computed(part: ECGRecord, leads: dict[str, LeadQuality]) -> dict[str, LeadQuality]:
    """Leave out what was computed from a lead that cannot be read."""
    recorded = [name for name in part.leads if name not in part.derived]
    bad = [name for name in limb_sources(recorded) if not leads[name].usable]
    why = f"computed from {' and '.join(bad)}"
    return {
        name: replace(lead, usable=False, reasons=(why,)) if bad and name in part.derived else lead
        for name, lead in leads.items()
    }


def _refusals(
    leads: dict[str, LeadQuality], features: Features, bands: Bands, score: float
) -> tuple[str, ...]:
    """Why the stretch cannot be read; empty if it can."""
    if unreadable := _unreadable(leads):
        return unreadable
    if score >= ACCEPT_FROM or _one_oscillation(bands, leads):
        return ()
    bad = {name: lead.reasons[0] for name, lead in leads.items() if not lead.usable}
    if bad:
        return (f"experts would not accept this tracing: {_by_reason(bad)}",)
    mild = {name: lead.reasons[0] for name, lead in leads.items() if lead.reasons}
    if mild:
        return (f"experts would not accept this tracing: {_by_reason(mild)}",)
    synchrony = features.column("synchrony_worst")
    worst = [list(leads)[i] for i in np.argsort(synchrony)[:3]]
    return (
        "experts would not accept this tracing: the beats of one lead do not show in the others, "
        f"least of all in {', '.join(worst)}",
    )


def _unreadable(leads: dict[str, LeadQuality]) -> tuple[str, ...]:
    """Refuse a stretch of which most leads cannot be read."""
    bad = {name: lead.reasons[0] for name, lead in leads.items() if not lead.usable}
    if len(bad) == len(leads):
        return (f"no lead can be read: {_by_reason(bad)}",)
    # Experts look past wander where the beats show, so it alone does not make a majority.
    if 2 * sum(reason != "wander" for reason in bad.values()) > len(leads):
        return (f"{len(bad)} of {len(leads)} leads cannot be read: {_by_reason(bad)}",)
    return ()


def _by_reason(leads: dict[str, str]) -> str:
    """Group leads under what is wrong with them: ``V1, V2 flat; III wander``."""
    reasons = dict.fromkeys(leads.values())
    return "; ".join(
        f"{', '.join(name for name, r in leads.items() if r == reason)} {reason}"
        for reason in reasons
    )


def _left_out(leads: dict[str, LeadQuality]) -> list[str]:
    """Name the leads that are not measured."""
    bad = {name: lead.reasons[0] for name, lead in leads.items() if not lead.usable}
    return [f"leads left out: {_by_reason(bad)}"] if bad else []


def _one_oscillation(bands: Bands, leads: dict[str, LeadQuality]) -> bool:
    """Whether one smooth oscillation is seen from all sides: a rhythm, not an artefact.

    So are ventricular tachycardia and fibrillation: refused, nobody would be told of them.
    """
    ecg = bands.ecg[[lead.usable for lead in leads.values()]]
    if len(ecg) < max(3, len(leads) / 2):
        return False
    power = np.square(np.abs(np.fft.rfft(ecg, axis=1))).sum(axis=0)
    hz = np.fft.rfftfreq(ecg.shape[1], 0.01)
    slow = power[(hz > 1.5) & (hz < 9)].sum() / (power.sum() + 1e-9)
    # A dipole has three components, so three explain the leads of a heart, not those of noise.
    spread = np.linalg.svd(ecg[:, ::2], compute_uv=False) ** 2
    return bool(slow > 0.8 and spread[:3].sum() > 0.9 * spread.sum())


def _longest_recorded(record: ECGRecord, to_s: float) -> tuple[float, float]:
    """Longest stretch without a gap of all leads."""
    if np.isfinite(record.signal[0]).all():
        return 0.0, to_s
    n = round(to_s * record.fs)
    blank = ~np.isfinite(record.signal[:, :n]).any(axis=0)
    gaps = np.flatnonzero(np.diff(blank, prepend=False, append=False)).reshape(-1, 2)
    at_end = (gaps[:, 0] == 0) | (gaps[:, 1] == n)
    length = np.ptp(gaps, axis=1) / record.fs
    gaps = gaps[np.where(at_end, length > END_GAP_S, length >= GAP_S)]
    if not len(gaps) or blank.all():
        return 0.0, to_s
    left = np.concatenate([[0], gaps.ravel(), [n]]).reshape(-1, 2) / record.fs
    first, last = left[np.argmax(np.ptp(left, axis=1))].tolist()
    return first, last


def _without_padding(
    record: ECGRecord, first: float, last: float
) -> tuple[tuple[float, float], list[tuple[float, float]]]:
    """Leave off short ends that stand still, and tell where all leads do."""
    part = record.segment(first, last)
    still = [(first + a, first + b) for a, b in standstills(part.signal, part.fs)]
    padding = [(a, b) for a, b in still if b - a <= PADDING_S]
    from_s = next((b for a, b in padding if a == first), first)
    to_s = next((a for a, b in padding if round((last - b) * record.fs) == 0), last)
    long = to_s - from_s >= MIN_DURATION_S
    return (from_s, to_s) if long else (first, last), still


def _longest_acceptable(
    record: ECGRecord, from_s: float, to_s: float, model: QualityModel
) -> tuple[float, float, float | None]:
    """Longest run of acceptable windows and its mean score; the whole, without, if none is."""
    limits = [from_s + k * WINDOW_S for k in range(int((to_s - from_s) // WINDOW_S))] + [to_s]
    judged = [_judge(record.segment(a, b), model) for a, b in pairwise(limits)]
    runs = [
        list(run)
        for good, run in groupby(range(len(judged)), lambda k: not judged[k].refusals)
        if good
    ]
    if not runs:
        return from_s, to_s, None
    best = max(runs, key=len)
    score = float(np.mean([judged[k].score for k in best]))
    return limits[best[0]], limits[best[-1] + 1], score


def _of_page(record: ECGRecord) -> Quality:
    """Judge what was read from a page: experts' marks of whole recordings do not apply to it."""
    leads, refusals = judge_page(record)
    usable = sum(lead.usable for lead in leads.values())
    reasons = (PAGE_REASON, *_left_out(leads))
    return Quality(
        record=record.name,
        verdict="refuse" if refusals else "limit",
        reasons=(*refusals, *reasons),
        score=round(usable / max(len(leads), 12), 4),
        leads=leads,
        suspicions=(),
        pacing_spikes_s=(),
        from_s=0.0,
        to_s=record.duration_s,
    )


def _unjudged(record: ECGRecord, reason: str) -> Quality:
    """Refuse what is too short or too coarse to be looked at."""
    return Quality(
        record=record.name,
        verdict="refuse",
        reasons=(reason,),
        score=0.0,
        leads={},
        suspicions=(),
        pacing_spikes_s=(),
        from_s=0.0,
        to_s=record.duration_s,
    )

"""What the atria do: P waves that repeat, and fibrillation or flutter waves between the beats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_llm.delineate import Delineation
from ecg_llm.findings.case import Case
from ecg_llm.signal import fill_gaps, resample
from ecg_llm.windows import BEFORE_S, BeatWindows

Array = npt.NDArray[np.float64]

WAVE_FS = 125.0
"""Enough for waves below 15 Hz."""
REGULAR = 0.08
"""Median change from one RR to the next, as a share of RR, below which a rhythm is regular."""
RR_CHANGE = "change from one RR to the next"
P_SURE = 0.5
"""Probability from which a P wave counts."""
P_SEEN = 0.5
"""Share of beats with a P wave from which the rhythm of the atria is seen."""
P_MOSTLY = 0.6
"""Share of beats with a P wave from which P waves lead to them."""
P_REPEATS = 0.55
"""Coherence before the QRS from which P waves are there even if they could not be delineated."""
P_PER_BEAT = 0.8
"""P waves to a beat below which atria that beat at least as fast as the ventricles are not seen."""
ESCAPE_BPM = 66.0
"""The rhythm below a complete block is no faster."""
MIN_LIKE = 3
"""Beats that a comparison needs."""
MIN_STRETCH_S = 0.10
"""Length of the stretch between T and QRS that a comparison needs."""
_LEADS = ("V1", "II", "III", "aVF", "V2")
_BAND_HZ = (2.5, 15.0)
_PEAK_HZ = (3.5, 9.0)


@dataclass(frozen=True)
class AtrialActivity:
    """Measures of atrial activity; None where it could not be measured.

    Attributes
    ----------
    p_coherence : float or None
        Share of the energy before the QRS that is the same in all beats: near 1 with P waves at a
        fixed distance, near 0 without.
    p_share : float
        Share of the beats with a P wave.
    n_with_p, n_judged : int
        Beats with a P wave, and those that may have one inside the record.
    p_per_beat : float
        Sure P waves, wherever they are, to a beat.
    p_confidence : float
        Mean probability of the P waves.
    irregularity : float or None
        Median change from one RR to the next, relative to the mean RR, without extra beats.
    wave_share : float or None
        Of what is left between 3.5 and 9 Hz when QRS and T are taken away, the share of power near
        its main frequency and the double of that.
    locked_hz, locked_share : float or None
        Main frequency and its share of the power with only the QRS taken away, in the lead that
        shows it best: waves that keep step with the beats would be lost with T.
    """

    p_coherence: float | None
    p_share: float
    n_with_p: int
    n_judged: int
    p_per_beat: float
    p_confidence: float
    irregularity: float | None
    wave_share: float | None
    locked_hz: float | None
    locked_share: float | None

    @property
    def p_waves(self) -> bool:
        """Whether P waves lead to the beats: delineated, or by what repeats before the QRS."""
        return self.p_share >= P_MOSTLY or (self.p_coherence or 0.0) >= P_REPEATS

    @property
    def atria_unseen(self) -> bool:
        """Whether there are fewer P waves than beats, and none that lead to them."""
        return not self.p_waves and self.p_per_beat < P_PER_BEAT


def atrial_activity(case: Case) -> AtrialActivity:
    """Measure the atrial activity of a record."""
    delineation = case.measurements.delineation
    if case.n_beats < 3:
        return AtrialActivity(None, 0.0, 0, 0, 0.0, 0.0, None, None, None, None)
    plain = np.array([kind != "ventricular" for kind in case.kinds])
    p_on = delineation.column("p_on")
    # The first beat's P may lie before the record.
    inside = plain & (delineation.r_s > case.measurements.from_s + 0.35)
    n_with_p, n_judged = int(np.isfinite(p_on[inside]).sum()), int(inside.sum())
    windows = case.windows
    like = case.usual if case.usual.sum() >= MIN_LIKE else plain
    rest = _atrial_leads(case)
    locked_hz, locked_share = _locked_waves(case, windows, rest)
    confidence = delineation.p_confidence
    return AtrialActivity(
        p_coherence=_coherence(windows, like, _t_end(delineation)),
        p_share=n_with_p / n_judged if n_judged else 0.0,
        n_with_p=n_with_p,
        n_judged=n_judged,
        p_per_beat=float((confidence >= P_SURE).sum()) / case.n_beats,
        p_confidence=float(confidence.mean()) if len(confidence) else 0.0,
        irregularity=irregularity(case),
        wave_share=_wave_share(case, windows, rest.copy()),
        locked_hz=locked_hz,
        locked_share=locked_share,
    )


def irregularity(case: Case) -> float | None:
    """Measure how much RR changes from beat to beat, without extra beats.

    Median absolute change relative to the mean RR; None with fewer than three changes. Where extra
    beats leave hardly any neighbours, the mean change between the RR that are left.
    """
    rr = np.diff(case.measurements.delineation.r_s)
    kinds = np.array(case.kinds)
    # In a wholly irregular rhythm many beats look early; then only ventricular ones are left out.
    early = np.isin(kinds, ("ventricular", "supraventricular"))
    for odd in (early, kinds == "ventricular"):
        disturbed = odd[1:] | odd[:-1]
        change = np.abs(np.diff(rr))[~(disturbed[1:] | disturbed[:-1])]
        if len(change) >= 3:
            return float(np.median(change) / rr[~disturbed].mean())
        # In trigeminy none follow each other; of so few that are left, all count.
        apart = np.abs(np.diff(rr[~disturbed]))
        if odd is early and len(apart) >= 3:
            return float(apart.mean() / rr[~disturbed].mean())
    return None


def _t_end(delineation: Delineation) -> float:
    """Give where T of the beat before usually ends, in s before (< 0) the centre of a beat."""
    ends = delineation.column("t_off")[:-1] - delineation.r_s[1:]
    ends = ends[np.isfinite(ends)]
    return float(np.quantile(ends, 0.75)) if len(ends) else -BEFORE_S


def _coherence(windows: BeatWindows, chosen: npt.NDArray[np.bool_], t_end_s: float) -> float | None:
    """Compare the mean of the stretch before the QRS with the single beats."""
    start = max(-0.28, t_end_s + 0.02)
    if start > -0.06 - MIN_STRETCH_S:
        return None
    stretch = windows.signal[:, :, windows.slice(start, -0.06)][:, :, ::4].astype(np.float64)
    complete = chosen & np.isfinite(stretch).all(axis=(0, 2))
    n = int(complete.sum())
    if n < MIN_LIKE:
        return None
    stretch = stretch[:, complete]
    t = np.linspace(-1, 1, stretch.shape[-1])
    stretch = stretch - stretch.mean(axis=-1, keepdims=True)
    stretch -= (stretch @ t)[..., None] / (t @ t) * t
    single = (stretch**2).sum(axis=(0, 2))
    calm = single <= 4 * np.median(single)  # one disturbed beat must not decide
    n = int(calm.sum())
    total = single[calm].mean()
    mean_energy = (stretch[:, calm].mean(axis=1) ** 2).sum()
    return float((n * mean_energy - total) / ((n - 1) * max(total, 1e-12)))


def _atrial_leads(case: Case) -> npt.NDArray[np.float32]:
    """Give the leads that show the atria best, without wander and muscle noise."""
    leads = tuple(lead for lead in _LEADS if lead in case.measurements.delineation.leads)
    if not leads:
        return np.zeros((0, 1), np.float32)
    rows = fill_gaps(case.record.select(leads).signal)
    return resample(rows, case.record.fs, WAVE_FS, highpass_hz=1.0, lowpass_hz=30.0)


def _wave_share(case: Case, windows: BeatWindows, rest: npt.NDArray[np.float32]) -> float | None:
    """Give the main frequency's share between the beats once QRS and T are taken away, in place."""
    delineation = case.measurements.delineation
    if not len(rest):
        return None
    keep = _cancel(rest, windows.centres_s, delineation.column("t_off"), case.usual)
    if keep.mean() < 0.3:
        return None
    rest = np.where(keep, rest, 0)
    n = 4096
    power = (np.abs(np.fft.rfft(rest * np.hanning(rest.shape[1]), n, axis=1)) ** 2).mean(axis=0)
    hz = np.fft.rfftfreq(n, 1 / WAVE_FS)
    band = (hz >= _BAND_HZ[0]) & (hz <= _BAND_HZ[1])
    search = (hz >= _PEAK_HZ[0]) & (hz <= _PEAK_HZ[1])
    main = float(hz[search][np.argmax(power[search])])
    near = (np.abs(hz - main) < 0.4) | (np.abs(hz - 2 * main) < 0.4)
    return float(power[near & band].sum() / max(power[band].sum(), 1e-12))


def _locked_waves(
    case: Case, windows: BeatWindows, rest: npt.NDArray[np.float32]
) -> tuple[float | None, float | None]:
    """Find the main frequency with only the QRS bridged by straight lines."""
    delineation = case.measurements.delineation
    if not len(rest):
        return None, None
    n = rest.shape[1]
    onset, offset = delineation.column("qrs_on"), delineation.column("qrs_off")
    onset = np.where(np.isfinite(onset), onset, windows.centres_s - 0.06) - 0.02
    offset = np.where(np.isfinite(offset), offset, windows.centres_s + 0.06) + 0.02
    keep = np.ones(n, bool)
    at = np.arange(n) / WAVE_FS
    for start, stop in zip(onset, offset, strict=True):
        keep &= (at < start) | (at > stop)
    if keep.mean() < 0.3:
        return None, None
    bridged = np.stack([np.interp(at, at[keep], row[keep]) for row in rest])
    power = np.abs(np.fft.rfft(bridged * np.hanning(n), 4096, axis=1)) ** 2
    hz = np.fft.rfftfreq(4096, 1 / WAVE_FS)
    band = (hz >= 1.0) & (hz <= _BAND_HZ[1])
    search = (hz >= _PEAK_HZ[0]) & (hz <= _PEAK_HZ[1])
    best = (0.0, 0.0)
    for row in power:
        main = float(hz[search][np.argmax(row[search])])
        near = (np.abs(hz - main) < 0.3) | (np.abs(hz - 2 * main) < 0.3)
        share = float(row[near & band].sum() / max(row[band].sum(), 1e-12))
        best = max(best, (share, main))
    return best[1], best[0]


def _cancel(
    rest: npt.NDArray[np.float32], centres_s: Array, t_off: Array, usual: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Subtract the median QRS-T in place; give the samples that may be used."""
    n = rest.shape[1]
    keep = np.ones(n, bool)
    before = round(0.06 * WAVE_FS)
    qt = t_off - centres_s
    length = float(np.nanmedian(qt)) if np.isfinite(qt).any() else 0.35
    after = round((length + 0.04) * WAVE_FS)
    starts = np.round(centres_s * WAVE_FS).astype(int) - before
    width = before + after
    ends = np.append(starts[1:], n)
    whole = (starts >= 0) & (starts + width <= n)
    chosen = usual & whole if (usual & whole).sum() >= 2 else whole
    if not chosen.any():
        return np.zeros(n, bool)
    stack = rest[:, starts[chosen][:, None] + np.arange(width)]
    template = np.median(stack, axis=1)
    template = template - np.linspace(template[:, 0], template[:, -1], width).T
    for k, start in enumerate(starts):
        stop = min(start + width, int(ends[k]), n)
        first = max(start, 0)
        if usual[k]:
            rest[:, first:stop] -= template[:, first - start : stop - start]
            keep[first : max(min(first + 2 * before, stop), 0)] = False
        else:
            keep[first : max(stop, 0)] = False
    return keep

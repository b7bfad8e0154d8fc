"""Pool times and areas over leads and beats into the values of a record."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_llm.delineate import FIDUCIALS, Delineation
from ecg_llm.errors import MeasurementError
from ecg_llm.leads import derive_limb_leads
from ecg_llm.quantity import Quantity
from ecg_llm.signal import median, nanmedian

Array = npt.NDArray[np.float64]

_POOLED = "median over leads and beats"
_GLOBAL = "earliest onset to latest offset over leads (third of each), median over beats"
_AXIS_FLOOR_MV = 0.020
"""Mean height of a wave over I and aVF below which its direction is noise: 5 µV of noise turned
such a P wave by 100°."""

_P = [FIDUCIALS.index(name) for name in ("p_on", "p_peak", "p_off")]
MIN_P_SHARE = 0.5
"""Share of the usual beats with a P wave from which PR and P durations are the record's."""


def qt_corrected(qt_ms: float, rr_ms: float, formula: str = "fridericia") -> float:
    """Correct the QT interval for heart rate.

    Parameters
    ----------
    qt_ms, rr_ms : float, ms
        QT, and the mean RR of the same beats.
    formula : {"fridericia", "bazett"}
        Which root of the RR interval to divide by.

    Returns
    -------
    float, ms

    Raises
    ------
    MeasurementError
        If an interval is not positive or the formula is unknown.

    References
    ----------
    .. [1] Fridericia LS. Acta Med Scand 1920;53:469-486.
    .. [2] Bazett HC. Heart 1920;7:353-370.

    Examples
    --------
    >>> round(qt_corrected(400, 800)), round(qt_corrected(400, 800, "bazett"))
    (431, 447)
    """
    roots = {"fridericia": 1 / 3, "bazett": 1 / 2}
    if not (qt_ms > 0 and rr_ms > 0):
        raise MeasurementError(f"QT and RR must be positive, got {qt_ms} ms and {rr_ms} ms.")
    if formula not in roots:
        raise MeasurementError(f"no QT formula {formula!r}; there are {', '.join(roots)}.")
    return float(qt_ms / (rr_ms / 1000) ** roots[formula])


def frontal_axis(area_i: float, area_avf: float) -> float:
    """Compute the direction of a wave in the frontal plane.

    Parameters
    ----------
    area_i, area_avf : float
        Net areas (or amplitudes) of the wave in leads I and aVF, in the same unit.

    Returns
    -------
    float, deg
        From -180 (excluded) to 180; 0 points to lead I, 90 to aVF.

    Notes
    -----
    aVF is an augmented lead: it shows √3/2 of what a bipolar lead in its direction would, and is
    scaled up by that.

    Examples
    --------
    >>> frontal_axis(1.0, 0.0), round(frontal_axis(1.0, 3**0.5 / 2))
    (0.0, 45)
    """
    return float(np.degrees(np.arctan2(2 / 3**0.5 * area_avf, area_i)))


def record_values(
    delineation: Delineation,
    pooled: npt.NDArray[np.bool_],
    usual: npt.NDArray[np.bool_],
    typical: dict[str, Array],
    *,
    calibrated: bool,
) -> dict[str, Quantity]:
    """Compute rates, intervals and axes.

    Parameters
    ----------
    delineation : Delineation
        The waves of the record.
    pooled, usual : np.ndarray, shape (n_beats,), bool
        Beats to take the intervals from, and those of the usual shape that come in time.
    typical : dict of str to np.ndarray, shape (n_leads,)
        Measurements of the median beat; may be empty if there is no beat.
    calibrated : bool
        Whether the voltages hold.

    Returns
    -------
    dict of str to Quantity
    """
    values = _rates(delineation) | _intervals(delineation, pooled, usual)
    qt, rr = values["qt_ms"].value, values["rr_ms"].value
    for formula in ("fridericia", "bazett"):
        if qt is None or rr is None:
            reason = values["qt_ms"].reason or values["rr_ms"].reason
            values[f"qtc_{formula}_ms"] = Quantity(None, "ms", reason=reason)
        else:
            values[f"qtc_{formula}_ms"] = Quantity(
                qt_corrected(qt, rr, formula),
                "ms",
                method=f"{formula.capitalize()}, QT and mean RR",
                spread=values["qt_ms"].spread,
                n=values["qt_ms"].n,
            )
    return values | _axes(delineation.leads, typical, calibrated)


def _rates(delineation: Delineation) -> dict[str, Quantity]:
    """Heart rate, atrial rate and how the RR intervals vary."""
    rr = 1000 * np.diff(delineation.r_s)
    names = {"heart_rate_bpm": "bpm", "rr_ms": "ms", "rr_min_ms": "ms", "rr_max_ms": "ms"}
    names |= {"rr_cv": "ratio", "rmssd_ms": "ms", "atrial_rate_bpm": "bpm"}
    reason = "fewer than two beats found"
    values = {name: Quantity(None, unit, reason=reason) for name, unit in names.items()}
    if len(rr):
        mean = float(rr.mean())
        method, n = "mean RR from the first to the last beat", len(rr)
        spread = _robust_spread(rr)
        values["rr_ms"] = Quantity(mean, "ms", method=method, spread=spread, n=n)
        rate_spread = _robust_spread(60_000 / rr)
        values["heart_rate_bpm"] = Quantity(
            60_000 / mean, "bpm", method=f"60 / {method}", spread=rate_spread, n=n
        )
        values["rr_min_ms"] = Quantity(float(rr.min()), "ms", method="shortest RR", n=n)
        values["rr_max_ms"] = Quantity(float(rr.max()), "ms", method="longest RR", n=n)
    if len(rr) >= 3:
        values["rr_cv"] = Quantity(
            float(rr.std() / rr.mean()),
            "ratio",
            method="standard deviation / mean of RR",
            n=len(rr),
        )
        rmssd = float(np.sqrt(np.mean(np.diff(rr) ** 2)))
        values["rmssd_ms"] = Quantity(rmssd, "ms", method="successive RR", n=len(rr) - 1)
    else:
        for name in ("rr_cv", "rmssd_ms"):
            values[name] = Quantity(None, names[name], reason="fewer than four beats found")
    pp = 1000 * np.diff(delineation.p_waves_s[:, 1]) if len(delineation.p_waves_s) else rr[:0]
    if len(pp) >= 2:
        values["atrial_rate_bpm"] = Quantity(
            60_000 / median(pp),
            "bpm",
            method="60 / median PP",
            spread=_robust_spread(60_000 / pp),
            n=len(pp),
        )
    else:
        values["atrial_rate_bpm"] = Quantity(None, "bpm", reason="fewer than three P waves found")
    return values


def _intervals(
    delineation: Delineation, pooled: npt.NDArray[np.bool_], usual: npt.NDArray[np.bool_]
) -> dict[str, Quantity]:
    """P, PR, QRS, QT and JT: within leads, and over all leads."""
    spans = {
        "p_ms": ("p_on", "p_off", "P wave"),
        "pr_ms": ("p_on", "qrs_on", "P wave before the QRS"),
        "qrs_ms": ("qrs_on", "qrs_off", "QRS with both limits"),
        "qt_ms": ("qrs_on", "t_off", "end of the T wave"),
        "jt_ms": ("qrs_off", "t_off", "end of the T wave"),
    }
    times_ms = 1000 * delineation.times_s[:, pooled]  # [L, B, 9]
    reasons = [f"no {what} found" for _, _, what in spans.values()]
    with_p = np.isfinite(delineation.column("p_on"))[usual]
    if with_p.sum() < MIN_P_SHARE * len(with_p) and np.isfinite(times_ms[..., _P]).any():
        # What a few beats show may be a ripple of fibrillation, or the end of T.
        times_ms[..., _P] = np.nan
        seen = f"P waves are seen before {with_p.sum()} of {len(with_p)} beats only"
        reasons[:2] = [seen, seen]
    earliest_ms, latest_ms = _outermost(times_ms)
    starts = [FIDUCIALS.index(first) for first, _, _ in spans.values()]
    stops = [FIDUCIALS.index(last) for _, last, _ in spans.values()]
    within = times_ms[..., stops] - times_ms[..., starts]  # [L, B, 5]
    over_all = latest_ms[:, stops] - earliest_ms[:, starts]
    values: dict[str, Quantity] = {}
    of_leads = _pooled(within.reshape(-1, len(spans)), reasons, _POOLED)
    for name, one, all_leads in zip(
        spans, of_leads, _pooled(over_all, reasons, _GLOBAL), strict=True
    ):
        values[name] = one
        values[name.replace("_ms", "_global_ms")] = all_leads
        if name == "qt_ms":
            qt = within[..., list(spans).index(name)]
            per_lead = nanmedian(qt, axis=1) if qt.size else qt
            per_lead = per_lead[np.isfinite(per_lead)]
            values["qt_dispersion_ms"] = (
                Quantity(float(np.ptp(per_lead)), "ms", method="range over leads", n=len(per_lead))
                if len(per_lead) >= 6
                else Quantity(None, "ms", reason="QT known in fewer than six leads")
            )
    return values


def _outermost(times: Array) -> tuple[Array, Array]:
    """Give the third earliest and the third latest time over leads, per beat and fiducial.

    One or two leads may be wrong; of fewer than eight leads the second is taken, of fewer than four
    the outermost.
    """
    if not times.size:
        return np.full(times.shape[1:], np.nan), np.full(times.shape[1:], np.nan)
    ordered = np.sort(times, axis=0)  # NaN last
    count = np.isfinite(times).sum(axis=0)
    skip = (count >= 4).astype(int) + (count >= 8)
    late = np.maximum(count - 1 - skip, 0)
    places = np.stack([skip, late])
    earliest, latest = np.take_along_axis(ordered, places, axis=0)
    return earliest, latest


def _pooled(intervals: Array, reasons: list[str], method: str) -> list[Quantity]:
    """Take the median of each column's intervals that are there, or say why there is none."""
    if not len(intervals):
        return [Quantity(None, "ms", reason=reason) for reason in reasons]
    middle = nanmedian(intervals, axis=0)
    spread = 1.4826 * nanmedian(np.abs(intervals - middle), axis=0)
    count = np.isfinite(intervals).sum(axis=0)
    columns = zip(middle.tolist(), spread.tolist(), count.tolist(), reasons, strict=True)
    return [
        Quantity(value, "ms", method=method, spread=apart, n=n)
        if n
        else Quantity(None, "ms", reason=reason)
        for value, apart, n, reason in columns
    ]


def _axes(
    leads: tuple[str, ...], typical: dict[str, Array], calibrated: bool
) -> dict[str, Quantity]:
    """Frontal axes of P, QRS and T from the net areas in I and aVF."""
    widths = {"p": "p_ms", "qrs": "qrs_ms", "t": None}
    values: dict[str, Quantity] = {}
    for wave, width in widths.items():
        name, what = f"{wave}_axis_deg", f"{wave.upper()} axis"
        if not typical:
            values[name] = Quantity(None, "deg", reason="no beat found")
            continue
        if not calibrated:
            reason = "the file does not tell its gain, so leads cannot be compared"
            values[name] = Quantity(None, "deg", reason=reason)
            continue
        areas = typical[f"{wave}_area_mv_ms"].astype(np.float32)[:, None]
        given = {
            lead: area
            for lead, area, known in zip(leads, areas, np.isfinite(areas), strict=True)
            if known
        }
        both = given | derive_limb_leads(given)
        if "I" not in both or "aVF" not in both:
            found = sum(lead in both for lead in ("I", "II", "III", "aVF"))
            why = "fewer than two limb leads" if found < 2 else "too few limb leads"
            missing = f"{what} needs the wave in two of I, II and III: found in {why}"
            values[name] = Quantity(None, "deg", reason=missing)
            continue
        one, foot = float(both["I"][0]), float(both["aVF"][0])
        duration = float(nanmedian(typical[width], axis=0)) if width else 200.0
        if np.hypot(one, foot) / duration < _AXIS_FLOOR_MV:
            reason = f"net {wave.upper()} in the limb leads is too small for a direction"
            values[name] = Quantity(None, "deg", reason=reason)
        else:
            method = "net areas in I and aVF of the median beat"
            values[name] = Quantity(frontal_axis(one, foot), "deg", method=method, n=1)
    return values


def _robust_spread(values: Array) -> float:
    """Scale the median absolute deviation to a standard deviation."""
    return 1.4826 * median(np.abs(values - median(values)))

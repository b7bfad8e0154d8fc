"""How clinicians write measured values: names of quantities, units, leads, walls, normal limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ecg_llm.findings.av_block import LONG_PR_MS, SHORT_PR_MS
from ecg_llm.findings.conduction import WIDE_MS
from ecg_llm.findings.qt import LONG_QTC_MS, SHORT_QTC_MS
from ecg_llm.findings.rhythm import FAST_BPM, SLOW_BPM
from ecg_llm.findings.territories import ANTERIOR, INFERIOR, LATERAL, SEPTAL
from ecg_llm.leads import LIMB_LEADS, PRECORDIAL_LEADS, STANDARD_12
from ecg_llm.vocabulary import members

UnitKind = Literal["time", "voltage", "rate", "angle", "ratio", "force", "slope"]
Sign = Literal["signed", "size", "down"]

UNIT_OF: dict[UnitKind, str] = {
    "time": "ms",
    "voltage": "mV",
    "rate": "bpm",
    "angle": "deg",
    "ratio": "ratio",
    "force": "mV·ms",
    "slope": "mV/s",
}
"""The unit in which a claim's number is given, whatever unit the text used."""

_UNIT_WORDS: dict[tuple[UnitKind, float], str] = {
    ("time", 1.0): "ms|msec|msecs|millisecond|milliseconds",
    ("time", 1000.0): "s|sec|secs|second|seconds",
    ("voltage", 1.0): "mV|millivolt|millivolts",
    ("voltage", 0.001): "µV|μV|uV|microvolt|microvolts",
    ("voltage", 0.1): "mm|millimetre|millimeter|millimetres",
    ("rate", 1.0): "bpm|/min|per minute|a minute|beats per minute|beats/min|beats/minute|"
    "beats a minute|times per minute|times a minute|beats min|min-1|/minute",
    ("angle", 1.0): "°|deg|degs|degree|degrees",
    ("ratio", 0.01): "%|percent|per cent",
    ("force", 1.0): "mV·ms|mV ms|mV*ms",
    ("force", 100.0): "mm·s|mm s|mm*s|mm sec",
    ("slope", 1.0): "mV/s",
}
UNITS = {word: unit for unit, words in _UNIT_WORDS.items() for word in words.split("|")}
"""Units as written, their kind, and the factor to `UNIT_OF`; 1 mm is 0.1 mV (10 mm/mV)."""


@dataclass(frozen=True)
class MeasuredWord:
    """A quantity that a text may name.

    Attributes
    ----------
    label : str
        Its name in reports.
    names : tuple of str
        Names of the measured values any of which may be meant, the usual one first.
    kind : str
        What it is measured in.
    phrases : tuple of str
        How it is written.
    per_lead : bool
        Whether it is a value of one lead.
    sign : {"signed", "size", "down"}
        How a number in a text compares with the measured one: as it stands, by its size (``S 1.2
        mV``), or turned over (``ST depression 1 mm``).
    """

    label: str
    names: tuple[str, ...]
    kind: UnitKind
    phrases: tuple[str, ...]
    per_lead: bool = False
    sign: Sign = "signed"


def _interval(name: str, key: str, *more: str) -> tuple[str, ...]:
    """Write the usual names of an interval."""
    return (f"{name} interval", f"{name} duration", name, key, *more)


MEASURED: dict[str, MeasuredWord] = {
    "heart_rate": MeasuredWord(
        "heart rate",
        ("heart_rate_bpm",),
        "rate",
        (
            "heart rate",
            "ventricular rate",
            "ventricular response",
            "vent rate",
            "rate",
            "HR",
            "sinus rate",
        ),
    ),
    "atrial_rate": MeasuredWord(
        "atrial rate",
        ("atrial_rate_bpm",),
        "rate",
        ("atrial rate", "[atrial|fibrillatory] waves"),
    ),
    "rr": MeasuredWord(
        "mean RR",
        ("rr_ms",),
        "time",
        _interval("RR", "R-R", "R-R interval", "cycle length", "mean RR"),
    ),
    "rr_max": MeasuredWord(
        "longest RR",
        ("rr_max_ms",),
        "time",
        ("[longest|maximal|maximum|max] RR[| interval]", "RR max"),
    ),
    "rr_min": MeasuredWord("shortest RR", ("rr_min_ms",), "time", ("shortest RR[| interval]",)),
    "rr_cv": MeasuredWord(
        "variation of RR",
        ("rr_cv",),
        "ratio",
        ("RR variability", "variation of RR", "RR [variation|varying|varies]"),
    ),
    "p": MeasuredWord(
        "P duration",
        ("p_ms", "p_global_ms"),
        "time",
        ("P[|-wave| wave] [duration|width]", "duration of the P wave"),
    ),
    "pr": MeasuredWord(
        "PR interval",
        ("pr_ms", "pr_global_ms"),
        "time",
        _interval(
            "PR", "PQ", "PQ interval", "P-R", "P-R interval", "P-Q interval", "AV conduction"
        ),
    ),
    "qrs": MeasuredWord(
        "QRS duration",
        ("qrs_ms", "qrs_global_ms"),
        "time",
        _interval(
            "QRS", "QRSd", "QRS width", "QRS complex", "width of the QRS", "duration of the QRS"
        ),
    ),
    "qt": MeasuredWord(
        "QT interval", ("qt_ms", "qt_global_ms"), "time", _interval("QT", "Q-T", "uncorrected QT")
    ),
    "qtc": MeasuredWord(
        "QTc",
        ("qtc_fridericia_ms", "qtc_bazett_ms"),
        "time",
        _interval("QTc", "corrected QT", "corrected QT interval", "rate-corrected QT[| interval]"),
    ),
    "qtc_fridericia": MeasuredWord(
        "QTc (Fridericia)",
        ("qtc_fridericia_ms",),
        "time",
        (
            "QTcF",
            "QTc[| interval] (Fridericia)",
            "Fridericia QTc",
            "Fridericia-corrected QT[| interval]",
            "QTc by Fridericia",
            "QTc Fridericia",
            "QT[| interval] corrected [by|with|after] Fridericia",
        ),
    ),
    "qtc_bazett": MeasuredWord(
        "QTc (Bazett)",
        ("qtc_bazett_ms",),
        "time",
        (
            "QTcB",
            "QTc[| interval] (Bazett)",
            "Bazett QTc",
            "Bazett-corrected QT[| interval]",
            "QTc by Bazett",
            "QTc Bazett",
            "QT[| interval] corrected [by|with|after] Bazett",
        ),
    ),
    "jt": MeasuredWord("JT interval", ("jt_ms", "jt_global_ms"), "time", ("JT interval", "JT")),
    "qt_dispersion": MeasuredWord(
        "QT dispersion", ("qt_dispersion_ms",), "time", ("QT dispersion", "dispersion of QT")
    ),
    "p_axis": MeasuredWord("P axis", ("p_axis_deg",), "angle", ("P[|-wave| wave] axis",)),
    "qrs_axis": MeasuredWord(
        "QRS axis",
        ("qrs_axis_deg",),
        "angle",
        (
            "[|mean |frontal ]QRS axis",
            "[electrical|frontal|frontal plane|heart|cardiac|mean|mean electrical] axis",
            "axis",
        ),
    ),
    "t_axis": MeasuredWord("T axis", ("t_axis_deg",), "angle", ("T[|-wave| wave] axis",)),
    "p_amp": MeasuredWord(
        "P amplitude",
        ("p_mv", "p_pos_mv", "p_neg_mv"),
        "voltage",
        ("P[|-wave| wave] [amplitude|height|voltage]", "P wave"),
        per_lead=True,
    ),
    "q_amp": MeasuredWord(
        "Q amplitude",
        ("q_mv",),
        "voltage",
        ("Q[|-wave| wave] [amplitude|depth|voltage]", "depth of the Q wave"),
        per_lead=True,
        sign="size",
    ),
    "q_dur": MeasuredWord(
        "Q duration", ("q_ms",), "time", ("Q[|-wave| wave] [duration|width]",), per_lead=True
    ),
    "r_amp": MeasuredWord(
        "R amplitude",
        ("r_mv", "qrs_max_mv"),
        "voltage",
        ("R[|-wave| wave] [amplitude|height|voltage]", "R wave"),
        per_lead=True,
        sign="size",
    ),
    "s_amp": MeasuredWord(
        "S amplitude",
        ("s_mv", "qrs_min_mv"),
        "voltage",
        ("S[|-wave| wave] [amplitude|depth|voltage]", "S wave"),
        per_lead=True,
        sign="size",
    ),
    "r2_amp": MeasuredWord(
        "R' amplitude", ("r2_mv",), "voltage", ("R'[| wave] amplitude",), per_lead=True, sign="size"
    ),
    "r_dur": MeasuredWord(
        "R duration", ("r_ms",), "time", ("R[|-wave| wave] [duration|width]",), per_lead=True
    ),
    "s_dur": MeasuredWord(
        "S duration", ("s_ms",), "time", ("S[|-wave| wave] [duration|width]",), per_lead=True
    ),
    "r_peak": MeasuredWord(
        "time to R peak",
        ("r_peak_ms",),
        "time",
        ("time to R peak", "R[|-wave| wave] peak time", "intrinsicoid deflection"),
        per_lead=True,
    ),
    "qrs_amp": MeasuredWord(
        "QRS peak to peak",
        ("qrs_span_mv",),
        "voltage",
        ("QRS [amplitude|voltage]", "QRS peak to peak"),
        per_lead=True,
        sign="size",
    ),
    "qrs_max": MeasuredWord(
        "tallest upward QRS deflection",
        ("qrs_max_mv",),
        "voltage",
        ("tallest upward QRS deflection",),
        per_lead=True,
        sign="size",
    ),
    "qrs_min": MeasuredWord(
        "deepest downward QRS deflection",
        ("qrs_min_mv",),
        "voltage",
        ("deepest downward QRS deflection",),
        per_lead=True,
        sign="size",
    ),
    "st": MeasuredWord(
        "ST level",
        ("st_j_mv", "st_j60_mv", "st_j80_mv"),
        "voltage",
        ("ST[| segment|-segment| level| amplitude]", "ST[| segment] deviation of"),
        per_lead=True,
    ),
    "st_j": MeasuredWord(
        "ST at J",
        ("st_j_mv",),
        "voltage",
        ("ST at [the |]J[| point|-point]", "STJ", "J point"),
        per_lead=True,
    ),
    "st_j60": MeasuredWord(
        "ST at J+60 ms",
        ("st_j60_mv",),
        "voltage",
        (
            "ST at J+60[| ms]",
            "ST[| level] [at |]60 ms after [the |]J[| point]",
            "J+60[| ms]",
            "ST60",
        ),
        per_lead=True,
    ),
    "st_j80": MeasuredWord(
        "ST at J+80 ms",
        ("st_j80_mv",),
        "voltage",
        (
            "ST at J+80[| ms]",
            "ST[| level] [at |]80 ms after [the |]J[| point]",
            "J+80[| ms]",
            "ST80",
        ),
        per_lead=True,
    ),
    "st_elevation": MeasuredWord(
        "ST elevation", ("st_j_mv", "st_j60_mv", "st_j80_mv"), "voltage", (), per_lead=True
    ),
    "st_depression": MeasuredWord(
        "ST depression",
        ("st_j_mv", "st_j60_mv", "st_j80_mv"),
        "voltage",
        (),
        per_lead=True,
        sign="down",
    ),
    "st_slope": MeasuredWord(
        "ST slope", ("st_slope_mv_s",), "slope", ("ST slope", "slope of the ST"), per_lead=True
    ),
    "t_amp": MeasuredWord(
        "T amplitude",
        ("t_mv", "t_pos_mv", "t_neg_mv"),
        "voltage",
        ("T[|-wave| wave] [amplitude|height|voltage]", "T wave"),
        per_lead=True,
    ),
    "t_inversion": MeasuredWord(
        "T inversion", ("t_mv", "t_neg_mv"), "voltage", (), per_lead=True, sign="down"
    ),
    "p_terminal": MeasuredWord(
        "P terminal force",
        ("p_terminal_mv_ms",),
        "force",
        ("P[|-wave| wave] terminal force", "PTF", "PTFV1", "terminal P force"),
        per_lead=True,
        sign="size",
    ),
    "sokolow": MeasuredWord(
        "Sokolow-Lyon voltage",
        ("sokolow_mv",),
        "voltage",
        ("Sokolow-Lyon[| index| voltage| sum| criterion]", "Sokolow[| index]"),
        sign="size",
    ),
    "cornell": MeasuredWord(
        "Cornell voltage",
        ("cornell_mv",),
        "voltage",
        ("Cornell[| index| voltage| sum| criterion]",),
        sign="size",
    ),
}
"""Quantities by the name that claims use."""

_OF_A_RATE = (
    *("SR", "STACH", "SBRAD", "SARRH", "AFIB", "AFLT", "SVTAC", "PSVT", "PACE", "3AVB"),
    *("junctional_rhythm", "idioventricular_rhythm", "wide_qrs_tachycardia"),
    *("ventricular_tachycardia", "extreme_bradycardia", "extreme_tachycardia"),
)
ASIDE_OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("STE_", "stemi"), ("st_elevation",)),
    "STD_": ("st_depression",),
    "st_changes": ("st",),
    "INVT": ("t_inversion",),
    "QWAVE": ("q_amp", "q_dur"),
    **dict.fromkeys(("tall_t", "LOWT"), ("t_amp",)),
    **dict.fromkeys(("1AVB", "LPR", "short_pr"), ("pr",)),
    **dict.fromkeys(("LNGQT", "very_long_qt", "short_qt"), ("qtc",)),
    **dict.fromkeys(("left_axis", "right_axis", "extreme_axis", "axis_deviation"), ("qrs_axis",)),
    **dict.fromkeys(members("bundle_branch_block"), ("qrs",)),
    **dict.fromkeys(("bundle_branch_block", "IVCD"), ("qrs",)),
    **dict.fromkeys(("pause", "long_pause"), ("rr_max",)),
    **dict.fromkeys(_OF_A_RATE, ("heart_rate",)),
}
"""What a number beside a finding measures: ``LBBB (142 ms)``, ``sinus rhythm at 75 bpm``."""

ALL_LEADS = ("all leads", "every lead", "each lead", "all 12 leads", "all twelve leads")
TERRITORIES: dict[str, tuple[str, ...]] = {
    "inferior": INFERIOR,
    "lateral": LATERAL,
    "high lateral": ("I", "aVL"),
    "low lateral": ("V5", "V6"),
    "septal": SEPTAL,
    "anterior": ANTERIOR,
    "anteroseptal": ("V1", "V2", "V3", "V4"),
    "anterolateral": ("I", "aVL", "V3", "V4", "V5", "V6"),
    "inferolateral": (*INFERIOR, "I", "aVL", "V5", "V6"),
    "right precordial": ("V1", "V2", "V3"),
    "left precordial": ("V4", "V5", "V6"),
    "precordial": PRECORDIAL_LEADS,
    "chest": PRECORDIAL_LEADS,
    "limb": LIMB_LEADS,
    **dict.fromkeys(ALL_LEADS, STANDARD_12),
    "diffuse": STANDARD_12,
    "widespread": STANDARD_12,
}
"""Walls and regions, and the leads that look at them."""


def without_formula(subject: str) -> str:
    """Take the QTc by whatever formula for the same quantity.

    Parameters
    ----------
    subject : str
        A name of `MEASURED`.

    Returns
    -------
    str

    Examples
    --------
    >>> without_formula("qtc_bazett"), without_formula("qt")
    ('qtc', 'qt')
    """
    return "qtc" if subject.startswith("qtc") else subject


BY_SEX_QTC = {
    sex: min(v for (s, _), v in LONG_QTC_MS.items() if s == sex) for sex in ("female", "male")
}
"""Longest normal QTc, ms."""

BRADYCARDIA_BPM = (SLOW_BPM, 60.0)
"""Rates below which texts speak of bradycardia: guidelines differ, both are accepted."""

LIMITS: dict[str, tuple[float | None, float | None]] = {
    "heart_rate": (SLOW_BPM, FAST_BPM),
    "pr": (SHORT_PR_MS, LONG_PR_MS),
    "qrs": (None, WIDE_MS),
    "qtc": (SHORT_QTC_MS, None),
    "p": (None, 120.0),
    "qrs_axis": (-30.0, 90.0),
    "rr_cv": (None, 0.10),
}
"""What is normal in adults; the upper limit of QTc depends on sex (`BY_SEX_QTC`)."""

KNOWN_THRESHOLDS: dict[str, tuple[float, ...]] = {
    "heart_rate": (*BRADYCARDIA_BPM, FAST_BPM, 40.0, 50.0, 130.0, 150.0),
    "atrial_rate": (220.0, 250.0, 350.0),
    "pr": (SHORT_PR_MS, LONG_PR_MS),
    "qrs": (90.0, 100.0, 110.0, WIDE_MS),
    "qt": (),
    "qtc": (SHORT_QTC_MS, *BY_SEX_QTC.values(), 500.0),
    "p": (110.0, 120.0),
    "qrs_axis": (-90.0, -45.0, -30.0, 90.0, 180.0, -180.0),
    "p_axis": (0.0, 75.0, -30.0, 105.0),
    "rr_max": (2000.0, 3000.0),
    **dict.fromkeys(("st", "st_j", "st_elevation"), (0.05, 0.1, 0.15, 0.2, 0.25)),
    **dict.fromkeys(("st_j60", "st_j80"), (0.03, 0.05, 0.1)),
    "st_depression": (0.05, 0.1),
    "t_inversion": (0.1,),
    "q_dur": (20.0, 30.0, 40.0),
    "q_amp": (0.1,),
    "r_peak": (50.0, 60.0),
    "sokolow": (3.5,),
    "cornell": (2.0, 2.8),
    "r_amp": (1.1, 0.3),
    "qrs_amp": (0.5, 1.0),
    "p_amp": (0.15, 0.25),
    "p_terminal": (4.0,),
}
"""Limits of published criteria that a text may quote, in the claim's unit."""

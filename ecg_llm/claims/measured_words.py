"""How clinicians write measured values: names of quantities, units, leads, walls, normal limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ecg_llm.amplitudes import UNITS as UNITS_OF_LEADS
from ecg_llm.findings.av_block import LONG_PR_MS, SHORT_PR_MS
from ecg_llm.findings.case import LABELS
from ecg_llm.findings.conduction import WIDE_MS
from ecg_llm.findings.infarction import BY_WALL
from ecg_llm.findings.qt import LONG_QTC_MS, SHORT_QTC_MS
from ecg_llm.findings.rhythm import FAST_BPM, SLOW_BPM
from ecg_llm.findings.territories import ANTERIOR, INFERIOR, LATERAL, SEPTAL
from ecg_llm.leads import LIMB_LEADS, PRECORDIAL_LEADS, STANDARD_12
from ecg_llm.vocabulary import expand, members

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
    values : str
        Names of the measured values any of which may be meant, the usual one first.
    words : str
        How it is written: a pattern as for `ecg_llm.vocabulary.expand`.
    label : str
        Its name in reports; by default that of its usual value.
    normal : tuple of (float or None, float or None) or None
        Lower and upper limit in adults, where texts call it normal or not.
    quoted : tuple of float
        Limits of published criteria that a text may quote, in the claim's unit.
    tolerance : float or None
        How far a number in a text may lie from the measured one, where not as far as others of
        its unit.
    sign : {"signed", "size", "down"}
        How a number in a text compares with the measured one: as it stands, by its size (``S 1.2
        mV``), or turned over (``ST depression 1 mm``).
    """

    values: str
    words: str
    label: str = ""
    normal: tuple[float | None, float | None] | None = None
    quoted: tuple[float, ...] = ()
    tolerance: float | None = None
    sign: Sign = "signed"

    def __post_init__(self) -> None:
        if not self.label:
            object.__setattr__(self, "label", LABELS[self.names[0]])

    @property
    def names(self) -> tuple[str, ...]:
        """Its measured values, the usual one first."""
        return tuple(self.values.split())

    @property
    def per_lead(self) -> bool:
        """Whether it is a value of one lead."""
        return self.names[0] in _OF_LEADS

    @property
    def phrases(self) -> tuple[str, ...]:
        """How it is written, all alternatives."""
        return tuple(" ".join(text.split()) for text in expand(self.words) if text)

    @property
    def kind(self) -> UnitKind:
        """What it is measured in, as the names of its values end."""
        return next(kind for end, kind in _ENDS.items() if self.values.split()[0].endswith(end))


_ENDS: dict[str, UnitKind] = {
    "_mv_ms": "force",
    "_mv_s": "slope",
    "_mv": "voltage",
    "_ms": "time",
    "_bpm": "rate",
    "_deg": "angle",
    "_cv": "ratio",
}
BY_SEX_QTC = {
    sex: min(v for (s, _), v in LONG_QTC_MS.items() if s == sex) for sex in ("female", "male")
}
"""Longest normal QTc, ms."""
BRADYCARDIA_BPM = (SLOW_BPM, 60.0)
"""Rates below which texts speak of bradycardia: guidelines differ, both are accepted."""
_ST = (0.05, 0.1, 0.15, 0.2, 0.25)

_OF_LEADS = {*UNITS_OF_LEADS, "qrs_span_mv"} - {"p_ms", "pr_ms", "qrs_ms", "qt_ms"}
"""Values of single leads; of these intervals texts name that of the record."""

MEASURED: dict[str, MeasuredWord] = {
    "heart_rate": MeasuredWord(
        "heart_rate_bpm",
        "heart rate | ventricular rate | ventricular response | vent rate | rate | HR | sinus rate",
        normal=(SLOW_BPM, FAST_BPM),
        quoted=(*BRADYCARDIA_BPM, FAST_BPM, 40.0, 50.0, 130.0, 150.0),
    ),
    "atrial_rate": MeasuredWord(
        "atrial_rate_bpm",
        "atrial rate | [atrial|fibrillatory] waves",
        quoted=(220.0, 250.0, 350.0),
        tolerance=5.0,
    ),
    "rr": MeasuredWord(
        "rr_ms",
        "RR interval | RR duration | RR | R-R | R-R interval | cycle length | mean RR",
        tolerance=20.0,
    ),
    "rr_max": MeasuredWord(
        "rr_max_ms",
        "[longest|maximal|maximum|max] RR[| interval] | RR max",
        quoted=(2000.0, 3000.0),
        tolerance=20.0,
    ),
    "rr_min": MeasuredWord("rr_min_ms", "shortest RR[| interval]", tolerance=20.0),
    "rr_cv": MeasuredWord(
        "rr_cv",
        "RR variability | variation of RR | RR [variation|varying|varies]",
        normal=(None, 0.10),
    ),
    "p": MeasuredWord(
        "p_ms p_global_ms",
        "P[|-wave| wave] [duration|width] | duration of the P wave",
        normal=(None, 120.0),
        quoted=(110.0, 120.0),
    ),
    "pr": MeasuredWord(
        "pr_ms pr_global_ms",
        "PR interval | PR duration | PR | PQ | PQ interval | P-R | P-R interval | P-Q interval | "
        "AV conduction",
        normal=(SHORT_PR_MS, LONG_PR_MS),
        quoted=(SHORT_PR_MS, LONG_PR_MS),
    ),
    "qrs": MeasuredWord(
        "qrs_ms qrs_global_ms",
        "QRS interval | QRS duration | QRS | QRSd | QRS width | QRS complex | width of the QRS | "
        "duration of the QRS",
        normal=(None, WIDE_MS),
        quoted=(90.0, 100.0, 110.0, WIDE_MS),
    ),
    "qt": MeasuredWord(
        "qt_ms qt_global_ms", "QT interval | QT duration | QT | Q-T | uncorrected QT"
    ),
    "qtc": MeasuredWord(
        "qtc_fridericia_ms qtc_bazett_ms",
        "QTc interval | QTc duration | QTc | corrected QT | corrected QT interval | "
        "rate-corrected QT[| interval]",
        label="QTc",
        normal=(SHORT_QTC_MS, None),
        quoted=(SHORT_QTC_MS, *BY_SEX_QTC.values(), 500.0),
    ),
    "qtc_fridericia": MeasuredWord(
        "qtc_fridericia_ms",
        "QTcF | QTc[| interval] (Fridericia) | Fridericia QTc | "
        "Fridericia-corrected QT[| interval] | QTc by Fridericia | QTc Fridericia | "
        "QT[| interval] corrected [by|with|after] Fridericia",
    ),
    "qtc_bazett": MeasuredWord(
        "qtc_bazett_ms",
        "QTcB | QTc[| interval] (Bazett) | Bazett QTc | Bazett-corrected QT[| interval] | "
        "QTc by Bazett | QTc Bazett | QT[| interval] corrected [by|with|after] Bazett",
    ),
    "jt": MeasuredWord("jt_ms jt_global_ms", "JT interval | JT"),
    "qt_dispersion": MeasuredWord(
        "qt_dispersion_ms", "QT dispersion | dispersion of QT", label="QT dispersion"
    ),
    "p_axis": MeasuredWord("p_axis_deg", "P[|-wave| wave] axis", quoted=(0.0, 75.0, -30.0, 105.0)),
    "qrs_axis": MeasuredWord(
        "qrs_axis_deg",
        "[|mean |frontal ]QRS axis | "
        "[electrical|frontal|frontal plane|heart|cardiac|mean|mean electrical] axis | axis",
        normal=(-30.0, 90.0),
        quoted=(-90.0, -45.0, -30.0, 90.0, 180.0, -180.0),
    ),
    "t_axis": MeasuredWord("t_axis_deg", "T[|-wave| wave] axis"),
    "p_amp": MeasuredWord(
        "p_mv p_pos_mv p_neg_mv",
        "P[|-wave| wave] [amplitude|height|voltage] | P wave",
        quoted=(0.15, 0.25),
    ),
    "q_amp": MeasuredWord(
        "q_mv",
        "Q[|-wave| wave] [amplitude|depth|voltage] | depth of the Q wave",
        quoted=(0.1,),
        sign="size",
    ),
    "q_dur": MeasuredWord(
        "q_ms",
        "Q[|-wave| wave] [duration|width]",
        quoted=(20.0, 30.0, 40.0),
        tolerance=6.0,
    ),
    "r_amp": MeasuredWord(
        "r_mv qrs_max_mv",
        "R[|-wave| wave] [amplitude|height|voltage] | R wave",
        quoted=(1.1, 0.3),
        sign="size",
    ),
    "s_amp": MeasuredWord(
        "s_mv qrs_min_mv",
        "S[|-wave| wave] [amplitude|depth|voltage] | S wave",
        sign="size",
    ),
    "r2_amp": MeasuredWord("r2_mv", "R'[| wave] amplitude", sign="size"),
    "r_dur": MeasuredWord("r_ms", "R[|-wave| wave] [duration|width]"),
    "s_dur": MeasuredWord("s_ms", "S[|-wave| wave] [duration|width]"),
    "r_peak": MeasuredWord(
        "r_peak_ms",
        "time to R peak | R[|-wave| wave] peak time | intrinsicoid deflection",
        quoted=(50.0, 60.0),
    ),
    "qrs_amp": MeasuredWord(
        "qrs_span_mv",
        "QRS [amplitude|voltage] | QRS peak to peak",
        label="QRS peak to peak",
        quoted=(0.5, 1.0),
        sign="size",
    ),
    "qrs_max": MeasuredWord("qrs_max_mv", "tallest upward QRS deflection", sign="size"),
    "qrs_min": MeasuredWord("qrs_min_mv", "deepest downward QRS deflection", sign="size"),
    "st": MeasuredWord(
        "st_j_mv st_j60_mv st_j80_mv",
        "ST[| segment|-segment| level| amplitude] | ST[| segment] deviation of",
        label="ST level",
        quoted=_ST,
        tolerance=0.03,
    ),
    "st_j": MeasuredWord(
        "st_j_mv",
        "ST at [the |]J[| point|-point] | STJ | J point",
        quoted=_ST,
        tolerance=0.03,
    ),
    "st_j60": MeasuredWord(
        "st_j60_mv",
        "ST at J+60[| ms] | ST[| level] [at |]60 ms after [the |]J[| point] | J+60[| ms] | ST60",
        quoted=(0.03, 0.05, 0.1),
        tolerance=0.03,
    ),
    "st_j80": MeasuredWord(
        "st_j80_mv",
        "ST at J+80[| ms] | ST[| level] [at |]80 ms after [the |]J[| point] | J+80[| ms] | ST80",
        quoted=(0.03, 0.05, 0.1),
        tolerance=0.03,
    ),
    "st_elevation": MeasuredWord(
        "st_j_mv st_j60_mv st_j80_mv",
        "",
        label="ST elevation",
        quoted=_ST,
        tolerance=0.03,
    ),
    "st_depression": MeasuredWord(
        "st_j_mv st_j60_mv st_j80_mv",
        "",
        label="ST depression",
        quoted=(0.05, 0.1),
        tolerance=0.03,
        sign="down",
    ),
    "st_slope": MeasuredWord("st_slope_mv_s", "ST slope | slope of the ST"),
    "t_amp": MeasuredWord(
        "t_mv t_pos_mv t_neg_mv",
        "T[|-wave| wave] [amplitude|height|voltage] | T wave",
    ),
    "t_inversion": MeasuredWord(
        "t_mv t_neg_mv", "", label="T inversion", quoted=(0.1,), sign="down"
    ),
    "p_terminal": MeasuredWord(
        "p_terminal_mv_ms",
        "P[|-wave| wave] terminal force | PTF | PTFV1 | terminal P force",
        quoted=(4.0,),
        sign="size",
    ),
    "sokolow": MeasuredWord(
        "sokolow_mv",
        "Sokolow-Lyon[| index| voltage| sum| criterion] | Sokolow[| index]",
        label="Sokolow-Lyon voltage",
        quoted=(3.5,),
        sign="size",
    ),
    "cornell": MeasuredWord(
        "cornell_mv",
        "Cornell[| index| voltage| sum| criterion]",
        label="Cornell voltage",
        quoted=(2.0, 2.8),
        sign="size",
    ),
}
"""Quantities by the name that claims use."""
LIMITS = {name: word.normal for name, word in MEASURED.items() if word.normal is not None}
"""What is normal in adults; the upper limit of QTc depends on sex (`BY_SEX_QTC`)."""

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

SIGNS: dict[str, tuple[str, ...]] = {
    **{
        sign: (sign,)
        for sign in ("STE_", "STD_", "INVT", "t_turned", "st_level", "LOWT", "tall_t", "QWAVE")
    },
    "r_over_s": ("r_over_s",),
    **dict.fromkeys(("NDT", "NT_", "TAB_"), ("INVT", "LOWT")),
    **dict.fromkeys(("st_changes", "NST_"), ("STE_", "STD_")),
    "st_t_changes": ("STE_", "STD_", "INVT", "LOWT"),
}
"""What a lead shows by its waves alone, and which of these make it."""
SHOWS_AS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("stemi", "early_repolarization", "pericarditis", "ANEUR", "brugada_1"), ("STE_",)
    ),
    **dict.fromkeys(("injury", *members("injury")), ("STD_",)),
    **dict.fromkeys(("mi", *BY_WALL.values(), "IPMI", "IPLMI"), ("QWAVE",)),
    **dict.fromkeys(members("ISC_"), ("STD_", "INVT")),
}
"""By what signs a diagnosis shows in one lead; it is judged as a whole besides."""

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

    Examples
    --------
    >>> without_formula("qtc_bazett"), without_formula("qt")
    ('qtc', 'qt')
    """
    return "qtc" if subject.startswith("qtc") else subject

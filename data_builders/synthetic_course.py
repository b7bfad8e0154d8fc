"""Events of the atria and the ventricles, and the plan that a rhythm follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ecg_llm.beats import BeatClass

PSource = Literal["sinus", "ectopic", "retrograde", "paced"]
Ectopy = Literal[
    "none", "pac", "blocked_pac", "pvc", "multiform", "bigeminy", "trigeminy", "couplet", "fusion"
]

MARGIN_S = 2.5
"""Events are made this long before and after the record, for waves that reach into it."""


@dataclass
class AtrialEvent:
    """One activation of the atria.

    Attributes
    ----------
    on_s : float, s
        Onset of the P wave.
    source : {"sinus", "ectopic", "retrograde", "paced"}
        What made it.
    conducted : bool
        Whether a QRS follows from it.
    """

    on_s: float
    source: PSource = "sinus"
    conducted: bool = True


@dataclass
class VentricularEvent:
    """One activation of the ventricles.

    Attributes
    ----------
    on_s : float, s
        Onset of QRS.
    form : str
        Which morphology: ``conducted``, ``ventricular 0`` …, ``escape``, ``paced``, ``fusion``.
    kind : str
        Class of the beat.
    p : int or None
        Index of the P wave that led to it.
    """

    on_s: float
    form: str = "conducted"
    kind: BeatClass = "normal"
    p: int | None = None


@dataclass
class Course:
    """All events of one recording.

    Attributes
    ----------
    atria : list of AtrialEvent
        In the order they were made.
    ventricles : list of VentricularEvent
        Likewise.
    spikes : list of (float, str)
        Time and chamber of each pacing stimulus.
    drive : {"", "af", "flutter", "vf"}
        Continuous activity that has no single waves.
    flutter_bpm : float
        Rate of the flutter waves; NaN without.
    """

    atria: list[AtrialEvent] = field(default_factory=list)
    ventricles: list[VentricularEvent] = field(default_factory=list)
    spikes: list[tuple[float, str]] = field(default_factory=list)
    drive: Literal["", "af", "flutter", "vf"] = ""
    flutter_bpm: float = float("nan")

    def beat(
        self, on_s: float, pr_s: float, source: PSource = "sinus", kind: BeatClass = "normal"
    ) -> None:
        """Add a P wave and the QRS it leads to."""
        self.atria.append(AtrialEvent(on_s, source))
        self.ventricles.append(VentricularEvent(on_s + pr_s, kind=kind, p=len(self.atria) - 1))


@dataclass(frozen=True, kw_only=True)
class RhythmPlan:
    """What the rhythm shall be.

    Attributes
    ----------
    bpm : float, /min
        Of the ventricles; in AV block of the atria.
    pr_ms : float, ms
        PR of conducted beats.
    seconds : float, s
        Length of the record.
    escape_bpm : float, /min
        Of the escape rhythm in complete AV block and of dissociated pacing.
    ratio : int
        P waves (or flutter waves) to each QRS; 0 lets it vary.
    ectopy : str
        Premature beats over a sinus rhythm.
    ectopy_share : float
        Part of the beats that are followed by one where the pattern is irregular.
    qt_s : float, s
        About the QT, so that premature beats do not fall into the refractory time.
    variability : float
        Scale of all irregularity of healthy origin; 0 gives a metronome.
    retrograde : bool
        Whether the AV node's beats show a P wave after QRS.
    """

    bpm: float
    pr_ms: float = 160.0
    seconds: float = 10.0
    escape_bpm: float = 38.0
    ratio: int = 0
    ectopy: Ectopy = "none"
    ectopy_share: float = 0.2
    qt_s: float = 0.38
    variability: float = 1.0
    retrograde: bool = False

"""A grammar of many forms: patterns drawn at random, numbers and names in a style."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from random import Random
from typing import Literal

from ecg_llm.phrases import number
from ecg_llm.vocabulary import label, phrases

Style = Literal["terse", "prose", "headed"]
Node = str | tuple["Node", ...] | list["Node"]
"""Fixed text, a sequence, or (list) alternatives."""


@lru_cache(maxsize=4096)
def _parsed(pattern: str) -> tuple[Node, ...]:
    """Read ``[a|b] c`` as a sequence whose lists are alternatives."""
    stack: list[list[list[Node]]] = [[[]]]
    for piece in re.split(r"([\[\]|])", pattern):
        if piece == "[":
            stack.append([[]])
        elif piece == "|" and len(stack) > 1:
            stack[-1].append([])
        elif piece == "]" and len(stack) > 1:
            choices = stack.pop()
            stack[-1][-1].append([tuple(choice) for choice in choices])
        elif piece:
            stack[-1][-1].append(piece)
    return tuple(stack[0][0])


def draw(rng: Random, *patterns: str, **fields: str) -> str:
    """Write one of the forms of some patterns.

    Parameters
    ----------
    rng : Random
        Decides.
    *patterns : str
        With alternatives in brackets, which may be nested, and ``{names}`` of fields.
    **fields : str
        What stands for the names.

    Returns
    -------
    str
        Blanks are single; the first letter is left as it is.

    Examples
    --------
    >>> draw(Random(1), "[A|A] b[| ]{c}", c="d") in ("A bd", "A b d")
    True
    """
    text = _drawn(rng, _parsed(rng.choice(patterns)))
    return " ".join(text.format(**fields).split())


def _drawn(rng: Random, node: Node) -> str:
    if isinstance(node, str):
        return node
    if isinstance(node, list):
        return _drawn(rng, rng.choice(node))
    return "".join(_drawn(rng, part) for part in node)


@dataclass(frozen=True)
class Voice:
    """How one conversation is written.

    Attributes
    ----------
    rng : Random
        Decides what the style leaves open.
    style : {"terse", "prose", "headed"}
        As a machine prints, as a cardiologist writes, or under headings.
    seconds, millimetres : bool
        Intervals in s instead of ms, voltages in mm (at 10 mm/mV) instead of mV.
    minus : str
        Sign before negative numbers.
    rate : str
        Unit of rates.
    degrees : str
        Unit of angles.
    """

    rng: Random
    style: Style
    seconds: bool
    millimetres: bool
    minus: str
    rate: str
    degrees: str

    @classmethod
    def random(cls, rng: Random, style: Style | None = None) -> Voice:
        """Draw a style."""
        styles: tuple[Style, ...] = ("terse", "prose", "prose", "headed")
        chosen: Style = rng.choice(styles) if style is None else style
        return cls(
            rng=rng,
            style=chosen,
            seconds=rng.random() < 0.15,
            millimetres=rng.random() < 0.3,
            minus=rng.choice("−-"),
            rate=rng.choice((" bpm", " bpm", "/min", " beats per minute", " beats/min")),
            degrees=rng.choice(("°", "°", "°", " degrees")),
        )

    def amount(self, value: float, unit: str, rule: str = "") -> str:
        """Write a measured value, told apart from a limit that stands beside it."""
        if unit == "ms" and self.seconds and abs(value) >= 60 and not rule:
            text = f"{value / 1000:.2f} s"
        elif unit == "mV" and self.millimetres and abs(value) >= 0.095 and not rule:
            text = f"{value * 10:.1f} mm"
        elif unit in ("bpm", "/min"):
            text = f"{number(value, 'bpm', rule)}{self.rate}"
        elif unit == "deg":
            text = f"{number(value, unit, rule)}{self.degrees}"
        else:
            text = f"{number(value, unit, rule)} {unit}".rstrip()
        return text.replace("−", self.minus).replace("-", self.minus, 1 if text[0] == "-" else 0)

    def pick(self, *patterns: str, **fields: str) -> str:
        """Write one of the forms of some patterns, as `draw`."""
        return draw(self.rng, *patterns, **fields)


_NOT_SAID = re.compile(
    r"syndrome|kalaem|arrest|typical|reciprocal|horizontal|downsloping|functioning|acute|"
    r"subendocardial isch|Wolf-|auricular|regular sinus|normal sinus|wave \(|spikes|stimuli|"
    r"prolonged pause|long pause|sinus pause|ventricular pause|Positive|positive|modified|"
    r"voltage criteria$|diaphragmatic|respiratory|benign|mechanism|escape|accelerated|"
    r"extreme right|hyperacute|occlusion|current of|transmural|Brugada sign|Brugada ECG|"
    r"(ventricular|atrial) (bi|tri)geminy|digoxin|delta wave|^(LAD|RAD|STE|flutter|AFL|AF|SR|Afib|"
    r"AFib|A-fib|ST|Q wave|QS .*|MI|T wave|EL|1AVB|2AVB|3AVB|PSVC|APB|IV .*)$|axis (deviated|"
    r"shifted)|axis deviation (shift)|shift$|marked|profound|severe|dilatation|"
    r"non-diagnostic|loss of|strain pattern$|(?<!of )repolarization changes|"
    r"^(septal|anteroseptal wall)|Twave|left-axis|right-axis|phenomenon|periodicity|"
    r"first-grade|second-grade|1°|2°|3°|partial|sinus brady$|"
    r"sinus tach$|fib$|supraventricular premature|^(left |right )?bundle block"
)
_ONLY = {
    "ANEUR": ("ST elevation over Q waves, as with an aneurysm",),
    "pericarditis": ("ST elevation as in pericarditis",),
    "brugada_1": ("Brugada type 1 pattern", "type 1 Brugada pattern", "Brugada pattern"),
    "tall_t": ("tall peaked T waves", "tall T waves", "peaked T waves", "tented T waves"),
    "lead_reversal": ("electrode reversal", "lead reversal", "electrode misplacement", "lead swap"),
    "de_winter": ("de Winter pattern",),
    "sgarbossa": ("Sgarbossa criteria in left bundle branch block",),
    "DIG": ("ST-T shape as with digitalis",),
    "stemi": (
        "ST elevation as in acute coronary occlusion",
        "STEMI pattern",
        "ST-elevation myocardial infarction",
        "STEMI",
    ),
    "SARRH": ("sinus arrhythmia",),
    "WPW": ("ventricular pre-excitation (WPW pattern)", "pre-excitation", "WPW pattern"),
    "NORM": ("normal ECG", "normal tracing", "normal electrocardiogram", "unremarkable ECG"),
}
"""Names where the longer list holds some that claim more than the criteria do."""
_PLURAL = re.compile(
    r"\b(complex|beat|contraction|wave|PAC|APC|SVES|PVC|VPC|VPB|VES|extrasystole)$"
)
_COUNTED = re.compile(
    r"\b(interval|pattern|pause|couplet|pair|run|salvo|triplet|QTc|QT|PR|PQ|delay|defect|"
    r"disturbance|segment|abnormality|aneurysm|pause of .*|shape as .*|QTc of .*|paced rhythm|"
    r"junctional rhythm|nodal rhythm|idioventricular rhythm|pacemaker rhythm|"
    r"rate (above|below) .*|injury pattern|beats)$"
)


@cache
def names(code: str) -> tuple[str, ...]:
    """List the names of a finding that say neither more nor less than its criteria.

    Returns
    -------
    tuple of str
        What can be counted is in the plural.

    Examples
    --------
    >>> "LBBB" in names("CLBBB"), "PVCs" in names("PVC"), "hyperkalaemia" in names("tall_t")
    (True, True, False)
    """
    if code in _ONLY:
        return _ONLY[code]
    every = (label(code), *phrases(code))
    chosen = [_plural(text) for text in every if not _NOT_SAID.search(text)]
    return tuple(dict.fromkeys(chosen)) or (label(code),)


def _plural(name: str) -> str:
    if not _PLURAL.search(name):
        return name
    return name + ("es" if name.endswith("x") else "s")


def is_plural(name: str) -> bool:
    """Tell whether a name takes a verb in the plural."""
    if name.startswith("voltage criteria"):
        return True
    last = name.split(",")[0].split(" as in")[0].split()[-1]
    return (
        last in ("waves", "complexes", "beats", "contractions", "changes", "abnormalities")
        or (
            (last.endswith(("s", "Cs", "Bs")) and last[:-1] in _ABBREVIATED)
            or last.endswith("systoles")
        )
        or last in ("ectopics", "effects", "elevations", "depressions", "inversions", "voltages")
    )


_ABBREVIATED = ("PAC", "APC", "SVES", "PVC", "VPC", "VPB", "VES")


def with_article(name: str) -> str:
    """Put ``a`` or ``an`` before what can be counted.

    Examples
    --------
    >>> with_article("short PR interval"), with_article("LBBB"), with_article("PVCs")
    ('a short PR interval', 'LBBB', 'PVCs')
    """
    if is_plural(name) or not _COUNTED.search(name.split(", ")[0]):
        return name
    return f"{'an' if name[0] in 'aeiouAEIOF' else 'a'} {name}"


def capital(text: str) -> str:
    """Begin with a capital, leaving names of leads and units as they are."""
    return text if text.startswith(("aV", "mV")) else text[:1].upper() + text[1:]

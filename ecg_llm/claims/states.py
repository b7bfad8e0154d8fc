"""Read findings, and quantities that are called normal, prolonged, short, irregular …"""

from __future__ import annotations

from collections.abc import Sequence

from ecg_llm.claims.lexicon import Item, Place, at, scan
from ecg_llm.claims.measured_words import ASIDE_OF
from ecg_llm.claims.scope import Scope
from ecg_llm.vocabulary import GROUPS

State = tuple[int, int, str, str, bool]
"""First item, last item, quantity, state, whether it is denied."""

_SHAPES: dict[tuple[str, str], tuple[str, bool]] = {
    ("st", "elevated"): ("STE_", False),
    ("st", "depressed"): ("STD_", False),
    ("st", "isoelectric"): ("st_level", True),
    ("st", "normal"): ("st_changes", True),
    ("st", "abnormal"): ("st_changes", False),
    ("t_amp", "inverted"): ("INVT", False),
    ("t_amp", "negative"): ("INVT", False),
    ("t_amp", "upright"): ("t_turned", True),
    ("t_amp", "positive"): ("t_turned", True),
    ("t_amp", "flat"): ("LOWT", False),
    ("t_amp", "flattened"): ("LOWT", False),
    ("t_amp", "low"): ("LOWT", False),
    ("t_amp", "peaked"): ("tall_t", False),
    ("t_amp", "tall"): ("tall_t", False),
    ("t_amp", "tented"): ("tall_t", False),
    ("t_amp", "normal"): ("TAB_", True),
    ("t_amp", "abnormal"): ("TAB_", False),
    ("p_amp", "normal"): ("atrial_enlargement", True),
    ("p_amp", "abnormal"): ("atrial_enlargement", False),
    ("qrs_axis", "leftward"): ("left_axis", False),
    ("qrs_axis", "rightward"): ("right_axis", False),
    ("qrs_axis", "to the left"): ("left_axis", False),
    ("qrs_axis", "to the right"): ("right_axis", False),
}
_JUDGED = (
    "heart_rate",
    "atrial_rate",
    "pr",
    "qrs",
    "qt",
    "qtc",
    "qtc_fridericia",
    "qtc_bazett",
    "p",
    "qrs_axis",
    "p_axis",
    "t_axis",
    "rr",
)
_WORDS = ("high", "low", "narrow", "normal", "abnormal", "shape", "borderline")
_BEFORE_GAP = ("word", "and", "possible", "high", "low", "normal", "about")
_AFTER_GAP = {"word", "verb", "neg", "number", "unit", "about", "both", "formula", ",", "(", ")"}
_AFTER_GAP |= {"max", "unlikely", "possible", "plain", "dash", "general", "territory_word"}
_AFTER_GAP |= {"possible_post"}
_LEADS_ON = ("which", "thus", "hence", "therefore", "so")
_STOPS_BEFORE = ("at", "in", ".", "for", "with")
_BETWEEN = ("ventricular", "complex", "\n")
_HEADINGS = ("ISC_", *GROUPS)
_VERDICTS = ("neg", "neg_post", "seen", "possible", "unjudged", "unlikely")


def read_states(items: list[Item], reach: list[Scope]) -> tuple[list[State], list[Place]]:
    """Read the findings of a sentence, and what is said of quantities without a number."""
    states: list[State] = []
    findings: list[Place] = []
    for k, item in enumerate(items):
        match item.kind:
            case ">" if _compares_r(items, k):
                findings.append((k, "r_over_s", False, k + 1 + (at(items, k + 1).data == "the")))
            case "rhythm" if reach[k].certainty == "unjudged":
                states.append((k, k, "rhythm", "unknown", False))
            case "word" if item.data == "sinus" and _is_told_of_rhythm(items, k):
                findings.append((k, "SR", False, k))
            case "finding":
                if not _is_heading(items, k):
                    findings.append((k, *as_called(items, k)))
            case "nsr":
                findings.append((k, "SR", False, k))
                states.append((k, k, "heart_rate", "normal", reach[k].negated))
            case "good_r":
                findings.append((k, "poor_r_progression", True, k))
            case "abnormal_ecg":
                findings.append((k, "NORM", True, k))
            case "tachycardia" | "bradycardia":
                name = "high" if item.kind == "tachycardia" else "low"
                states.append((k, k, "heart_rate", name, reach[k].negated))
            case "regular" | "irregular" if at(items, k + 1).kind != "intervals":
                states.append((k, k, "rr_cv", item.kind, reach[k].negated))
            case "quantity" if item.data == "atrial_rate" and _equals_ventricular(items, k + 1):
                states.append((k, k, "atrial_rate", "ventricular", reach[k].negated))
            case "quantity" if item.data == "p_amp":
                if (negated := _p_waves(items, reach, k)) is not None:
                    states.append((k, k, "p_wave", "present", negated))
            case kind if kind in _WORDS:
                _judge_word(items, reach, k, states, findings)
            case _:
                pass
    _unjudged(items, reach, states)
    return states, findings


def as_called(items: Sequence[Item], k: int) -> tuple[str, bool, int]:
    """Read what is said behind a finding as if it stood before: ``the infarction is acute``."""
    code, j = items[k].data, k + 1
    if at(items, j).kind in ("verb", ","):
        j += 1
    if at(items, j).kind == "word":
        named = scan(f"{items[j].raw} {items[k].raw}")
        if len(named) == 1 and named[0].kind == "finding" and named[0].data != code:
            return named[0].data, False, j
    return code, False, k


def _compares_r(items: list[Item], k: int) -> bool:
    """Whether R is compared with S: ``R exceeds S``, ``the R wave is taller than the S wave``."""
    before = [item for item in items[max(0, k - 4) : k] if item.kind not in ("verb", "neg")]
    before = [item for item in before if item.data not in ("doe", "do")]
    other = at(items, k + 1 + (at(items, k + 1).data == "the"))
    return (
        bool(before)
        and (before[-1].data == "r_amp" or before[-1].raw == "R")
        and (other.data == "s_amp" or other.raw == "S")
    )


def _equals_ventricular(items: list[Item], k: int) -> bool:
    """Whether ``equals the ventricular rate`` follows."""
    named = k
    while at(items, named).kind == "verb" or at(items, named).data in _EQUAL:
        named += 1
    return named > k and at(items, named).data == "heart_rate"


_EQUAL = ("the", "same", "as", "to", "equal", "identical", "with")


def _is_told_of_rhythm(items: list[Item], k: int) -> bool:
    """Whether a word says what the rhythm is: ``the basic rhythm is sinus``."""
    rhythm = at(items, k - 2)
    named = rhythm.kind == "rhythm" or rhythm.data == "rhythm"
    return named and at(items, k - 1).kind in ("verb", ":")


def _is_heading(items: list[Item], k: int) -> bool:
    """Whether ``Ischaemia:`` or ``Intervals and axis:`` only opens a part of a report."""
    if k + 2 >= len(items) or items[k + 1].kind != ":":
        return False
    after = at(items, k + 2 + (items[k + 2].data == "the")).kind  # "Axis: The PR interval …"
    if items[k].kind == "quantity":
        return bool(after == "quantity")
    if items[k].data == "ISC_" and "st" in items[k].raw.lower().split("-")[0].split():
        return False  # "Ischaemic ST-T changes: T −0.2 mV in V3"
    return bool(items[k].data in _HEADINGS and after not in _VERDICTS)


def _p_waves(items: list[Item], reach: list[Scope], k: int) -> bool | None:
    """Tell whether P waves are denied (True), affirmed (False) or only named (None)."""
    if at(items, k + 1).kind in ("number", "shape", "normal"):
        return None
    if reach[k].negated:
        return True
    if at(items, k - 1).data in ("with", "there are"):
        return False
    for j, item in enumerate(items[k + 1 : k + 6], k + 1):
        if item.kind in ("seen", "neg_post") or item.data in ("precede", "preceding", "before"):
            return at(items, j + 1).raw == "0"
        if item.kind in ("number", "quantity", "finding", "end", "stop", ",", "neg"):
            return None
    return None


def _judge_word(
    items: list[Item], reach: list[Scope], k: int, states: list[State], findings: list[Place]
) -> None:
    """Apply one judging word to the quantities it belongs to."""
    word = items[k]
    if at(items, k - 1).kind in ("unit", "number") and word.raw.lower() in _OF_SIZE:
        return  # "QRS 98 ms wide" says how wide
    if _is_wide_tachycardia(items, k):
        findings.append((k, "wide_qrs_tachycardia", False, k + 1))
        return
    after = _quantities_after(items, k)
    names = after or _quantities_before(items, k)
    if not names and word.kind in ("normal", "abnormal") and _said_of_ecg(items, k):
        findings.append((k, "NORM", word.kind == "abnormal", k))
    if not names and word.raw.lower() in _SPEEDS and _is_rhythm(items, k + 1):
        names = [(k, "heart_rate")]
    if not names and word.kind == "narrow" and at(items, k + 1).kind == "counted":
        names = [(k, "qrs")]  # "narrow-complex tachycardia"
    if not names or _is_reference(items, k):
        return
    # Before its quantity the word shares the quantity's scope; after it, a "not" stands between.
    scope = reach[k]
    shown = str(word.data) if word.kind == "shape" else word.kind
    shown = shown.removeprefix("deviated ").removeprefix("shifted ")
    if word.kind == "borderline":
        shown = next((f"{end} limit" for end in ("upper", "lower") if end in word.data), shown)
    for place, name in names:
        turned = (name, shown if word.kind == "shape" else _generic(word))
        if turned in _SHAPES:
            code, flip = _SHAPES[turned]
            first = min(place, k)
            findings.append(
                (first, code, flip ^ (reach[first].negated != scope.local), max(place, k))
            )
        elif name in _JUDGED and word.kind != "shape":
            subject = {"qt": "qtc", "rr": "heart_rate"}.get(name, name)
            state = {"narrow": "high"}.get(shown, shown)
            if name == "rr":
                state = {"high": "low", "low": "high"}.get(state, state)
            denied = scope.local ^ (word.kind == "narrow")
            if word.kind == "abnormal":
                state, denied = "normal", not denied
            states.append((min(place, k), max(place, k), subject, state, denied))


_SPEEDS = ("slow", "fast", "rapid")
_OF_SIZE = ("tall", "wide", "high", "long")
_ECG = ("ecg", "ekg", "tracing", "electrocardiogram")


def _said_of_ecg(items: list[Item], k: int) -> bool:
    """Whether a word judges the whole: ``the tracing is unremarkable``, ``otherwise normal``."""
    if at(items, k - 1).data == "otherwise":
        return True
    before = items[max(0, k - 4) : k]
    named = [n for n, item in enumerate(before) if item.data in _ECG]
    told = before[named[-1] + 1 :] if named else []
    return bool(told) and all(item.kind in ("verb", "neg", "possible", "both") for item in told)


def _is_rhythm(items: list[Item], k: int) -> bool:
    """Whether a finding stands here that a rate is told of: ``slow atrial fibrillation``."""
    return at(items, k).kind == "finding" and ASIDE_OF.get(items[k].data) == ("heart_rate",)


def _is_wide_tachycardia(items: list[Item], k: int) -> bool:
    """Whether ``wide-QRS`` shares its noun with what follows: ``wide-QRS or sinus tachycardia``."""
    if items[k].raw.lower() not in ("wide", "broad") or len(items) < k + 3:
        return False
    if items[k + 1].kind != "quantity" or items[k + 1].data != "qrs":
        return False
    for item in items[k + 2 : k + 7]:
        if item.kind in ("finding", "tachycardia", "bradycardia"):
            return item.raw.lower().endswith(("tachycardia", "tachycardias"))
        if item.kind not in ("or", "(", ")", "/") and item.data not in _BETWEEN:
            return False
    return False


def _generic(word: Item) -> str:
    """Name a judging word for the table of shapes."""
    return str(word.data) if word.kind in ("shape", "low") else word.kind


def _quantities_after(items: list[Item], k: int) -> list[tuple[int, str]]:
    """Read ``normal PR, QRS and QTc``."""
    found: list[tuple[int, str]] = []
    j = k + 1
    while j < min(len(items), k + 12):
        item = items[j]
        if item.kind == "quantity":
            found.append((j, item.data))
        elif item.kind == "intervals":
            found += [] if found else [(j, name) for name in ("pr", "qrs", "qtc")]
            break
        elif found and item.kind in (",", "and", "or", "/"):
            # The list goes on only if another quantity follows at once.
            if not _another_follows(items, j + 1):
                break
        elif found or item.kind not in _BEFORE_GAP or j > k + 3 or item.data in _STOPS_BEFORE:
            break
        j += 1
    return found


def _another_follows(items: list[Item], j: int) -> bool:
    """Whether a list of quantities goes on, and not a new statement on another one."""
    if at(items, j).kind in ("and", "or"):
        j += 1
    if at(items, j).kind not in ("quantity", "intervals"):
        return False
    return at(items, j + 1).kind not in ("verb", "neg", "number", "neg_post", "unjudged", ":")


def _quantities_before(items: list[Item], k: int) -> list[tuple[int, str]]:
    """Read ``PR, QRS and QTc are normal``."""
    found: list[tuple[int, str]] = []
    everything = any(item.kind == "both" for item in items[max(0, k - 3) : k])
    single = any(item.raw in ("is", "was") for item in items[max(0, k - 3) : k])
    for j in range(k - 1, max(-1, k - 30), -1):
        item = items[j]
        if item.kind == "quantity":
            found.append((j, item.data))
        elif item.kind == "intervals":
            return [(j, name) for name in ("pr", "qrs", "qtc")]
        elif found and not everything:
            if single or item.kind not in (",", "and", "or", "/", "word") or not _listed(items, j):
                break
        elif not found and (item.kind in ("lead", "shape") or item.data in _LEADS_ON):
            continue
        elif item.kind not in _AFTER_GAP and item.kind not in ("and", "quantity"):
            break
    return found


def _listed(items: list[Item], j: int) -> bool:
    """Whether another quantity stands right before a comma or ``and``."""
    if items[j].kind == "word":
        return items[j].data == "the" and at(items, j - 1).kind in (",", "and")
    return at(items, j - 1).kind in ("quantity", ",")


def _is_reference(items: list[Item], k: int) -> bool:
    """Whether the word opens a range of normal values: ``(normal 120–200 ms)``."""
    if items[k].kind != "normal" or k == 0:
        return False
    after = at(items, k + 1)
    if after.kind == ":" or (after.kind == "word" and after.data == "is"):
        after = at(items, k + 2)
    limits = ("number", "<", ">", "<=", ">=", "max")
    return items[k - 1].kind in ("(", ",") and after.kind in limits


def _unjudged(items: list[Item], reach: list[Scope], states: list[State]) -> None:
    """Read ``PR cannot be measured``: quantities said to be unknown."""
    done = {place for first, last, *_ in states for place in (first, last)}
    for k, item in enumerate(items):
        unjudged = item.kind == "quantity" and reach[k].certainty == "unjudged"
        if unjudged and k not in done and not _is_heading(items, k):
            states.append((k, k, item.data, "unknown", False))

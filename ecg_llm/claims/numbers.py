"""Tell what each number of a sentence measures, in which lead, and how it is compared."""

from __future__ import annotations

from dataclasses import dataclass

from ecg_llm.claims.lexicon import REACH, Item, Place, at
from ecg_llm.claims.measured_words import ASIDE_OF, MEASURED, UNIT_OF, UNITS, UnitKind
from ecg_llm.leads import STANDARD_12


@dataclass
class Found:
    """A number and what was found out about it; filled in step by step."""

    place: int
    end: int
    value: float
    step: float
    high: float | None = None
    unit: str = ""
    kind: UnitKind | None = None
    subject: str = ""
    leads: tuple[str, ...] = ()
    relation: str = "="
    role: str = "measured"
    negated: bool = False
    approximate: bool = False
    in_brackets: bool = False
    factor: float = 1.0


@dataclass(frozen=True)
class _Named:
    """A quantity in the sentence, named or implied by a finding."""

    place: int
    end: int
    subject: str
    implied: bool


def read_numbers(items: list[Item], findings: list[Place]) -> list[Found]:
    """Read all numbers of a sentence."""
    if not any(item.kind == "number" for item in items):
        return []
    named = _named(items, findings)
    found = _numbers(items)
    _share_units(items, found)
    paired = _pairs(items, named, found) | _three_axes(items, found)
    used: set[tuple[int, str]] = set()
    taken: set[int] = set()
    known: dict[int, tuple[str, ...]] = {}
    before = 0
    for n, number in enumerate(found):
        number.in_brackets = _in_brackets(items, number.place)
        if number.role == "measured":
            choice = paired.get(n) or _quantity(items, named, number, used)
            if choice is not None:
                used.add((choice.place, choice.subject))
                _bind(items, number, choice, taken, before, known)
            elif number.kind == "rate":
                number.subject = "heart_rate"
            _formula(items, number)
        _judge_role(items, number, found[:n])
        before = number.end
    return found


def _named(items: list[Item], findings: list[Place]) -> list[_Named]:
    """List the quantities of a sentence."""
    out = [
        _Named(k, k, item.data, False) for k, item in enumerate(items) if item.kind == "quantity"
    ]
    out += [
        _Named(place, end, name, True)
        for place, code, _, end in findings
        for name in ASIDE_OF.get(code, ())
    ]
    out += [
        _Named(q.place, q.end, _WIDTH_OF[q.subject], True) for q in out if q.subject in _WIDTH_OF
    ]
    out += [
        _Named(k, k, "heart_rate", True)
        for k, item in enumerate(items)
        if item.kind in ("tachycardia", "bradycardia", "nsr")
    ]
    for k in range(len(items)):
        if (wave := _single_wave(items, k)) is not None:
            out.append(_Named(k, k, wave, False))
    for k, item in enumerate(items):
        if item.kind == "+" or (item.kind == "stop" and item.data == "plus"):
            out = _sum(items, k, out)
    return sorted(out, key=lambda q: q.place)


_WIDTH_OF = {"p_amp": "p", "r_amp": "r_dur", "s_amp": "s_dur"}
_WAVES = {"R": "r_amp", "S": "s_amp", "Q": "q_amp", "T": "t_amp", "P": "p_amp"}


def _single_wave(items: list[Item], k: int) -> str | None:
    """Read ``R in V5``, ``S V1``: a wave named by its letter alone."""
    wave, before, after, far = _WAVES.get(items[k].raw), *(at(items, k + n) for n in (-1, 1, 2))
    if wave is None or after.kind == "lead" or before.kind == "lead":
        return wave
    if after.kind in ("(", "number") and any(i.kind == "lead" for i in items[max(0, k - 5) : k]):
        return wave  # "V1 shows a deep S (1.6 mV)"
    if after.kind != "verb" and after.data not in ("in", "of"):
        return None
    behind = far.kind == "number" and any(i.kind == "lead" for i in items[k + 3 : k + 8])
    return wave if behind or far.kind in ("lead", "territory_word") else None


def _sum(items: list[Item], k: int, named: list[_Named]) -> list[_Named]:
    """Read ``S in V1 + R in V5``: a voltage criterion written out."""
    parts = [q for q in named if k - 4 <= q.place <= k + 4 and q.subject in ("r_amp", "s_amp")]
    text = " ".join(item.raw for item in items[max(0, k - 4) : k + 5])
    if len(parts) != 2:
        return named
    name = "sokolow" if "V1" in text else "cornell" if "aVL" in text and "V3" in text else "sum"
    rest = [q for q in named if q not in parts]
    return [*rest, _Named(k, k, name, False)]


def _numbers(items: list[Item]) -> list[Found]:
    """Read values, ranges, units and comparisons."""
    found: list[Found] = []
    k = 0
    while k < len(items):
        if items[k].kind != "number":
            k += 1
            continue
        value, step = items[k].data
        number = Found(place=k, end=k, value=value, step=step)
        _unit(items, number)
        _range(items, number)
        _comparison(items, number)
        _context(items, number)
        found.append(number)
        k = number.end + 1
    return found


def _unit(items: list[Item], number: Found) -> None:
    """Read the unit after a number."""
    after = at(items, number.end + 1)
    if after.kind == "unit" and after.data in UNITS:
        kind, factor = UNITS[after.data]
        number.kind, number.unit = kind, UNIT_OF[kind]
        number.value *= factor
        number.step *= factor
        number.factor = factor
        number.end += 1
    elif after.kind in ("other_unit", "age") or (
        after.kind == "territory_word" and after.data in ("lead", "leads")
    ):
        number.role = "context"
        number.end += 1


def _range(items: list[Item], number: Found) -> None:
    """Read the second half of ``45–50 bpm``, ``between 60 and 70``, ``1 to 2 mm``."""
    j = number.end + 1
    if at(items, j + 1).kind != "number" or number.high is not None:
        return
    joint = items[j]
    between = at(items, number.place - 1).kind == "between"
    is_joint = joint.kind == "dash" or (joint.kind == "word" and joint.data == "to")
    if not (is_joint or (between and joint.kind == "and")):
        return
    first_unit = number.kind
    number.end = j + 1
    upper, step = items[j + 1].data
    top = Found(place=j + 1, end=j + 1, value=upper, step=step)
    _unit(items, top)
    number.end = top.end
    if top.role == "context":
        number.role = "context"
    if first_unit is None and top.kind is not None:
        number.value *= top.factor
        number.step *= top.factor
        number.kind, number.unit, number.factor = top.kind, top.unit, top.factor
    elif first_unit is not None and top.kind is None:
        top.value *= number.factor
    number.high = max(number.value, top.value)
    number.value = min(number.value, top.value)
    number.step = max(number.step, top.step)


_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}


def _comparison(items: list[Item], number: Found) -> None:
    """Read ``> 120``, ``at least``, ``up to``, ``or more``, ``not above`` and ``about``."""
    for j in range(number.place - 1, max(-1, number.place - 5), -1):
        kind, data = items[j].kind, items[j].data
        if kind in _OPPOSITE or kind == "max":
            number.relation = kind
        elif kind == "about":
            number.approximate = True
        elif kind == "spread":
            number.relation = "spread"
            break
        elif kind == "neg" and data in ("not", "cannot", "no", "never", "without"):
            if data == "not" or number.relation != "=":
                number.negated = True
            break
        elif kind == "verb" and items[j].raw in ("=",) and number.relation in _OPPOSITE:
            number.relation = number.relation[0] + "="
        elif kind == "verb" or (
            kind == "word" and data in ("of", "a", "an", "the", "at", "by", "than")
        ):
            shaped = j > 0 and items[j - 1].kind == "shape"  # "depressed by 0.14 mV"
            if number.relation == "=" and kind == "word" and data == "by" and not shaped:
                number.role = "context"  # a change, not a value
            if kind == "verb" and number.relation == "=" and j < number.place - 1:
                break
        else:
            break
    if number.negated and number.relation in _OPPOSITE:
        number.relation, number.negated = _OPPOSITE[number.relation], False
    after = at(items, number.end + 1).kind
    if after in ("or_more", "or_less"):
        number.relation = ">=" if after == "or_more" else "<="
        number.end += 1


_MOMENT = ("at", "from", "between", "until", "after", "first", "last", "second", "around", "near")
_NUMBERED = {"beat", "beats", "page", "figure", "table", "step", "type", "class", "grade", "stage"}
_NUMBERED |= {"#", "version", "id", "no", "number", "aged", "age", "mobitz", "record", "lead"}


def _context(items: list[Item], number: Found) -> None:
    """Set numbers apart that measure nothing of this heart."""
    k, bare = number.place, number.kind is None
    before, after = at(items, k - 1), at(items, number.end + 1)
    touching = after.start == items[number.end].end
    counts = before.kind == "counted" or after.kind == "counted" or after.data == "of"
    named = before.kind in ("word", "territory_word") and str(before.data) in _NUMBERED
    ordinal = touching and after.data in ("st", "nd", "rd", "th")
    of_other = after.kind in ("age", "other_unit")
    listed = k == 0 and after.raw in (".", ")")
    year = 1900 <= number.value <= 2100 and number.step == 1.0
    ratio = touching and after.kind == ":" and at(items, number.end + 2).kind == "number"
    second = before.kind == ":" and at(items, k - 2).kind == "number"
    second = second and before.start == items[k - 2].end and before.end == items[k].start
    aside = counts or named or ordinal or of_other or listed or year or ratio
    moment = number.kind == "time" and _is_moment(items, number)
    if (bare and aside) or second or moment:
        number.role = "context"


def _is_moment(items: list[Item], number: Found) -> bool:
    """Whether a time tells where on the tracing, or how long it is, and not an interval."""
    unit = next((i for i in items[number.place : number.end + 1] if i.kind == "unit"), None)
    if unit is None or UNITS[unit.data][1] != 1000.0:
        return False
    after = at(items, number.end + 1)
    what = ("ecg", "strip", "recording", "tracing", "segment", "stretch", "window", "rhythm", "of")
    if after.kind == "word" and after.data in what:
        return True
    for j in range(number.place - 1, max(-1, number.place - 4), -1):
        item = items[j]
        if item.kind in ("between",) or (item.kind == "word" and item.data in _MOMENT):
            timed = (i for i in items[:j] if i.kind == "quantity")
            return number.value >= 1000.0 or all(MEASURED[i.data].kind != "time" for i in timed)
        if item.kind not in ("about", "number", "dash", "word"):
            return False
    return False


def _share_units(items: list[Item], found: list[Found]) -> None:
    """Give ``PR and QRS 162 and 98 ms`` the unit of the last to all."""
    for n in range(len(found) - 2, -1, -1):
        number, after = found[n], found[n + 1]
        between = items[number.end + 1 : after.place]
        joined = 1 <= len(between) <= 2 and all(i.kind in (",", "and", "/", "or") for i in between)
        if joined and number.kind is None and after.kind is not None and number.role == "measured":
            if after.role != "measured":
                number.role = after.role
                continue
            number.kind, number.unit, number.factor = after.kind, after.unit, after.factor
            number.value *= after.factor
            number.step *= after.factor


def _pairs(items: list[Item], named: list[_Named], found: list[Found]) -> dict[int, _Named]:
    """Match a list of quantities with a list of as many numbers: ``QT/QTc 380/412 ms``."""
    paired: dict[int, _Named] = {}
    n = 0
    while n < len(found):
        stop = n + 1
        while stop < len(found) and _adjoin(items, found[stop - 1].end, found[stop].place):
            stop += 1
        count = stop - n
        if count > 1:
            before = [q for q in named if q.end < found[n].place and not q.implied]
            group: list[_Named] = before[-1:]
            while group and len(group) < len(before):
                prior = before[-len(group) - 1]
                if not _adjoin(items, prior.end, group[0].place):
                    break
                group.insert(0, prior)
            if len(group) == count and all(
                _fits(q.subject, number) for q, number in zip(group, found[n:stop], strict=True)
            ):
                paired.update(zip(range(n, stop), group, strict=True))
        n = stop
    return paired


def _three_axes(items: list[Item], found: list[Found]) -> dict[int, _Named]:
    """Read ``P-QRS-T axes 45 -30 60``."""
    there = (k for k, item in enumerate(items) if item.kind == "axes" or item.raw.lower() == "axes")
    place = next(there, None)
    if place is None:
        return {}
    if items[place].kind != "axes" and all(i.raw != "P" for i in items[place + 1 : place + 3]):
        return {}  # a list of axes begins with that of P
    after = [n for n, number in enumerate(found) if place < number.place <= place + 12][:3]
    names = ("p_axis", "qrs_axis", "t_axis")
    return {n: _Named(place, place, name, False) for n, name in zip(after, names, strict=False)}


def _adjoin(items: list[Item], end: int, start: int) -> bool:
    """Whether only list marks stand between two places."""
    between = items[end + 1 : start]
    marks = (",", "and", "/", "or", "dash")
    return 1 <= len(between) <= 3 and all(
        i.kind in marks or (i.kind == "word" and i.data in ("the", "a")) for i in between
    )


def _fits(subject: str, number: Found) -> bool:
    """Whether a number may be a value of a quantity, by its unit."""
    measured = MEASURED.get(subject)
    if measured is None:
        return number.kind == "voltage"
    if number.kind is None:
        return measured.kind in ("time", "rate", "angle") and (
            measured.kind == "angle" or number.value > 0
        )
    return number.kind == measured.kind


def _quantity(
    items: list[Item], named: list[_Named], number: Found, used: set[tuple[int, str]]
) -> _Named | None:
    """Choose the quantity that a number measures."""
    left = [
        q
        for q in named
        if q.end < number.place and number.place - q.end <= REACH and _fits(q.subject, number)
    ]
    nearest = left[-1] if left else None
    right = _right(items, named, number)
    if nearest is None:
        return right
    if right is not None and (
        (nearest.place, nearest.subject) in used or _farther(items, nearest, number)
    ):
        return right
    if number.kind is None and ((nearest.place, nearest.subject) in used or nearest.implied):
        # A bare number after a quantity that has its value already is not of that quantity.
        return nearest if _comma_list(items, number) and not nearest.implied else None
    if (nearest.place, nearest.subject) in used and nearest.implied and number.kind == "time":
        return None
    return nearest


def _comma_list(items: list[Item], number: Found) -> bool:
    """Whether a number goes on a list of numbers, or is compared."""
    return number.relation != "=" or items[number.place - 1].kind in ("and", "/", "dash")


def _farther(items: list[Item], nearest: _Named, number: Found) -> bool:
    """Whether a comma parts a quantity from a number that another one follows at once."""
    between = items[nearest.end + 1 : number.place]
    return any(item.kind in (",", "stop", "and", "(", ")") for item in between)


def _right(items: list[Item], named: list[_Named], number: Found) -> _Named | None:
    """Find a quantity right after a number: ``142 ms QRS``, ``2 mm of ST elevation``."""
    by_place = {q.place: q for q in named}
    for j in range(number.end + 1, min(len(items), number.end + 5)):
        if j in by_place:
            return by_place[j] if _fits(by_place[j].subject, number) else None
        item = items[j]
        skip = item.kind == "word" and item.data in _BEFORE_NAME
        skip = skip or item.kind in ("high", "low", "normal", "shape", "lead")
        if not skip:
            return None
    return None


_BEFORE_NAME = ("of", "the", "horizontal", "upsloping", "concave")


def _bind(
    items: list[Item],
    number: Found,
    choice: _Named,
    taken: set[int],
    before: int,
    known: dict[int, tuple[str, ...]],
) -> None:
    """Fill in what follows from the quantity: unit, leads."""
    number.subject = choice.subject
    measured = MEASURED.get(choice.subject)
    if number.kind is None and measured is not None:
        number.kind, number.unit = measured.kind, UNIT_OF[measured.kind]
        if measured.kind == "time" and abs(number.value) < 5:
            number.value *= 1000.0  # "PR 0.16": seconds
            number.step *= 1000.0
            number.high = None if number.high is None else number.high * 1000.0
    if choice.subject == "sum":
        number.leads = ()
        return
    if measured is not None and (measured.per_lead or measured.kind == "time"):
        number.leads = _leads(items, number, choice, taken, before, measured.per_lead)
        if measured.per_lead and not number.leads:
            number.leads = known.get(choice.place, ())  # "R in V5 2.9 mV (29 mm)"
        if number.leads:
            known[choice.place] = number.leads


def _leads(
    items: list[Item], number: Found, choice: _Named, taken: set[int], before: int, wide: bool
) -> tuple[str, ...]:
    """Find the leads in which a value was measured."""
    low = max(before, choice.end) if choice.end < number.place else before
    for j in range(number.place - 1, max(low, number.place - REACH) - 1, -1):
        free = items[j].kind == "lead" and j not in taken
        if free and (wide or (j > choice.place and _are_named(items[j]))):
            taken.add(j)
            return tuple(items[j].data[0])
    for j in range(number.end + 1, min(len(items), number.end + 12)):
        kind = items[j].kind
        if kind == "lead" and (wide or _are_named(items[j])):
            taken.add(j)
            return tuple(items[j].data[0])
        if kind in ("number", "end", "stop", ",", "quantity", "and") or (
            kind == "finding" and j > choice.end
        ):
            break
        if not wide and kind in ("verb", ")"):
            break
    if not wide:
        return ()
    for j in range(choice.place - 1, max(-1, choice.place - 8), -1):
        if items[j].kind == "lead" and (items[j].data[1] or number.relation == "max"):
            return tuple(items[j].data[0])
        if items[j].kind in ("stop", "end", "number", "finding"):
            break
    return ()


def _are_named(item: Item) -> bool:
    """Whether single leads are named, and not a wall or all of them."""
    leads, each = item.data
    return each and len(leads) < len(STANDARD_12)


def _formula(items: list[Item], number: Found) -> None:
    """Add the formula of a QTc that stands apart: ``QTc 512 ms (Bazett)``."""
    if number.subject.startswith("qtc") and items[number.place - 1].kind == "formula":
        data = str(items[number.place - 1].data)
        number.subject = "qtc_bazett" if "bazett" in data else "qtc_fridericia"
    if number.subject != "qtc":
        return
    after = items[number.end + 1 : number.end + 7]
    before = items[max(0, number.place - 5) : number.place]
    for part, ends in ((after, ("quantity",)), (before[::-1], (",", "(", ")"))):
        for item in part:
            if item.kind == "formula":
                number.subject = "qtc_bazett" if "bazett" in str(item.data) else "qtc_fridericia"
                return
            if item.kind in ("number", "end", "stop", "finding", *ends):
                break


def _in_brackets(items: list[Item], place: int) -> bool:
    """Whether a place lies within brackets."""
    depth = 0
    for item in items[max(0, place - REACH) : place]:
        depth += (item.kind == "(") - (item.kind == ")")
    return depth > 0


_LIMIT_WORDS = ("threshold", "cutoff", "off", "range", "reference", "values")


def _judge_role(items: list[Item], number: Found, earlier: list[Found]) -> None:
    """Tell a published limit that is quoted from a value of this ECG."""
    if number.role != "measured":
        return
    before = items[max(0, number.place - 14) : number.place]
    names = {item.kind for item in before}
    compared = number.relation in _OPPOSITE or number.high is not None or number.relation == "max"
    opened = [k for k, item in enumerate(before) if item.kind in ("(", ",")]
    near = before[opened[-1] :] if opened else before
    reference = any(item.kind == "normal" for item in near) and compared and bool(opened)
    if opened and opened[-1] and before[opened[-1] - 1].kind == "normal":
        reference = compared  # "faster than normal (60 to 100)"
    # "meets the criterion with 3.9 mV" gives a value, "the limit is 3.5 mV" does not.
    words = {str(item.data) for item in before[-7:] if item.kind == "criterion"}
    limit = any(word.split()[-1] in _LIMIT_WORDS or "limit" in word for word in words)
    quoted = ("criterion" in names and compared) or limit or reference
    quoted = quoted or (number.in_brackets and "between" in names and number.high is not None)
    after = items[number.end + 1 : number.end + 4]
    after = after[
        : next((k for k, i in enumerate(after) if i.kind in ("(", ",", ":", "number")), 3)
    ]
    quoted = quoted or any(item.kind == "criterion" for item in after)
    if quoted or (compared and number.in_brackets and number.high is None):
        number.role = "criterion"
        if not number.subject:
            alike = (n for n in reversed(earlier) if number.kind in (None, n.kind))
            number.subject = next((n.subject for n in alike), "")

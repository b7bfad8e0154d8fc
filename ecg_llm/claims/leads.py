"""Join lead names to lists and ranges, and tell which finding they belong to."""

from __future__ import annotations

from ecg_llm.claims.lexicon import EXCEPTING, REACH, Item, Place, at
from ecg_llm.claims.measured_words import SHOWS_AS, SIGNS
from ecg_llm.leads import STANDARD_12

_ORDER = {lead: k for k, lead in enumerate(STANDARD_12)}


def lead_groups(items: list[Item]) -> list[Item]:
    """Join neighbouring leads and walls: ``V1–V3``, ``II, III and aVF``.

    Returns
    -------
    list of Item
        The same with one ``lead`` item for each list; its data are the leads, and whether each of
        them was named (not a wall).
    """
    out: list[Item] = []
    k = 0
    while k < len(items):
        start = _lead_at(items, k)
        if start is None:
            out.append(items[k])
            k += 1
            continue
        leads, explicit, stop = start
        k0, k = k, stop
        while (more := _joined(items, k)) is not None:
            joint, others, others_explicit, stop = more
            if joint == "range":
                leads = (*leads[:-1], *_between(leads[-1], others[0]), *others[1:])
            else:
                leads = (*leads, *others)
            explicit = explicit and others_explicit
            k = stop
        while at(items, k).kind == "territory_word":
            k += 1
        if at(items, k0 - 1).data == "from" and at(items, k).data in ("on", "onward"):
            leads, k = (*leads[:-1], *_between(leads[-1], "V6")), k + 1
        unique = tuple(dict.fromkeys(leads))
        first, last = items[k0], items[k - 1]
        explicit = explicit or (k0 > 0 and items[k0 - 1].kind == "both")  # "all chest leads"
        out.append(Item("lead", (unique, explicit), first.start, last.end, first.raw))
    return out


def _lead_at(items: list[Item], k: int) -> tuple[tuple[str, ...], bool, int] | None:
    """Read one lead or wall, also as ``lead 2``."""
    item, after = at(items, k), at(items, k + 1)
    if item.kind == "lead":
        return (*item.data, k + 1)
    if item.kind != "territory_word" or item.data not in ("lead", "leads"):
        return None
    if after.kind == "lead":
        return (*after.data, k + 2)
    if after.kind == "number" and after.raw in ("1", "2", "3") and _no_unit(items, k + 2):
        return (STANDARD_12[int(after.raw) - 1],), True, k + 2
    return None


def _no_unit(items: list[Item], k: int) -> bool:
    return at(items, k).kind not in ("unit", "other_unit", "age")


def _joined(items: list[Item], k: int) -> tuple[str, tuple[str, ...], bool, int] | None:
    """Read a joint and what it joins: a list, or the end of a range."""
    (kind, data, *_), after = at(items, k), at(items, k + 1)
    j = k + 1
    is_range = kind == "dash" or (kind == "word" and data in ("to", "through", "thru"))
    joint = "range" if is_range else "list"
    of_chest = at(items, k - 1).raw[:1] in ("V", "v") and after.raw in (
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
    )
    of_chest = of_chest and after.start <= at(items, k).end and _no_unit(items, j + 1)
    if of_chest and (is_range or kind == "/"):
        return joint, (f"V{after.raw}",), True, j + 1
    if kind == "," and at(items, j).kind in ("and", "or"):
        j += 1
    if kind in (",", "and", "or", "/") or is_range:
        while at(items, j).kind == "word" and items[j].data in ("the", "in"):
            j += 1
        found = _lead_at(items, j)
        if found is None:
            return None
        leads, explicit, stop = found
        if kind == "," and at(items, stop).kind == "verb":
            return None  # a comma before the subject of the next clause
        if at(items, stop).kind == "finding" and not explicit:
            return None  # "inferior ST elevation and lateral ST depression"
        return (joint if explicit else "list"), leads, explicit, stop
    return None


def _between(first: str, last: str) -> tuple[str, ...]:
    """Give all leads from one to another in their usual order."""
    a, b = _ORDER.get(first, -1), _ORDER.get(last, -1)
    if a < 0 or b < a:
        return (first, last)
    return STANDARD_12[a : b + 1]


def is_local(code: str) -> bool:
    """Tell whether a finding is one that shows in certain leads."""
    return code in SIGNS or code in SHOWS_AS or code == "PMI"  # which shows in no usual lead


def leads_of_findings(
    items: list[Item], findings: list[Place], n: int
) -> list[tuple[tuple[str, ...], bool, bool]]:
    """Find the leads in which a finding is said to show.

    Parameters
    ----------
    n : int
        Which of them.

    Returns
    -------
    list of (leads, whether of each lead, whether the opposite is said of them)
        One without leads if it names none.
    """
    start, code, _, stop = findings[n]
    if not is_local(code):
        return [((), True, False)]
    wall = items[start - 1] if start and items[start - 1].kind == "lead" else None
    others = {place: code for place, code, _, _ in findings}
    after = _after(items, others, stop)
    if wall is not None and (wall.data[1] is False or not after):
        after.insert(0, (*wall.data, False))
    if not after:
        before = _before(items, others, start)
        after = [before] if before else []
    return after or [((), True, False)]


def _after(
    items: list[Item], others: dict[int, str], stop: int
) -> list[tuple[tuple[str, ...], bool, bool]]:
    """Walk to the right until the next finding or the end of the clause."""
    found: list[tuple[tuple[str, ...], bool, bool]] = []
    turned, shared = False, True
    for j in range(stop + 1, min(len(items), stop + REACH)):
        kind = items[j].kind
        if kind == "lead":
            new_subject = j + 1 in others or at(items, j + 1).kind == "verb"
            has_preposition = items[j - 1].kind == "word" and items[j - 1].data in ("in", "over")
            if new_subject and not has_preposition:
                break
            found.append((*items[j].data, turned))
            shared = False
        elif j in others:
            if found or not shared or not is_local(others[j]):
                break
        elif kind == "neg":
            if not found and items[j].data not in EXCEPTING:
                break
            turned = True
        elif kind in ("verb", "seen") and not found:
            shared = False  # "Q waves are most prominent in aVF"
        elif kind == "stop":
            if not (found and at(items, j + 1).kind == "neg"):
                break
        elif _is_sign(items, j):
            continue
        elif kind in ("end", "question", "quantity", "verb", "dash") or (
            kind == ","
            and found
            and items[j + 1 : j + 2]
            and items[j + 1].kind not in ("neg", "lead")
            and not _is_sign(items, j + 1)
        ):
            break
        elif kind == "word" and items[j].data not in _LINKS:
            shared = False  # more than a list of findings stands between
    return _merge(found)


def _is_sign(items: list[Item], j: int) -> bool:
    """Whether a sign behind a finding goes before its leads: ``ST elevation (ST raised in V2)``."""
    words = tuple(item.raw for item in items[j : j + 2])
    return words in _SHOWN


_SHOWN = (("ST", "raised"), ("ST", "down"), ("T", "negative"), ("T", "low"), ("small", "R"))
"""As `ecg_llm.statements.impression_claim` names them."""
_LINKS = (
    "in",
    "the",
    "of",
    "at",
    "over",
    "and",
    "across",
    "from",
    "mild",
    "slight",
    "deep",
    "marked",
)


def _merge(
    found: list[tuple[tuple[str, ...], bool, bool]],
) -> list[tuple[tuple[str, ...], bool, bool]]:
    """Join lists of leads that are said alike, and take from a list what is excepted."""
    out: list[tuple[tuple[str, ...], bool, bool]] = []
    for leads, each, turned in found:
        if turned and out and set(leads) < set(out[-1][0]):
            out[-1] = (tuple(x for x in out[-1][0] if x not in leads), *out[-1][1:])
        if out and out[-1][1:] == (each, turned):
            out[-1] = (tuple(dict.fromkeys((*out[-1][0], *leads))), each, turned)
        else:
            out.append((leads, each, turned))
    return out


_THERE_IS = ("there is", "there are")


def _before(
    items: list[Item], others: dict[int, str], start: int
) -> tuple[tuple[str, ...], bool, bool] | None:
    """Walk to the left: ``V1–V3 show T inversion``."""
    for j in range(start - 1, max(-1, start - REACH), -1):
        kind = items[j].kind
        if kind == "lead":
            return (*items[j].data, False)
        if kind in ("end", "neg_post") or (kind == "stop" and items[j].data not in _THERE_IS):
            return None
        if j in others and not is_local(others[j]):
            return None
        if j in others and any(
            item.kind not in ("and", "or", ",") for item in items[j + 1 : start]
        ):
            return None
    return None

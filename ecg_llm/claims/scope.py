"""How far a negation, a doubt or a condition reaches in a sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ecg_llm.claims.lexicon import Item, at

About = Literal["measured", "general", "earlier", "history"]
Certainty = Literal["definite", "possible", "unjudged"]


@dataclass(frozen=True)
class Scope:
    """What holds at one place of a sentence.

    Attributes
    ----------
    negated : bool
        Whether a finding here is denied.
    local : bool
        Whether it is denied by a word within the same brackets.
    certainty : {"definite", "possible", "unjudged"}
        How sure.
    role : {"measured", "general", "earlier", "history"}
        Of what it is said.
    """

    negated: bool = False
    local: bool = False
    certainty: Certainty = "definite"
    role: About = "measured"


NAMED = (
    *("finding", "quantity", "tachycardia", "bradycardia", "nsr", "good_r", "intervals"),
    *("abnormal_ecg", "rhythm"),
)
"""Kinds of item that may be denied or doubted."""
_ABOUT: dict[str, About] = {"general": "general", "earlier": "earlier", "history": "history"}
_LOOK_AHEAD = 40
"""Items beyond which a list is taken to be over."""


@dataclass(frozen=True)
class _State:
    """What is open while a sentence is read from left to right."""

    denials: int = 0
    since_named: bool = True
    possible: bool = False
    unjudged: bool = False
    role: About = "measured"
    outer: bool = False


def scopes(items: list[Item]) -> list[Scope]:
    """Tell for each place of a sentence what negations and doubts reach it.

    Returns
    -------
    list of Scope
        As many.
    """
    if items[-1].kind == "question" or items[0].kind == "general":
        return [Scope(role="general")] * len(items)
    out: list[Scope] = []
    state, stack = _State(), []
    for k, item in enumerate(items):
        kind = item.kind
        if kind == "(":
            stack.append(state)
            outer = state.outer ^ (state.denials % 2 == 1)
            state = replace(state, denials=0, since_named=True, outer=outer, unjudged=False)
            if k and items[k - 1].kind == "unjudged":  # the reason why
                state = replace(state, role="general")
        elif kind == ")" and stack:
            state = stack.pop()
        else:
            state = _step(state, items, k)
        local = state.denials % 2 == 1
        certainty: Certainty = (
            "unjudged" if state.unjudged else "possible" if state.possible else "definite"
        )
        out.append(Scope(local ^ state.outer, local, certainty, state.role))
    for k, item in enumerate(items):
        _reach_back(items, out, k, item.kind)
    return out


def _step(state: _State, items: list[Item], k: int) -> _State:
    """Read one item."""
    kind, data = items[k].kind, items[k].data
    if kind == "neg" or (kind == "neg_post" and _names_next(items, k)):
        fresh = data in ("nor", "neither") or state.denials == 0 or state.since_named
        return replace(state, denials=1 if fresh else state.denials + 1, since_named=False)
    if kind == "unlikely" and _ahead(items, k):
        return replace(state, denials=1, possible=True, since_named=False)
    if kind in ("possible", "borderline") or (
        kind == "possible_post" and not _named_before(items, k)
    ):
        return replace(state, possible=True)
    if kind == "unjudged" and not _named_before(items, k):
        return replace(state, unjudged=True)
    if kind == ":" and k and items[k - 1].kind == "unjudged" and _named_before(items, k - 1):
        return _State(role="general")  # the reason why something could not be measured
    if kind in _ABOUT:
        return replace(state, role=_ABOUT[kind])
    if kind == "stop" and not (k and items[k - 1].data == "that"):
        return replace(state, denials=0, possible=False, since_named=True)
    if kind == "," and not _list_goes_on(items, k):
        ends = state.role in ("earlier", "general") and not _relative(items, k)
        role: About = "measured" if ends else state.role
        return replace(state, denials=0, possible=False, since_named=True, role=role)
    if kind == "and" and _opens_clause(items, k + 1):
        return replace(state, denials=0, possible=False, since_named=True)
    if kind in ("dash",) and data == "spaced":
        return replace(state, denials=0, possible=False, since_named=True)
    if kind in NAMED or kind in (",", "or", "and"):
        return replace(state, since_named=True)
    return state


def _relative(items: list[Item], k: int) -> bool:
    """Whether a comma opens ``in which …``, ``when …``."""
    words = [item.data for item in items[k + 1 : k + 3]]
    return "which" in words or "when" in words[:1] or "where" in words[:1]


def _names_next(items: list[Item], k: int) -> bool:
    """Whether a finding or quantity follows at once (``absent P waves``)."""
    return items[k].data == "absent" and at(items, k + 1).kind in NAMED


def _named_before(items: list[Item], k: int) -> bool:
    """Whether a finding stands before in the same clause."""
    for item in reversed(items[max(0, k - _LOOK_AHEAD) : k]):
        if item.kind in ("stop", "(", "end"):
            return False
        if item.kind in NAMED:
            return True
    return False


def _ahead(items: list[Item], k: int) -> bool:
    """Whether a finding follows in the same clause."""
    for item in items[k + 1 : k + 6]:
        if item.kind in ("stop", ",", "end"):
            return False
        if item.kind in NAMED:
            return True
    return False


def _opens_clause(items: list[Item], k: int) -> bool:
    """Whether a new statement begins here, so that a negation before it is over."""
    if k >= len(items):
        return True
    first = items[k]
    if first.kind in ("neg", "stop", "verb", "normal", "number", "narrow", "regular", "irregular"):
        return True
    if first.kind in ("possible", "nsr", "general", "earlier", "unjudged"):
        return True
    if first.kind == "word" and first.data in ("a", "an", "the", "there", "it", "this", "rate"):
        return True
    for j in range(k, min(len(items), k + _LOOK_AHEAD)):
        kind = items[j].kind
        if kind in (",", "and", "or", "stop", "end", "(", ")", "dash"):
            return False
        if kind in ("verb", "number", "neg_post", "neg"):
            return True
    return False


def _list_goes_on(items: list[Item], k: int) -> bool:
    """Whether a comma stands within a list that an ``or`` or ``and`` ends."""
    j = k + 1
    if at(items, j).kind == "or":
        return True
    if at(items, j).kind == "and":
        return not _opens_clause(items, j + 1)
    if _opens_clause(items, j):
        return False
    named = False
    while j < min(len(items), k + _LOOK_AHEAD):
        kind = items[j].kind
        if kind == "or":
            return named
        if kind == "and":
            return named and not _opens_clause(items, j + 1)
        if kind in ("stop", "end", "(", ")", "verb", "neg", "number", "normal"):
            return False
        after = at(items, j + 1).kind
        over = not named or (j + 1 < len(items) and _opens_clause(items, j + 1))
        if kind == "," and over and after not in ("or", "and"):
            return False
        named = named or kind in NAMED
        j += 1
    return False


def _reach_back(items: list[Item], out: list[Scope], k: int, kind: str) -> None:
    """Let ``… is absent``, ``… cannot be excluded`` reach what stands before."""
    if kind == "earlier":
        _earlier_before(items, out, k)
        return
    if kind == "neg" and items[k - 1].kind == ":" and _ends(items, k + 1):  # "RBBB: no"
        kind = "neg_post"
    if kind not in ("neg_post", "possible_post", "unjudged", "unlikely", "possible"):
        return
    if kind == "neg_post" and _names_next(items, k):
        return
    if kind == "possible" and (
        _ahead(items, k) or k == 0 or items[k - 1].kind not in ("verb", ",", "(")
    ):
        return
    if kind == "unlikely" and _ahead(items, k):
        return
    named = joined = False
    for j in range(k - 1, max(-1, k - _LOOK_AHEAD), -1):
        before = items[j].kind
        if before == "stop" and j == k - 1:  # "was considered but not confirmed"
            continue
        if before in ("end", "stop", "neg_post", "possible_post", "unjudged"):
            return
        if before == "verb" and named:
            return
        if before in ("and", "or"):
            joined = True
        if before == "," and named and not joined:
            return
        if before in NAMED:
            named = True
            out[j] = _changed(out[j], kind)


def _ends(items: list[Item], k: int) -> bool:
    """Whether a part of a sentence is over."""
    return at(items, k).kind in ("end", ",", "stop", ")")


def _changed(scope: Scope, kind: str) -> Scope:
    """Apply a word that reaches back."""
    if kind == "neg_post":
        return replace(scope, negated=not scope.negated, local=not scope.local)
    if kind == "unlikely":
        return replace(scope, negated=not scope.negated, certainty="possible")
    if kind == "unjudged":
        return replace(scope, certainty="unjudged")
    return replace(scope, certainty="possible")


_OTHER_SIDE = ("than", "versus", "vs", "from", "to", "now")


def _earlier_before(items: list[Item], out: list[Scope], k: int) -> None:
    """Let ``… in the previous ECG`` reach back to the comma."""
    begins = k == 0 or (items[k - 1].kind == "word" and k == 1)
    if begins or (
        k > 1 and items[k - 1].data in ("with", "to") and items[k - 2].data == "compared"
    ):
        return
    for j in range(k - 1, max(-1, k - _LOOK_AHEAD), -1):
        if items[j].kind in (",", "end", "stop", "(", ">", "<") or items[j].data in _OTHER_SIDE:
            return
        out[j] = replace(out[j], role="earlier")

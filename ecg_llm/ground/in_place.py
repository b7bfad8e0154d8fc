"""Put measured numbers in place of wrong ones."""

from __future__ import annotations

from collections.abc import Sequence

from ecg_llm.claims.check import CheckedClaim
from ecg_llm.claims.measured_words import MEASURED
from ecg_llm.ground.affirmed import less_sure
from ecg_llm.ground.known import Known
from ecg_llm.ground.sentence import NUMBER, shown_value

_NOT_IN_PLACE = ("atrial_rate", "rr_cv")
"""Quantities whose usual value means something else in a rhythm without P waves."""


def with_numbers(text: str, bad: Sequence[CheckedClaim], known: Known) -> str | None:
    """Put the measured numbers in place of wrong ones.

    Parameters
    ----------
    text : str
        A sentence.
    bad : sequence of CheckedClaim
        Its claims that do not hold.
    known : Known
        Of the ECG.

    Returns
    -------
    str or None
        None if the sentence still does not hold.
    """
    for one in sorted(bad, key=lambda checked: -checked.claim.start):
        claim = one.claim
        shown = NUMBER.findall(claim.text)
        value = _measured_value(one, known)
        if (
            claim.kind != "number"
            or claim.subject in _NOT_IN_PLACE
            or one.status != "contradicted"
            or (claim.relation, claim.high, claim.role) != ("=", None, "measured")
            or len({item.lead for item in one.evidence}) != 1
            or len(shown) != 1
            or claim.text == shown[0]  # without its unit, something else may be meant
            or not claim.value
            or value is None
        ):
            return None
        written, decimals = shown_value(shown[0])
        factor = abs(claim.value / written) if written else 0.0
        if not factor:
            return None
        if MEASURED[claim.subject].sign in ("size", "down"):
            value = abs(value)
        new = f"{value / factor:.{decimals}f}".replace("-", "−")
        text = text[: claim.start] + claim.text.replace(shown[0], new) + text[claim.end :]
    held = known.check(text)
    if not held or any(claim.status != "supported" for claim in held):
        return None
    numbers = [one.claim for one in held if one.claim.kind == "number"]
    told = {(claim.subject, claim.leads, claim.value) for claim in numbers}
    return text if len(told) == len(numbers) and not less_sure(text, held, known) else None


def _measured_value(checked: CheckedClaim, known: Known) -> float | None:
    """Give the value that a number should have been: the usual one of its quantity."""
    word = MEASURED.get(checked.claim.subject)
    lead = checked.claim.leads[0] if checked.claim.leads else None
    usual = None if word is None else known.facts.value(word.names[0], lead).value
    if usual is not None:
        return float(usual)
    return next((i.value for i in checked.evidence if isinstance(i.value, int | float)), None)

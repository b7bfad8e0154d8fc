"""Findings of a page by the criteria, beside those of the encoder.

The encoder learnt from records that hold hardly an acute infarction and no arrest, and no value of
a page is good enough to be told. What alarms can be seen all the same: by the criteria of a
recording, held against the tracing that was read (`ecg_llm.page_seen`). How often a recording meets
what its page meets was counted on pages of known origin; of ST it depends on how far the limit is
passed. That probability is told, the values are not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ecg_llm.errors import ConfigError
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.findings.families import KINDS_OF_SINUS
from ecg_llm.findings.finding import Finding
from ecg_llm.page_seen import CODES, RAISED, ST_CODES, Seen, see
from ecg_llm.quality import Quality
from ecg_llm.record import ECGRecord

MODEL = Path(__file__).parent / "weights" / "page_criteria.json"
STATED_FROM = 0.5
"""Probability from which a finding is stated; below it stays open, with the doubt."""
NOT_SEEN = "not seen in what was read of the page, which does not exclude it"
NOT_SINUS = "the beats on the page do not look like those of a sinus rhythm"
_LEAST_MV, _UNIT_MV = 0.003, 0.05


@dataclass(frozen=True, kw_only=True)
class Trust:
    """How probable it is that a recording meets the criterion that its page meets.

    Attributes
    ----------
    slope : float
        Of the log odds, by the logarithm of how far the limit is passed; 0 for rhythms.
    constant : float
        Log odds at 0.05 mV beyond the limit.
    """

    slope: float
    constant: float

    def probability(self, excess_mv: float) -> float:
        """Give the probability.

        Parameters
        ----------
        excess_mv : float, mV
            By which the limit is passed on the page.

        Returns
        -------
        float
            Never as certain: 0.01 to 0.99.
        """
        p = 1 / (1 + math.exp(-self.slope * log_excess(excess_mv) - self.constant))
        return min(max(round(p, 2), 0.01), 0.99)


def log_excess(excess_mv: float) -> float:
    """Give the quantity in which `Trust` is linear.

    Parameters
    ----------
    excess_mv : float, mV
        By which the limit is passed on the page.

    Returns
    -------
    float
    """
    return math.log(max(excess_mv, _LEAST_MV) / _UNIT_MV)


def sign_of(code: str) -> str:
    """Tell by which `Trust` a finding is judged.

    Parameters
    ----------
    code : str
        Of `ecg_llm.page_seen.CODES`.

    Returns
    -------
    str
        ``raised`` or ``lowered`` for ST, else the code itself.
    """
    if code not in ST_CODES:
        return code
    return "raised" if code in RAISED else "lowered"


@cache
def bundled() -> Mapping[str, Trust]:
    """Give what ships with the program.

    Returns
    -------
    mapping of str to Trust
        By `sign_of` a finding.

    Raises
    ------
    ConfigError
        If the file is missing or holds something else.
    """
    try:
        stored = json.loads(MODEL.read_text(encoding="utf-8"))["trust"]
        return {sign: Trust(**values) for sign, values in stored.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{MODEL}: how far a page can be trusted could not be read ({error}); install the "
            "program again, or fit it with 'ecgllm train page-criteria'."
        ) from None


def judge_page(
    record: ECGRecord, quality: Quality, findings: Iterable[Finding]
) -> tuple[Finding, ...]:
    """Add what the criteria say of a page to what the encoder sees.

    Parameters
    ----------
    record : ECGRecord
        Read from a page.
    quality : Quality
        Its technical quality.
    findings : iterable of Finding
        By the encoder.

    Returns
    -------
    tuple of Finding
        The same, but: what the page meets is present or open, with a probability and the leads, and
        nothing is probably normal beside it; no sinus rhythm is stated over beats that cannot be
        its own. Nothing is ever absent by the criteria: a page excludes nothing.
    """
    findings = tuple(findings)
    stated = frozenset(finding.code for finding in findings if finding.status == "present")
    seen = see(record, quality, stated)
    met = [
        code for code in CODES if code in seen.by_code and seen.by_code[code].status == "present"
    ]
    out = []
    for finding in findings:
        if finding.code in seen.by_code:
            out.append(_joined(finding, seen.by_code[finding.code]))
        elif finding.code in ("SR", *KINDS_OF_SINUS) and seen.sinus is False:
            out.append(replace(finding, status="unknown", reason=NOT_SINUS, doubt=None))
        elif finding.code == "NORM" and met:
            why = f"{STATEMENTS[met[0]].label} is seen on the page"
            out.append(replace(finding, status="unknown", reason=why, doubt=None, probability=None))
        else:
            out.append(finding)
    return tuple(out)


def _joined(finding: Finding, seen: Seen) -> Finding:
    """Decide one finding by the encoder and by the page's tracing."""
    if seen.status != "present":
        unseen = finding.status == "unknown" and seen.status == "absent"
        return replace(finding, reason=NOT_SEEN) if unseen else finding
    probability = bundled()[sign_of(finding.code)].probability(seen.excess_mv)
    sure = probability >= STATED_FROM
    doubt = f"seen on the page; probability {probability:.2f} that a recording meets the criterion"
    return replace(
        finding,
        status="present" if sure else "unknown",
        probability=probability,
        reason=None if sure else f"uncertain: {doubt}",
        doubt=doubt,
        evidence=seen.evidence,
    )

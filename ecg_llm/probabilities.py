"""Calibrated probabilities of findings: the criterion and the trained head together.

For each code a small logistic model joins the head's score (encoder and measured features) with
what the criterion says. Its weights and its thresholds were fitted on predictions for records that
the encoder behind them had not seen; they stand, with the card, in ``weights/probabilities.json``,
and `thresholds` gives them in one table.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ecg_llm.errors import ConfigError, RecordError
from ecg_llm.findings.apply import HARMLESS
from ecg_llm.findings.checks import judge, unknown
from ecg_llm.findings.codes import ENCODER_STATEMENTS, STATEMENTS
from ecg_llm.findings.families import KINDS_OF_SINUS
from ecg_llm.findings.finding import BY_ENCODER, Evidence, Finding, Status
from ecg_llm.findings.rhythm import ECTOPIC_P, ectopic_p
from ecg_llm.leads import lacking_leads
from ecg_llm.measured_first import measured_first
from ecg_llm.phrases import brief_reason
from ecg_llm.scp import INCLUDES
from ecg_llm.statements import is_grave_doubt

if TYPE_CHECKING:
    from ecg_llm.measure import Measurements
    from ecg_llm.record import ECGRecord

WEIGHTS = Path(__file__).parent / "weights"
MODEL = WEIGHTS / "probabilities.json"
NEEDED = (
    MODEL,
    *(WEIGHTS / f"signal_{name}" for name in ("encoder.onnx", "encoder.safetensors", "head.npz")),
)
"""Without these, findings come from criteria alone and have no probability."""
SOURCE = "ecg_llm trained head, thresholds in ecg_llm.probabilities"
EXCLUSIVE = ("SR", "AFIB", "AFLT", "SVTAC", "PSVT", "PACE")
"""Of these rhythms, a report states the likeliest only, unless a criterion holds for both."""
WHOLE = {"IRBBB": "CRBBB", "ILBBB": "CLBBB"}
"""A block is complete or incomplete: beside the one, the encoder alone does not state the other."""
NOT_MEASURED = "its criterion needs values measured from a recording"
NOT_NORMAL_BY_PAGE = "grave findings need values that a page does not give"
"""Why a page is never called normal, however probable that is."""
BESIDE_NORMAL = ("PVC", "BIGU", "TRIGU", "STACH", "1AVB", "LNGQT")
"""Abnormal findings beside which readers call an ECG otherwise normal."""
RULED_OUT = 0.2
"""Below it, a criterion that is met does not keep the encoder from stating a normal ECG."""
STATED_IN_DOUBT = 0.5
"""Probability from which a finding is stated although criterion and encoder disagree on it: it is
then called probable, which what is rather absent than present must not be."""
EDGE = 1e-4
"""Scores of the head are held so far from 0 and 1 before their odds are taken."""
_LEADS = re.compile(r"\bV[1-6]\b")


@dataclass(frozen=True, kw_only=True)
class CodeModel:
    """How the probability of one code is made.

    Attributes
    ----------
    slope, constant : float
        Of the head's log odds.
    present, unknown : float
        Added where the criterion is met, and where it could not be judged.
    alone_slope, alone_constant : float
        The same without the criterion.
    threshold : float
        Probability from which the finding is stated.
    """

    slope: float
    constant: float
    present: float
    unknown: float
    alone_slope: float
    alone_constant: float
    threshold: float

    def together(self, score: float, status: Status | None) -> float:
        """Give the probability from head and criterion.

        Parameters
        ----------
        score : float
            Of the head, 0 to 1.
        status : {"present", "absent", "unknown"} or None
            Of the criterion; None if there is none.

        Returns
        -------
        float
        """
        added = {"present": self.present, "unknown": self.unknown}.get(status or "", 0.0)
        return _sigmoid(self.slope * _logit(score) + self.constant + added)

    def alone(self, score: float) -> float:
        """Give the probability from the head without the criterion.

        Parameters
        ----------
        score : float
            0 to 1.

        Returns
        -------
        float
        """
        return _sigmoid(self.alone_slope * _logit(score) + self.alone_constant)


@dataclass(frozen=True, kw_only=True)
class ProbabilityModel:
    """The models of all codes.

    Attributes
    ----------
    codes : dict of str to CodeModel
        By finding code.
    card : dict
        Data, licence, how it was fitted and how it does.
    """

    codes: dict[str, CodeModel]
    card: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write the models as JSON.

        Parameters
        ----------
        path : Path
            File to write.
        """
        codes = {
            code: {name: round(value, 5) for name, value in asdict(model).items()}
            for code, model in self.codes.items()
        }
        text = json.dumps({"codes": codes, "card": self.card}, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path = MODEL) -> ProbabilityModel:
        """Read the models.

        Parameters
        ----------
        path : Path
            Written by `save`.

        Returns
        -------
        ProbabilityModel

        Raises
        ------
        ConfigError
            If the file is missing or holds something else.
        """
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            codes = {code: CodeModel(**values) for code, values in raw["codes"].items()}
            return cls(codes=codes, card=raw["card"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path}: no probabilities of findings could be read ({error}); install the "
                "program again, or fit them with 'ecgllm train probabilities'."
            ) from None


@cache
def bundled() -> ProbabilityModel:
    """Give the models that ship with the program.

    Returns
    -------
    ProbabilityModel
    """
    return ProbabilityModel.load()


def available() -> bool:
    """Tell whether the weights are there.

    Returns
    -------
    bool
        Without them, reports hold what was measured, and findings have no probability.
    """
    return all(path.is_file() for path in NEEDED)


def thresholds() -> dict[str, float]:
    """Give the probability from which each finding is stated.

    Returns
    -------
    dict of str to float
        By code.
    """
    return {code: model.threshold for code, model in bundled().codes.items()}


def head_score(code: str, scores: Mapping[str, float]) -> float | None:
    """Give the head's score for a finding.

    Parameters
    ----------
    code : str
        Finding code.
    scores : mapping of str to float
        One record's, from `ecg_llm.head.head_scores`.

    Returns
    -------
    float or None
        None for a code that the head does not know.
    """
    known = [scores[name] for name in INCLUDES.get(code, (code,)) if name in scores]
    return max(known) if known else None


def with_probabilities(
    record: ECGRecord, measurements: Measurements | None, findings: tuple[Finding, ...]
) -> tuple[Finding, ...]:
    """Add probabilities to findings, and what the encoder alone sees.

    Parameters
    ----------
    record : ECGRecord
        What was read.
    measurements : Measurements or None
        None where nothing could be measured, as on a page image.
    findings : tuple of Finding
        From `ecg_llm.findings.apply.apply_criteria`, or empty.

    Returns
    -------
    tuple of Finding
        The same as they came if the weights are not there, or if the encoder cannot read the
        record, as where none of the standard leads is there.
    """
    if not available():
        return findings
    from ecg_llm.head import head_scores

    try:
        scores = head_scores([record], None if measurements is None else [measurements])[0]
    except RecordError:
        return findings
    found = joined(scores, findings)
    # Grave findings are looked for where they show: an encoder of fewer leads rules none out.
    read = record.leads if measurements is None else measurements.leads
    lacking = (
        f"lead {lead} {'cannot be read' if lead in record.leads else 'is missing'}"
        for lead in lacking_leads(read)
    )
    why = NOT_NORMAL_BY_PAGE if record.origin == "page" else "; ".join(lacking)
    return tuple(
        replace(finding, status="unknown", reason=why, doubt=None)
        if why and finding.code == "NORM" and finding.status == "present"
        else finding
        for finding in found
    )


def joined(
    scores: Mapping[str, float],
    findings: tuple[Finding, ...],
    model: ProbabilityModel | None = None,
) -> tuple[Finding, ...]:
    """Join the head's scores with what the criteria say.

    Parameters
    ----------
    scores : mapping of str to float
        One record's, from `ecg_llm.head.head_scores`.
    findings : tuple of Finding
        From the criteria, or empty: then the head speaks alone.
    model : ProbabilityModel, optional
        Instead of the bundled one.

    Returns
    -------
    tuple of Finding
        A finding is present if its probability reaches its threshold, and one half where criterion
        and encoder disagree; or, for what is critical, if its criterion is met. Where they
        disagree, ``doubt`` says what each of them says, whatever the status.
    """
    model = model or bundled()
    given = {finding.code: finding for finding in findings}
    order = (*STATEMENTS, *ENCODER_STATEMENTS)
    out = {}
    for code in order:
        finding, of_code = given.get(code), model.codes.get(code)
        score = head_score(code, scores)
        if of_code is None or score is None:
            if finding is not None:
                out[code] = finding
            elif not findings and code in STATEMENTS:
                out[code] = judge(code, unknown(NOT_MEASURED))
            continue
        out[code] = _judged(code, finding, of_code, score, by_criteria=bool(findings))
    found = {finding.code: finding for finding in _consistent(out, given)}
    return tuple(_not_normal(measured_first(found, given)))


class _Weighed(NamedTuple):
    """What criterion and head say together, and the head alone, of one finding."""

    both: float
    alone: float
    limit: float
    said: bool
    """Whether it is enough to state the finding."""
    left_open: bool
    """Whether it is enough not to deny it."""

    @property
    def fact(self) -> Evidence:
        """What the head says, as evidence."""
        return Evidence(
            lead=None,
            from_s=None,
            to_s=None,
            quantity=BY_ENCODER,
            value=_shown(self.alone),
            unit="",
            criterion=f"≥ {self.limit:.2f}",
            source=SOURCE,
        )


def _judged(
    code: str, finding: Finding | None, model: CodeModel, score: float, *, by_criteria: bool
) -> Finding:
    """Decide one finding."""
    met = finding is not None and finding.status == "present"
    alone, limit = model.alone(score), model.threshold
    both = alone if finding is None else model.together(score, finding.status)
    agree = not by_criteria or (met and alone >= limit)
    said = both >= (limit if agree else max(limit, STATED_IN_DOUBT))
    weighed = _Weighed(both, alone, limit, said, both >= limit and not said)
    if finding is None:
        return _by_encoder(code, weighed, by_criteria)
    return _criterion_met(finding, weighed) if met else _criterion_not_met(finding, weighed)


def _by_encoder(code: str, weighed: _Weighed, by_criteria: bool) -> Finding:
    """Decide a finding that no criterion judged."""
    statement = STATEMENTS.get(code) or ENCODER_STATEMENTS[code]
    uncertain = by_criteria and (weighed.said or weighed.left_open)
    doubt = "by the encoder alone, no criterion applies" if uncertain else None
    status: Status = "unknown"
    if weighed.said or (by_criteria and not weighed.left_open):
        status = "present" if weighed.said else "absent"
    reason = f"uncertain: {doubt}" if doubt else "seen by the encoder alone, below its limit"
    return Finding(
        code=code,
        label=statement.label,
        snomed=statement.snomed,
        section=statement.section,
        urgency=statement.urgency,
        status=status,
        probability=_shown(weighed.both),
        reason=reason if status == "unknown" else None,
        evidence=(weighed.fact,),
        doubt=doubt,
    )


def _criterion_met(finding: Finding, weighed: _Weighed) -> Finding:
    """Keep a finding, keep it in doubt, or leave it open."""
    kept = replace(finding, probability=_shown(weighed.both))
    doubt = f"the criterion is met, the encoder gives a probability of {_shown(weighed.alone):.2f}"
    doubted = replace(kept, doubt=doubt, evidence=(*finding.evidence, weighed.fact))
    if weighed.said or finding.urgency == "critical":
        return kept if weighed.alone >= weighed.limit else doubted
    return replace(doubted, status="unknown", reason=f"uncertain: {doubt}")


def _criterion_not_met(finding: Finding, weighed: _Weighed) -> Finding:
    """Keep a finding absent or unknown, leave it open, or state it by the encoder."""
    kept = replace(finding, probability=_shown(weighed.both))
    absent = finding.status == "absent"
    if not (weighed.said or (weighed.left_open and absent)):
        return kept
    judged = _not_met(finding) if absent else _not_judged(finding)
    doubt = f"by the encoder, probability {_shown(weighed.alone):.2f}; the criterion {judged}"
    doubted = replace(kept, doubt=doubt, evidence=(weighed.fact,))
    if weighed.said:
        return replace(doubted, status="present", reason=None)
    return replace(doubted, status="unknown", reason=f"uncertain: {doubt}")


def _not_met(finding: Finding) -> str:
    """Say that a criterion is not met, and why a sinus rhythm's is not beside its P waves."""
    told = f": {ECTOPIC_P}" if ectopic_p(finding) else ""
    return f"is not met{told}"


def _not_judged(finding: Finding) -> str:
    """Say why a criterion was not judged; of a reason with numbers the findings tell."""
    reason = brief_reason(finding.reason) if finding.reason else ""
    told = reason and not any(letter.isdigit() for letter in _LEADS.sub("", reason))
    return f"was not judged: {reason}" if told else "was not judged"


def _consistent(out: dict[str, Finding], given: Mapping[str, Finding]) -> Iterable[Finding]:
    """State one rhythm, and a normal ECG only where nothing abnormal is stated for sure."""
    rhythms = [code for code in EXCLUSIVE if code in out and out[code].status == "present"]
    sure = [code for code in rhythms if code in given and given[code].status == "present"]
    met = [code for code, finding in given.items() if finding.status == "present"]
    best = max(rhythms, key=lambda code: out[code].probability or 0.0, default=None)
    for code, finding in out.items():
        if code == "NORM" and finding.status == "present" and finding.doubt:
            against = [of for of in out.values() if _speaks_against_normal(of, given)]
            if against:
                why = f"the criterion of {against[0].label} is met"
                yield replace(finding, status="unknown", reason=f"uncertain: {why}", doubt=why)
                continue
            if told := _met_beside_normal(given):
                doubt = finding.doubt.partition(";")[0] + f"; the criteria find {told}"
                yield replace(finding, doubt=doubt)
                continue
        group = "SR" if code in KINDS_OF_SINUS else code
        loses = group in rhythms and group != best and not (group in sure and best in sure)
        loses = loses and finding.status == "present"
        whole = out.get(WHOLE.get(code, ""))
        if whole is not None and whole.status == "present" and code not in met:
            yield replace(
                finding, status="absent", reason=None, doubt=None, evidence=whole.evidence
            )
        elif loses:
            yield _beaten(finding, out[str(best)], by_facts=code in met and best not in sure)
        else:
            yield finding


def _beaten(finding: Finding, rival: Finding, *, by_facts: bool) -> Finding:
    """Leave a rhythm open beside a likelier one: possible where facts speak for it alone."""
    why = f"{rival.label} is more probable"
    if by_facts:
        doubt = f"the criterion is met, but {why}"
        facts = tuple(item for item in finding.evidence if item.quantity != BY_ENCODER)
        reason = f"uncertain: {doubt}"
        return replace(finding, status="unknown", reason=reason, doubt=doubt, evidence=facts)
    reason = f"{why} ({rival.probability:.2f})"
    return replace(finding, status="unknown", reason=reason, doubt=None, evidence=())


def _met_beside_normal(given: Mapping[str, Finding]) -> str | None:
    """Name what keeps the criteria from calling normal what the encoder does."""
    met = [of for of in given.values() if of.status == "present" and of.code not in HARMLESS]
    names = [of.label for of in met if not any(letter.isdigit() for letter in of.label)]
    return " and ".join(names[:2]) or None


def _speaks_against_normal(finding: Finding, given: Mapping[str, Finding]) -> bool:
    """Whether an abnormal finding's criterion is met, and the encoder does not rule it out."""
    met = finding.code in given and given[finding.code].status == "present"
    serious = finding.urgency in ("critical", "urgent", "abnormal")
    serious = serious and finding.code not in BESIDE_NORMAL
    return met and serious and (finding.probability is None or finding.probability >= RULED_OUT)


def _not_normal(found: Mapping[str, Finding]) -> Iterable[Finding]:
    """Call no ECG normal beside what alerts, or is stated and no reader would call so."""
    stated = [
        f"{finding.label} is {'stated' if finding.status == 'present' else 'possible'}"
        for finding in found.values()
        if finding.code not in BESIDE_NORMAL
        and (
            (finding.status == "present" and finding.urgency in ("critical", "urgent", "abnormal"))
            or is_grave_doubt(finding)
        )
    ]
    for finding in found.values():
        if finding.code == "NORM" and finding.status == "present" and stated:
            why = stated[0]
            yield replace(finding, status="unknown", reason=f"uncertain: {why}", doubt=why)
        else:
            yield finding


def _shown(p: float) -> float:
    """Probabilities are given to the hundredth, and never as certain."""
    return min(max(round(p, 2), 0.01), 0.99)


def _logit(p: float) -> float:
    p = min(max(p, EDGE), 1 - EDGE)
    return math.log(p / (1 - p))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-min(max(x, -30.0), 30.0)))

"""Let a language model tell a measured report in prose, and ship only what the record bears out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ecg_llm.claims.check import CheckedClaim
from ecg_llm.compare import TITLE
from ecg_llm.ground.draft import ground
from ecg_llm.ground.known import Known
from ecg_llm.prompt import REPORT_QUESTION, build
from ecg_llm.report import Change, DraftBlock, DraftClaim, Report

if TYPE_CHECKING:
    from ecg_llm.analysis import Analysis
    from ecg_llm.lm import TextModel

MAX_NEW_TOKENS = 512
"""Longest draft of a report."""
MOST_QUOTED = 6
"""Claims that are held against a draft when it is asked for again."""


def narrate(
    report: Report,
    analyses: Sequence[Analysis],
    known: Known,
    model: TextModel,
    *,
    keep_draft: bool = False,
) -> Report:
    """Put a model's checked prose into a measured report.

    Parameters
    ----------
    keep_draft : bool
        Put the drafts and the verdicts on their claims into the report.

    Returns
    -------
    Report
        Its measurements, findings, alerts, impression and sections are those of ``report``. If
        the model fails, everything is, and the changes say so.

    Notes
    -----
    A draft with contradicted claims is asked for once more, with what was measured; the draft of
    the two that holds more is corrected and shipped.
    """
    changes: list[Change] = []
    try:
        drafts = model.generate([build(None, analyses)], max_new_tokens=MAX_NEW_TOKENS)
        wrong = _wrong(known.check(drafts[0]))
        if wrong:
            again = build(_objection(wrong), analyses, history=[(REPORT_QUESTION, drafts[0])])
            drafts = drafts + model.generate([again], max_new_tokens=MAX_NEW_TOKENS)
            best = drafts[1] if _is_better(known, drafts[1], drafts[0]) else drafts[0]
            if best is drafts[1]:
                reason = "; ".join(claim.reason for claim in wrong[:MOST_QUOTED])
                changes.append(Change(action="regenerated", draft=drafts[0], reason=reason))
        else:
            best = drafts[0]
    except Exception as error:  # whatever fails in a model, the measured report has to ship
        reason = f"{model.name} gave no draft ({type(error).__name__}: {error})"
        failed = Change(action="failed", reason=f"{reason}; the report is the measured one")
        return report.model_copy(update={"changes": (failed,)})
    told = ground(best, known)
    changes += told.changes
    update: dict[str, Any] = {"changes": tuple(changes)}
    if told.text:
        claims = {s.text: s.as_claim() for s in told.sentences if s.text}
        measured = {claim.text: claim for claim in report.claims}
        update["narrative"] = "\n\n".join([told.text, *_comparison(report)])
        update["claims"] = tuple({**claims, **measured}.values())
    if keep_draft:
        update["drafts"] = tuple(_draft_block(draft, known) for draft in drafts)
    return report.model_copy(update=update)


def _comparison(report: Report) -> Iterator[str]:
    """Tell what changed since an earlier ECG, as measured, behind a report on two."""
    for part in report.sections:
        if part.title == TITLE:
            yield " ".join(claim.text for claim in part.statements)


def _wrong(checked: Sequence[CheckedClaim]) -> list[CheckedClaim]:
    """Give the claims for which a draft is asked for again."""
    return [claim for claim in checked if claim.status == "contradicted"]


def _objection(wrong: Sequence[CheckedClaim]) -> str:
    """Ask for a text again, with what was measured."""
    lines = [f"- not {one.claim.text!r}: {one.reason}" for one in wrong[:MOST_QUOTED]]
    return "\n".join(["Some of this is not so on this ECG:", *lines, "Report this ECG again."])


def _is_better(known: Known, new: str, old: str) -> bool:
    """Whether more of a second draft holds, what is contradicted counting twice against it."""

    def worth(draft: str) -> int:
        checked = known.check(draft)
        held = sum(claim.status == "supported" for claim in checked)
        return held - 2 * len(_wrong(checked))

    return worth(new) > worth(old)


def _draft_block(draft: str, known: Known) -> DraftBlock:
    """Write down a draft with the verdict on each of its claims."""
    return DraftBlock(
        text=draft,
        claims=tuple(
            DraftClaim(
                text=one.claim.text,
                start=one.claim.start,
                kind=one.claim.kind,
                subject=one.claim.subject,
                value=one.claim.value,
                unit=one.claim.unit,
                leads=one.claim.leads,
                negated=one.claim.negated,
                certainty=one.claim.certainty,
                status=one.status,
                reason=one.reason,
                evidence=one.evidence,
            )
            for one in known.check(draft)
        ),
    )

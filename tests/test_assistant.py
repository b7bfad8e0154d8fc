"""A report with and without a language model."""

from __future__ import annotations

import pytest

from ecg_llm.analysis import Analysis
from ecg_llm.answer.conversation import respond
from ecg_llm.assistant import interpret, writer
from ecg_llm.report import Report
from tests.scripted import Broken, Scripted


def test_without_a_model_the_report_is_the_measured_one(found: Analysis) -> None:
    report = interpret(found.record, model="none")
    document = report.to_json()
    assert '"drafts"' not in document and '"changes"' not in document
    assert '"model"' not in document
    assert Report.from_json(document) == report


def test_only_the_narrative_depends_on_the_model(found: Analysis) -> None:
    plain = interpret(found.record, model="none")
    told = interpret(found.record, model=Scripted("Sinus rhythm. QRS 300 ms."), keep_draft=True)
    for part in ("measurements", "findings", "alerts", "impression", "sections", "abstentions"):
        assert getattr(told, part) == getattr(plain, part)
    assert told.narrative.startswith("Sinus rhythm. QRS")
    assert "300" not in told.narrative
    assert told.provenance.model is not None and told.provenance.model.name == "scripted"
    assert [claim.status for claim in told.drafts[0].claims] == ["supported", "contradicted"]
    assert len(told.drafts) == 2  # asked for once more
    again = interpret(found.record, model=Scripted("Sinus rhythm. QRS 300 ms."), keep_draft=True)
    assert told.to_json() == again.to_json()
    assert Report.from_json(told.to_json()) == told


def test_a_better_second_draft_is_taken(found: Analysis) -> None:
    model = Scripted("There is atrial fibrillation.", "Sinus rhythm.")
    told = interpret(found.record, model=model)
    assert told.narrative.startswith("Sinus rhythm.")
    assert told.changes[0].action == "regenerated"


def test_a_model_that_fails_leaves_the_measured_report(found: Analysis) -> None:
    plain = interpret(found.record, model="none")
    told = interpret(found.record, model=Broken("never"))
    assert told.narrative == plain.narrative
    assert [change.action for change in told.changes] == ["failed"]


@pytest.mark.parametrize("model", ["none", "bundled"])
def test_a_question_is_answered_as_in_a_conversation(found: Analysis, model: str) -> None:
    """ "Is it AF?" was "No. Atrial flutter is absent.": a model's draft that was only checked."""
    chosen = "none" if model == "none" else writer(None)
    for question in ("Is it AF?", "What is the QTc?"):
        report = interpret(found.record, question, model=chosen)
        said = respond([("user", question)], found, model=writer(chosen))
        assert report.narrative == "".join(one.before + one.text for one in said).strip()
    assert report.claims[0].text in report.narrative
    assert (report.provenance.model is None) == (model == "none")
    assert interpret(found.record, "Is it AF?", model=chosen).narrative.startswith(
        "No. Atrial fibrillation is absent"
    )

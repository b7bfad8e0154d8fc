"""What a prompt shows of an ECG, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecg_llm.analysis import analyse
from ecg_llm.claims.facts import Facts
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.findings.finding import Evidence, Finding
from ecg_llm.prompt import build, describe, facts_of, status_words
from ecg_llm.quantity import Quantity


@pytest.fixture(scope="module")
def analysis():
    return analyse(synthetic_ecg(bpm=112, seed=3).record)


def finding(code, status="present", **settings):
    return Finding(
        code=code,
        label=code,
        snomed=None,
        section="st-t",
        urgency="abnormal",
        status=status,
        **settings,
    )


def test_values_findings_and_one_slot_stand_before_the_question(analysis):
    prompt = build("What is the rate?", [analysis])
    text = prompt.text()
    rate = analysis.measurements.values["heart_rate_bpm"].value
    assert f"heart rate {rate:.0f} bpm" in text
    assert "sinus tachycardia: heart rate 112 bpm (> 100/min)" in text
    assert text.index("<ecg>") < text.index("Values:") < text.index("What is the rate?")
    assert prompt.records == (analysis.record,)
    assert prompt.text() == build("What is the rate?", [analysis]).text()


def test_parts_choose_what_is_shown(analysis):
    tokens = build(None, [analysis], parts=["tokens"])
    assert "Values" not in tokens.text()
    assert "tachycardia" not in tokens.text()
    words = build(None, [analysis], parts=["values", "findings"])
    assert words.records == ()
    assert "<ecg>" not in words.text()
    with pytest.raises(ConfigError, match="no part smell"):
        build(None, [analysis], parts=["smell"])


def test_a_finding_asked_for_is_shown_with_what_decides_it(analysis):
    text = build("Is there first-degree AV block?", [analysis]).text()
    pr = analysis.measurements.values["pr_ms"].value
    assert f"Asked: first-degree AV block absent: PR {pr:.0f} ms (≤ 200 ms)." in text
    assert "Asked: in V5" in build("How tall is the R wave in V5?", [analysis]).text()
    assert "Asked" not in build("Thank you.", [analysis]).text()


def test_history_comes_before_the_question_and_the_ecg_only_once(analysis):
    prompt = build("And the PR?", [analysis], history=[("The rate?", "112 bpm.")])
    assert [m["role"] for m in prompt.messages] == ["system", "user", "assistant", "user"]
    assert prompt.text().count("<ecg>") == 1


def test_two_ecgs_are_named(analysis):
    prompt = build("What changed?", [analysis, analysis])
    assert prompt.text().count("<ecg>") == 2
    assert "First ECG: <ecg>" in prompt.text()
    assert len(prompt.records) == 2


def test_a_page_has_no_values_and_an_image_slot(analysis):
    page = replace(analysis, record=replace(analysis.record, origin="page"))
    text = build(None, [page]).text()
    assert "<image>" in text
    assert "No measured values." in text
    assert "bpm" not in text.split("- ")[0]
    assert facts_of(page).values == {}


def test_refused_tracings_say_so_and_nothing_else():
    facts = Facts(refused="the tracing was refused: all leads are flat")
    assert describe(facts) == "Not to be interpreted: refused: all leads are flat."


def test_values_without_meaning_are_left_out():
    values = {"pr_ms": Quantity(160.0, "ms"), "qrs_ms": Quantity(90.0, "ms")}
    facts = Facts(values=values, findings={"AFIB": finding("AFIB")})
    assert "PR" not in describe(facts)
    assert "QRS 90 ms" in describe(facts)


def test_findings_are_shown_as_sure_as_they_are():
    doubt = "by the encoder, probability 0.80; the criterion is not met"
    probable = finding("NDT", doubt=doubt)
    fact = Evidence(
        lead=None,
        from_s=None,
        to_s=None,
        quantity="ST at J",
        value=-0.2,
        unit="mV",
        criterion="≤ −0.1 mV",
        source="",
    )
    grave = replace(
        finding("stemi", "unknown", doubt="denied", evidence=(fact,)), urgency="critical"
    )
    open_ = finding("DIG", "unknown", probability=0.8, reason="no criterion")
    facts = Facts(findings={found.code: found for found in (probable, grave, open_)})
    assert describe(facts).splitlines()[1:] == [
        "- possible stemi: ST at J −0.20 mV (≤ −0.1 mV)",
        "- probable NDT",
    ]
    assert status_words("NDT", facts).endswith(" probable (NDT)")
    assert status_words("DIG", facts).endswith("not judged, probability 80 %")

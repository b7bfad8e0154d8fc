"""Where criterion and encoder agree, where they do not, and what only the encoder sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.findings.codes import ENCODER_STATEMENTS, STATEMENTS
from ecg_llm.findings.finding import BY_ENCODER, Evidence, Finding
from ecg_llm.head import Head
from ecg_llm.knowledge import SCP
from ecg_llm.leads import STANDARD_12
from ecg_llm.probabilities import (
    NOT_MEASURED,
    ProbabilityModel,
    head_score,
    joined,
    with_probabilities,
)
from ecg_llm.record import ECGRecord
from ecg_llm.report import Claim
from ecg_llm.statements import finding_claims, is_grave_doubt, stated_claim
from tests.judged import MODEL, PLAIN, made

FACT = Evidence(
    lead=None, from_s=None, to_s=None, quantity="QRS duration", value=142.0, unit="ms",
    criterion="≥ 120 ms", source="a paper",
)  # fmt: skip


def finding(code: str, status: str, **more: object) -> Finding:
    return made(code, status, evidence=(FACT,) if status == "present" else (), **more)


def one(code: str, status: str, score: float, **more: object) -> Finding:
    scores = dict.fromkeys(SCP, 0.02) | {code: score}
    found = joined(scores, (finding(code, status, **more),), MODEL)
    return next(item for item in found if item.code == code)


def test_agreement_gives_a_probability_and_no_doubt():
    found = one("CLBBB", "present", 0.9)
    assert (found.status, found.doubt, found.evidence) == ("present", None, (FACT,))
    assert found.probability == pytest.approx(0.98, abs=0.005)


def test_agreement_on_absence_stays_absent():
    found = one("CLBBB", "absent", 0.05)
    assert (found.status, found.doubt, found.probability) == ("absent", None, 0.05)


def test_what_only_the_encoder_sees_is_stated_as_uncertain():
    found = one("IMI", "absent", 0.8)
    assert found.status == "present"
    assert "probability 0.80" in found.doubt and "criterion is not met" in found.doubt
    assert [item.quantity for item in found.evidence] == [BY_ENCODER]


def test_what_could_not_be_judged_is_stated_by_the_encoder_alone():
    found = one("IMI", "unknown", 0.8, reason="lead aVF is noisy")
    assert found.status == "present" and found.reason is None
    assert found.doubt.endswith("the criterion was not judged: lead aVF is noisy")


def test_a_reason_with_numbers_that_no_fact_holds_is_not_repeated():
    found = one("IMI", "unknown", 0.8, reason="at 137/min nothing can be told")
    assert found.doubt.endswith("the criterion was not judged")


def test_a_criterion_that_the_encoder_denies_is_left_open_with_both_reasons():
    found = one("LVH", "present", 0.03)
    assert found.status == "unknown"
    assert "criterion is met" in found.doubt and "0.03" in found.doubt
    assert {item.quantity for item in found.evidence} == {"QRS duration", BY_ENCODER}


def test_what_is_critical_stays_present_although_the_encoder_denies_it():
    assert STATEMENTS["3AVB"].urgency == "critical"
    found = one("3AVB", "present", 0.02)
    assert found.status == "present" and "criterion is met" in found.doubt


def test_what_is_urgent_and_denied_stays_open_and_alerts():
    assert STATEMENTS["INJIL"].urgency == "urgent"
    found = one("INJIL", "present", 0.02)
    assert found.status == "unknown" and "criterion is met" in found.doubt
    assert is_grave_doubt(found)
    assert not is_grave_doubt(one("INJIL", "absent", 0.02))


@pytest.mark.parametrize(("score", "status"), [(0.45, "unknown"), (0.55, "present")])
def test_a_disagreement_is_stated_from_even_odds_on(score, status):
    """Stated as probable at its threshold, it was once so more often wrongly than rightly."""
    found = one("IMI", "absent", score)
    assert found.status == status and "criterion is not met" in found.doubt
    assert MODEL.codes["IMI"].threshold < 0.45


def test_a_code_that_the_head_does_not_know_stays_as_it_came():
    given = finding("stemi", "present")
    assert [item for item in joined({"NORM": 0.1}, (given,), MODEL) if item.code == "stemi"] == [
        given
    ]


def test_statements_without_any_criterion_come_from_the_encoder():
    scores = dict.fromkeys(SCP, 0.02) | {"HVOLT": 0.7}
    found = {item.code: item for item in joined(scores, (finding("SR", "present"),), MODEL)}
    assert set(ENCODER_STATEMENTS) <= set(found)
    assert found["HVOLT"].status == "present" and "no criterion applies" in found["HVOLT"].doubt
    assert found["ABQRS"].status == "absent"


def test_on_a_page_the_encoder_speaks_alone_and_denies_nothing():
    scores = dict.fromkeys(SCP, 0.02) | {"AFIB": 0.9}
    found = {item.code: item for item in joined(scores, (), MODEL)}
    assert found["AFIB"].status == "present" and found["AFIB"].probability == 0.9
    assert {item.status for item in found.values()} == {"present", "unknown"}
    assert found["stemi"].reason == NOT_MEASURED


def test_only_the_likeliest_rhythm_is_stated():
    scores = dict.fromkeys(SCP, 0.02) | {"AFIB": 0.9, "SR": 0.5, "STACH": 0.45}
    given = (finding("SR", "present"), finding("AFIB", "absent"), finding("STACH", "present"))
    found = {item.code: item for item in joined(scores, given, MODEL)}
    assert found["AFIB"].status == "present"
    assert found["SR"].status == "unknown" and "more probable" in found["SR"].reason
    assert found["STACH"].status == "unknown"


def test_a_rhythm_whose_criterion_is_met_stays_possible_beside_one_by_the_encoder():
    """An irregular rhythm without P waves was told as a sinus rhythm alone."""
    scores = dict.fromkeys(SCP, 0.02) | {"AFIB": 0.6, "SR": 0.9}
    given = (finding("SR", "absent"), finding("AFIB", "present"))
    found = {item.code: item for item in joined(scores, given, MODEL)}
    assert (found["SR"].status, found["AFIB"].status) == ("present", "unknown")
    assert "the criterion is met, but" in found["AFIB"].doubt and found["AFIB"].has_facts


def test_a_complete_block_is_not_incomplete_too():
    scores = dict.fromkeys(SCP, 0.02) | {"CRBBB": 0.9, "IRBBB": 0.8}
    given = (finding("CRBBB", "present"), finding("IRBBB", "absent"))
    found = {item.code: item for item in joined(scores, given, MODEL)}
    assert (found["CRBBB"].status, found["IRBBB"].status) == ("present", "absent")


def test_two_rhythms_whose_criteria_both_hold_are_both_stated():
    scores = dict.fromkeys(SCP, 0.02) | {"PACE": 0.9, "AFIB": 0.8}
    given = (finding("PACE", "present"), finding("AFIB", "present"))
    found = {item.code: item for item in joined(scores, given, MODEL)}
    assert found["PACE"].status == found["AFIB"].status == "present"


def test_the_score_of_a_finding_is_that_of_what_implies_it():
    assert head_score("SR", {"SR": 0.2, "SBRAD": 0.9}) == 0.9
    assert head_score("stemi", {"SR": 0.2}) is None


@pytest.mark.parametrize("status", ["present", "absent"])
@pytest.mark.parametrize("score", [0.05, 0.3, 0.6, 0.95])
def test_a_doubtful_sentence_holds_no_number_without_evidence(status, score):
    found = one("IVCD", status, score)
    claims = list(finding_claims([found]))
    if found.doubt:
        assert claims == [stated_claim(found)]
        assert "uncertain" in claims[0].text
    assert all(isinstance(claim, Claim) for claim in claims)
    for claim in claims:
        assert not list(numbers_without_evidence(claim))


def numbers_without_evidence(claim: Claim) -> list[str]:
    import re

    values = {f"{item.value:.2f}" for item in claim.evidence if isinstance(item.value, float)}
    values |= {f"{item.value:.0f}" for item in claim.evidence if isinstance(item.value, float)}
    limits = " ".join(item.criterion for item in claim.evidence)
    return [
        n for n in re.findall(r"\d+(?:\.\d+)?", claim.text) if n not in values and n not in limits
    ]


def test_models_are_kept_in_a_file(tmp_path):
    model = ProbabilityModel(codes={"AFIB": replace(PLAIN, threshold=0.33)}, card={"name": "x"})
    model.save(tmp_path / "p.json")
    assert ProbabilityModel.load(tmp_path / "p.json") == model


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match="ecgllm train probabilities"):
        ProbabilityModel.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("origin", "leads", "reason"),
    [
        ("recording", STANDARD_12, None),
        ("recording", STANDARD_12[:8], "lead V3 is missing"),
        ("page", STANDARD_12, "a page does not give"),
    ],
)
def test_neither_a_page_nor_few_leads_are_called_normal(monkeypatch, origin, leads, reason):
    """Lead II alone was a probably normal ECG, with an occlusion that could not be judged."""
    import ecg_llm.head

    scores = dict.fromkeys(Head.load(ecg_llm.head.WEIGHTS).columns.tolist(), 0.01) | {"NORM": 0.99}
    monkeypatch.setattr(ecg_llm.head, "head_scores", lambda records, found: [scores])
    signal = np.ones((len(leads), 5000))
    record = ECGRecord(signal=signal, fs=500.0, leads=leads, origin=origin)
    (normal,) = (f for f in with_probabilities(record, None, ()) if f.code == "NORM")
    assert normal.status == ("unknown" if reason else "present")
    assert (reason or "") in (normal.reason or "")
    assert normal.probability is not None and normal.probability > 0.9


def test_what_the_encoder_cannot_read_keeps_its_findings():
    record = ECGRecord(signal=np.ones((3, 5000), np.float32), fs=500.0, leads=("X", "Y", "Z"))
    given = (finding("SR", "present"),)
    assert with_probabilities(record, None, given) == given


def test_without_weights_findings_come_from_criteria_alone(monkeypatch, tmp_path):
    monkeypatch.setattr("ecg_llm.probabilities.NEEDED", (tmp_path / "none.json",))
    given = (finding("SR", "present"),)
    record = ECGRecord(signal=np.ones((1, 5000), np.float32), fs=500.0, leads=("I",))
    assert with_probabilities(record, None, given) == given


def test_no_ecg_is_normal_beside_what_is_stated_as_abnormal():
    """Probable pathological Q waves of the encoder once stood beside a normal ECG."""
    given = finding("NORM", "absent"), finding("QWAVE", "absent"), finding("PVC", "absent")
    scores = dict.fromkeys(SCP, 0.02) | {"NORM": 0.9}
    for code, status in (("QWAVE", "unknown"), ("PVC", "present")):
        found = {item.code: item for item in joined(scores | {code: 0.8}, given, MODEL)}
        assert found[code].status == "present"
        assert found["NORM"].status == status


def test_no_ecg_is_normal_beside_what_alerts_in_doubt():
    """A possible posterior infarction stood beside an otherwise probably normal ECG."""
    given = finding("NORM", "absent"), finding("INJAS", "present", urgency="urgent")
    scores = dict.fromkeys(SCP, 0.02) | {"NORM": 0.9}
    found = {item.code: item for item in joined(scores, given, MODEL)}
    assert found["INJAS"].status == "unknown" and found["INJAS"].doubt
    assert found["NORM"].status == "unknown"
    assert "is possible" in found["NORM"].reason

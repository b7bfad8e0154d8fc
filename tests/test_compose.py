"""Reports built from hand-made measurements and findings of known content."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ecg_llm.compose import UNMARKED, build_report, withheld
from ecg_llm.delineate import Delineation
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.findings.families import FAMILIES
from ecg_llm.findings.fibrillation import LOOK_ALIKE
from ecg_llm.findings.finding import Evidence, Finding
from ecg_llm.leads import STANDARD_12
from ecg_llm.measure import Beat, LeadMeasurements, Measurements
from ecg_llm.quality import LeadQuality, Quality, Suspicion
from ecg_llm.quantity import Quantity
from ecg_llm.record import ECGRecord
from ecg_llm.report import Claim, Report
from ecg_llm.statements import finding_claims
from tests.report_numbers import check_claims

RECORD = ECGRecord(
    signal=np.zeros((12, 5000), np.float32),
    fs=500.0,
    leads=STANDARD_12,
    source="made.hea",
    name="made",
    age_years=70,
    sex="male",
    sha256="ab" * 32,
)
GOOD = LeadQuality(usable=True, reasons=(), metrics={})
FLAT = LeadQuality(usable=False, reasons=("flat",), metrics={"span_mv": 0.0})
QUALITY = Quality(
    record="made",
    verdict="accept",
    reasons=(),
    score=0.97,
    leads=dict.fromkeys(STANDARD_12, GOOD),
    suspicions=(),
    pacing_spikes_s=(),
    from_s=0.0,
    to_s=10.0,
)


def made_measurements() -> Measurements:
    values = {
        "heart_rate_bpm": Quantity(71.6, "bpm", method="60000 / median RR", n=11),
        "rr_ms": Quantity(838.0, "ms", spread=21.4, n=11),
        "p_ms": Quantity(None, "ms", reason="no P wave in 2 of 12 beats"),
        "pr_ms": Quantity(223.6, "ms", method="P onset to QRS onset", spread=4.0, n=12),
        "qrs_ms": Quantity(96.0, "ms", n=12),
        "qt_ms": Quantity(402.0, "ms", n=12),
        "qtc_fridericia_ms": Quantity(426.5, "ms", n=12),
        "qtc_bazett_ms": Quantity(439.1, "ms", n=12),
        "qrs_axis_deg": Quantity(-41.7, "deg", n=12),
    }
    per_lead = {
        lead: LeadMeasurements(
            per_beat={},
            summary={
                "qrs_max_mv": Quantity(0.1 * k, "mV"),
                "qrs_min_mv": Quantity(-0.9, "mV"),
                "st_j60_mv": Quantity(0.01 * k, "mV"),
                "t_mv": Quantity(-0.3 if lead == "aVR" else 0.2, "mV"),
            },
        )
        for k, lead in enumerate(STANDARD_12)
    }
    nothing = np.zeros((0, 9))
    return Measurements(
        record="made",
        fs=500.0,
        from_s=0.0,
        to_s=10.0,
        values=values,
        beats=(*(Beat(0.5 + 0.8 * k, "normal") for k in range(11)), Beat(9.0, "ventricular")),
        leads=per_lead,
        delineation=Delineation(
            leads=(),
            r_s=np.zeros(0),
            times_s=np.zeros((0, 0, 9)),
            global_s=nothing,
            p_waves_s=np.zeros((0, 3)),
            p_confidence=np.zeros(0),
        ),
    )


def evidence(quantity: str, value: float, unit: str, criterion: str, **where: object) -> Evidence:
    place = {"lead": None, "from_s": None, "to_s": None, **where}
    return Evidence(
        quantity=quantity, value=value, unit=unit, criterion=criterion, source="a paper", **place
    )


def made_finding(code: str, label: str, section: str, urgency: str, **more: object) -> Finding:
    return Finding(
        code=code,
        label=label,
        snomed=None,
        section=section,
        urgency=urgency,
        **{"status": "present", **more},
    )


FINDINGS = (
    made_finding("SR", "sinus rhythm", "rhythm", "normal"),
    made_finding(
        "1AVB",
        "first-degree AV block",
        "conduction",
        "abnormal",
        evidence=(evidence("PR interval", 223.6, "ms", "> 200 ms"),),
    ),
    made_finding(
        "stemi",
        "STEMI pattern",
        "st-t",
        "critical",
        evidence=(
            evidence("ST at J", 0.31, "mV", "≥ 0.2 mV", lead="V2", from_s=1.04, to_s=1.08),
            evidence("ST at J", 0.274, "mV", "≥ 0.2 mV", lead="V3", from_s=1.04, to_s=1.08),
        ),
    ),
    made_finding("LVH", "left ventricular hypertrophy", "chambers", "abnormal", status="absent"),
    made_finding(
        "LAO/LAE",
        "left atrial enlargement",
        "p wave",
        "abnormal",
        status="unknown",
        reason="no P wave in 2 of 12 beats",
    ),
)


def made_report() -> Report:
    return build_report(RECORD, QUALITY, made_measurements(), FINDINGS, criteria_version="1")


def statements(report: Report, title: str) -> list[str]:
    return [
        claim.text
        for section in report.sections
        if section.title == title
        for claim in section.statements
    ]


def test_the_worst_comes_first():
    report = made_report()
    assert [alert.code for alert in report.alerts] == ["stemi"]
    assert report.impression == (
        "STEMI pattern (ST raised in V2 and V3).",
        "First-degree AV block (PR 224 ms).",
        "Sinus rhythm.",
    )


def test_facts_of_one_quantity_stand_together():
    (alert,) = made_report().alerts
    assert alert.text == "STEMI pattern: ST at J 0.31 mV in V2 and 0.27 mV in V3 (≥ 0.2 mV)."


def test_a_value_beside_its_limit_is_not_rounded_onto_it():
    fact = evidence("QRS duration", 119.6, "ms", "< 120 ms")
    finding = made_finding(
        "ILBBB", "incomplete block", "conduction", "borderline", evidence=(fact,)
    )
    report = build_report(RECORD, QUALITY, made_measurements(), (finding,))
    assert "Incomplete block: QRS 119.6 ms (< 120 ms)." in statements(
        report, "Intervals and conduction"
    )
    assert check_claims(report) == ()


def test_no_pr_interval_is_given_in_fibrillation():
    finding = made_finding("AFIB", "atrial fibrillation", "rhythm", "abnormal")
    report = build_report(RECORD, QUALITY, made_measurements(), (finding,))
    assert report.measurements["pr_ms"].value is None
    assert statements(report, "Intervals and conduction")[0] == (
        "PR interval could not be measured: it has no meaning in atrial fibrillation."
    )
    assert "PR interval" in {abstention.what for abstention in report.abstentions}
    assert report.measurements["qrs_ms"].value == 96.0


def test_the_impression_leaves_out_what_a_stronger_finding_says():
    findings = [
        made_finding(code, label, "qrs", "abnormal")
        for code, label in (("QWAVE", "pathological Q waves"), ("IMI", "inferior infarction"))
    ]
    report = build_report(RECORD, QUALITY, made_measurements(), findings)
    assert report.impression == ("Inferior infarction.",)
    assert statements(report, "QRS morphology")[-2:] == [
        "Pathological Q waves.",
        "Inferior infarction.",
    ]


def test_intervals_are_named_with_their_values():
    assert statements(made_report(), "Intervals and conduction") == [
        "PR interval 224 ms (spread 4 ms).",
        "QRS duration 96 ms.",
        "QT interval 402 ms.",
        "QTc (Fridericia) 426 ms.",
        "QTc (Bazett) 439 ms.",
        "First-degree AV block: PR 224 ms (> 200 ms).",
    ]


def test_sections_say_what_is_measured_found_and_not_judged():
    report = made_report()
    assert statements(report, "Axis") == ["QRS axis −42°."]
    assert "12 beats were read: 11 of the dominant form and 1 ventricular." in statements(
        report, "Rate and rhythm"
    )
    assert statements(report, "Chambers") == ["No left ventricular hypertrophy."]
    assert statements(report, "P wave") == [
        "P duration could not be measured: no P wave in 2 of 12 beats.",
        "Not judged (no P wave in 2 of 12 beats): left atrial enlargement.",
    ]
    assert statements(report, "ST–T")[:2] == [
        "ST at J+60 ms lies between 0.00 mV in I and 0.11 mV in V6.",
        "T is negative in aVR only, as is normal.",
    ]
    unjudged = {claim.text for claim in report.claims if claim.status == "unverifiable"}
    assert unjudged == set(statements(report, "P wave"))
    assert {abstention.what for abstention in report.abstentions} == {
        "P duration",
        "left atrial enlargement",
    }


def test_the_transition_of_the_chest_leads_is_named():
    assert statements(made_report(), "QRS morphology") == ["R exceeds S from V5 on."]


def test_every_number_is_held_by_its_evidence():
    assert check_claims(made_report()) == ()


def test_a_unit_may_hold_a_number():
    fact = evidence("early beats", 2, "of 11 beats", "≥ 1", from_s=0.82, to_s=0.9)
    finding = made_finding("PAC", "atrial premature complexes", "ectopy", "borderline")
    report = build_report(
        RECORD, QUALITY, made_measurements(), (replace(finding, evidence=(fact,)),)
    )
    assert "Atrial premature complexes: early beats 2 of 11 beats at 0.82 s (≥ 1)." in statements(
        report, "Rate and rhythm"
    )
    assert check_claims(report) == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("PR interval 225 ms.", "225 ms"),
        ("PR interval 224 mV.", "224 mV"),
        ("PR interval 223.5 ms.", "223.5 ms"),
        ("QRS axis −224°.", "−224 °"),
        ("Lead V2 shows 3 beats.", "3"),
    ],
)
def test_a_number_without_evidence_is_found(text, complaint):
    report = made_report()
    wrong = Claim(text=text, status="supported", evidence=FINDINGS[1].evidence)
    changed = report.model_copy(update={"claims": (*report.claims, wrong)})
    (found,) = check_claims(changed)
    assert found == f"{text!r}: {complaint} is not in its evidence"


def test_an_impression_that_no_claim_holds_is_found():
    changed = made_report().model_copy(update={"impression": ("All is well.",)})
    assert check_claims(changed) == ("'All is well.': in the impression but not among the claims",)


def test_a_sentence_slipped_into_the_narrative_is_found():
    report = made_report()
    changed = report.model_copy(update={"narrative": report.narrative + " Discharge home."})
    assert "Discharge home" in "".join(check_claims(changed))


def test_a_refused_record_claims_nothing():
    quality = replace(QUALITY, verdict="refuse", reasons=("all leads are flat",))
    report = build_report(RECORD, quality, made_measurements(), FINDINGS)
    assert not report.quality.acceptable
    assert report.findings == report.alerts == ()
    assert report.measurements == report.lead_table == {}
    assert "all leads are flat" in report.impression[0]
    assert [section.title for section in report.sections] == ["Technical quality"]
    assert report.abstentions[0].what == "the whole record"
    assert check_claims(report) == ()


@pytest.mark.parametrize("read", [False, True])
def test_a_line_without_beats_may_be_an_arrest(read):
    leads = {lead: GOOD if read and lead == "I" else FLAT for lead in QUALITY.leads}
    quality = replace(QUALITY, verdict="refuse", reasons=("poor",), leads=leads)
    report = build_report(RECORD, quality, None, ())
    assert ("Look at the patient first" in report.narrative) != read


def test_unusable_leads_and_suspicions_are_said():
    quality = replace(
        QUALITY,
        verdict="limit",
        reasons=("1 lead is not usable",),
        leads={**QUALITY.leads, "V3": FLAT},
        suspicions=(
            Suspicion(
                kind="RA-LA reversal",
                leads=("I", "aVR"),
                explanation="P and QRS axis 172° and 165°.",
                score=0.9,
            ),
        ),
        pacing_spikes_s=(1.0, 2.0),
        to_s=8.0,
    )
    record = replace(RECORD, derived=("aVR", "aVL"), calibrated=False)
    report = build_report(record, quality, made_measurements(), FINDINGS)
    assert statements(report, "Technical quality") == [
        "The tracing can be interpreted with limits: 1 lead is not usable.",
        "Not measured: V3 (flat).",
        "Suspected RA-LA reversal: P and QRS axis 172° and 165°.",
        "Spikes were seen (2) that drive no beats: artefacts, or pacing without effect.",
        "Computed from other leads, not recorded: aVR and aVL.",
        "Judged from 0.00 s to 8.00 s of 10.00 s.",
        "The file does not state its gain: voltages were not judged.",
    ]
    assert "lead V3" in {abstention.what for abstention in report.abstentions}
    assert check_claims(report) == ()
    pacing = made_finding("PACE", "pacemaker rhythm", "rhythm", "abnormal")
    paced = build_report(record, quality, made_measurements(), (*FINDINGS, pacing))
    assert "Pacing spikes were seen (2)." in statements(paced, "Technical quality")


def test_what_is_grave_and_was_not_judged_stands_in_the_impression():
    gate = {"status": "unknown", "reason": "the ventricles are paced"}
    findings = (
        FINDINGS[0],
        made_finding("stemi", "STEMI pattern", "st-t", "critical", **gate),
        made_finding("INVT", "inverted T waves", "st-t", "abnormal", **gate),
    )
    report = build_report(RECORD, QUALITY, made_measurements(), findings)
    assert report.impression[-1] == "Not judged (the ventricles are paced): STEMI pattern."
    assert check_claims(report) == ()


def test_a_normal_ecg_is_a_conclusion_not_a_rhythm():
    normal = made_finding("NORM", "normal ECG", "rhythm", "normal")
    report = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0], normal))
    assert report.impression == ("Sinus rhythm.", "Normal ECG.")
    assert "Normal ECG." not in statements(report, "Rate and rhythm")
    report = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[1], normal))
    assert report.impression[-1] == "Otherwise normal ECG."


def test_nothing_found_is_said_as_such():
    report = build_report(RECORD, QUALITY, made_measurements(), FINDINGS[:1])
    assert report.impression == ("Sinus rhythm.", "No abnormality by the criteria applied.")


def test_where_nothing_was_judged_nothing_is_excluded():
    open_ = [replace(finding, status="unknown", reason="a page is not measured", evidence=())
             for finding in FINDINGS[1:]]  # fmt: skip
    report = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0], *open_))
    assert report.impression[1] == (
        "No abnormality is probable enough to be stated, and none is excluded."
    )


def test_limits_follow_sex_and_age():
    def limits(**patient: object) -> str:
        record = replace(RECORD, **patient)
        report = build_report(record, QUALITY, made_measurements(), ())
        (claim,) = (c for c in report.claims if c.text.startswith("QTc (Fridericia)"))
        return claim.evidence[0].criterion

    assert limits(sex="male") == "reference < 450 ms in men"
    assert limits(sex="female") == "reference < 460 ms in women"
    assert "men" in limits(sex=None)
    assert "women" in limits(sex=None)
    assert limits(age_years=6.0) == ""


def test_json_holds_the_published_keys_and_comes_back_equal():
    report = made_report()
    document = json.loads(report.to_json())
    assert document["record"]["name"] == "made"
    assert set(document) >= {
        *("schema_version", "record", "quality", "measurements", "findings", "alerts"),
        *("abstentions", "narrative", "claims", "provenance"),
    }
    item = document["alerts"][0]["evidence"][0]
    assert set(item) == {
        *("lead", "from_s", "to_s", "quantity", "value", "unit", "criterion", "source")
    }
    assert Report.from_json(report.to_json()) == report


def unknown_of(*codes: str, reason: str = "the ventricles are paced") -> tuple[Finding, ...]:
    return tuple(
        made_finding(
            code,
            STATEMENTS[code].label,
            STATEMENTS[code].section,
            STATEMENTS[code].urgency,
            status="unknown",
            reason=reason,
        )
        for code in codes
    )


def test_what_could_not_be_judged_is_said_by_families():
    family = next(family for family in FAMILIES if family.name == "AV block")
    findings = unknown_of(*family.codes, "mobitz_2", "ISCAS", "ISCLA")
    report = build_report(RECORD, QUALITY, made_measurements(), findings)
    assert "Not judged (the ventricles are paced): AV block (first, second, third degree)." in (
        statements(report, "Intervals and conduction")
    )
    assert (
        "Not judged (the ventricles are paced): ischaemic ST-T changes (anteroseptal, lateral)."
    ) in statements(report, "ST–T")
    assert {item.code for item in report.abstentions} >= {"1AVB", "mobitz_2", "ISCAS"}


def test_missing_leads_are_named_once():
    reason = "lead V5 is missing; lead V1 is missing; no P wave found"
    report = build_report(RECORD, QUALITY, made_measurements(), unknown_of("LVOLT", reason=reason))
    assert report.abstentions[-1].reason == "leads V1 and V5 are missing; no P wave found"


def test_leads_that_cannot_be_read_are_named_together():
    unread = "cannot be read (flat, gaps)"
    reason = f"lead V5 {unread}; lead aVL is missing; lead V1 {unread}"
    report = build_report(RECORD, QUALITY, made_measurements(), unknown_of("LVOLT", reason=reason))
    assert report.abstentions[-1].reason == (
        "leads V1 and V5 cannot be read (flat, gaps); lead aVL is missing"
    )


def test_leads_that_were_not_recorded_are_named():
    few = RECORD.select(("II", "V1"))
    report = build_report(few, QUALITY, made_measurements(), ())
    told = statements(report, "Technical quality")
    assert "Missing leads: I, III, aVR, aVL, aVF, V2, V3, V4, V5 and V6." in told
    assert check_claims(report) == ()


def test_an_absent_family_is_denied_with_the_value_that_decides():
    fact = evidence("PR interval", 161.0, "ms", "> 200 ms")
    family = next(family for family in FAMILIES if family.name == "AV block")
    findings = tuple(
        replace(f, status="absent", reason=None, evidence=(fact,))
        for f in unknown_of(*family.codes)
    )
    report = build_report(RECORD, QUALITY, made_measurements(), findings)
    (claim,) = (claim for claim in report.claims if claim.kind == "absent")
    assert claim.text == "No AV block (PR 161 ms, ≤ 200 ms)."
    assert claim.evidence == (fact,)
    assert check_claims(report) == ()


def test_t_waves_are_not_denied_by_a_qt_interval():
    family = next(family for family in FAMILIES if "DIG" in family.codes)
    fact = evidence("QTc (Fridericia)", 411.0, "ms", "< 410 ms")
    findings = tuple(
        replace(f, status="absent", reason=None, evidence=(fact,) if f.code == "DIG" else ())
        for f in unknown_of(*family.codes)
    )
    report = build_report(RECORD, QUALITY, made_measurements(), findings)
    (claim,) = (claim for claim in report.claims if claim.kind == "absent")
    assert claim.text == "No T-wave and minor ST changes."


def test_values_that_are_unknown_for_one_reason_are_said_together():
    measurements = made_measurements()
    reason = "read from a page image: not measured"
    for name in ("pr_ms", "qrs_ms"):
        measurements.values[name] = Quantity(None, "ms", reason=reason)
    report = build_report(RECORD, QUALITY, measurements, ())
    assert statements(report, "Intervals and conduction")[:2] == [
        "PR interval and QRS duration could not be measured: read from a page image.",
        "QT interval 402 ms.",
    ]
    assert {item.reason for item in report.abstentions} >= {reason}


def test_the_qrs_over_all_leads_that_criteria_use_stands_among_the_values():
    measurements = made_measurements()
    assert "over all leads" not in build_report(RECORD, QUALITY, measurements, ()).narrative
    measurements.values["qrs_global_ms"] = Quantity(104.2, "ms", spread=2.0, n=12)
    report = build_report(RECORD, QUALITY, measurements, ())
    assert statements(report, "Intervals and conduction")[1:3] == [
        "QRS duration 96 ms.",
        "QRS duration over all leads 104 ms (spread 2 ms).",
    ]
    assert check_claims(report) == ()


def test_a_family_with_an_unknown_member_is_not_denied_whole():
    fact = evidence("PR interval", 161.0, "ms", "> 200 ms")
    first, second = unknown_of("1AVB", "2AVB")
    absent = replace(first, status="absent", reason=None, evidence=(fact,))
    report = build_report(RECORD, QUALITY, made_measurements(), (absent, second))
    assert "No first-degree AV block (PR 161 ms, ≤ 200 ms)." in statements(
        report, "Intervals and conduction"
    )


def test_findings_of_the_same_evidence_are_said_once():
    fact = evidence("beats right after a spike", 12, "of 12", "≥ 2 and ≥ one in five")
    findings = tuple(
        made_finding(code, STATEMENTS[code].label, "rhythm", "abnormal", evidence=(fact,))
        for code in ("PACE", "ventricular_pacing")
    )
    report = build_report(RECORD, QUALITY, made_measurements(), findings)
    assert (
        "Pacemaker rhythm; ventricular pacing: 12 of 12 beats right after a spike "
        "(≥ 2 and ≥ one in five)."
    ) in statements(report, "Rate and rhythm")
    assert check_claims(report) == ()


def test_sinus_rhythm_reads_as_one_says_it():
    facts = (
        evidence("P wave before the QRS", 11, "of 11", "≥ 60 % of the beats"),
        evidence("repetition of the stretch before the QRS", 0.91, "", "≥ 0.7"),
        evidence("P axis", 42.3, "deg", "between -30° and 105°", from_s=1.0, to_s=1.1),
        evidence("change from one RR to the next", 2.04, "%", "not irregular"),
    )
    sinus = replace(FINDINGS[0], evidence=facts)
    report = build_report(RECORD, QUALITY, made_measurements(), (sinus,))
    assert "Sinus rhythm: P wave before 11 of 11 beats; P axis 42°." in statements(
        report, "Rate and rhythm"
    )
    assert check_claims(report) == ()


def test_an_alert_says_what_to_do():
    (alert,) = made_report().alerts
    assert "earlier ECG" in alert.advice


def test_every_family_holds_known_statements_once():
    codes = [code for family in FAMILIES for code in family.codes]
    assert len(set(codes)) == len(codes)
    assert set(codes) <= STATEMENTS.keys()


def test_the_impression_names_the_leads_concerned_not_the_reciprocal_ones():
    reciprocal = evidence("ST at J+60 ms", -0.1, "mV", "≤ -0.05 mV", lead="III")
    stemi = replace(FINDINGS[2], evidence=(*FINDINGS[2].evidence, reciprocal))
    q_waves = made_finding(
        "ASMI",
        STATEMENTS["ASMI"].label,
        "qrs",
        "abnormal",
        evidence=(
            evidence("tallest upward QRS deflection", 0.04, "mV", "QS complex", lead="V1"),
            evidence("Q duration", 86.0, "ms", "≥ 20 ms", lead="V2"),
        ),
    )
    report = build_report(RECORD, QUALITY, made_measurements(), (stemi, q_waves))
    assert report.impression == (
        "STEMI pattern (ST raised in V2 and V3).",
        "Anteroseptal infarction, age undetermined (QS in V1, Q in V2).",
    )


def test_the_impression_says_that_no_rhythm_is_stated():
    absent = replace(FINDINGS[0], status="absent")
    open_ = made_finding(
        "AFIB",
        "atrial fibrillation",
        "rhythm",
        "abnormal",
        status="unknown",
        doubt="the criterion is met, the encoder gives a probability of 0.14",
        evidence=(evidence("change from one RR to the next", 14.2, "%", "irregular"),),
    )
    report = build_report(RECORD, QUALITY, made_measurements(), (absent, open_))
    told = "The basic rhythm could not be determined: possible atrial fibrillation."
    assert told in report.impression
    sure = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0],))
    assert not any("basic rhythm" in line for line in sure.impression)


@pytest.mark.parametrize(("probability", "named"), [(0.51, True), (0.02, False)])
def test_fibrillation_as_likely_as_a_doubtful_sinus_rhythm_is_named(probability, named):
    facts = (evidence("change from one RR to the next", 9.9, "%", "irregular"),)
    doubted = made_finding("SR", "sinus rhythm", "rhythm", "normal", doubt="by the encoder")
    rival = made_finding(
        *("AFIB", "atrial fibrillation", "rhythm", "abnormal"),
        status="unknown",
        probability=probability,
        doubt="the criterion is met, but sinus rhythm is more probable (0.58)",
        evidence=facts,
    )
    found = (*FINDINGS[1:2], doubted, rival)
    lines = build_report(RECORD, QUALITY, made_measurements(), found).impression
    assert sum("Possible atrial fibrillation" in line for line in lines) == named
    alone = build_report(RECORD, QUALITY, made_measurements(), (doubted, rival)).impression
    assert sum("Possible atrial fibrillation" in line for line in alone) == 1


def test_an_st_depression_in_doubt_is_named_where_nothing_else_is_said_of_st():
    """An ST depression of 0.08 mV in five leads, which the encoder denied, went untold."""
    st = evidence("ST at J", -0.08, "mV", "≤ -0.05 mV", lead="V5")
    doubted = made_finding(
        *("STD_", "ST depression", "st-t", "abnormal"),
        status="unknown",
        doubt="the criterion is met, the encoder gives a probability of 0.35",
        evidence=(st,),
    )
    found = (*FINDINGS[:2], doubted)
    report = build_report(RECORD, QUALITY, made_measurements(), found)
    assert report.impression[-1].startswith("Possible ST depression, uncertain")
    other = made_finding("ISC_", "ischaemic ST-T changes", "st-t", "abnormal", evidence=(st,))
    report = build_report(RECORD, QUALITY, made_measurements(), (*found, other))
    assert not any("ST depression" in line for line in report.impression)


def test_what_is_possible_is_told_once():
    """ "Possible ischaemic ST-T changes" stood twice, and the inverted T below them."""
    t = evidence("T amplitude", -0.2, "mV", "≤ -0.1 mV", lead="V3")
    doubt = "the criterion is met, the encoder gives a probability of 0.02"
    open_ = tuple(
        made_finding(
            *(code, STATEMENTS[code].label, "st-t", "abnormal"),
            status="unknown", doubt=doubt, evidence=(t,),
        )
        for code in ("ISC_", "ISCAS", "INVT")
    )  # fmt: skip
    lines = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0], *open_)).impression
    assert [line for line in lines if "Possible" in line] == [
        f"Possible ischaemic ST-T changes, anteroseptal, uncertain ({doubt})."
    ]


def test_a_rhythm_that_cannot_be_told_says_why():
    open_ = made_finding(
        "SVTAC", "supraventricular tachycardia", "rhythm", "urgent", status="unknown",
        reason=LOOK_ALIKE,
    )  # fmt: skip
    absent = made_finding("SR", "sinus rhythm", "rhythm", "normal", status="absent")
    rate = evidence("heart rate", 127.0, "bpm", "≤ 150/min")
    slower = made_finding(
        *("extreme_tachycardia", "ventricular rate above 150/min", "rhythm", "urgent"),
        status="absent",
        evidence=(rate,),
    )
    found = (FINDINGS[1], absent, open_, slower)
    report = build_report(RECORD, QUALITY, made_measurements(), found)
    told = f"The basic rhythm could not be determined (heart rate 127 bpm): {LOOK_ALIKE}."
    assert told in report.impression


def test_beside_one_kind_of_second_degree_block_no_other_kind_is_denied():
    """ "No second-degree AV block (Mobitz II, 2:1)" stood below a Wenckebach block."""
    dropped = (evidence("P waves without QRS", 3.0, "", "P wave without QRS in a long RR"),)

    def judged(code, status):
        row = STATEMENTS[code]
        facts = dropped if status == "present" else ()
        return made_finding(
            code, row.label, row.section, row.urgency, status=status, evidence=facts
        )

    kinds = judged("mobitz_2", "absent"), judged("av_block_2_1", "absent")
    third = judged("3AVB", "absent")
    told = " ".join(claim.text for claim in finding_claims((judged("mobitz_1", "present"), *kinds)))
    assert "No second" not in told and "Wenckebach" in told
    told = " ".join(claim.text for claim in finding_claims((*kinds, third)))
    assert "No" in told and "block" in told


def test_in_sinus_rhythm_no_p_wave_is_said_to_be_missing():
    """ "No P wave before the QRS found" stood beneath a sinus rhythm seen by what repeats."""
    values = {"pr_ms": Quantity(None, "ms", reason="no P wave before the QRS found")}
    told = withheld(values, (made_finding("SR", "sinus rhythm", "rhythm", "normal"),))
    assert told["pr_ms"].reason == UNMARKED
    assert withheld(values, ())["pr_ms"].reason == "no P wave before the QRS found"


def test_in_left_bundle_block_the_impression_does_not_ask_for_an_occlusion_twice():
    gate = "a QRS shaped as in left bundle branch block changes ST and T"
    stemi = made_finding(
        "stemi", "STEMI pattern", "st-t", "critical", status="unknown", reason=gate
    )
    judged = made_finding(
        "sgarbossa",
        "Sgarbossa criteria",
        "st-t",
        "critical",
        status="absent",
        evidence=(evidence("ST at J", 0.02, "mV", "not ≥ 0.1 mV", lead="V5"),),
    )
    block = made_finding("CLBBB", "complete left bundle branch block", "conduction", "abnormal")
    found = FINDINGS[0], block, stemi, judged
    report = build_report(RECORD, QUALITY, made_measurements(), found)
    assert not any("STEMI" in line for line in report.impression)
    open_ = replace(block, status="unknown", doubt="they disagree")
    found = FINDINGS[0], open_, stemi, judged
    report = build_report(RECORD, QUALITY, made_measurements(), found)
    assert "left bundle branch block changes" in report.impression[-1]
    paced = replace(judged, status="unknown", reason=gate, evidence=())
    report = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0], stemi, paced))
    assert report.impression[-1].endswith("): STEMI pattern.")


def test_a_rate_that_its_rhythm_explains_is_no_second_alert():
    rate = (evidence("heart rate", 165.0, "bpm", "> 150/min"),)
    fast = made_finding(
        "extreme_tachycardia", "ventricular rate above 150/min", "rhythm", "urgent", evidence=rate
    )
    svt = made_finding("SVTAC", STATEMENTS["SVTAC"].label, "rhythm", "urgent", evidence=rate)
    both = build_report(RECORD, QUALITY, made_measurements(), (fast, svt))
    assert [alert.code for alert in both.alerts] == ["SVTAC"]
    alone = build_report(RECORD, QUALITY, made_measurements(), (fast,))
    assert [alert.code for alert in alone.alerts] == ["extreme_tachycardia"]


def test_what_is_only_doubted_was_judged():
    doubted = made_finding(
        "LVH", "left ventricular hypertrophy", "chambers", "abnormal", status="unknown",
        doubt="the criterion is met, the encoder gives a probability of 0.03",
        evidence=(evidence("S in V1 + R in V5", 3.7, "mV", "≥ 3.5 mV"),),
    )  # fmt: skip
    report = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0], doubted))
    assert report.impression[-1].startswith("Possible left ventricular hypertrophy, uncertain")
    normal = made_finding(
        "NORM", "normal ECG", "rhythm", "normal", status="unknown", doubt="the encoder says 0.2"
    )
    report = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0], normal))
    assert report.impression[-1] == "No abnormality by the criteria applied."


def test_the_impression_says_a_thing_once():
    st = evidence("ST at J", -0.08, "mV", "≤ -0.05 mV", lead="V5")

    def sure(code, **more):
        row = STATEMENTS[code]
        return made_finding(code, row.label, row.section, row.urgency, evidence=(st,), **more)

    signs = sure("STD_"), sure("INVT"), sure("ISC_")
    told = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0], *signs)).impression
    assert told == ("Ischaemic ST-T changes (ST down in V5).", "Sinus rhythm.")
    doubted = sure("ISC_", doubt="by the encoder, probability 0.9; the criterion is not met")
    signs = sure("STD_"), doubted
    told = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0], *signs)).impression
    assert told[0] == "ST depression (ST down in V5)." and told[1].startswith("Probable ischaemic")
    of_wall = sure("ISCLA", doubt="by the encoder, probability 0.7; the criterion is not met")
    told = build_report(RECORD, QUALITY, made_measurements(), (sure("ISC_"), of_wall)).impression
    assert told == ("Ischaemic ST-T changes (ST down in V5).",)
    signs = sure("STD_"), sure("LVH"), sure("lv_strain")
    told = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0], *signs)).impression
    assert told[0].startswith("Left ventricular hypertrophy with a strain pattern (")
    assert not any("depression" in line for line in told)


def test_what_is_sure_comes_before_what_is_not_and_an_injury_of_two_walls_is_one_alert():
    """A wall that only the encoder named stood above the one that was measured."""
    st = evidence("ST at J", -0.2, "mV", "≤ -0.1 mV", lead="V4")

    def urgent(code, **more):
        row = STATEMENTS[code]
        return made_finding(code, row.label, row.section, row.urgency, evidence=(st,), **more)

    guessed = urgent("INJAS", doubt="by the encoder, probability 0.67; the criterion is not met")
    found = guessed, urgent("INJAL"), urgent("very_long_qt")
    report = build_report(RECORD, QUALITY, made_measurements(), found)
    assert [alert.code for alert in report.alerts] == ["INJAL", "very_long_qt"]
    assert [line[:10] for line in report.impression[:2]] == ["ST depress", "QTc of 500"]
    arrhythmia = made_finding(
        "SARRH", "sinus arrhythmia", "rhythm", "normal", doubt="by the encoder"
    )
    normal = made_finding("NORM", "normal ECG", "rhythm", "normal")
    last = build_report(RECORD, QUALITY, made_measurements(), (arrhythmia, normal)).impression[-1]
    assert last == "Normal ECG."
    alone = build_report(RECORD, QUALITY, made_measurements(), (guessed, urgent("very_long_qt")))
    assert [alert.code for alert in alone.alerts] == ["very_long_qt", "INJAS"]


def test_a_doubtful_normal_ecg_beside_a_finding_reads_as_english():
    normal = made_finding(
        "NORM", "normal ECG", "rhythm", "normal", doubt="by the encoder, probability 0.94",
        evidence=(evidence("probability by the encoder", 0.94, "", ""),),
    )  # fmt: skip
    report = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[1], normal))
    assert report.impression[-1].startswith("Otherwise probable normal ECG, uncertain")


def test_a_symbol_that_begins_a_fact_stays_as_it_is():
    from ecg_llm.phrases import measured, reading

    assert reading(measured("exchange", "P, QRS and T point the wrong way")).startswith("P, QRS")
    assert reading(measured("exchange", "I + III = II leaves 67%")).startswith("I + III")
    assert reading(measured("quality", "Muscle noise in V1")) == "muscle noise in V1"


def test_open_findings_that_tell_the_same_facts_are_told_together():
    st = evidence("ST at J", -0.08, "mV", "≤ -0.05 mV", lead="V5")

    def open_(code, p):
        row, by_encoder = STATEMENTS[code], evidence("probability by the encoder", p, "", "≥ 0.46")
        return made_finding(
            code, row.label, row.section, row.urgency, status="unknown", doubt="they disagree",
            evidence=(st, by_encoder),
        )  # fmt: skip

    found = FINDINGS[0], open_("ISC_", 0.03), open_("ISCLA", 0.01)
    report = build_report(RECORD, QUALITY, made_measurements(), found)
    told = [claim for claim in report.claims if "uncertain (the criteria" in claim.text]
    assert [claim.text for claim in told] == [
        "Possible ischaemic ST-T changes; ischaemic ST-T changes, lateral, uncertain (the criteria "
        "are met, the encoder gives probabilities of 0.01 and 0.03): ST at J −0.08 mV in V5 "
        "(≤ −0.05 mV)."
    ]
    assert check_claims(report) == ()


def test_what_only_excludes_another_finding_is_no_sign():
    """A nonspecific ST change was once told as "ST raised in I": there ST was not depressed."""
    row = STATEMENTS["NST_"]
    facts = (
        evidence("ST at J+80 ms", -0.04, "mV", "between -0.03 and -0.05 mV", lead="V5"),
        evidence("ST at J", 0.02, "mV", "> -0.1 mV", lead="I"),
    )
    minor = made_finding("NST_", row.label, row.section, row.urgency, evidence=facts)
    report = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0], minor))
    assert report.impression[0] == "Nonspecific ST changes (ST down in V5)."


def test_a_sign_that_is_open_is_not_told_beside_what_says_it():
    pr = evidence("PR interval", 230.0, "ms", "> 200 ms")
    sign = made_finding(
        "LPR", "prolonged PR interval", "conduction", "borderline", status="unknown",
        doubt="they disagree", evidence=(pr,),
    )  # fmt: skip
    alone = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0], sign))
    assert "prolonged PR" in " ".join(statements(alone, "Intervals and conduction"))
    block = made_finding("1AVB", "first-degree AV block", "conduction", "abnormal", evidence=(pr,))
    both = build_report(RECORD, QUALITY, made_measurements(), (FINDINGS[0], block, sign))
    assert "prolonged PR" not in " ".join(statements(both, "Intervals and conduction"))


def test_no_ischaemia_is_not_said_beside_an_occlusion():
    """Beneath a critical alert stood "no ischaemic ST-T changes"."""
    fact = evidence("ST at J", 0.01, "mV", "≤ -0.05 mV")
    absent, occlusion = (
        made_finding(code, STATEMENTS[code].label, "st-t", urgency, evidence=(fact,))
        for code, urgency in (("ISC_", "abnormal"), ("stemi", "critical"))
    )
    absent = replace(absent, status="absent")
    for findings, denied in (((absent,), True), ((absent, occlusion), False)):
        report = build_report(RECORD, QUALITY, made_measurements(), findings)
        told = " ".join(statements(report, "ST–T"))
        assert ("ischaemic ST-T changes" in told) is denied

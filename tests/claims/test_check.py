"""Texts held against records of known values, as written and with one thing altered."""

from __future__ import annotations

import re

import pytest

from ecg_llm.claims.check import check_text
from ecg_llm.claims.extract import extract_claims
from ecg_llm.claims.facts import Facts
from ecg_llm.claims.same import same_claims
from ecg_llm.claims.stated import missing
from ecg_llm.errors import RecordError
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.findings.finding import Finding
from ecg_llm.phrases import measured
from ecg_llm.vocabulary import label

UNITS = {"bpm": "bpm", "ms": "ms", "deg": "deg", "mv": "mV", "cv": "ratio"}


def quantities(**values: float | None) -> dict[str, dict[str, object]]:
    """Write values with their units as stored in JSON."""
    return {
        name: {
            "value": value,
            "unit": UNITS[name.split("_")[-1]],
            "reason": None if value is not None else "no P wave found",
        }
        for name, value in values.items()
    }


def lead(st: float, t: float, r: float = 0.8, s: float = -0.3, q: float = 0.0, q_ms: float = 0.0):
    """Write the values of one lead."""
    values = quantities(
        st_j_mv=st,
        st_j60_mv=st,
        st_j80_mv=st,
        t_mv=t,
        t_pos_mv=max(t, 0.0),
        t_neg_mv=min(t, 0.0),
        r_mv=r,
        s_mv=s,
        q_mv=q,
        q_ms=q_ms,
        qrs_max_mv=r,
        qrs_min_mv=min(s, q),
        p_mv=0.12,
    )
    return {"summary": values}


def finding(code: str, status: str, urgency: str = "abnormal", reason: str | None = None):
    """Write one finding."""
    return {
        "code": code,
        "label": label(code),
        "status": status,
        "urgency": urgency,
        "reason": reason,
    }


def judged(present: dict[str, str], unknown: tuple[str, ...] = ()) -> list[dict[str, object]]:
    """Write findings: those present with their urgency, those unknown, all others absent."""
    return [
        finding(code, "present", present[code])
        if code in present
        else finding(code, "unknown", reason="left bundle branch block hides it")
        if code in unknown
        else finding(code, "absent")
        for code in STATEMENTS
    ]


def block() -> Facts:
    """Sinus bradycardia with first-degree AV block and left bundle branch block."""
    measurements = quantities(
        heart_rate_bpm=52.3,
        atrial_rate_bpm=52.0,
        rr_ms=1147.0,
        rr_max_ms=1190.0,
        rr_min_ms=1100.0,
        rr_cv=0.02,
        p_ms=118.0,
        pr_ms=240.0,
        qrs_ms=142.0,
        qrs_global_ms=148.0,
        qt_ms=460.0,
        qtc_fridericia_ms=439.0,
        qtc_bazett_ms=429.5,
        p_axis_deg=45.0,
        qrs_axis_deg=-38.0,
        t_axis_deg=120.0,
    )
    leads = {name: lead(0.02, 0.2) for name in ("II", "III", "aVR", "aVL", "aVF", "V3", "V4")}
    leads |= {"I": lead(-0.08, -0.15), "V5": lead(-0.1, -0.3, 1.9), "V6": lead(-0.12, -0.25, 2.1)}
    leads |= {"V1": lead(0.15, 0.5, 0.2, -1.6), "V2": lead(0.2, 0.7, 0.3, -2.4)}
    measurements["leads"] = leads  # type: ignore[assignment]
    present = {"SR": "normal", "SBRAD": "borderline", "1AVB": "abnormal", "LPR": "borderline"}
    present |= {"CLBBB": "abnormal", "left_axis": "borderline"}
    unknown = ("QWAVE", "IMI", "ASMI", "AMI", "LVH", "STE_", "STD_", "INVT", "stemi", "ISC_")
    return Facts.from_json(measurements, judged(present, unknown), sex="male", age_years=64)


def occlusion() -> Facts:
    """Inferior ST elevation with a long QT."""
    measurements = quantities(
        heart_rate_bpm=88.4,
        atrial_rate_bpm=88.0,
        rr_ms=679.0,
        rr_cv=0.03,
        p_ms=102.0,
        pr_ms=162.0,
        qrs_ms=96.0,
        qrs_global_ms=98.0,
        qt_ms=450.0,
        qtc_fridericia_ms=512.0,
        qtc_bazett_ms=546.0,
        qrs_axis_deg=62.0,
        p_axis_deg=50.0,
        t_axis_deg=85.0,
    )
    leads = {name: lead(0.01, 0.25) for name in ("aVR", "V1", "V4", "V5", "V6")}
    leads |= {
        "II": lead(0.21, 0.45),
        "III": lead(0.28, 0.5, q=-0.15, q_ms=34),
        "aVF": lead(0.25, 0.5),
    }
    leads |= {"I": lead(-0.11, 0.05), "aVL": lead(-0.18, -0.22), "V2": lead(-0.13, 0.2)}
    leads |= {"V3": lead(-0.09, 0.2, 1.2, -1.1)}
    measurements["leads"] = leads  # type: ignore[assignment]
    present = {"SR": "normal", "stemi": "critical", "STE_": "abnormal", "STD_": "abnormal"}
    present |= {"LNGQT": "abnormal", "very_long_qt": "urgent"}
    return Facts.from_json(measurements, judged(present), sex="female", age_years=58)


def fibrillation() -> Facts:
    """Fast atrial fibrillation with left ventricular hypertrophy and lateral T inversion."""
    measurements = quantities(
        heart_rate_bpm=112.0,
        rr_ms=536.0,
        rr_cv=0.22,
        p_ms=None,
        pr_ms=None,
        qrs_ms=88.0,
        qrs_global_ms=92.0,
        qt_ms=360.0,
        qtc_fridericia_ms=443.0,
        qtc_bazett_ms=492.0,
        qrs_axis_deg=12.0,
        t_axis_deg=170.0,
    )
    leads = {name: lead(0.0, 0.2) for name in ("II", "III", "aVR", "aVF", "V2", "V3")}
    leads |= {"I": lead(-0.06, -0.16, 1.3), "aVL": lead(-0.07, -0.14, 1.2)}
    leads |= {"V1": lead(0.08, 0.2, 0.2, -1.42), "V4": lead(-0.1, -0.28, 2.2)}
    leads |= {"V5": lead(-0.14, -0.34, 2.93), "V6": lead(-0.12, -0.24, 2.4)}
    measurements["leads"] = leads  # type: ignore[assignment]
    present = {"AFIB": "abnormal", "LVH": "abnormal", "VCLVH": "borderline", "INVT": "abnormal"}
    present |= {"STD_": "abnormal", "ISC_": "abnormal", "ISCAL": "abnormal", "INJAL": "urgent"}
    unknown = ("PAC", "LAO/LAE")
    return Facts.from_json(measurements, judged(present, unknown), sex="male", age_years=71)


RECORDS = {"block": block, "occlusion": occlusion, "fibrillation": fibrillation}

TRUE = [
    ("block", "SINUS BRADYCARDIA. FIRST DEGREE AV BLOCK. LEFT BUNDLE BRANCH BLOCK. QTc 439", 4),
    ("block", "Sinus bradycardia at 52 bpm with first-degree AV block (PR 240 ms).", 4),
    ("block", "Vent rate 52 bpm, PR 240 ms, QRS 142 ms, QT/QTc 460/439 ms", 5),
    ("block", "P-QRS-T axes 45 -38 120", 3),
    ("block", "The PR interval is prolonged at 0.24 s, and the QRS is wide (142 ms).", 4),
    ("block", "There is complete LBBB with a QRS duration of 142 ms; the axis is -38°.", 3),
    ("block", "There is left axis deviation (−38°) but no right bundle branch block.", 3),
    ("block", "LBBB (QRS 142 ms, criterion ≥ 120 ms). No PVCs and no atrial fibrillation.", 5),
    ("block", "Because of the bundle branch block, LVH cannot be judged.", 2),
    ("block", "Neither atrial fibrillation nor atrial flutter; P waves are present.", 3),
    ("block", "The rhythm is regular, rate 50–55 bpm, RR 1147 ms (1.15 s).", 4),
    ("block", "QTc is 430 ms by Bazett and 439 ms by Fridericia, which is not prolonged.", 3),
    ("block", "QTc is normal at 439 ms (normal < 450 ms).", 3),
    ("block", "No evidence of AF, flutter, or pre-excitation; rate 52 bpm.", 4),
    ("block", "T waves are inverted in I, V5 and V6, upright in V1–V4.", 2),
    ("block", "S in V1 1.6 mV, S in V2 2.4 mV; R in V5 is 19 mm and R in V6 21 mm.", 4),
    ("block", "64-year-old man, 12-lead ECG at 25 mm/s: PR 240 ms.", 1),
    ("block", "Slow heartbeat: the heart rate is about 52 beats per minute.", 1),
    ("block", "IVCD is not present. A delta wave is absent. The PR exceeds 200 ms.", 3),
    ("block", "Your heart beats slowly (bradycardia), about 52 beats a minute.", 2),
    ("occlusion", "Sinus rhythm at 88 bpm. ST elevation of 2.1 mm in II and 2.8 mm in III.", 5),
    ("occlusion", "ST elevation in II, III and aVF with ST depression in I and aVL.", 2),
    ("occlusion", "Inferior ST elevation (2.1 mm in II, 2.8 mm in III, 2.5 mm in aVF).", 4),
    ("occlusion", "In III there is 0.28 mV of ST elevation. The QTc is 512 ms (Fridericia).", 3),
    ("occlusion", "QTc is markedly prolonged, 546 ms by Bazett.", 2),
    ("occlusion", "Normal PR interval (162 ms), narrow QRS (96 ms), normal axis (62°).", 6),
    ("occlusion", "PR and QRS are normal at 162 and 96 ms.", 4),
    ("occlusion", "T-wave inversion in aVL but not in I. No LBBB or RBBB.", 4),
    ("occlusion", "ST depression of 1.8 mm in aVL, 1.1 mm in I and 1.3 mm in V2.", 4),
    (
        "occlusion",
        "Findings suggest an acute inferior STEMI: ST segments are elevated in II, III, aVF.",
        2,
    ),
    (
        "occlusion",
        "Normal sinus rhythm, 88/min, without ectopy, without AV block or hypertrophy.",
        6,
    ),
    ("occlusion", "No atrial fibrillation, flutter or SVT; PR 162 ms; QRS < 120 ms.", 5),
    ("occlusion", "The QTc exceeds 500 ms. The QRS does not exceed 120 ms.", 2),
    ("occlusion", "ST at J in III is +0.28 mV and -0.18 mV in aVL.", 2),
    ("occlusion", "V4–V6 show no ST elevation.", 1),
    ("occlusion", "No T wave inversion in V2-V6.", 1),
    ("occlusion", "Q wave in III of 0.15 mV and 34 ms.", 2),
    (
        "fibrillation",
        "Atrial fibrillation with a ventricular rate of 112 bpm; P waves are absent.",
        3,
    ),
    ("fibrillation", "AF, HR 112, QRS 88, axis 12. LVH by voltage: S V1 + R V5 = 4.35 mV.", 6),
    ("fibrillation", "The rhythm is irregularly irregular without P waves.", 2),
    ("fibrillation", "T-wave inversion in V4-6, I and aVL, deepest in V5 (3.4 mm).", 2),
    ("fibrillation", "R in V5 2.93 mV (29 mm), Sokolow-Lyon index 4.4 mV (≥ 3.5 mV).", 4),
    ("fibrillation", "The PR interval cannot be measured. There is no sinus rhythm.", 2),
    ("fibrillation", "T waves are inverted in V4 (2.8 mm), V5 (3.4 mm) and V6 (2.4 mm).", 4),
    ("fibrillation", "Tachycardia of 112/min, QRS not wide (88 ms), no ST elevation.", 5),
    (
        "fibrillation",
        "Your heart beats fast and irregularly (atrial fibrillation), 112 beats per minute.",
        3,
    ),
    ("fibrillation", "ST depression in V4–V6 of 1.0 to 1.4 mm, not in V2 or V3.", 3),
    (
        "occlusion",
        "Dear colleague, this ECG of a 58-year-old woman shows normal sinus rhythm with a "
        "rate of 88 bpm. The PR interval measures 162 ms and the QRS complex is narrow "
        "with 96 ms. The electrical axis is normal at 62 degrees. There is marked "
        "ST-segment elevation in the inferior leads, most pronounced in lead III (2.8 "
        "mm), with reciprocal ST depression in aVL (1.8 mm) and I. No pathological Q "
        "waves have formed yet. The corrected QT interval is clearly prolonged (Bazett "
        "546 ms, Fridericia 512 ms).",
        16,
    ),
    (
        "fibrillation",
        "Your heart is beating irregularly. This is called atrial fibrillation. It beats "
        "about 112 times per minute, which is faster than normal (60 to 100). The muscle "
        "of the left chamber looks thickened (left ventricular hypertrophy).",
        5,
    ),
    (
        "block",
        "ATRIAL RATE 52 VENT RATE 52 PR 240 QRSD 142 QT 460 QTC 439 AXES P 45 QRS -38 T "
        "120 - ABNORMAL ECG - SINUS BRADYCARDIA, FIRST DEGREE AV BLOCK, LEFT AXIS "
        "DEVIATION, COMPLETE LEFT BUNDLE BRANCH BLOCK",
        14,
    ),
    (
        "block",
        "Criterion: QRS ≥ 120 ms. Measured: QRS 142 ms in all leads. Lead V1 shows a deep "
        "S (1.6 mV). Decision: complete left bundle branch block.",
        4,
    ),
    (
        "occlusion",
        "Step 5, ischaemia: ST at J is 0.21 mV in II, 0.28 mV in III and 0.25 mV in aVF "
        "(limit 0.10 mV in two contiguous leads). Hence ST elevation, inferior.",
        5,
    ),
]


@pytest.mark.parametrize(("record", "text", "at_least"), TRUE)
def test_true_text_is_supported(record, text, at_least):
    checked = check_text(text, facts=RECORDS[record]())
    wrong = [
        (c.claim.text, c.claim.subject, c.status, c.reason)
        for c in checked
        if c.status != "supported"
    ]
    assert not wrong
    assert len(checked) >= at_least, [(c.claim.text, c.claim.subject) for c in checked]


def altered_numbers(text: str):
    """Alter each measured number far beyond its tolerance, keeping its form."""
    for claim in extract_claims(text):
        if claim.kind != "number" or claim.role != "measured" or claim.relation != "=":
            continue
        match = re.search(r"\d+(?:\.\d+)?", claim.text)
        digits, value = match[0], float(match[0])
        decimals = len(digits.partition(".")[2])
        for altered in (value * 1.6, value * 0.5) if claim.unit != "deg" else (value + 40,):
            new = f"{altered:.{decimals}f}"
            at = claim.start + match.start()
            yield text[:at] + new + text[at + len(digits) :]


NOTS = re.compile(r"\b(no evidence of|without|no|not|neither|nor) ", re.IGNORECASE)


def altered_negations(text: str):
    """Deny one stated finding, or affirm one that is denied."""
    for claim in extract_claims(text):
        if claim.kind == "finding" and not claim.negated and claim.certainty == "definite":
            if " " in claim.text and re.search(r" (is|are) ", claim.text):
                yield (
                    text[: claim.start]
                    + re.sub(r" (is|are) ", r" \1 not ", claim.text, count=1)
                    + text[claim.end :]
                )
            else:
                yield text[: claim.start] + "no " + text[claim.start :]
    for match in NOTS.finditer(text):
        # A second "no" of a list may go without changing what is said; without the "not", what
        # is left of "but not in V3" says nothing.
        sentence = re.split(r"[.;] ", text[: match.start()])[-1]
        if sentence.endswith(("but ", ", ", "irregular ")):
            continue
        if match[1].lower() not in ("neither", "nor") and not NOTS.search(sentence + " "):
            yield text[: match.start()] + text[match.end() :]


def altered_leads(text: str, record: Facts):
    """Name another lead in place of each single one, where that is wrong."""
    for match in re.finditer(r"\b(?:aV[LRF]|V[1-6])\b(?![-–])", text):
        denied = NOTS.search(text[: match.start()])
        if denied or text[: match.start()].endswith(("-", "–", "+ ", "R ", "S ")):
            continue
        other = {"V": "V1" if match[0] != "V1" else "V5", "a": "aVR"}[match[0][0]]
        yield text[: match.start()] + other + text[match.end() :]


def mutants():
    """Give every altered text of the corpus with its record and kind."""
    for record, text, _ in TRUE:
        facts = RECORDS[record]()
        for kind, texts in (
            ("number", altered_numbers(text)),
            ("negation", altered_negations(text)),
            ("lead", altered_leads(text, facts)),
        ):
            for mutant in texts:
                if mutant != text:
                    yield kind, facts, text, mutant


def test_alterations_are_caught():
    by_kind: dict[str, list[tuple[bool, str]]] = {}
    for kind, facts, _, mutant in mutants():
        checked = check_text(mutant, facts=facts)
        caught = any(claim.status != "supported" for claim in checked)
        by_kind.setdefault(kind, []).append((caught, mutant))
    assert {kind: len(found) >= 20 for kind, found in by_kind.items()} == {
        "number": True,
        "negation": True,
        "lead": True,
    }
    missed = [(kind, m) for kind, found in by_kind.items() for caught, m in found if not caught]
    total = sum(len(found) for found in by_kind.values())
    assert len(missed) <= 0.01 * total, (len(missed), total, "\n".join(map(str, missed)))


def test_alterations_differ_from_the_original():
    pairs = [(text, mutant) for _, _, text, mutant in mutants()]
    missed = [mutant for text, mutant in pairs if not same_claims(text, mutant)]
    assert len(pairs) > 150
    assert len(missed) <= 0.01 * len(pairs), (len(missed), len(pairs), "\n".join(missed))


def statuses(text: str, facts: Facts, **options):
    """Give the verdicts on a text."""
    return [claim.status for claim in check_text(text, facts=facts, **options)]


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        ("142 ms", "supported"),
        ("152 ms", "supported"),
        ("132 ms", "supported"),
        ("159 ms", "contradicted"),
        ("131 ms", "contradicted"),
        ("0.14 s", "supported"),
        ("0.12 s", "contradicted"),
        ("14 mm", "unverifiable"),
    ],
)
def test_tolerance_and_rounding_of_an_interval(shown, status):
    # Both readings of QRS count: 142 ms within leads, 148 ms over all leads.
    assert statuses(f"QRS duration {shown}.", block())[-1:] == [status]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("rate 54 bpm", "supported"),
        ("rate 55 bpm", "contradicted"),
        ("axis -47°", "supported"),
        ("axis -50°", "contradicted"),
        ("axis 38°", "contradicted"),
        ("S in V1 16 mm", "supported"),
        ("S in V1 18 mm", "contradicted"),
        ("PR 240 s", "contradicted"),
        ("about 55 bpm", "supported"),
        ("QTc 439 ms by Bazett", "supported"),
        ("QTc 445 ms by Bazett", "contradicted"),
        ("QTc 445 ms", "supported"),
        ("PR > 200 ms", "supported"),
        ("PR > 245 ms", "contradicted"),
        ("PR prolonged", "supported"),
        ("PR normal", "contradicted"),
        ("short PR interval", "contradicted"),
        ("R in V3R 2 mV", "unverifiable"),
        ("P amplitude in II 0.12 mV", "supported"),
        ("P axis normal", "unverifiable"),
        ("the axis is borderline", "supported"),
    ],
)
def test_boundaries(text, status):
    assert status in statuses(text, block())
    assert len(set(statuses(text, block()))) == 1


def test_without_tolerance_only_rounding_is_accepted():
    assert statuses("PR 241 ms", block()) == ["supported"]
    assert statuses("PR 241 ms", block(), tolerance_scale=0.0) == ["contradicted"]
    assert statuses("rate 52 bpm", block(), tolerance_scale=0.0) == ["supported"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("RBBB.", "contradicted"),
        ("Possible RBBB.", "contradicted"),
        ("Bundle branch block.", "supported"),
        ("No bundle branch block.", "contradicted"),
        ("No fascicular block.", "supported"),
        ("LVH.", "unverifiable"),
        ("No LVH.", "unverifiable"),
        ("LVH cannot be judged.", "supported"),
        ("LBBB cannot be judged.", "contradicted"),
        ("Hypokalaemia.", "unverifiable"),
        ("Sinus rhythm.", "supported"),
        ("Atrial fibrillation is unlikely.", "supported"),
        ("LBBB is unlikely.", "contradicted"),
        ("An abnormal ECG.", "supported"),
        ("Normal ECG.", "contradicted"),
        ("History of myocardial infarction.", "unverifiable"),
        ("T inversion in V5.", "supported"),
        ("T inversion in V2.", "contradicted"),
        ("T inversion in V7.", "unverifiable"),
    ],
)
def test_findings(text, status):
    assert set(statuses(text, block())) == {status}


def test_the_reason_why_something_is_unknown_is_no_claim():
    text = "The PR interval could not be measured: there is no P wave before the QRS."
    assert statuses(text, fibrillation()) == ["supported"]
    assert statuses(text, block()) == ["contradicted"]


def test_a_wall_needs_two_of_its_leads():
    assert statuses("Inferior ST elevation.", occlusion()) == ["supported"]
    assert statuses("Anterior ST elevation.", occlusion()) == ["contradicted"]
    assert statuses("No anterior ST elevation.", occlusion()) == ["supported"]
    assert statuses("ST elevation in the lateral leads.", occlusion()) == ["contradicted"]


def test_largest_deviation():
    assert statuses("ST elevation up to 2.8 mm", occlusion())[-1] == "supported"
    assert statuses("ST elevation up to 4 mm", occlusion())[-1] == "contradicted"


def test_each_verdict_names_what_it_was_held_against():
    (claim,) = check_text("PR 162 ms.", facts=block())
    assert claim.status == "contradicted"
    assert claim.evidence[0].value == 240.0
    assert "240 ms" in claim.reason
    assert "162 ms" in claim.reason


def test_a_limit_of_the_criteria_may_be_quoted():
    assert statuses("QRS 142 ms (criterion ≥ 120 ms)", block()) == ["supported", "supported"]
    assert statuses("QRS 142 ms (criterion ≥ 133 ms)", block()) == ["supported", "unverifiable"]


def test_a_refused_tracing_bears_out_no_diagnosis():
    quality = {"verdict": "refuse", "reasons": ["noise in all leads"]}
    facts = Facts.from_json({"qrs_ms": {"value": 98.0, "unit": "ms"}}, judged({}), quality)
    assert set(statuses("QRS 98 ms. No LBBB. Normal PR.", facts)) == {"unverifiable"}
    assert statuses("The rhythm cannot be judged, nor AF.", facts)[-1:] != ["contradicted"]


def test_an_earlier_ecg_is_held_against_its_own_facts():
    text = "On the previous ECG the PR was 162 ms; the PR is 240 ms now."
    assert statuses(text, block()) == ["unverifiable", "supported"]
    assert statuses(text, block(), earlier=occlusion()) == ["supported", "supported"]
    assert statuses(text, block(), earlier=block()) == ["contradicted", "supported"]


def test_leads_that_cannot_be_read_are_not_judged():
    leads = {"V2": {"usable": False, "reasons": ["flat"]}}
    facts = Facts.from_json({"leads": {"V2": lead(0.3, 0.2)}}, (), {"leads": leads})
    checked = check_text("ST elevation in V2 of 3 mm.", facts=facts)
    assert [c.status for c in checked] == ["unverifiable", "unverifiable"]
    assert "flat" in checked[-1].reason


def test_numbers_of_the_findings_own_evidence():
    evidence = {
        "lead": None,
        "from_s": None,
        "to_s": None,
        "quantity": "Romhilt-Estes score",
        "value": 6.0,
        "unit": "points",
        "criterion": "≥ 5 points",
        "source": "Romhilt",
    }
    entry = finding("LVH", "present") | {"evidence": [evidence]}
    facts = Facts.from_json({}, [entry])
    assert statuses("LVH: Romhilt-Estes score 6", facts) == ["supported", "supported"]
    assert statuses("LVH: Romhilt-Estes score 7", facts) == ["supported", "unverifiable"]


def test_each_claim_of_a_text_has_its_own_verdict():
    text = "PR 240 ms. QRS 98 ms. LVH. LBBB."
    assert statuses(text, block()) == ["supported", "contradicted", "unverifiable", "supported"]


def test_facts_are_read_with_care():
    with pytest.raises(RecordError, match="code and a status"):
        Facts.from_json({}, [{"code": "LBBB", "status": "perhaps"}])


def test_missing_findings():
    found = block().findings.values()
    assert {f.code for f in missing("Sinus rhythm, LBBB.", found)} == {
        "SBRAD",
        "1AVB",
        "LPR",
        "left_axis",
    }
    said = "Sinus bradycardia, first-degree AV block, LBBB, left axis deviation."
    assert missing(said, found) == ()
    assert "CLBBB" in {f.code for f in missing(said.replace("LBBB", "no LBBB"), found)}


def test_an_alert_is_not_said_by_its_family():
    found = occlusion().findings.values()
    text = "ST elevation, ST depression, prolonged QTc."
    assert {f.code for f in missing(text, found)} == {"stemi", "very_long_qt"}
    assert missing("STEMI with ST depression, QTc 512 ms, long QT.", found) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("QRS 142 ms.", "The QRS lasts 0.142 s."),
        ("No LBBB and no RBBB.", "There is neither LBBB nor RBBB."),
        ("T-wave inversion in V1–V3.", "T waves are inverted in V1, V2 and V3."),
        ("ST elevation of 2.1 mm in V2.", "In V2 there is 0.21 mV of ST elevation."),
        ("Prolonged QTc.", "The QTc is prolonged."),
        ("Atrial fibrillation, rate 112 bpm.", "The ventricular rate is 112/min in AF."),
    ],
)
def test_a_faithful_rewriting_passes(one, other):
    assert same_claims(one, other) == []
    assert same_claims(other, one) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("QRS 142 ms.", "QRS 143 ms."),
        ("QRS 142 ms.", "PR 142 ms."),
        ("QRS 142 ms.", "QRS > 142 ms."),
        ("No LBBB.", "LBBB."),
        ("LBBB.", "Possible LBBB."),
        ("LBBB.", "RBBB."),
        ("T inversion in V1–V3.", "T inversion in V1–V4."),
        ("ST elevation of 2 mm in V2.", "ST elevation of 2 mm in V3."),
        ("Normal PR.", "Prolonged PR."),
        ("A 64-year-old man.", "A 46-year-old man."),
        ("LBBB at 3.42 s.", "LBBB at 4.32 s."),
        ("LBBB, AF.", "LBBB."),
        ("LBBB.", "LBBB, seen in V6."),
    ],
)
def test_a_changed_rewriting_is_found(one, other):
    assert same_claims(one, other)
    assert same_claims(other, one)


def test_wide_qrs_or_another_tachycardia_denies_no_wide_qrs() -> None:
    facts = Facts.from_json(
        {"qrs_ms": {"value": 146.0, "unit": "ms"}},
        [
            {"code": code, "label": code, "status": "absent", "urgency": "critical"}
            for code in ("wide_qrs_tachycardia", "SVTAC", "PVC")
        ],
    )
    for text in (
        "No wide-QRS or supraventricular tachycardia; no ventricular extra beats.",
        "No wide-QRS (ventricular) tachycardia.",
    ):
        assert not [c for c in check_text(text, facts=facts) if c.status == "contradicted"]


def test_only_the_suspected_electrodes_are_swapped() -> None:
    """ "Limb leads are swapped" was borne out by a suspicion on V3 and V4."""
    swapped = Finding(
        code="lead_reversal",
        label="suspected reversal of electrodes",
        snomed=None,
        section="technical",
        urgency="urgent",
        status="present",
        evidence=(measured("V3-V4 swapped", 1.0, ""),),
    )
    facts = Facts(findings={"lead_reversal": swapped})
    for text, status in (
        ("V3 and V4 are swapped.", "supported"),
        ("The limb leads are swapped.", "contradicted"),
        ("Electrodes V1 and V2 are swapped.", "contradicted"),
    ):
        assert [one.status for one in check_text(text, facts=facts)] == [status]


def test_what_is_unchanged_had_the_same_value_before() -> None:
    """ "PR is unchanged at 182 ms" shipped where it was 141 ms."""
    now, before = (
        Facts.from_json({"pr_ms": {"value": value, "unit": "ms"}}) for value in (182.0, 141.0)
    )
    told = check_text("PR is unchanged at 182 ms.", facts=now, earlier=before)
    assert [one.status for one in told] == ["contradicted"]
    told = check_text("PR is 182 ms; it was 141 ms in the earlier ECG.", facts=now, earlier=before)
    assert [one.status for one in told] == ["supported", "supported"]


def test_a_t_wave_just_below_the_baseline_is_neither_upright_nor_inverted():
    """T of -0.06 mV passed as upright, as it is not low enough to be called inverted."""
    leads = {"V5": lead(0.0, -0.06), "V6": lead(0.0, 0.2)}
    facts = Facts.from_json({"leads": leads}, judged({}), sex="male", age_years=64)
    told = {
        "T waves are upright in V5.": "contradicted",
        "T waves are not upright in V5.": "supported",
        "T waves are upright in V6.": "supported",
        "No T wave inversion in V5.": "supported",
        "T waves are upright.": "supported",
    }
    for text, status in told.items():
        assert statuses(text, facts) == [status], text

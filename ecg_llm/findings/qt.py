"""QT too long or too short for the rate."""

from __future__ import annotations

from ecg_llm.findings.case import LABELS, Case, by_sex
from ecg_llm.findings.checks import (
    Check,
    all_of,
    at_most,
    fact,
    judge,
    left_open,
    opposite,
    unknown,
)
from ecg_llm.findings.finding import Finding
from ecg_llm.findings.sources import QT_IN_BLOCK, REPOLARIZATION, SHORT_QT
from ecg_llm.intervals import qt_corrected

CODES = ("LNGQT", "very_long_qt", "short_qt")
LONG_QTC_MS = by_sex(450.0, 460.0)
VERY_LONG_QTC_MS, SHORT_QTC_MS = 500.0, 350.0
_RATES_BPM = (40.0, 120.0)
_QTC = "qtc_fridericia_ms"


def judge_qt(case: Case, wide: bool | None) -> tuple[Finding, ...]:
    """Judge the QT interval.

    ``wide``: whether the QRS lasts 120 ms or more: then QT is corrected for it.
    """
    rate = case.value("heart_rate_bpm")
    if rate is not None and not _RATES_BPM[0] <= rate <= _RATES_BPM[1]:
        return left_open(CODES, f"at {rate:.0f}/min no formula corrects QT reliably")
    low, high = case.limits(LONG_QTC_MS)
    long_qt = _longer(case, low, high, wide)
    very = _longer(case, VERY_LONG_QTC_MS, VERY_LONG_QTC_MS, wide)
    short = all_of(at_most(case, _QTC, SHORT_QTC_MS, SHORT_QT), opposite(very))
    return judge("LNGQT", long_qt), judge("very_long_qt", very), judge("short_qt", short)


def _longer(case: Case, low: float, high: float, wide: bool | None) -> Check:
    """Hold QTc against a limit, which may depend on a sex that is not given."""
    qtc, name, source = case.value(_QTC), LABELS[_QTC], REPOLARIZATION
    if qtc is None:
        return unknown(case.reason(_QTC))
    if wide:
        qt, qrs, rr = (case.value(name) for name in ("qt_ms", "qrs_global_ms", "rr_ms"))
        if qt is None or qrs is None or rr is None:
            return unknown(case.reason("qt_ms"))
        qtc, source = qt_corrected(qt - 0.485 * qrs, rr), QT_IN_BLOCK
        name += " less 48.5 % of QRS"
    if low <= qtc < high:
        return unknown(f"QTc {qtc:.0f} ms: the limit depends on sex, which is not given")
    words, span = f"≥ {high:g} ms", case.span("qt_ms")
    return fact(qtc >= high, name, qtc, "ms", words, source, span_s=span)

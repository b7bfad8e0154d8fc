import pytest

from ecg_llm.findings.qt import judge_qt


@pytest.mark.parametrize(
    ("sex", "expected"), [("male", "present"), ("female", "absent"), (None, "unknown")]
)
@pytest.mark.parametrize("wide", [False, True])
def test_a_qtc_between_the_limits_of_the_sexes_stays_open_also_beneath_a_wide_qrs(
    make_case, sex, expected, wide
):
    qt_ms = 455.0 + (0.485 * 140 if wide else 0)
    values = {"qtc_fridericia_ms": 455.0, "qt_ms": qt_ms, "rr_ms": 1000.0, "qrs_global_ms": 140.0}
    long_qt = judge_qt(make_case(values, sex=sex), wide)[0]
    assert (long_qt.code, long_qt.status) == ("LNGQT", expected)

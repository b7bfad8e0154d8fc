"""An answer that small weights learn from holds no number that its prompt does not show."""

import pytest

from ecg_llm.data_builders.talk import held


@pytest.mark.parametrize(
    "answer",
    ["The heart rate is 60 bpm.", "P axis 2°.", "QRS axis -6 degrees.", "Only 12 ms in I."],
)
def test_a_value_is_no_name(answer):
    assert not held(answer, "ECG: lead V1 ... Report this 12-lead ECG.")
    assert held(answer, f"ECG: {answer}")


@pytest.mark.parametrize(
    "answer",
    [
        "1. Quality. All 12 leads can be read.\n2. Rhythm.",
        "Step 3, conduction: ST at J+60 ms in V6.",
        "No type 1 Brugada pattern.",
    ],
)
def test_names_need_not_be_shown(answer):
    assert held(answer, "Report this ECG.")

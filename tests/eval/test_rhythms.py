import pytest

from ecg_llm.eval import rhythms


def test_the_table_has_a_row_for_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {kind: rhythms.KINDS[kind] for kind in ("sinus rhythm", "atrial fibrillation")}
    monkeypatch.setattr(rhythms, "KINDS", few)
    result = rhythms.evaluate(2)
    sinus, fibrillation = result.kinds.values()
    assert sinus.score.boundaries["QRS on"].sensitivity > 0.98
    assert sinus.score.boundaries["P on"].sensitivity > 0.9
    assert not fibrillation.score.boundaries["P on"].n
    assert result.render().splitlines()[-1].startswith("| atrial fibrillation | none; ")

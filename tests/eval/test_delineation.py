from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import RecordError
from ecg_llm.eval.delineation import Tally, evaluate, match
from ecg_llm.eval.ludb import LudbMarks, ludb_records, read_ludb
from ecg_llm.leads import STANDARD_12
from ecg_llm.waves import WAVES

WriteLudb = Callable[[Path, int, float], None]


def test_marks_are_read_back(tmp_path: Path, write_ludb: WriteLudb) -> None:
    write_ludb(tmp_path, 7, 70)
    record, marks = read_ludb(ludb_records(tmp_path)[0])
    truth = synthetic_ecg(bpm=70, seed=7).truth.delineation
    read = marks.delineation()
    assert record.leads == STANDARD_12
    inner = (truth.r_s > 0.5) & (truth.r_s < 9.5)
    for r in truth.r_s[inner]:
        assert np.abs(read.r_s - r).min() < 0.05


def test_the_figures_of_a_perfect_reader_would_be_perfect(
    tmp_path: Path, write_ludb: WriteLudb
) -> None:
    for number, bpm in ((1, 60), (2, 90)):
        write_ludb(tmp_path, number, bpm)
    result = evaluate(tmp_path, with_neurokit=False)
    score = result.methods["ecg_llm"]
    assert score.boundaries["QRS on"].sensitivity > 0.98
    assert score.boundaries["QRS on"].precision > 0.98
    assert score.heart_rate_error_bpm < 0.5
    assert "QRS off" in result.render()


def test_a_folder_without_records_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"ludb\.csv"):
        ludb_records(tmp_path)


def test_boundaries_are_paired_once_and_closest_first() -> None:
    errors, extra = match(np.array([1.0, 2.0]), np.array([1.01, 1.1, 5.0]))
    assert errors.tolist() == pytest.approx([0.01])
    assert extra == 2


def test_a_record_without_marks_has_no_heart_rate_to_compare() -> None:
    tally, none = Tally(), LudbMarks({"I": {wave: np.zeros((0, 3)) for wave in WAVES}})
    tally.add(none, none.delineation())
    assert np.isnan(tally.score().heart_rate_error_bpm)

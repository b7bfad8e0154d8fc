"""PTB-XL: what is read, and what is told to be wrong."""

from __future__ import annotations

import pytest

from ecg_llm.data_builders.listing import ItemError
from ecg_llm.data_builders.ptbxl import PTBXL, parse_scp_codes, report_language
from ecg_llm.errors import ConfigError

WORDS = {"NORM": "normal ECG", "SR": "sinus rhythm"}


def entries(source):
    """Read all records; give entries by name and reasons by name."""
    listing = source.listing()
    good, bad = {}, {problem.record: problem for problem in listing.problems}
    for rows in listing.order.values():
        for row in rows:
            item = listing.item(row)
            try:
                good[item.name] = (item, source.read(item))
            except ItemError as error:
                bad[item.name] = error
    return good, bad


def test_a_record_with_all_that_is_known_of_it(tmp_path, layouts):
    rows = [layouts.ptbxl_row(1, age="300.0", sex=0, report="sinus rhythm. normal ecg.")]
    good, bad = entries(PTBXL(layouts.make_ptbxl(tmp_path / "ptbxl", rows, 1), 100))
    assert not bad
    item, entry = good["00001"]
    assert item.split == "train"
    assert (entry.record.fs, entry.record.n_samples, len(entry.record.leads)) == (100, 1000, 12)
    assert (entry.record.sex, entry.record.age_years) == ("male", None)
    assert "over 89" in entry.record.notes[-1]
    assert entry.fold == 2
    assert entry.labels == (("NORM", 100.0), ("SR", 0.0))
    assert entry.statements == ("normal ECG", "sinus rhythm")
    assert (entry.report, entry.report_language) == ("sinus rhythm. normal ecg.", "en")
    assert (entry.patient, entry.recorded_at) == ("1001", "1984-11-09 09:17:34")
    assert entry.source_file == "records100/00000/00001_lr.hea"


def test_folds_are_splits(tmp_path, layouts):
    rows = [layouts.ptbxl_row(n, strat_fold=n) for n in range(1, 11)]
    listing = PTBXL(layouts.make_ptbxl(tmp_path / "ptbxl", rows, 0), 100).listing()
    assert {split: len(rows) for split, rows in listing.order.items()} == {
        "train": 8,
        "val": 1,
        "test": 1,
    }


def test_a_rate_that_is_not_there_is_told_at_once(tmp_path, layouts):
    folder = layouts.make_ptbxl(tmp_path / "ptbxl", [layouts.ptbxl_row(1)], 1)
    with pytest.raises(ConfigError, match="no records500, only records100; give --fs 100"):
        PTBXL(folder, 500).listing()


def test_every_bad_row_is_told_and_none_is_lost(tmp_path, layouts):
    rows = [
        layouts.ptbxl_row(1),
        layouts.ptbxl_row(2, scp_codes="{'NORM': 100.0"),
        layouts.ptbxl_row(3, scp_codes="{'NORM': 100.0, 'WHAT': 50.0}"),
        layouts.ptbxl_row(4, filename_lr="records100/00000/99999_lr"),
        layouts.ptbxl_row(1, report="the second of this number"),
        layouts.ptbxl_row(5, strat_fold="eleven"),
        layouts.ptbxl_row(6, sex="f"),
        layouts.ptbxl_row(7, age="old"),
        layouts.ptbxl_row(8, filename_lr=""),
        layouts.ptbxl_row(9, filename_lr="../ptbxl_database.csv"),
        layouts.ptbxl_row(10, ecg_id="x"),
        layouts.ptbxl_row(11, scp_codes="[1, 2]"),
        layouts.ptbxl_row(12, patient_id="", report="", scp_codes="{}", sex=""),
    ]
    source = PTBXL(layouts.make_ptbxl(tmp_path / "ptbxl", rows, 12), 100)
    good, bad = entries(source)
    assert set(good) == {"00001", "00012"}
    assert good["00012"][1].patient is None
    assert good["00012"][1].report is None
    assert len(good) + len(bad) == len(rows)
    kinds = {name: problem.kind for name, problem in bad.items()}
    assert kinds == {
        **dict.fromkeys(("00002", "00005", "00006", "00007", "00008", "00011"), "row"),
        "00003": "label",
        "00004": "file",
        "00009": "file",
        "00001": "duplicate",
        "ptbxl_database.csv record 11": "row",
    }
    assert "no such file" in bad["00004"].reason
    assert str(tmp_path) not in "".join(problem.reason for problem in bad.values())


def test_a_broken_signal_file_costs_only_its_record(tmp_path, layouts):
    folder = layouts.make_ptbxl(tmp_path / "ptbxl", [layouts.ptbxl_row(1), layouts.ptbxl_row(2)], 2)
    damaged = folder / "records100/00000/00002_lr.dat"
    damaged.write_bytes(damaged.read_bytes()[:-1000])
    good, bad = entries(PTBXL(folder, 100))
    assert set(good) == {"00001"}
    assert bad["00002"].kind == "file"


def test_the_rate_must_be_one_it_has(tmp_path):
    with pytest.raises(ConfigError, match="100 or 500"):
        PTBXL(tmp_path, 250)


def test_a_folder_that_is_not_it(tmp_path):
    with pytest.raises(ConfigError, match=r"scp_statements\.csv: no such file"):
        PTBXL(tmp_path).listing()


@pytest.mark.parametrize(
    "cell", ["", "nan", "['NORM']", "{'NORM': 'x'}", "{1: 2}", "{'NORM': 101}", "__import__('os')"]
)
def test_a_cell_that_holds_no_statements(cell):
    with pytest.raises(ItemError) as error:
        parse_scp_codes(cell, WORDS)
    assert error.value.kind == "row"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("sinusrhythmus lagetyp normal normales ekg", "de"),
        ("vorhofflimmern linkstyp unspezifisches abnormales t", "de"),
        ("sinus rhythm. left axis deviation.", "en"),
        ("trace only requested.", "en"),
        ("sinusrytm vÄnster el-axel avvikande qrs(t) fÖrlopp", "sv"),
        ("4.46 qrs", "und"),
    ],
)
def test_the_language_of_a_report(text, language):
    assert report_language(text) == language

"""MIMIC-IV-ECG in its exact layout, with made-up content."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from ecg_llm.data_builders.listing import ItemError
from ecg_llm.data_builders.mimic_iv_ecg import MIMICIVECG, machine_values
from ecg_llm.data_builders.synthetic import synthetic_ecg
from ecg_llm.errors import ConfigError
from ecg_llm.leads import STANDARD_12

STUDIES = [(10000032, 40689238), (10000032, 44458630), (10000117, 45090959)]


def edit_csv(path, change):
    """Let a function change the rows of a table."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows, header = list(reader), reader.fieldnames
    rows = change(rows) or rows
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)


def read_all(source):
    listing = source.listing()
    items = [listing.item(row) for rows in listing.order.values() for row in rows]
    return {item.name: (item, source.read(item)) for item in items}


def test_leads_go_by_name_and_everything_is_joined(tmp_path, layouts):
    entries = read_all(MIMICIVECG(layouts.make_mimic(tmp_path / "mimic", STUDIES)))
    assert set(entries) == {str(study) for _, study in STUDIES}
    for k, (subject, study) in enumerate(STUDIES):
        _, entry = entries[str(study)]
        assert entry.record.leads == STANDARD_12
        true = synthetic_ecg(bpm=60 + 5 * k, fs=500, seed=k).record
        assert np.allclose(entry.record.signal, true.signal, atol=0.5 / 200 + 1e-6)
        assert entry.patient == str(subject)
        assert entry.source_file == layouts.mimic_path(subject, study) + ".hea"
        assert entry.report.splitlines() == [
            "Sinus rhythm",
            "Possible left anterior fascicular block, axis -40",
            "Borderline ECG",
        ]
        assert entry.report_language == "en"
        assert entry.machine["rr_interval_ms"] == 659
        assert entry.machine["p_axis_deg"] is None
        assert entry.machine["qrs_axis_deg"] == -40
        assert entry.machine["filtering"] == "60 Hz notch Baseline filter"
        assert [link["note_id"] for link in entry.note_links] == (
            [f"{subject}-EK-{k}"] if k % 2 == 0 else []
        )


def test_patients_are_split_and_stay_where_they_are(tmp_path, layouts):
    many = [(10000000 + k // 2, 40000000 + k) for k in range(60)]
    few = layouts.make_mimic(tmp_path / "few", [])
    write = [
        {
            "subject_id": a,
            "study_id": b,
            "file_name": b,
            "ecg_time": "",
            "path": layouts.mimic_path(a, b),
        }
        for a, b in many
    ]

    def splits(rows):
        with (few / "record_list.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        listing = MIMICIVECG(few).listing()
        return {
            listing.item(row).name: (split, listing.item(row).cells["subject_id"])
            for split, order in listing.order.items()
            for row in order
        }

    everyone, half = splits(write), splits(write[::3])
    assert {split for split, _ in everyone.values()} == {"train", "val", "test"}
    of_patient = {}
    for split, subject in everyone.values():
        assert of_patient.setdefault(subject, split) == split
    assert half.items() <= everyone.items()


def test_what_does_not_belong_together_is_counted(tmp_path, layouts):
    folder = layouts.make_mimic(tmp_path / "mimic", STUDIES)

    def strangers(rows):
        rows[0]["study_id"] = "49999999"
        return [*rows, rows[2]]

    edit_csv(folder / "machine_measurements.csv", strangers)
    edit_csv(
        folder / "record_list.csv", lambda rows: [*rows, rows[1], {**rows[2], "study_id": "?"}]
    )
    listing = MIMICIVECG(folder).listing()
    assert sum(map(len, listing.order.values())) == 3
    assert [problem.kind for problem in listing.problems] == ["duplicate", "row"]
    assert listing.remarks["rows of machine_measurements.csv without a record"] == 1
    source = MIMICIVECG(folder)
    items = {i.name: i for i in (listing.item(r) for rows in listing.order.values() for r in rows)}
    alone = source.read(items["40689238"])
    assert (alone.report, alone.machine) == (None, None)
    with pytest.raises(ItemError, match="2 rows of machine_measurements") as error:
        source.read(items["45090959"])
    assert error.value.kind == "duplicate"


def test_a_folder_without_links_to_notes_is_fine(tmp_path, layouts):
    folder = layouts.make_mimic(tmp_path / "mimic", STUDIES[:1])
    (folder / "waveform_note_links.csv").unlink()
    ((_, entry),) = read_all(MIMICIVECG(folder)).values()
    assert entry.note_links == ()
    assert MIMICIVECG(folder).listing().remarks == {"records without a note link": 1}


def test_a_folder_without_the_machine_table_is_not(tmp_path, layouts):
    folder = layouts.make_mimic(tmp_path / "mimic", STUDIES[:1])
    (folder / "machine_measurements.csv").unlink()
    with pytest.raises(ConfigError, match=r"machine_measurements\.csv: no such file"):
        MIMICIVECG(folder).listing()


@pytest.mark.parametrize("cell", ["29999", "32767", "65535", "", "nan", "0"])
def test_what_the_machine_did_not_measure_is_unknown(cell):
    assert machine_values({"rr_interval": cell})["rr_interval_ms"] is None


@pytest.mark.parametrize("cell", ["long", "12.5", "inf", "1e99"])
def test_a_cell_that_is_no_measurement(cell):
    with pytest.raises(ItemError, match="qrs_end is not a"):
        machine_values({"qrs_end": cell})


def test_an_axis_of_zero_is_an_axis():
    assert machine_values({"qrs_axis": "0"})["qrs_axis_deg"] == 0

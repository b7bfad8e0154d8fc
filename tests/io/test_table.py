"""CSV, TSV and NPY: what is not stated is asked for, never guessed."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest

from ecg_llm.errors import RecordError
from ecg_llm.io import read_bytes, read_record


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("unit", ["mV", "uV"])
def test_comment_lines_state_rate_and_unit(ecg, delimiter, unit):
    truth = ecg.known_ecg()
    comments = ("# fs: 500 Hz", f"# unit = {unit}", "# Age: 66", "# sex: F")
    text = ecg.csv_text(truth, delimiter=delimiter, unit=unit, comments=comments)
    record = read_bytes(text.encode(), "a.csv")
    ecg.close(record, truth, 1e-5)
    assert (record.age_years, record.sex, record.name) == (66.0, "female", "a")


@pytest.mark.parametrize("time", ["time_s", "time [s]", "t (ms)", "time_ms"])
@pytest.mark.parametrize("fs", [128, 250, 500])
def test_a_time_column_gives_the_rate(ecg, time, fs):
    truth = ecg.known_ecg(fs=fs)
    text = ecg.csv_text(truth, comments=("# unit: mV",), time=time)
    ecg.close(read_bytes(text.encode(), "a.csv"), truth, 1e-5)


def test_units_in_the_column_names(ecg):
    truth = ecg.known_ecg()
    text = ecg.csv_text(truth, unit="uV", comments=("# fs: 500",))
    for name in ("{} [uV]", "{} (µV)", "{}_uV"):
        header = ",".join(name.format(lead) for lead in truth.leads)
        named = text.replace(",".join(truth.leads), header)
        ecg.close(read_bytes(named.encode(), "a.csv"), truth, 1e-5)


def test_units_in_a_row_of_their_own(ecg):
    truth = ecg.known_ecg()
    text = ecg.csv_text(truth, unit="uV", comments=(), time="time")
    header, _, rows = text.partition("\n")
    units = ",".join(["s", *["uV"] * 12])
    ecg.close(read_bytes(f"{header}\n{units}\n{rows}".encode(), "a.csv"), truth, 1e-5)
    twice = header.replace("V6", "V6 [mV]")
    with pytest.raises(RecordError, match=r"column V6 is in mV by its name and in uV by row 2"):
        read_bytes(f"{twice}\n{units}\n{rows}".encode(), "a.csv")
    with pytest.raises(RecordError, match=r"row 4, column I: not a finite number"):
        unknown = units.replace("uV", "mmHg", 1)
        read_bytes(f"# fs: 500\n# unit: uV\n{header}\n{unknown}\n{rows}".encode(), "a.csv")


def test_the_line_that_tells_excel_the_delimiter_is_no_row(ecg):
    truth = ecg.known_ecg()
    text = ecg.csv_text(truth, delimiter=";", comments=("# fs: 500", "# unit: mV"))
    ecg.close(read_bytes(f"sep=;\r\n{text}".encode(), "a.csv"), truth, 1e-5)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_spreadsheet_encodings(ecg, encoding, newline):
    truth = ecg.known_ecg(seconds=6)
    text = ecg.csv_text(truth, delimiter=";").replace("\n", newline).replace(".", ",")
    ecg.close(read_bytes(text.encode(encoding), "a.csv"), truth, 1e-5)


def test_a_json_beside_it(ecg, tmp_path):
    truth = ecg.known_ecg()
    path = tmp_path / "a.csv"
    path.write_text(ecg.csv_text(truth, comments=()))
    ecg.sidecar(path, fs=500, unit="mV", age=30, sex="male", other={"x": 1})
    record = read_record(path)
    ecg.close(record, truth, 1e-5)
    assert (record.age_years, record.sex) == (30.0, "male")


@pytest.mark.parametrize("said", ["[1]", "{", '{"fs": "fast"}', '{"fs": true}', '{"leads": 3}'])
def test_a_broken_json_beside_it(ecg, tmp_path, said):
    (tmp_path / "a.csv").write_text(ecg.csv_text(ecg.known_ecg(seconds=6)))
    (tmp_path / "a.json").write_text(said)
    with pytest.raises(RecordError, match="beside it"):
        read_record(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("comments", "asked"), [(("# unit: mV",), "--fs"), (("# fs: 500",), "--unit")]
)
def test_what_is_not_stated_is_asked_for(ecg, comments, asked):
    text = ecg.csv_text(ecg.known_ecg(), comments=comments)
    with pytest.raises(RecordError, match=asked):
        read_bytes(text.encode(), "a.csv")
    record = read_bytes(text.encode(), "a.csv", fs=500, unit="mV")
    assert record.fs == 500


def test_columns_without_names_need_leads(ecg):
    truth = ecg.known_ecg()
    text = ecg.csv_text(truth, comments=()).split("\n", 1)[1]
    with pytest.raises(RecordError, match="--leads"):
        read_bytes(text.encode(), "a.csv", fs=500, unit="mV")
    record = read_bytes(text.encode(), "a.csv", fs=500, unit="mV", leads=ecg.TWELVE)
    ecg.close(record, truth, 1e-5)
    numbered = ",".join(map(str, range(12))) + "\n" + text
    with pytest.raises(RecordError, match="--leads"):
        read_bytes(numbered.encode(), "a.csv", fs=500, unit="mV")
    record = read_bytes(numbered.encode(), "a.csv", fs=500, unit="mV", leads=ecg.TWELVE)
    ecg.close(record, truth, 1e-5)
    with pytest.raises(RecordError, match="3 leads were given"):
        read_bytes(text.encode(), "a.csv", fs=500, unit="mV", leads=("I", "II", "III"))


@pytest.mark.parametrize(
    "stated", [{"fs": 250}, {"unit": "uV"}, {"leads": ("II", "I", "III", "aVR", "aVL", "aVF")}]
)
def test_stated_twice_and_different(ecg, stated):
    text = ecg.csv_text(ecg.known_ecg(leads=ecg.TWELVE[:6]))
    with pytest.raises(RecordError, match=r"given|elsewhere"):
        read_bytes(text.encode(), "a.csv", **stated)


def test_empty_cells_are_missing_samples(ecg):
    lines = ecg.csv_text(ecg.known_ecg()).splitlines()
    for k in range(100, 110):
        cells = lines[k].split(",")
        cells[3] = "" if k % 2 else "NaN"
        lines[k] = ",".join(cells)
    row = read_bytes("\n".join(lines).encode(), "a.csv").row("aVR")
    assert np.flatnonzero(np.isnan(row)).tolist() == list(range(97, 107))


def test_an_empty_row_of_a_single_lead_is_not_skipped(ecg):
    lines = ecg.csv_text(ecg.known_ecg(leads=("II",))).splitlines()
    assert read_bytes("\n".join(lines).encode(), "a.csv").leads == ("II",)
    lines[700] = ""
    with pytest.raises(RecordError, match="row 701 is empty"):
        read_bytes("\n".join(lines).encode(), "a.csv")
    lines[700] = "NaN"
    record = read_bytes("\n".join(lines).encode(), "a.csv")
    assert np.flatnonzero(np.isnan(record.row("II"))).tolist() == [697]


def test_other_columns_are_left_out_and_named(ecg):
    head, *rows = ecg.csv_text(ecg.known_ecg(), comments=()).splitlines()
    lines = [",".join(["", head, "SpO2"])]
    lines += [f"{k},{row},text" for k, row in enumerate(rows)]
    record = read_bytes("\n".join(lines).encode(), "a.csv", fs=500, unit="mV")
    assert record.leads == ecg.TWELVE
    assert any("SpO2" in note for note in record.notes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:3], "header row but no samples"),
        (lambda lines: [*lines[:50], lines[50].replace(",", ",abc", 1)], "row 51, column II"),
        (lambda lines: [*lines[:50], lines[50].replace(",", ",inf,", 1)[:-9]], "row 51"),
        (lambda lines: [*lines[:-1], lines[-1][:20]], "cut off"),
        (lambda lines: [lines[0], lines[1], lines[2].replace("II,", "I,"), *lines[3:]], "twice"),
        (lambda lines: [*lines[:60], lines[60] + '"x'], "row"),
        (lambda lines: ["Dear colleague,", "thank you for the ECG."], "no column is named"),
        (lambda lines: ["  ", ""], "empty"),
        (lambda lines: [*lines[:50], "1_0" + lines[50][1:], *lines[51:]], "row 51, column I"),
    ],
)
def test_broken_tables(ecg, change, said):
    lines = change(ecg.csv_text(ecg.known_ecg()).splitlines())
    with pytest.raises(RecordError, match=said) as caught:
        read_bytes("\n".join(lines).encode(), "a.csv")
    assert "a.csv" in str(caught.value) and "abc" not in str(caught.value)


def test_a_gap_in_the_time_column(ecg):
    lines = ecg.csv_text(ecg.known_ecg(), comments=("# unit: mV",), time="time_s").splitlines()
    del lines[1000:1100]
    with pytest.raises(RecordError, match="uneven"):
        read_bytes("\n".join(lines).encode(), "a.csv")


def test_text_is_no_table():
    with pytest.raises(RecordError, match=r"notes\.csv"):
        read_bytes(b"\x00\x01\x02" * 1000, "notes.csv")


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<i2", "<f2"])
@pytest.mark.parametrize("fortran", [False, True])
def test_npy(ecg, across, kind, fortran):
    truth = ecg.known_ecg()
    array = (truth.matrix * 1000).astype(kind)
    array = np.asarray(array.T if across else array, order="F" if fortran else "C")
    record = read_bytes(ecg.npy_bytes(array), "a.npy", fs=500, unit="uV", leads=ecg.TWELVE)
    ecg.close(record, truth, 2e-3)


def test_npy_with_a_json_beside_it(ecg, tmp_path):
    truth = ecg.known_ecg()
    np.save(tmp_path / "a.npy", truth.matrix)
    ecg.sidecar(tmp_path / "a.npy", fs=500, unit="mV", leads=list(ecg.TWELVE))
    ecg.close(read_record(tmp_path / "a.npy"), truth, 1e-6)


class _Trap:
    """Unpickling it would be seen."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((3, 12, 5000)), "shape"),
        (np.zeros((12, 12)), "shape"),
        (np.zeros((11, 5000)), "shape"),
        (np.zeros((12, 5000), complex), "integers or floats"),
        (np.full((12, 5000), "x"), "integers or floats"),
        (np.full((12, 5000), np.inf), "infinite"),
        (np.full((12, 5000), np.nan), "missing"),
        (np.zeros((12, 0)), "no sample"),
        (np.array([_Trap()], dtype=object), "pickled"),
    ],
)
def test_broken_arrays(ecg, array, said):
    with pytest.raises(RecordError, match=said):
        read_bytes(ecg.npy_bytes(array), "a.npy", fs=500, unit="mV", leads=ecg.TWELVE)


def test_npy_headers_are_not_trusted(ecg):
    data = ecg.npy_bytes(np.zeros((12, 5000)))
    leads = {"fs": 500, "unit": "mV", "leads": ecg.TWELVE}
    with pytest.raises(RecordError, match="cut off"):
        read_bytes(data[:-1000], "a.npy", **leads)
    with pytest.raises(RecordError, match="too large"):
        read_bytes(data.replace(b"5000), }    ", b"500000000),}"), "a.npy", **leads)
    with pytest.raises(RecordError, match="damaged"):
        read_bytes(data.replace(b"descr", b"xxxxx"), "a.npy", **leads)


def test_a_pickle_is_no_array():
    with pytest.raises(RecordError):
        read_bytes(pickle.dumps(_Trap()), "a.npy", fs=500, unit="mV", leads=("I",))


def test_rows_may_end_as_on_an_old_mac(ecg):
    truth = ecg.known_ecg(seconds=6)
    ecg.close(read_bytes(ecg.csv_text(truth).replace("\n", "\r").encode(), "a.csv"), truth, 1e-5)


def test_a_column_whose_unit_is_not_the_stated_one(ecg):
    text = ecg.csv_text(ecg.known_ecg(), comments=("# fs: 500", "# unit: mV"))
    with pytest.raises(RecordError, match=r"column I states unit uV, but mV"):
        read_bytes(text.replace("I,II", "I [uV],II", 1).encode(), "a.csv")


def test_a_long_table_takes_little_more_room_than_its_file():
    data = b"# fs: 500\n# unit: mV\nII\n" + b"0.1\n0.2\n" * 100_000
    tracemalloc.start()
    try:
        record = read_bytes(data, "a.csv")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert record.duration_s == 300 and any("400 s long" in note for note in record.notes)
    assert most < 30 * len(data)


def test_rows_keep_their_numbers_in_a_long_table(ecg):
    lines = ecg.csv_text(ecg.known_ecg(seconds=100)).splitlines()
    lines.insert(30_000, "# a comment")
    lines[45_000] = lines[45_000].replace(",", ",abc", 1)
    with pytest.raises(RecordError, match="row 45001, column II"):
        read_bytes("\n".join(lines).encode(), "a.csv")

"""The rules that hold for every format, and what is found in folders and archives."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from ecg_llm.errors import RecordError
from ecg_llm.io import find_records, from_array, read_bytes, read_record, read_ref


def _read(ecg, rows, fs=500, unit="mV", **options):
    array = np.stack(list(rows.values()))
    return read_bytes(ecg.npy_bytes(array), "a.npy", fs=fs, unit=unit, leads=tuple(rows), **options)


def test_standard_leads_come_first_whatever_the_order(ecg):
    order = ("Z", "V6", "aVF", "V3R", "aVL", "II", "I", "V1", "aVR", "III")
    truth = ecg.known_ecg(leads=order)
    record = _read(ecg, truth.rows)
    assert record.leads == ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V6", "Z", "V3R")
    ecg.close(record, truth, 1e-6)


@pytest.mark.parametrize(
    "given",
    [
        *(("I", "II"), ("I", "III"), ("II", "III"), ("I", "II", "aVL")),
        *(("I", "aVF"), ("aVR", "aVL", "aVF")),
    ],
)
def test_limb_leads_are_derived_and_said_to_be(ecg, given):
    truth = ecg.known_ecg(leads=(*given, "V1"))
    record = _read(ecg, truth.rows)
    assert record.derived == tuple(lead for lead in ecg.TWELVE[:6] if lead not in given)
    ecg.close(record, ecg.known_ecg(leads=(*ecg.TWELVE[:6], "V1")), 1e-6)


def test_samples_in_memory_are_read_by_the_rules_of_files(ecg):
    truth = ecg.known_ecg()
    microvolt = 1000 * np.stack(list(truth.rows.values()))
    for array in (microvolt, microvolt.T, microvolt.tolist()):
        ecg.close(from_array(array, fs=500, unit="uV", leads=list(truth.rows)), truth, 1e-6)
    record = from_array(
        microvolt[:2], fs=500, unit="uV", leads=("D1", "D2"), name="a", age_years=61, sex="female"
    )
    assert record.leads == ("I", "II", "III", "aVR", "aVL", "aVF")
    assert (record.name, record.age_years, record.sex) == ("a", 61, "female")
    assert "5000" not in repr(record) and "array" not in repr(record)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"unit": "V"}, "unit .* is wrong"),
        ({"unit": "mmHg"}, "not a voltage"),
        ({"fs": 50}, "sampled at 50 Hz"),
        ({"leads": ("I",)}, "does not fit 1 leads"),
        ({"leads": tuple(f"x{k}" for k in range(12))}, "no ECG lead"),
        ({"signal": [["1"] * 10] * 12}, "integers or floats are needed"),
        ({"signal": np.full((12, 5000), np.inf)}, "infinite"),
    ],
)
def test_samples_in_memory_are_refused_as_files_are(ecg, changed, why):
    rows = ecg.known_ecg().rows
    right = {"signal": 1000 * np.stack(list(rows.values())), "unit": "uV", "fs": 500}
    with pytest.raises(RecordError, match=why):
        from_array(**{**right, "leads": tuple(rows), **changed})


@pytest.mark.parametrize("leads", [("II",), ("I", "V2", "V5"), ("aVF", "V1")])
def test_few_leads_are_readable(ecg, leads):
    record = _read(ecg, ecg.known_ecg(leads=leads).rows)
    assert set(leads) <= set(record.leads)
    assert len(record.leads) == len(leads) and not record.derived


def test_lead_names_of_other_dialects(ecg):
    truth = ecg.known_ecg(leads=("I", "II", "aVR", "V1", "X"))
    names = ("Lead I", "D2", "avr", "C1", "vx")
    record = _read(ecg, dict(zip(names, truth.rows.values(), strict=True)))
    ecg.close(record, truth, 1e-6)


def test_column_numbers_are_no_lead_names(ecg):
    rows = ecg.known_ecg(leads=("I", "II", "III")).rows.values()
    for names in (("1", "2", "3"), ("R", "L", "F"), ("0", "1", "2")):
        with pytest.raises(RecordError, match="no ECG lead"):
            _read(ecg, dict(zip(names, rows, strict=True)))


def test_other_channels_are_left_out_and_named(ecg):
    truth = ecg.known_ecg(leads=("I", "II"))
    rows = truth.rows | {"SpO2": truth.rows["I"], "RESP": truth.rows["I"], "MLII": truth.rows["II"]}
    record = _read(ecg, rows)
    assert record.leads[-1] == "MLII" and "SpO2" not in record.leads
    assert any("SpO2, RESP" in note for note in record.notes)
    with pytest.raises(RecordError, match="no ECG lead"):
        _read(ecg, {"PLETH": truth.rows["I"], "ABP": truth.rows["I"]})


def test_names_that_stand_twice(ecg):
    rows = ecg.known_ecg(leads=("I", "II")).rows
    with pytest.raises(RecordError, match="twice: I"):
        _read(ecg, {"I": rows["I"], "Lead I": rows["II"]})


@pytest.mark.parametrize("fs", [1024, 2000, 4096, 5000, 10_000, 977.3 * 2])
def test_high_rates_are_reduced_behind_a_filter(ecg, fs):
    truth = ecg.known_ecg(fs=fs, leads=("II", "V1"))
    t = np.arange(truth.matrix.shape[1]) / fs
    aliasing = 0.5 if 0.45 * fs > 600 else 0.0
    hum = {
        lead: row + 0.3 + aliasing * np.sin(2 * np.pi * 0.45 * fs * t)
        for lead, row in truth.rows.items()
    }
    hum["V1"][: round(fs)] = np.nan
    record = _read(ecg, hum, fs=fs)
    assert 990 < record.fs <= 1000.001
    assert any("reduced" in note for note in record.notes)
    grid = np.arange(record.n_samples) / record.fs
    expected = np.interp(grid, t, truth.rows["II"]) + 0.3
    inner = slice(100, -100)
    assert np.abs(record.row("II") - expected)[inner].max() < 0.02
    first_second = grid < 0.99
    assert np.isnan(record.row("V1")[first_second]).all()
    assert not np.isnan(record.row("V1")[grid > 1.01]).any()


@pytest.mark.parametrize(
    ("fs", "seconds", "said"),
    [(50, 10, "50 Hz"), (99, 10, "99 Hz"), (500, 4.9, "4.90 s"), (1e6, 0.01, "no ECG has that")],
)
def test_too_slow_too_short(ecg, fs, seconds, said):
    with pytest.raises(RecordError, match=said):
        _read(ecg, ecg.known_ecg(fs=fs, seconds=seconds, leads=("II", "V1")).rows, fs=fs)


def test_long_recordings_are_cut_and_it_is_said(ecg):
    record = _read(ecg, ecg.known_ecg(fs=100, seconds=330, leads=("II",)).rows, fs=100)
    assert record.duration_s == 300
    assert any("first 300 s" in note for note in record.notes)


@pytest.mark.parametrize("factor", [1e-300, 1e-40, 1e-6, 1e3, 1e6, 1e40])
def test_voltages_that_only_a_wrong_unit_explains(ecg, factor):
    rows = {lead: row * factor for lead, row in ecg.known_ecg().rows.items()}
    with pytest.raises(RecordError, match="unit"):
        _read(ecg, rows)


def test_flat_constant_noisy_and_saturated_records_are_readable(ecg):
    rng = np.random.default_rng(1)
    for row in (
        np.zeros(5000),
        np.full(5000, 3.0),
        rng.normal(0, 2, 5000),
        rng.choice([-16, 16], 5000),
    ):
        record = _read(ecg, dict.fromkeys(("I", "II", "V1"), row.astype(float)))
        np.testing.assert_allclose(record.row("V1"), row, atol=1e-5)


def test_leads_without_a_sample_are_missing_not_zero(ecg):
    rows = ecg.known_ecg().rows
    rows["V3"] = np.full(5000, np.nan)
    rows["III"] = np.full(5000, np.nan)
    record = _read(ecg, rows)
    assert "V3" not in record.leads and record.derived == ("III",)
    with pytest.raises(RecordError, match="missing"):
        _read(ecg, dict.fromkeys(("I", "II"), np.full(5000, np.nan)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"unit": "mmHg"}, "not a voltage"),
        ({"fs": float("nan")}, "not a positive number"),
        ({"fs": -500}, "not a positive number"),
        ({"fmt": "edf"}, "no reader is called"),
        ({"leads": ()}, "empty"),
    ],
)
def test_options_that_make_no_sense(ecg, options, said):
    given = {"fs": 500, "unit": "mV", "leads": ("I", "II")} | options
    with pytest.raises(RecordError, match=said):
        read_bytes(ecg.npy_bytes(np.zeros((2, 5000))), "a.npy", **given)


def test_the_content_decides_and_not_the_extension(ecg, tmp_path):
    truth = ecg.known_ecg()
    wave = ecg.muse_text(ecg.muse_wave(truth.pick(ecg.EIGHT))).encode()
    for name in ("a.csv", "a.dcm", "a", "a.hea"):
        assert read_bytes(wave, name).derived == ("III", "aVR", "aVL", "aVF")
    (tmp_path / "x.bin").write_bytes(ecg.dicom_bytes(ecg.dicom_group(truth)))
    ecg.close(read_record(tmp_path / "x.bin"), truth, 1.3e-3)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"   \n", "empty"),
        (b"\x89PNG\r\n\x1a\n0000", "image is damaged"),
        (b"%PDF-1.7", "PDF cannot be read"),
        (b"GIF89a", "GIF image"),
        (b"\x00" * 5000, "not a format"),
        (b"PK\x03\x04broken", "zip archive"),
    ],
)
def test_what_is_no_ecg(data, said):
    with pytest.raises(RecordError, match=said) as caught:
        read_bytes(data, "x.bin")
    assert "x.bin" in str(caught.value)


def test_what_is_no_file(tmp_path):
    with pytest.raises(RecordError, match="no such file"):
        read_record(tmp_path / "none.hea")
    with pytest.raises(RecordError, match="0 records"):
        read_record(tmp_path)
    with pytest.raises(RecordError, match="not a regular file"):
        read_record("/dev/zero")
    with pytest.raises(RecordError):
        read_record("a\0b.hea")


def test_a_wfdb_header_uploaded_alone_asks_for_a_zip(ecg, tmp_path):
    header = ecg.write_wfdb(tmp_path, ecg.known_ecg())
    with pytest.raises(RecordError, match="zip"):
        read_bytes(header.read_bytes(), "rec.hea")
    both = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    record = read_bytes(ecg.zip_bytes(both), "upload.zip")
    ecg.close(record, ecg.known_ecg(), 6e-4)
    assert record.source == "upload.zip!rec.hea"


def _library(ecg, folder):
    """A folder with one record of each kind, and much that is none."""
    truth = ecg.known_ecg()
    for name in ("wfdb", "sub"):
        (folder / name).mkdir()
    ecg.write_wfdb(folder / "wfdb", truth, name="r1")
    ecg.write_wfdb(folder / "wfdb", truth.pick(("I", "II")), name="seg")
    (folder / "wfdb" / "many.hea").write_text("many/1 2 500 5000\nseg 5000\n")
    ecg.write_mat(folder / "sub", truth, name="m1")
    (folder / "sub" / "c1.csv").write_text(ecg.csv_text(truth))
    (folder / "sub" / "d1.dcm").write_bytes(ecg.dicom_bytes(ecg.dicom_group(truth)))
    (folder / "sub" / "IM0001").write_bytes(ecg.dicom_bytes(ecg.dicom_group(truth)))
    (folder / "sub" / "a1.xml").write_text(ecg.aecg_text(truth))
    both = {path.name: path.read_bytes() for path in (folder / "wfdb").glob("r1.*")}
    (folder / "z1.zip").write_bytes(ecg.zip_bytes({f"in/{k}": v for k, v in both.items()}))
    (folder / "database.csv").write_text("ecg_id,patient_id,age,sex,report\n1,2,3,0,sinus\n")
    (folder / "pom.xml").write_text("<project/>")
    (folder / "wfdb" / "r1.atr").write_bytes(b"\x00\x01")
    (folder / "LICENSE").write_text("free")
    (folder / "README.md").write_text("# I,II\n")
    (folder / "page.png").write_bytes(b"\x89PNG")
    (folder / ".hidden.hea").write_text("x")
    return [
        "sub/IM0001",
        "sub/a1",
        "sub/c1",
        "sub/d1",
        "sub/m1",
        "wfdb/many",
        "wfdb/r1",
        "z1/in/r1",
    ]


def test_find_records(ecg, tmp_path):
    good = _library(ecg, tmp_path)
    refs = find_records(tmp_path)
    assert [ref.name for ref in refs] == good
    assert refs == find_records(tmp_path)
    for ref in refs:
        record = read_ref(ref)
        assert record.name == ref.name and record.fs == 500


def test_broken_files_are_listed_and_fail_alone(ecg, tmp_path):
    good = _library(ecg, tmp_path)
    (tmp_path / "empty.hea").touch()
    (tmp_path / "empty.csv").touch()
    (tmp_path / "orphan.dat").write_bytes(b"\0" * 100)
    (tmp_path / "cut.dcm").write_bytes(b"\0" * 10)
    (tmp_path / "cut.xml").write_text('<?xml version="1.0"?>')
    (tmp_path / "bomb.xml").write_text('<!DOCTYPE x [<!ENTITY a "b">]><RestingECG>&a;</RestingECG>')
    (tmp_path / "text.csv").write_text("I,II,V1\nfoo,bar,baz\n")
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04")
    bad = {
        "empty.hea",
        "empty.csv",
        "orphan",
        "text",
        "bomb",
        "cut.dcm",
        "cut.xml",
        "cut.npy",
        "cut.zip",
    }
    refs = find_records(tmp_path)
    assert {ref.name for ref in refs} == bad | set(good)
    assert len({ref.name for ref in refs}) == len(refs)
    for ref in refs:
        if ref.name in bad:
            with pytest.raises(RecordError):
                read_ref(ref)


def test_links_out_of_a_searched_folder_are_not_followed(ecg, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.csv").write_text(ecg.csv_text(ecg.known_ecg()))
    (tmp_path / "in" / "link.csv").symlink_to(tmp_path / "secret.csv")
    (ref,) = find_records(tmp_path / "in")
    with pytest.raises(RecordError, match="symbolic link"):
        read_ref(ref)
    assert read_record(tmp_path / "in" / "link.csv").fs == 500


def test_a_linked_folder_is_told_and_not_followed(ecg, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "ward").mkdir(parents=True)
    for folder in ("out", "in/ward"):
        (tmp_path / folder / "a.csv").write_text(ecg.csv_text(ecg.known_ecg()))
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    refs = find_records(tmp_path / "in")
    assert [ref.name for ref in refs] == ["linked", "ward/a"]
    with pytest.raises(RecordError, match=r"linked: a symbolic link .* Copy the folder itself"):
        read_ref(refs[0])


@pytest.mark.parametrize("name", ["../../evil.csv", "/etc/evil.csv", "a\\..\\evil.csv"])
def test_archives_that_lead_out_of_themselves(ecg, tmp_path, name):
    good = {"a.csv": ecg.csv_text(ecg.known_ecg())}
    (tmp_path / "x.zip").write_bytes(ecg.zip_bytes({name: "x", **good}))
    with pytest.raises(RecordError, match="leads out"):
        read_record(tmp_path / "x.zip")
    assert list(tmp_path.parent.rglob("evil*")) == []


def test_archives_that_swell(ecg, tmp_path):
    path = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(zipfile.ZipInfo("a.npy"), "w", force_zip64=True) as member,
    ):
        block = b"\0" * 2**20
        for _ in range(300):
            member.write(block)
    with pytest.raises(RecordError, match="larger than"):
        read_record(path)


def test_archives_with_several_records_or_none(ecg, tmp_path):
    text = ecg.csv_text(ecg.known_ecg())
    (tmp_path / "two.zip").write_bytes(ecg.zip_bytes({"a.csv": text, "b/b.csv": text}))
    with pytest.raises(RecordError, match="2 records"):
        read_record(tmp_path / "two.zip")
    refs = find_records(tmp_path / "two.zip")
    assert [(ref.name, ref.member) for ref in refs] == [("a", "a.csv"), ("b/b", "b/b.csv")]
    assert read_ref(refs[1]).name == "b/b"
    (tmp_path / "none.zip").write_bytes(ecg.zip_bytes({"README.md": "x"}))
    with pytest.raises(RecordError, match="0 records"):
        read_record(tmp_path / "none.zip")


def test_an_encrypted_member(ecg, tmp_path):
    data = bytearray(ecg.zip_bytes({"a.csv": "I,II\n"}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    with pytest.raises(RecordError, match="encrypted"):
        read_bytes(bytes(data), "a.zip")


def test_importing_the_readers_loads_no_heavy_library():
    heavy = "{'wfdb', 'pydicom', 'scipy', 'pandas', 'soundfile', 'defusedxml'}"
    code = f"import sys, ecg_llm.io; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_pipes_and_devices_are_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", "/dev/null"):
        with pytest.raises(RecordError, match=r"not a regular file.*Save it"):
            read_record(path)


def test_a_link_to_nothing_is_called_so(tmp_path):
    (tmp_path / "a.hea").symlink_to(tmp_path / "gone.hea")
    with pytest.raises(RecordError, match=r"a\.hea: a symbolic link to a file that is not there"):
        read_record(tmp_path / "a.hea")


def test_an_archive_beside_what_was_unpacked_from_it(ecg, tmp_path):
    text = ecg.csv_text(ecg.known_ecg(seconds=6))
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.csv").write_text(text)
    for name in ("x.zip", "y.zip", "y.ZIP"):
        (tmp_path / name).write_bytes(ecg.zip_bytes({"a.csv": text}))
    refs = find_records(tmp_path)
    assert [ref.name for ref in refs] == ["x.zip/a", "x/a", "y.ZIP/a", "y.zip/a"]
    assert [read_ref(ref).name for ref in refs] == [ref.name for ref in refs]


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_in_other_packings(ecg, packing):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        archive.writestr("a.csv", ecg.csv_text(ecg.known_ecg()))
    assert read_bytes(file.getvalue(), "a.zip").fs == 500
    data = bytearray(file.getvalue())
    data[60:90] = b"\xff" * 30
    with pytest.raises(RecordError, match="damaged in the archive"):
        read_bytes(bytes(data), "a.zip")


def test_what_an_archive_holds_instead_of_one_record_is_told(ecg):
    text = ecg.csv_text(ecg.known_ecg(seconds=6))
    inner = ecg.zip_bytes({"a.csv": text})
    with pytest.raises(RecordError, match=r"0 records.*not in an archive of its own"):
        read_bytes(ecg.zip_bytes({"in.zip": inner}), "out.zip")
    many = {f"{k}.csv": text for k in range(5)}
    with pytest.raises(RecordError, match=r"5 records .* \(0\.csv, 1\.csv, 2\.csv, …\)"):
        read_bytes(ecg.zip_bytes(many), "out.zip")


def test_an_scp_file_is_called_so():
    with pytest.raises(RecordError, match="an SCP-ECG file"):
        read_bytes(bytes(16) + b"SCPECG" + bytes(200), "a.scp")

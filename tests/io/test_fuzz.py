"""Random truth must come back; damaged files must end in a record that holds or in an ECGError.

``--hypothesis-profile=fuzz`` searches for as long as one likes.
"""

from __future__ import annotations

import math
import re
import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg_llm.errors import ECGError
from ecg_llm.io import read_bytes
from ecg_llm.record import MAX_DURATION_S, MIN_DURATION_S, MIN_FS

SEEDS = (
    "wfdb16", "wfdb212", "wfdb24", "flac516", "mat", "segments", "csv", "tsv", "npy", "dicom",
    "aecg", "muse", "zip",
)  # fmt: skip
SECONDS_PER_FILE = 3.0

NASTY = [
    b"", b"0", b"-1", b"1", b"65536", b"99999999999999999999", b"nan", b"inf", b"-inf", b"1e308",
    b"1e-308", b"../x", b"/etc/passwd", b"http://x/", b"~", b"-", b"\x00", b"\xff\xff", b"%s", b"I",
    b"V1", b"mmHg", b"uV", b"16", b"212", b"516", b"#", b'"', b"<a>", b"&a;", b",,,", b"\n", b"\t",
    b"(", b")/", b"rec/2", b"\xc2\xb5V", b"True", b"1_0",
]  # fmt: skip


def check(record):
    """The promises that everything downstream relies on."""
    assert record.signal.dtype == np.float32
    assert record.signal.shape == (len(record.leads), record.n_samples)
    assert len(set(record.leads)) == len(record.leads) >= 1
    assert math.isfinite(record.fs) and MIN_FS <= record.fs <= 1000.001
    assert MIN_DURATION_S <= record.duration_s <= MAX_DURATION_S + 0.01
    assert not np.isinf(record.signal).any()
    assert not np.isnan(record.signal).all(axis=1).any()
    if record.calibrated:
        assert np.nanmax(np.abs(record.signal)) <= 10_000
    assert record.age_years is None or 0 <= record.age_years <= 120
    assert record.sex in (None, "female", "male")
    assert len(record.sha256) == 64 and set(record.derived) <= set(record.leads)
    assert all(note.isprintable() and len(note) < 2000 for note in record.notes)


@pytest.fixture(scope="module")
def seed(ecg, tmp_path_factory):
    """Small valid files of every format: members, and how to join them into what is read."""

    @cache
    def make(kind):
        folder = tmp_path_factory.mktemp(kind)
        truth = ecg.known_ecg(fs=100, seconds=6, leads=("I", "II", "V1"))
        match kind:
            case "wfdb16" | "zip":
                ecg.write_wfdb(folder, truth, comments=["Age: 50", "Sex: F"])
            case "wfdb212":
                ecg.write_wfdb(folder, truth, fmt="212", gain=500.0)
            case "wfdb24":
                ecg.write_wfdb(folder, truth, fmt="24")
            case "flac516":
                ecg.write_wfdb(folder, truth, fmt="516")
            case "mat":
                ecg.write_mat(folder, truth, name="rec")
            case "segments":
                ecg.write_wfdb(folder, truth, name="seg")
                (folder / "rec.hea").write_text("rec/3 3 100 1300\nseg 600\n~ 100\nseg 600\n")
            case "csv":
                return {"a.csv": ecg.csv_text(truth, comments=("# fs: 100", "# unit: mV")).encode()}
            case "tsv":
                text = ecg.csv_text(truth, delimiter="\t", comments=("# unit: mV",), time="time_ms")
                return {"a.tsv": text.encode()}
            case "npy":
                return {"a.npy": ecg.npy_bytes(truth.matrix)}
            case "dicom":
                return {"a.dcm": ecg.dicom_bytes(ecg.dicom_group(truth))}
            case "aecg":
                return {"a.xml": ecg.aecg_text(truth, beat=truth).encode()}
            case "muse":
                return {"a.xml": ecg.muse_text(ecg.muse_wave(truth, crc=False)).encode()}
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    return make


def join(ecg, members):
    """One file is read as it is; several travel in a zip."""
    if len(members) == 1:
        ((name, data),) = members.items()
        return data, name
    return ecg.zip_bytes(members), "upload.zip"


OPTIONS = {"npy": {"fs": 100, "unit": "mV", "leads": ("I", "II", "V1")}}

position = st.one_of(st.integers(0, 600), st.integers(0, 10**6))
edits = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), position, st.integers(1, 255)),
        st.tuples(st.just("cut"), position, st.integers(1, 4000)),
        st.tuples(st.just("end"), position, st.just(0)),
        st.tuples(st.just("insert"), position, st.sampled_from(NASTY)),
        st.tuples(st.just("repeat"), position, st.integers(1, 4000)),
        st.tuples(st.just("token"), st.integers(0, 300), st.sampled_from(NASTY)),
        st.tuples(st.just("number"), st.integers(0, 300), st.sampled_from(NASTY)),
    ),
    min_size=1,
    max_size=6,
)


def mutate(data, changes):
    for kind, where, what in changes:
        at = where % (len(data) + 1)
        match kind:
            case "flip" if at < len(data):
                data = data[:at] + bytes([data[at] ^ what]) + data[at + 1 :]
            case "cut":
                data = data[:at] + data[at + what :]
            case "end":
                data = data[:at]
            case "insert":
                data = data[:at] + what + data[at:]
            case "repeat":
                data = data[: at + what] + data[at:]
            case "token" | "number":
                pattern = rb"[^\s,;<>\"]+" if kind == "token" else rb"\d+"
                spans = [match.span() for match in re.finditer(pattern, data[:4000])]
                if spans:
                    first, last = spans[where % len(spans)]
                    data = data[:first] + what + data[last:]
    return data


def read_or_refuse(data, name, **options):
    start = time.process_time()
    try:
        record = read_bytes(data, name, **options)
    except ECGError as error:
        assert len(str(error)) < 2000 and "Traceback" not in str(error)
    else:
        check(record)
    assert time.process_time() - start < SECONDS_PER_FILE


@pytest.mark.parametrize("kind", SEEDS)
def test_the_seeds_themselves_are_read(ecg, seed, kind):
    data, name = join(ecg, seed(kind))
    record = read_bytes(data, name, **OPTIONS.get(kind, {}))
    check(record)
    assert record.fs == 100


@pytest.mark.parametrize("kind", SEEDS)
def test_damaged_files(ecg, seed, kind):
    members = seed(kind)
    names = list(members)

    @given(st.integers(0, len(names) - 1), edits)
    def search(which, changes):
        if kind == "zip":
            whole, _ = join(ecg, members)
            read_or_refuse(mutate(whole, changes), "a.zip")
            return
        damaged = mutate(members[names[which]], changes)
        data, name = join(ecg, members | {names[which]: damaged})
        read_or_refuse(data, name, **OPTIONS.get(kind, {}))

    search()


@given(
    st.binary(max_size=3000), st.sampled_from(["a.hea", "a.csv", "a.dcm", "a.xml", "a.npy", "a"])
)
def test_bytes_of_no_format(data, name):
    read_or_refuse(data, name)


@given(st.text(max_size=500), st.sampled_from(["a.hea", "a.csv", "a.xml"]))
def test_text_of_no_format(text, name):
    read_or_refuse(text.encode("utf-8", "surrogatepass"), name)


def _signals(n_leads, n, seed):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(0, 0.02, (n_leads, n)), axis=1).clip(-3, 3)


shapes = {
    "fs": st.integers(100, 1000),
    "leads": st.lists(
        st.sampled_from(["I", "II", "aVR", "V1", "V2", "V3", "V4", "V5", "V6", "V7", "X"]),
        min_size=1,
        max_size=11,
        unique=True,
    ),
    "seconds": st.floats(5.05, 9),
    "number": st.integers(0, 2**31),
}


@given(
    **shapes,
    fmt=st.sampled_from(["16", "24", "32", "212", "516"]),
    gain=st.floats(100, 600),
    baseline=st.integers(-200, 200),
)
@settings(max_examples=40)
def test_wfdb_comes_back(ecg, tmp_path_factory, fs, leads, seconds, number, fmt, gain, baseline):
    matrix = _signals(len(leads), round(fs * seconds), number)
    truth = ecg.Truth(dict(zip(leads, matrix, strict=True)), fs)
    folder = tmp_path_factory.mktemp("wfdb")
    n = len(leads)
    ecg.write_wfdb(folder, truth, fmt=fmt, gain=gain, baseline=[baseline] * n)
    members = {path.name: path.read_bytes() for path in folder.iterdir()}
    record = read_bytes(ecg.zip_bytes(members), "a.zip")
    check(record)
    ecg.close(record, truth, 0.51 / gain + 1e-5)


@given(**shapes, unit=st.sampled_from(["mV", "uV"]), delimiter=st.sampled_from([",", ";", "\t"]))
@settings(max_examples=40)
def test_tables_come_back(ecg, fs, leads, seconds, number, unit, delimiter):
    matrix = _signals(len(leads), round(fs * seconds), number)
    truth = ecg.Truth(dict(zip(leads, matrix, strict=True)), fs)
    comments = (f"# fs: {fs}", f"# unit: {unit}")
    text = ecg.csv_text(truth, unit=unit, delimiter=delimiter, comments=comments)
    record = read_bytes(text.encode(), "a.csv")
    check(record)
    ecg.close(record, truth, 2e-5)


@given(**shapes, kind=st.sampled_from(["dicom", "aecg", "muse", "npy"]))
@settings(max_examples=60)
def test_other_formats_come_back(ecg, fs, leads, seconds, number, kind):
    leads = [lead for lead in leads if lead in ecg.TWELVE] or ["II"]
    matrix = _signals(len(leads), round(fs * seconds), number)
    truth = ecg.Truth(dict(zip(leads, matrix, strict=True)), fs)
    match kind:
        case "dicom":
            record = read_bytes(ecg.dicom_bytes(ecg.dicom_group(truth)), "a")
        case "aecg":
            step = f'value="{1 / fs:.9f}" unit="s"'
            record = read_bytes(ecg.aecg_text(truth, increment=step).encode(), "a")
        case "muse":
            record = read_bytes(ecg.muse_text(ecg.muse_wave(truth)).encode(), "a")
        case "npy":
            stated = {"fs": fs, "unit": "mV", "leads": leads}
            record = read_bytes(ecg.npy_bytes(matrix), "a", **stated)
    check(record)
    for lead, row in truth.rows.items():
        np.testing.assert_allclose(record.row(lead), row, atol=3e-3)
    assert record.fs == pytest.approx(fs, rel=1e-5)

"""WFDB records: every storage format, layout and hostile header."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import wfdb

from ecg_llm.errors import RecordError
from ecg_llm.io import find_records, read_record, read_ref
from ecg_llm.io.wfdb_header import parse_header
from ecg_llm.io.wfdb_samples import decode


@pytest.mark.parametrize(
    ("fmt", "gain", "within"),
    [
        ("16", 1000.0, 6e-4),
        ("212", 500.0, 1.1e-3),
        ("24", 100_000.0, 1e-5),
        ("32", 1_000_000.0, 1e-6),
        ("80", 50.0, 1.1e-2),
        ("160", 1000.0, 6e-4),
        ("61", 1000.0, 6e-4),
        ("310", 150.0, 4e-3),
        ("311", 150.0, 4e-3),
        ("508", 50.0, 1.1e-2),
        ("516", 1000.0, 6e-4),
        ("524", 100_000.0, 1e-5),
    ],
)
def test_every_storage_format(ecg, tmp_path, fmt, gain, within):
    truth = ecg.known_ecg()
    if fmt in ("61", "310", "311", "160"):
        header = _write_by_hand(tmp_path, truth, fmt, gain)
    else:
        header = ecg.write_wfdb(tmp_path, truth, fmt=fmt, gain=gain)
    record = read_record(header)
    ecg.close(record, truth, within)
    assert record.leads == ecg.TWELVE and record.derived == ()
    assert record.calibrated and record.notes == ()
    assert record.name == "rec"


def _write_by_hand(folder, truth, fmt, gain):
    """Formats that the wfdb package reads but does not write."""
    digital = np.round(truth.matrix.T * gain).astype(np.int64)
    flat = digital.reshape(-1)
    match fmt:
        case "61":
            data = flat.astype(">i2").tobytes()
        case "160":
            data = (flat + 32768).astype("<u2").tobytes()
        case "310":
            a, b, c = (flat[k::3] & 0x3FF for k in range(3))
            # The third sample's ten bits sit in the top five bits of both words.
            words = [a << 1 | (c & 0x1F) << 11, b << 1 | (c >> 5) << 11]
            data = np.stack(words, axis=1).astype("<u2").tobytes()
        case "311":
            a, b, c = (flat[k::3] & 0x3FF for k in range(3))
            data = (a | b << 10 | c << 20).astype("<u4").tobytes()
    (folder / "rec.dat").write_bytes(data)
    lines = [f"rec {digital.shape[1]} {truth.fs} {digital.shape[0]}"]
    for k, lead in enumerate(truth.leads):
        total = int(digital[:, k].sum()) % 65536
        lines.append(f"rec.dat {fmt} {gain}/mV 10 0 {digital[0, k]} {total} 0 {lead}")
    (folder / "rec.hea").write_text("\n".join(lines) + "\n")
    return folder / "rec.hea"


@pytest.mark.parametrize("fmt", ["8", "24", "212", "310", "311"])
@pytest.mark.parametrize("n_frames", [7, 9])
def test_bits_are_taken_apart_as_the_wfdb_package_does_it(tmp_path, fmt, n_frames):
    per_frame = (1, 3, 1)
    data = np.random.default_rng(int(fmt)).integers(0, 256, 5 + 200, dtype=np.uint8)
    data[5 + 3 :: 4] &= 0x3F if fmt == "311" else 0xFF  # its two upper bits are not used
    (tmp_path / "rec.dat").write_bytes(data.tobytes())
    lines = [f"rec.dat {fmt}x{n}+5 200 12 0 {7 * n} 0 0 {n}" for n in per_frame]
    (tmp_path / "rec.hea").write_text("\n".join([f"rec 3 500 {n_frames}", *lines]) + "\n")
    wanted = wfdb.rdrecord(str(tmp_path / "rec"), physical=False, smooth_frames=False).e_d_signal
    header = parse_header((tmp_path / "rec.hea").read_text(), "rec")
    rows = decode(data.tobytes(), list(header.signals), n_frames, "rec")
    for row, other in zip(rows, wanted, strict=True):
        assert row.tolist() == other.tolist()


def test_format_8_stores_differences(ecg, tmp_path):
    truth = ecg.known_ecg(leads=("I", "II"))
    digital = np.round(truth.matrix.T * 100).astype(np.int64)
    steps = np.diff(digital, axis=0, prepend=digital[:1])
    (tmp_path / "rec.dat").write_bytes(steps.astype("i1").tobytes())
    lines = ["rec 2 500 5000"]
    for k, lead in enumerate(truth.leads):
        total = int(digital[:, k].sum()) % 65536
        lines.append(f"rec.dat 8 100/mV 12 0 {digital[0, k]} {total} 0 {lead}")
    (tmp_path / "rec.hea").write_text("\n".join(lines))
    ecg.close(read_record(tmp_path / "rec.hea"), truth, 6e-3)


@pytest.mark.parametrize("units", ["mV", "uV", "V", "nV"])
def test_units_become_millivolts(ecg, tmp_path, units):
    truth = ecg.known_ecg()
    gain = {"mV": 1e3, "uV": 1.0, "V": 1e6, "nV": 1e-3}[units]
    ecg.close(read_record(ecg.write_wfdb(tmp_path, truth, units=units, gain=gain)), truth, 6e-4)


@pytest.mark.parametrize("fs", [100, 250, 257.5, 1000])
def test_supported_rates_are_kept(ecg, tmp_path, fs):
    truth = ecg.known_ecg(fs=fs)
    ecg.close(read_record(ecg.write_wfdb(tmp_path, truth)), truth, 6e-4)


def test_gain_and_baseline_of_each_lead(ecg, tmp_path):
    truth = ecg.known_ecg(leads=("I", "II", "V1"))
    gains, offsets = [1716.0, 1206.0, 698.0], [6, -5, 300]
    header = ecg.write_wfdb(tmp_path, truth, adc_gain=gains, baseline=offsets)
    ecg.close(read_record(header), truth, 1e-3)


def test_stem_signal_file_folder_and_zip_give_the_same_record(ecg, tmp_path):
    truth = ecg.known_ecg()
    header = ecg.write_wfdb(tmp_path / "in", truth) if (tmp_path / "in").mkdir() is None else None
    paths = [header, header.with_suffix(""), header.with_suffix(".dat"), tmp_path / "in"]
    bundle = tmp_path / "rec.zip"
    members = {f"deep/{p.name}": p.read_bytes() for p in (tmp_path / "in").iterdir()}
    bundle.write_bytes(ecg.zip_bytes(members))
    records = [read_record(path) for path in [*paths, bundle]]
    assert len({record.sha256 for record in records}) == 1
    assert {record.name for record in records} == {"rec"}
    for record in records:
        ecg.close(record, truth, 6e-4)


def test_name_is_relative_to_the_root(ecg, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    header = ecg.write_wfdb(tmp_path / "a" / "b", ecg.known_ecg())
    assert read_record(header, root=tmp_path).name == "a/b/rec"


def test_mat_of_the_cinc_challenges(ecg, tmp_path):
    truth = ecg.known_ecg()
    record = read_record(ecg.write_mat(tmp_path, truth))
    ecg.close(record, truth, 6e-4)
    assert (record.age_years, record.sex) == (74.0, "female")


@pytest.mark.parametrize(
    ("comments", "age", "sex"),
    [
        (["Age: 74", "Sex: Male"], 74, "male"),
        (["<age>: 51", "<sex>: F"], 51, "female"),
        (["age: 81", "sex: female"], 81, "female"),
        (["Age: NaN", "Sex: Unknown"], None, None),
        (["age: 59 sex: M"], 59, "male"),
        (["Age: 300", "Sex: "], None, None),
        (["Dosage: 12 mg", "sexton: m"], None, None),
    ],
)
def test_age_and_sex_in_their_dialects(ecg, tmp_path, comments, age, sex):
    record = read_record(ecg.write_wfdb(tmp_path, ecg.known_ecg(), comments=comments))
    assert (record.age_years, record.sex) == (age, sex)


def test_channels_in_two_files(ecg, tmp_path):
    truth = ecg.known_ecg(fs=1000, leads=(*ecg.TWELVE, "X", "Y", "Z"))
    ecg.write_wfdb(tmp_path, truth.pick(ecg.TWELVE), name="a")
    ecg.write_wfdb(tmp_path, truth.pick(("X", "Y", "Z")), name="b")
    (tmp_path / "b.dat").rename(tmp_path / "a.xyz")
    upper = (tmp_path / "a.hea").read_text().splitlines()
    lower = (tmp_path / "b.hea").read_text().replace("b.dat", "a.xyz").splitlines()
    lower = [line.replace(" X", " vx").replace(" Y", " vy") for line in lower]
    text = "\n".join([upper[0].replace("a 12", "a 15"), *upper[1:], *lower[1:]])
    (tmp_path / "a.hea").write_text(text + "\n")
    (tmp_path / "b.hea").unlink()
    record = read_record(tmp_path / "a.hea")
    ecg.close(record, truth, 6e-4)
    assert record.leads == (*ecg.TWELVE, "X", "Y", "Z")


def _write_segments(ecg, folder, lengths=(2000, 2000), layout=False):
    """Two segments with a gap of 1,000 samples between them."""
    truth = ecg.known_ecg(seconds=10)
    spans = [(0, lengths[0]), (lengths[0] + 1000, lengths[0] + 1000 + lengths[1])]
    for k, (a, b) in enumerate(spans):
        part = ecg.Truth({lead: row[a:b] for lead, row in truth.rows.items()}, truth.fs)
        if layout and k:
            part = part.pick(("I", "V1"))
        ecg.write_wfdb(folder, part, name=f"seg_{k}")
    lines = [f"many/{4 if layout else 3} 12 500 5000"]
    if layout:
        lines.append("layout 0")
        rows = [f"~ 0 1000/mV 16 0 0 0 0 {lead}" for lead in truth.leads]
        (folder / "layout.hea").write_text("\n".join(["layout 12 500 0", *rows]) + "\n")
    lines += [f"seg_0 {lengths[0]}", "~ 1000", f"seg_1 {lengths[1]}"]
    (folder / "many.hea").write_text("\n".join(lines) + "\n")
    return truth, folder / "many.hea"


@pytest.mark.parametrize("layout", [False, True])
def test_segments_with_a_gap(ecg, tmp_path, layout):
    truth, header = _write_segments(ecg, tmp_path, layout=layout)
    record = read_record(header)
    assert record.n_samples == 5000
    row = record.row("V1")
    assert np.isnan(row[2000:3000]).all() and not np.isnan(row[:2000]).any()
    np.testing.assert_allclose(row[3000:], truth.rows["V1"][3000:], atol=6e-4)
    later = record.row("V2")[3000:]
    assert np.isnan(later).all() == layout
    if layout:  # The package itself reads no gap in a fixed layout.
        theirs = wfdb.rdrecord(str(header.with_suffix(""))).p_signal
        np.testing.assert_allclose(row, theirs[:, truth.leads.index("V1")], atol=1e-6)


def test_of_many_segments_only_the_needed_are_opened(ecg, tmp_path):
    truth = ecg.known_ecg(fs=100, seconds=200, leads=("I", "II"))
    ecg.write_wfdb(tmp_path, truth, name="seg")
    text = "many/4 2 100 80000\nseg 20000\nseg 20000\nnone 20000\nnone 20000\n"
    (tmp_path / "many.hea").write_text(text)
    record = read_record(tmp_path / "many.hea")
    assert record.duration_s == 300
    assert record.notes == ("800 s long; only the first 300 s are judged.",)
    np.testing.assert_allclose(record.row("I")[20_000:], truth.rows["I"][:10_000], atol=6e-4)


def test_a_long_record_says_its_whole_length(ecg, tmp_path):
    header = ecg.write_wfdb(tmp_path, ecg.known_ecg(fs=100, seconds=700, leads=("II",)))
    record = read_record(header)
    assert record.duration_s == 300
    assert record.notes == ("700 s long; only the first 300 s are judged.",)


def test_a_segment_of_another_length_is_an_error(ecg, tmp_path):
    _, header = _write_segments(ecg, tmp_path)
    header.write_text(
        header.read_text().replace("seg_1 2000", "seg_1 1900").replace("5000", "4900")
    )
    with pytest.raises(RecordError, match="seg_1 holds 2000 samples"):
        read_record(header)


def test_segments_that_contain_themselves_are_refused(tmp_path):
    (tmp_path / "loop.hea").write_text("loop/1 12 500 5000\nloop 5000\n")
    with pytest.raises(RecordError, match="itself a record of segments"):
        read_record(tmp_path / "loop.hea")


def test_several_samples_per_frame(ecg, tmp_path):
    fast, slow = ecg.known_ecg(fs=500, leads=("I", "II")), ecg.known_ecg(fs=250, leads=("V1",))
    frames = slow.matrix.shape[1]
    columns = [row.reshape(frames, 2) for row in fast.matrix] + [slow.matrix[0][:, None]]
    digital = np.round(np.hstack(columns) * 1000).astype("<i2")
    (tmp_path / "rec.dat").write_bytes(digital.tobytes())
    (tmp_path / "rec.hea").write_text(
        f"rec 3 250 {frames}\nrec.dat 16x2 1000/mV 16 0 0 {_sum(digital[:, :2])} 0 I\n"
        f"rec.dat 16x2 1000/mV 16 0 0 {_sum(digital[:, 2:4])} 0 II\n"
        f"rec.dat 16 1000/mV 16 0 0 {_sum(digital[:, 4])} 0 V1\n"
    )
    record = read_record(tmp_path / "rec.hea")
    ecg.close(record, fast, 6e-4)
    expected = ecg.known_ecg(fs=500, leads=("V1",)).rows["V1"]
    assert np.abs(record.row("V1") - expected)[50:-50].max() < 0.01
    assert any("V1" in note and "interpolated" in note for note in record.notes)


def _sum(values):
    return int(values.astype(np.int64).sum()) % 65536


def test_missing_samples_are_nan_not_zero(ecg, tmp_path):
    truth = ecg.known_ecg()
    truth.rows["V2"][100:200] = np.nan
    row = read_record(ecg.write_wfdb(tmp_path, truth)).row("V2")
    assert np.isnan(row[100:200]).all() and np.isnan(row).sum() == 100


@pytest.mark.parametrize("gain", ["", "0", "0/mV"])
def test_an_open_gain_is_not_calibrated(ecg, tmp_path, gain):
    header = ecg.write_wfdb(tmp_path, ecg.known_ecg())
    text = header.read_text()
    if gain:
        text = text.replace("1000.0(0)/mV", gain)
    else:
        head, *lines = text.splitlines()
        text = "\n".join([head, *(" ".join(line.split()[:2]) for line in lines)])
    header.write_text(text)
    leads = None if gain else ecg.TWELVE
    record = read_record(header, leads=leads)
    assert not record.calibrated
    assert any("200" in note for note in record.notes)
    assert record.row("II").max() == pytest.approx(1100 / 200, rel=0.01)


@pytest.mark.parametrize("gain", ["1e-308", "1e-5", "1e308", "1e9"])
def test_gains_that_no_converter_has(ecg, tmp_path, gain):
    header = ecg.write_wfdb(tmp_path, ecg.known_ecg())
    header.write_text(header.read_text().replace("1000.0(0)/mV", f"{gain}/mV"))
    with pytest.raises(RecordError, match=r"the unit .*wrong|the unit or the gain"):
        read_record(header)


def test_a_skewed_signal_comes_back_into_step(ecg, tmp_path):
    truth = ecg.known_ecg(leads=("I", "II"))
    late = truth.rows["II"].copy()
    stored = ecg.Truth({"I": truth.rows["I"], "II": np.roll(late, 5)}, 500)
    header = ecg.write_wfdb(tmp_path, stored)
    first, one, two = header.read_text().splitlines()
    header.write_text("\n".join([first, one, two.replace("rec.dat 16 ", "rec.dat 16:5 ")]))
    row = read_record(header).row("II")
    np.testing.assert_allclose(row[:-5], late[:-5], atol=6e-4)
    assert np.isnan(row[-5:]).all()


def test_a_wrong_checksum_is_damage(ecg, tmp_path):
    header = ecg.write_wfdb(tmp_path, ecg.known_ecg())
    data = bytearray(header.with_suffix(".dat").read_bytes())
    data[5000] ^= 0x10
    header.with_suffix(".dat").write_bytes(bytes(data))
    with pytest.raises(RecordError, match=r"rec\.dat.*sum to \d+.*damaged"):
        read_record(header)


def test_checksums_never_computed_leave_a_note(ecg, tmp_path):
    header = ecg.write_wfdb(tmp_path, ecg.known_ecg())
    head, *lines = header.read_text().splitlines()
    fields = [line.split() for line in lines]
    lines = [" ".join([*f[:5], "0", "0", *f[7:]]) for f in fields]
    header.write_text("\n".join([head, *lines]))
    assert any("no checksums" in note for note in read_record(header).notes)


@pytest.mark.parametrize("fmt", ["16", "212", "516"])
def test_a_cut_off_signal_file(ecg, tmp_path, fmt):
    gain = 500.0 if fmt == "212" else 1000.0
    header = ecg.write_wfdb(tmp_path, ecg.known_ecg(), fmt=fmt, gain=gain)
    signals = next(path for path in tmp_path.iterdir() if path != header)
    data = signals.read_bytes()
    signals.write_bytes(data[: len(data) // 2])
    with pytest.raises(RecordError, match=r"signal file rec.*cut off"):
        read_record(header)


@pytest.mark.parametrize(
    "name",
    [
        "../../x.dat",
        "/etc/passwd",
        "http://example.org/x.dat",
        "s3://bucket/x.dat",
        "C:\\x.dat",
        "..\\x.dat",
        "-",
        "~root",
        "\x1b[31mx.dat",
        "a/../../x.dat",
    ],
)
def test_a_header_that_points_elsewhere(ecg, tmp_path, name):
    (tmp_path / "in").mkdir()
    header = ecg.write_wfdb(tmp_path / "in", ecg.known_ecg())
    shutil.copy(header.with_suffix(".dat"), tmp_path / "x.dat")
    header.write_text(header.read_text().replace("rec.dat", name))
    with pytest.raises(RecordError, match="not a file of its own folder"):
        read_record(header)


def test_segments_that_point_elsewhere(ecg, tmp_path):
    (tmp_path / "in").mkdir()
    ecg.write_wfdb(tmp_path, ecg.known_ecg(), name="seg")
    (tmp_path / "in" / "many.hea").write_text("many/1 12 500 5000\n../seg 5000\n")
    with pytest.raises(RecordError, match="not a file of its own folder"):
        read_record(tmp_path / "in" / "many.hea")


def test_headers_that_name_themselves_or_each_other_are_listed_and_refused(ecg, tmp_path):
    ecg.write_wfdb(tmp_path, ecg.known_ecg(), name="good")
    (tmp_path / "self.hea").write_text("self/1 12 500 5000\nself 5000\n")
    (tmp_path / "a.hea").write_text("a/1 12 500 5000\nb 5000\n")
    (tmp_path / "b.hea").write_text("b/1 12 500 5000\na 5000\n")
    (tmp_path / "hides.hea").write_text("hides 1 500 5000\ngood.hea 16 1000/mV 16 0 0 0 0 I\n")
    (tmp_path / "whole.hea").write_text("whole/1 12 500 5000\ngood 5000\n")
    refs = find_records(tmp_path)
    assert [ref.name for ref in refs] == ["a", "b", "hides", "self", "whole"]
    for ref in refs[:-1]:
        with pytest.raises(RecordError):
            read_ref(ref)
    assert read_ref(refs[-1]).fs == 500


def test_a_link_out_of_the_folder_is_not_followed(ecg, tmp_path):
    (tmp_path / "in").mkdir()
    header = ecg.write_wfdb(tmp_path / "in", ecg.known_ecg())
    header.with_suffix(".dat").rename(tmp_path / "x.dat")
    header.with_suffix(".dat").symlink_to(tmp_path / "x.dat")
    with pytest.raises(RecordError, match="symbolic link"):
        read_record(header)


def test_links_to_a_record_and_its_neighbours_are_the_record(ecg, tmp_path):
    for name in ("real", "links", "elsewhere"):
        (tmp_path / name).mkdir()
    header = ecg.write_wfdb(tmp_path / "real", ecg.known_ecg())
    for path in (header, header.with_suffix(".dat")):
        (tmp_path / "links" / path.name).symlink_to(path)
    linked = tmp_path / "links" / header.name
    np.testing.assert_array_equal(read_record(linked).signal, read_record(header).signal)
    header.with_suffix(".dat").rename(tmp_path / "elsewhere" / "rec.dat")
    header.with_suffix(".dat").symlink_to(tmp_path / "elsewhere" / "rec.dat")
    with pytest.raises(RecordError, match="symbolic link"):
        read_record(linked)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("# only a comment\n", "header is empty"),
        ("rec 12 500 5000\n", "12 lines are announced but 0 follow"),
        ("rec 9999 500 5000\n", "too many"),
        ("rec 12 500 99999999999\n", "more than the"),
        ("rec twelve 500 5000\n", "no WFDB record line"),
        ("rec 1 500 5000\nrec.dat 17 1000/mV 16 0 0 0 0 I\n", "storage format 17"),
        ("rec 1 500 5000\nrec.dat 16x0 1000/mV 16 0 0 0 0 I\n", "samples per frame"),
        ("rec 1 500 5000\nrec.dat 16 fast 16 0 0 0 0 I\n", "gain field"),
        ("rec 1 500 5000\nrec.dat 16 1000/mV 16 x 0 0 0 I\n", "whole number"),
        ("rec 1 500 5000\nnone.dat 16 1000/mV 16 0 0 0 0 I\n", "is not in"),
        ("rec 1 500 5000\n~ 16 1000/mV 16 0 0 0 0 I\n", "not stored"),
        ("rec 0 500 5000\n", "holds no signal"),
    ],
)
def test_broken_headers(tmp_path, text, said):
    (tmp_path / "rec.hea").write_text(text)
    with pytest.raises(RecordError, match=said) as caught:
        read_record(tmp_path / "rec.hea")
    assert "rec.hea" in str(caught.value)


def test_a_rate_that_is_not_stated_is_not_guessed(ecg, tmp_path):
    header = ecg.write_wfdb(tmp_path, ecg.known_ecg())
    header.write_text(header.read_text().replace("rec 12 500 5000", "rec 12"))
    with pytest.raises(RecordError, match="--fs"):
        read_record(header)
    assert read_record(header, fs=500).fs == 500


def test_a_signal_file_without_its_header(ecg, tmp_path):
    header = ecg.write_wfdb(tmp_path, ecg.known_ecg())
    header.unlink()
    with pytest.raises(RecordError, match=r"without rec\.hea"):
        read_record(tmp_path / "rec.dat")

"""DICOM waveforms: the vendor's sample file and objects of known truth."""

from __future__ import annotations

import numpy as np
import pytest

from ecg_llm.errors import RecordError
from ecg_llm.io import read_bytes, read_record


def test_the_sample_file_of_pydicom():
    import pydicom
    from pydicom.data import get_testdata_file

    path = get_testdata_file("waveform_ecg.dcm", download=False)
    record = read_record(path)
    assert (record.fs, record.n_samples, len(record.leads)) == (1000, 10_000, 12)
    assert (record.age_years, record.sex) == (42.0, "female")
    assert any("MEDIAN BEAT" in note for note in record.notes)
    microvolts = pydicom.dcmread(path).waveform_array(0)
    np.testing.assert_allclose(record.signal, microvolts.T / 1000, atol=1e-6)
    # Einthoven's law holds only if every channel got its right name.
    assert np.abs(record.row("I") + record.row("III") - record.row("II")).max() < 0.006


@pytest.mark.parametrize("scheme", ["SCPECG", "MDC", "99LOCAL"])
@pytest.mark.parametrize("unit", ["uV", "mV"])
def test_sensitivity_correction_and_baseline(ecg, scheme, unit):
    truth = ecg.known_ecg()
    own = {"step": 0.00125, "base": 0.01} if unit == "mV" else {}
    group = ecg.dicom_group(truth, scheme=scheme, unit=unit, **own)
    record = read_bytes(ecg.dicom_bytes(group), "a.dcm")
    ecg.close(record, truth, 1.3e-3)
    assert record.calibrated and (record.age_years, record.sex) == (42.0, "female")


def test_the_rhythm_is_read_and_not_the_beat(ecg):
    truth = ecg.known_ecg()
    beat = ecg.known_ecg(seconds=1.2)
    groups = [
        ecg.dicom_group(beat, label="MEDIAN BEAT", originality="DERIVED"),
        ecg.dicom_group(truth.pick(("II",)), label="STRIP"),
        ecg.dicom_group(truth),
    ]
    record = read_bytes(ecg.dicom_bytes(*groups), "a.dcm")
    ecg.close(record, truth, 1.3e-3)
    with pytest.raises(RecordError, match="only computed beats"):
        read_bytes(ecg.dicom_bytes(groups[0]), "a.dcm")


def test_padding_is_missing(ecg):
    group = ecg.dicom_group(ecg.known_ecg())
    raw = np.frombuffer(group.WaveformData, "<i2").reshape(-1, 12).copy()
    raw[100:200, 4] = -32768
    group.WaveformData = raw.tobytes()
    group.add_new(0x5400100A, "OW", np.int16(-32768).tobytes())
    row = read_bytes(ecg.dicom_bytes(group), "a.dcm").row("aVL")
    assert np.flatnonzero(np.isnan(row)).tolist() == list(range(100, 200))


def test_without_sensitivity_it_is_not_calibrated(ecg):
    record = read_bytes(ecg.dicom_bytes(ecg.dicom_group(ecg.known_ecg(), bare=True)), "a.dcm")
    assert not record.calibrated


def test_age_from_the_dates(ecg):
    group = ecg.dicom_group(ecg.known_ecg())
    data = ecg.dicom_bytes(group, age="", PatientBirthDate="19500601", StudyDate="20200531")
    assert read_bytes(data, "a.dcm").age_years == 69.0


def test_big_endian(ecg):
    import io

    import pydicom

    truth = ecg.known_ecg()
    dataset = pydicom.dcmread(io.BytesIO(ecg.dicom_bytes(ecg.dicom_group(truth))))
    group = dataset.WaveformSequence[0]
    group.WaveformData = np.frombuffer(group.WaveformData, "<i2").astype(">i2").tobytes()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, little_endian=False, implicit_vr=False)
    ecg.close(read_bytes(file.getvalue(), "a.dcm"), truth, 1.3e-3)


def test_no_waveform(ecg):
    with pytest.raises(RecordError, match="without a waveform"):
        read_bytes(ecg.dicom_bytes(), "a.dcm")


def test_deflated_objects_are_refused(ecg):
    data = ecg.dicom_bytes(ecg.dicom_group(ecg.known_ecg()), syntax="1.2.840.10008.1.2.1.99")
    with pytest.raises(RecordError, match="deflated"):
        read_bytes(data, "a.dcm")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"NumberOfWaveformSamples": 6000}, "cut off"),
        ({"NumberOfWaveformSamples": 4000}, "one of these is wrong"),
        (
            {"WaveformBitsAllocated": 8, "WaveformSampleInterpretation": "SB"},
            "one of these is wrong",
        ),
        ({"NumberOfWaveformChannels": 11}, "definitions"),
        ({"WaveformSampleInterpretation": "MB"}, "not read"),
        ({"SamplingFrequency": "0"}, "--fs"),
        ({"SamplingFrequency": "50"}, "50 Hz"),
        ({"NumberOfWaveformSamples": 4_000_000_000}, "more than"),
    ],
)
def test_broken_groups(ecg, change, said):
    group = ecg.dicom_group(ecg.known_ecg())
    for key, value in change.items():
        setattr(group, key, value)
    with pytest.raises(RecordError, match=said):
        read_bytes(ecg.dicom_bytes(group), "a.dcm")


def test_code_and_meaning_that_disagree(ecg):
    group = ecg.dicom_group(ecg.known_ecg())
    group.ChannelDefinitionSequence[0].ChannelSourceSequence[0].CodeMeaning = "Lead V3"
    with pytest.raises(RecordError, match=r"a\.dcm.*called V3"):
        read_bytes(ecg.dicom_bytes(group), "a.dcm")


def test_a_cut_off_file(ecg):
    data = ecg.dicom_bytes(ecg.dicom_group(ecg.known_ecg()))
    for part in (200, 1000, len(data) // 2):
        with pytest.raises(RecordError, match=r"a\.dcm"):
            read_bytes(data[:part], "a.dcm")

"""HL7 aECG and GE MUSE: known truth, and XML that attacks."""

from __future__ import annotations

import re
import time

import pytest

from ecg_llm.errors import RecordError
from ecg_llm.io import read_bytes


@pytest.mark.parametrize(("scale", "origin"), [(2.5, 0.0), (5, 100.0)])
def test_aecg(ecg, scale, origin):
    truth = ecg.known_ecg()
    text = ecg.aecg_text(truth, scale=scale, origin=origin, beat=ecg.known_ecg(seconds=1.2))
    record = read_bytes(text.encode(), "a.xml")
    ecg.close(record, truth, scale / 2000 + 1e-5)
    assert (record.age_years, record.sex) == (46.0, "male")
    assert record.calibrated and record.n_samples == 5000


@pytest.mark.parametrize("increment", ['value="2" unit="ms"', 'value="2000" unit="us"'])
def test_aecg_time_units(ecg, increment):
    text = ecg.aecg_text(ecg.known_ecg(), increment=increment)
    assert read_bytes(text.encode(), "a.xml").fs == 500


def test_aecg_age_from_the_dates(ecg):
    text = ecg.aecg_text(ecg.known_ecg(), age="").replace("21612-7", "0")
    assert read_bytes(text.encode(), "a.xml").age_years == 49.0


def test_aecg_takes_the_fullest_stretch(ecg):
    truth = ecg.known_ecg()
    strip = truth.pick(("II",))
    series = f"<component><series><component>{ecg.aecg_set(truth)}</component></series></component>"
    record = read_bytes(ecg.aecg_text(strip, more_series=series).encode(), "a.xml")
    assert record.leads == ecg.TWELVE
    assert any("2 stretches" in note for note in record.notes)


def test_aecg_with_only_a_beat_is_no_rhythm(ecg):
    text = ecg.aecg_text(ecg.known_ecg(leads=()), beat=ecg.known_ecg())
    with pytest.raises(RecordError, match="no signal"):
        read_bytes(text.encode(), "a.xml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<increment", "<inc", "time step"),
        ('unit="s"', 'unit="h"', "time step"),
        ('value="0.002"', 'value="0"', "time step"),
        ('value="0.002"', 'value="nan"', "not a number"),
        ("<digits>", "<digits>spam ", "not all numbers"),
        ("<digits>", "<digits>1e308 1e400 ", "beyond 10 V|5000 samples but"),
        ("<digits>", "<digits>1 2 ", "has 5002 samples|5000 samples but"),
        ('scale value="2.5"', 'scale value="x"', "scale of MDC_ECG_LEAD_I"),
        ("<scale", "<skale", "scale of MDC_ECG_LEAD_I"),
        ('LEAD_II"', 'LEAD_I"', "twice"),
        ('scale value="2.5"', 'scale value="0"', "scale of .* is 0"),
        ('unit="uV"', 'unit="kV"', "'kV', which is no voltage"),
        ("sequenceSet", "sequences", "no recorded series"),
        ("</AnnotatedECG>", "", "not well-formed XML at line"),
    ],
)
def test_broken_aecg(ecg, old, new, said):
    text = ecg.aecg_text(ecg.known_ecg())
    count = 1 if old in ("<digits>", 'scale value="2.5"', "<scale") else -1
    assert old in text
    with pytest.raises(RecordError, match=said):
        read_bytes(text.replace(old, new, count).encode(), "a.xml")


def test_muse(ecg):
    truth = ecg.known_ecg()
    median = ecg.muse_wave(ecg.known_ecg(seconds=1.2, leads=ecg.EIGHT), kind="Median")
    text = ecg.muse_text(median, ecg.muse_wave(truth.pick(ecg.EIGHT)))
    record = read_bytes(text.encode(), "a.xml")
    ecg.close(record, truth, 5e-3)
    assert record.leads == ecg.TWELVE
    assert record.derived == ("III", "aVR", "aVL", "aVF")
    assert (record.age_years, record.sex) == (43.0, "male")


def test_muse_in_utf_16(ecg):
    text = ecg.muse_text(ecg.muse_wave(ecg.known_ecg().pick(ecg.EIGHT)))
    assert read_bytes(text.replace("ISO-8859-1", "UTF-16").encode("utf-16"), "a.xml").fs == 500


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Rhythm", "Median", "no rhythm waveform"),
        ("<SampleBase>500</SampleBase>", "", "SampleBase"),
        ("<SampleBase>500", "<SampleBase>50", "50 Hz"),
        ("<SampleExponent>0", "<SampleExponent>99", "out of range"),
        ("CountTotal>5000", "CountTotal>4999", "5000 samples where 4999"),
        ("<WaveFormData>\n", "<WaveFormData>\n?", "not valid base64"),
        ("<WaveFormData>\nAAAA", "<WaveFormData>\nBAAA", "checksum"),
        ("PerBit>4.88", "PerBit>0", "PerBit is 0"),
        ("MICROVOLTS", "PASCAL", "'PASCAL', which is no voltage"),
        ("MICROVOLTS", "VOLTS", "beyond 10 V; the unit"),
        ("<LeadID>V1", "<LeadID>V2", "twice"),
        ("LeadSampleSize>2", "LeadSampleSize>4", "4 bytes"),
        (">4.88<", ">x<", "LeadAmplitudeUnitsPerBit"),
    ],
)
def test_broken_muse(ecg, old, new, said):
    text = ecg.muse_text(ecg.muse_wave(ecg.known_ecg().pick(ecg.EIGHT)))
    assert old in text
    with pytest.raises(RecordError, match=said):
        read_bytes(text.replace(old, new).encode(), "a.xml")


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        ("<WaveFormData>AAAA</WaveFormData>", "3 bytes|1.5 samples"),
        ("<LeadDataCRC32>²</LeadDataCRC32><WaveFormData>AAA=</WaveFormData>", "0.00 s long"),
        (f"<LeadDataCRC32>{'9' * 5000}</LeadDataCRC32><WaveFormData>AAA=</WaveFormData>", "long"),
    ],
)
def test_what_no_device_writes_into_muse_ends_in_no_traceback(lead, said):
    text = (
        "<RestingECG><Waveform><WaveformType>Rhythm</WaveformType><SampleBase>500</SampleBase>"
        f"<LeadData><LeadID>II</LeadID>{lead}</LeadData></Waveform></RestingECG>"
    )
    with pytest.raises(RecordError, match=said):
        read_bytes(text.encode(), "a.xml")


def test_a_time_step_too_small_for_a_number(ecg):
    text = ecg.aecg_text(ecg.known_ecg())
    step = re.search(r"<increment [^>]*>", text)[0]
    with pytest.raises(RecordError, match="positive value"):
        read_bytes(text.replace(step, '<increment value="1e-323" unit="us"/>').encode(), "a.xml")


def _bomb():
    lines = ['<!ENTITY a0 "ha">']
    lines += [f'<!ENTITY a{k} "{f"&a{k - 1};" * 20}">' for k in range(1, 12)]
    return f"<!DOCTYPE RestingECG [{''.join(lines)}]>"


@pytest.mark.parametrize(
    "doctype",
    [
        _bomb(),
        '<!DOCTYPE RestingECG [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE RestingECG [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]>',
        '<!DOCTYPE RestingECG [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]>',
        '<!DOCTYPE RestingECG [<!ENTITY big "' + "x" * 100_000 + '">]>',
    ],
)
def test_entities_are_refused(ecg, doctype):
    text = ecg.muse_text(ecg.muse_wave(ecg.known_ecg().pick(ecg.EIGHT)), doctype=doctype)
    text = text.replace("<Gender>MALE", "<Gender>&x;&a11;&big;")
    start = time.process_time()
    with pytest.raises(RecordError, match="declares entities"):
        read_bytes(text.encode(), "a.xml")
    assert time.process_time() - start < 1


def test_a_named_dtd_is_accepted_and_not_opened(ecg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "restecg.dtd").write_text('<!ENTITY x "opened">')
    text = ecg.muse_text(ecg.muse_wave(ecg.known_ecg().pick(ecg.EIGHT)))
    assert "restecg.dtd" in text
    assert read_bytes(text.encode(), "a.xml").leads == ecg.TWELVE
    with pytest.raises(RecordError, match="not well-formed"):
        read_bytes(text.replace("MALE", "&x;").encode(), "a.xml")


def test_other_xml_is_named():
    with pytest.raises(RecordError, match="<project>"):
        read_bytes(b'<?xml version="1.0"?><project><x/></project>', "a.xml")


def test_deep_nesting_does_not_crash():
    data = b"<RestingECG>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</RestingECG>"
    with pytest.raises(RecordError):
        read_bytes(data, "a.xml")


def test_numbers_too_large_for_a_sample(ecg):
    text = ecg.aecg_text(ecg.known_ecg()).replace('scale value="2.5"', 'scale value="1e11"')
    with pytest.raises(RecordError, match="unit"):
        read_bytes(text.encode(), "a.xml")

"""ECGs of known truth, written in every format the readers take."""

from __future__ import annotations

import base64
import io
import json
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True)
class Truth:
    """What a file was written from."""

    rows: dict[str, np.ndarray]  # mV
    fs: float

    @property
    def leads(self):
        return tuple(self.rows)

    @property
    def matrix(self):
        return np.stack(list(self.rows.values()))

    def pick(self, leads):
        return Truth({lead: self.rows[lead] for lead in leads}, self.fs)


def known_ecg(fs=500, seconds=10.0, bpm=72, leads=TWELVE):
    """Beats of three bumps each, in every lead with its own amplitude, limb leads by law."""
    t = np.arange(round(fs * seconds)) / fs
    phase = (t * bpm / 60) % 1
    bump = lambda at, width: np.exp(-0.5 * ((phase - at) / width) ** 2)  # noqa: E731
    p, qrs, tw = bump(0.2, 0.03), bump(0.4, 0.012), bump(0.65, 0.05)
    one, two = 0.1 * p + 0.8 * qrs + 0.2 * tw, 0.15 * p + 1.1 * qrs + 0.3 * tw
    rows = {"I": one, "II": two, "III": two - one, "aVR": -(one + two) / 2}
    rows |= {"aVL": one - two / 2, "aVF": two - one / 2}
    for k in range(1, 7):
        rows[f"V{k}"] = 0.05 * p + (k - 3) * 0.3 * qrs + 0.1 * k * tw
    for k, name in enumerate(("X", "Y", "Z", "V3R", "V7")):
        rows[name] = (0.2 + 0.1 * k) * qrs + 0.1 * tw
    return Truth({lead: rows[lead] for lead in leads}, fs)


def write_wfdb(
    folder, truth, *, name="rec", fmt="16", gain=1000.0, comments=(), units="mV", **more
):
    """Write with the wfdb package; gives the header's path."""
    import wfdb

    n = len(truth.leads)
    scale = {"mV": 1.0, "uV": 1e3, "V": 1e-3, "nV": 1e6}.get(units, 1.0)
    options = {"fmt": [fmt] * n, "adc_gain": [gain] * n, "baseline": [0] * n} | more
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wfdb.wrsamp(
            name,
            fs=truth.fs,
            units=[units] * n,
            sig_name=list(truth.leads),
            p_signal=truth.matrix.T * scale,
            comments=list(comments),
            write_dir=str(folder),
            **options,
        )
    return Path(folder) / f"{name}.hea"


def write_mat(folder, truth, *, name="cinc"):
    """Write as CinC 2020 does: a MATLAB 4 matrix behind a 24-byte head."""
    digital = np.round(truth.matrix * 1000).astype("<i2")
    n_leads, n = digital.shape
    head = np.array([30, n_leads, n, 0, 4], "<i4").tobytes() + b"val\0"
    (Path(folder) / f"{name}.mat").write_bytes(head + digital.tobytes(order="F"))
    lines = [f"{name} {n_leads} {truth.fs:g} {n} 12-May-2020 12:33:59"]
    for lead, row in zip(truth.leads, digital, strict=True):
        total = int(row.astype(np.int64).sum()) % 65536
        total -= 65536 if total > 32767 else 0
        lines.append(f"{name}.mat 16+24 1000/mV 16 0 {row[0]} {total} 0 {lead}")
    lines += ["#Age: 74", "#Sex: Female", "#Dx: 426783006"]
    path = Path(folder) / f"{name}.hea"
    path.write_text("\n".join(lines) + "\n")
    return path


def csv_text(truth, *, delimiter=",", unit="mV", comments=("# fs: 500", "# unit: mV"), time=None):
    scale = {"mV": 1.0, "uV": 1e3}[unit]
    header, columns = list(truth.leads), list(truth.matrix * scale)
    if time:
        t = np.arange(truth.matrix.shape[1]) / truth.fs
        header.insert(0, time)
        columns.insert(0, t * (1000 if "ms" in time else 1))
    lines = [*comments, delimiter.join(header)]
    lines += [delimiter.join(f"{value:.6g}" for value in row) for row in zip(*columns, strict=True)]
    return "\n".join(lines) + "\n"


def npy_bytes(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


SCP = {"I": 1, "II": 2, "III": 61, "aVR": 62, "aVL": 63, "aVF": 64} | {
    f"V{k}": k + 2 for k in range(1, 7)
}


def dicom_group(
    truth, *, label="RHYTHM", originality="ORIGINAL", unit="uV", scheme="SCPECG", **own
):
    """One multiplex group: 1.25 units per bit, ten units of baseline."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    group = Dataset()
    group.MultiplexGroupTimeOffset = "0"
    group.WaveformOriginality = originality
    group.NumberOfWaveformChannels = len(truth.leads)
    group.NumberOfWaveformSamples = truth.matrix.shape[1]
    group.SamplingFrequency = str(truth.fs)
    group.MultiplexGroupLabel = label
    step, factor, base = own.get("step", 1.25), own.get("factor", 2.0), own.get("base", 10.0)
    channels = []
    for lead in truth.leads:
        channel, code, units = Dataset(), Dataset(), Dataset()
        if scheme == "SCPECG":
            code.CodeValue, code.CodeMeaning = f"5.6.3-9-{SCP[lead]}", f"Lead {lead}"
        elif scheme == "MDC":
            code.CodeValue, code.CodeMeaning = f"2:{SCP[lead]}", "a lead"
        else:
            code.CodeValue, code.CodeMeaning = "LOCAL", f"Lead {lead}"
        code.CodingSchemeDesignator = scheme
        units.CodeValue, units.CodingSchemeDesignator = unit, "UCUM"
        units.CodeMeaning = unit
        channel.ChannelSourceSequence = Sequence([code])
        if not own.get("bare"):
            channel.ChannelSensitivity = str(step)
            channel.ChannelSensitivityUnitsSequence = Sequence([units])
            channel.ChannelSensitivityCorrectionFactor = str(factor)
            channel.ChannelBaseline = str(base)
        channel.WaveformBitsStored = 16
        channels.append(channel)
    group.ChannelDefinitionSequence = Sequence(channels)
    group.WaveformBitsAllocated = 16
    group.WaveformSampleInterpretation = "SS"
    scale = {"uV": 1e3, "mV": 1.0}[unit]
    raw = np.round((truth.matrix * scale - base) / (step * factor)).astype("<i2")
    group.WaveformData = raw.T.tobytes()
    return group


def dicom_bytes(*groups, age="042Y", sex="F", syntax="1.2.840.10008.1.2.1", **patient):
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.sequence import Sequence

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.9.1.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.3.4"
    dataset.PatientName = "Nobody"
    dataset.PatientSex = sex
    if age:
        dataset.PatientAge = age
    for key, value in patient.items():
        setattr(dataset, key, value)
    if groups:
        dataset.WaveformSequence = Sequence(groups)
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def aecg_set(truth, *, scale=2.5, origin=0.0, increment=None):
    step = increment or f'value="{1 / truth.fs:.6g}" unit="s"'
    parts = [
        '<sequenceSet><component><sequence><code code="TIME_ABSOLUTE"/>'
        f'<value xsi:type="GLIST_TS"><head value="20200101"/><increment {step}/></value>'
        "</sequence></component>"
    ]
    for lead, row in truth.rows.items():
        digits = " ".join(str(int(v)) for v in np.round((row * 1e3 - origin) / scale))
        parts.append(
            f'<component><sequence><code code="MDC_ECG_LEAD_{lead.upper()}"/>'
            f'<value xsi:type="SLIST_PQ"><origin value="{origin}" unit="uV"/>'
            f'<scale value="{scale}" unit="uV"/><digits>{digits}</digits></value>'
            "</sequence></component>"
        )
    return "".join(parts) + "</sequenceSet>"


def aecg_text(truth, *, beat=None, more_series="", age="<value value='46' unit='a'/>", **own):
    """One recorded series; ``beat`` adds a representative beat as a derived series."""
    derived = ""
    if beat is not None:
        derived = (
            "<derivation><derivedSeries><code code='REPRESENTATIVE_BEAT'/><component>"
            f"{aecg_set(beat)}</component></derivedSeries></derivation>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><AnnotatedECG xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<effectiveTime><center value="20021122091000"/></effectiveTime>'
        "<componentOf><subjectDemographicPerson><administrativeGenderCode code='M'/>"
        "<birthTime value='19530508'/></subjectDemographicPerson></componentOf>"
        "<controlVariable><relatedObservation><code code='21612-7'/>"
        f"{age}</relatedObservation></controlVariable>"
        f"<component><series><code code='RHYTHM'/><component>{aecg_set(truth, **own)}</component>"
        f"{derived}</series></component>{more_series}</AnnotatedECG>"
    )


def muse_wave(truth, *, kind="Rhythm", step=4.88, unit="MICROVOLTS", crc=True):
    parts = [
        f"<Waveform><WaveformType>{kind}</WaveformType><SampleBase>{truth.fs:g}</SampleBase>"
        "<SampleExponent>0</SampleExponent>"
    ]
    for lead, row in truth.rows.items():
        data = np.round(row * 1e3 / step).astype("<i2").tobytes()
        check = f"<LeadDataCRC32>{zlib.crc32(data)}</LeadDataCRC32>" if crc else ""
        text = base64.encodebytes(data).decode()
        parts.append(
            f"<LeadData><LeadSampleCountTotal>{row.size}</LeadSampleCountTotal>"
            f"<LeadAmplitudeUnitsPerBit>{step}</LeadAmplitudeUnitsPerBit>"
            f"<LeadAmplitudeUnits>{unit}</LeadAmplitudeUnits><LeadID>{lead}</LeadID>"
            f"<LeadSampleSize>2</LeadSampleSize><LeadOff>FALSE</LeadOff>{check}"
            f"<WaveFormData>\n{text}</WaveFormData></LeadData>"
        )
    return "".join(parts) + "</Waveform>"


def muse_text(*waves, doctype='<!DOCTYPE RestingECG SYSTEM "restecg.dtd">'):
    return (
        f'<?xml version="1.0" encoding="ISO-8859-1"?>\n{doctype}\n<RestingECG>'
        "<PatientDemographics><PatientAge>43</PatientAge><AgeUnits>YEARS</AgeUnits>"
        "<Gender>MALE</Gender></PatientDemographics>" + "".join(waves) + "</RestingECG>"
    )


def zip_bytes(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def sidecar(path, **said):
    path.with_suffix(".json").write_text(json.dumps(said))


def close(record, truth, within_mv):
    """Every lead of the truth is in the record, sample by sample."""
    for lead, row in truth.rows.items():
        np.testing.assert_allclose(record.row(lead), row, atol=within_mv, rtol=0)
    assert record.fs == pytest.approx(truth.fs)


@pytest.fixture(scope="session")
def ecg():
    """The writers above, by name."""
    return SimpleNamespace(**{k: v for k, v in globals().items() if not k.startswith("_")})

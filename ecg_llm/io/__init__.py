"""Readers: from a file of any dialect to an `ECGRecord`.

Adding a format is one module with ``NAME``, ``EXTENSIONS``, ``sniff`` and ``read``, and its place
in `ecg_llm.io.registry.READERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ecg_llm.errors import RecordError, as_text
from ecg_llm.io import registry
from ecg_llm.io.archive import ZipFolder, is_zip, open_archive
from ecg_llm.io.assemble import assemble
from ecg_llm.io.find import RecordRef, as_written, find_records, record_files
from ecg_llm.io.limits import MAX_FILE_BYTES
from ecg_llm.io.npy import channels_of
from ecg_llm.io.raw import RawECG, ReadOptions, shown
from ecg_llm.io.source import DiskFolder, Folder, NoFolder, Source, missing, too_large
from ecg_llm.record import ECGRecord, Sex

T = TypeVar("T")

__all__ = [
    "RecordRef",
    "as_written",
    "find_records",
    "from_array",
    "read_bytes",
    "read_record",
    "read_ref",
]


def read_record(
    path: str | Path,
    *,
    root: str | Path | None = None,
    fs: float | None = None,
    unit: str | None = None,
    leads: Sequence[str] | None = None,
    fmt: str | None = None,
) -> ECGRecord:
    """Read one ECG, whatever its format.

    Parameters
    ----------
    path : str or Path
        A WFDB header, a signal file beside its header, a record name without extension, a DICOM,
        aECG, MUSE, CSV, TSV or NPY file, the image of a page (PNG, JPEG, BMP, TIFF, WebP, PDF), or
        a zip archive or folder that holds exactly one record.
    root : str or Path or None
        The record is named by its path relative to this folder, else by its file name.
    fs : float or None, Hz
        Sampling rate of a file that does not state it.
    unit : str or None
        Unit of a file that does not state it: ``V``, ``mV``, ``uV`` or ``nV``.
    leads : sequence of str or None
        Lead names, in file order, of a file that does not state them.
    fmt : str or None
        Reader to use whatever the content looks like: ``wfdb``, ``dicom``, ``aecg``, ``muse``,
        ``csv``, ``npy`` or ``page``.

    Returns
    -------
    ECGRecord

    Raises
    ------
    RecordError
        If the file is not an ECG that can be read as it stands; the message says why and what to
        do. Also if an option contradicts the file.

    Examples
    --------
    >>> read_record("missing.hea")
    Traceback (most recent call last):
        ...
    ecg_llm.errors.RecordError: missing.hea: no such file.
    """
    options = _options(fs, unit, leads, fmt)
    path = Path(path)
    name = None if root is None else _relative(path, Path(root))
    if path.is_dir():
        ref = _only(find_records(path), str(path))
        return _read_ref(ref, options, name or ref.name)
    file = _data_file(path)
    if not file.exists():
        raise missing(file)
    if not file.is_file():
        raise RecordError(
            f"{path}: not a regular file; an ECG is not read from a pipe or a device. Save it "
            "under a name and give that."
        )
    # What the caller names is read even if it is a link, with links beside it that lead to its
    # real neighbours; a link to anywhere else, which only a file names, is not.
    real = file.resolve()
    folder_of_file = DiskFolder(real.parent)
    if is_zip(folder_of_file.head(real.name)):
        archive = open_archive(file)
        member = _only(record_files(archive), str(path))
        return _read_member(archive, member, options, name)
    data = folder_of_file.read(real.name, MAX_FILE_BYTES)
    folder = DiskFolder(file.parent, also=real.parent if file.is_symlink() else None)
    return _read(Source(str(file), file.name, data, folder), options, name)


def read_ref(
    ref: RecordRef,
    *,
    fs: float | None = None,
    unit: str | None = None,
    leads: Sequence[str] | None = None,
    fmt: str | None = None,
) -> ECGRecord:
    """Read a record that `find_records` found.

    Parameters
    ----------
    ref : RecordRef
        Where it is; its name becomes the record's name.
    fs, unit, leads, fmt
        As in `read_record`.

    Returns
    -------
    ECGRecord

    Raises
    ------
    RecordError
        As in `read_record`, and if the file is a link that leads out of the folder searched.
    """
    return _read_ref(ref, _options(fs, unit, leads, fmt), ref.name)


def read_bytes(
    data: bytes,
    filename: str,
    *,
    fs: float | None = None,
    unit: str | None = None,
    leads: Sequence[str] | None = None,
    fmt: str | None = None,
) -> ECGRecord:
    """Read an ECG from memory, as an upload brings it.

    Parameters
    ----------
    data : bytes
        The file; WFDB records of several files come as a zip.
    filename : str
        Its name, for errors and the record's name; no file of that name is touched.
    fs, unit, leads, fmt
        As in `read_record`.

    Returns
    -------
    ECGRecord

    Raises
    ------
    RecordError
        As in `read_record`.
    """
    options = _options(fs, unit, leads, fmt)
    label = PurePosixPath(filename.replace("\\", "/")).name or "upload"
    if len(data) > MAX_FILE_BYTES:
        raise too_large(label, MAX_FILE_BYTES)
    if is_zip(data):
        archive = ZipFolder(label, data)
        return _read_member(archive, _only(record_files(archive), label), options, None)
    return _read(Source(label, label, data, NoFolder(label)), options, None)


def from_array(
    signal: npt.ArrayLike,
    *,
    fs: float,
    unit: str,
    leads: Sequence[str],
    name: str = "array",
    age_years: float | None = None,
    sex: Sex | None = None,
) -> ECGRecord:
    """Make an ECG of samples in memory, under the rules that hold for files.

    Parameters
    ----------
    signal : array_like, shape (n_leads, n_samples) or (n_samples, n_leads)
        Integers or floats; NaN marks a missing sample. Which axis holds the leads is decided by
        their number.
    fs : float, Hz
        Sampling rate.
    unit : str
        Of the samples: ``V``, ``mV``, ``uV`` or ``nV``.
    leads : sequence of str
        Names of the leads, in order, in any dialect that files use.
    name : str
        Name of the record, also in errors.
    age_years, sex : optional
        Of the patient, where known; some limits need them.

    Returns
    -------
    ECGRecord
        In mV, standard leads first, limb leads derived where two others determine them.

    Raises
    ------
    RecordError
        If the array does not fit the leads, the rate is below 100 Hz, or the voltages cannot be
        those of an ECG in this unit.

    Examples
    --------
    >>> import numpy as np
    >>> from_array(np.zeros((2, 5000)), fs=500, unit="mV", leads=["I", "II"]).leads
    ('I', 'II', 'III', 'aVR', 'aVL', 'aVF')
    """
    options = _options(fs, unit, leads, None)
    array = np.asarray(signal)
    if array.dtype.kind not in "iuf":
        raise RecordError(f"{name}: an array of {array.dtype}; integers or floats are needed.")
    channels = channels_of(array, leads, options, name)
    raw = RawECG(channels=channels, age_years=age_years, sex=sex)
    source = Source(name, name, array.tobytes(), NoFolder(name))
    return assemble(raw, source, options, name)


def _options(
    fs: float | None, unit: str | None, leads: Sequence[str] | None, fmt: str | None
) -> ReadOptions:
    return ReadOptions(fs=fs, unit=unit, leads=None if leads is None else tuple(leads), fmt=fmt)


def _read(source: Source, options: ReadOptions, name: str | None) -> ECGRecord:
    reader = registry.choose(source, options.fmt)
    # An overflow is no warning: it leaves an infinity, which `assemble` refuses by name.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        raw = reader.read(source, options)
        return assemble(raw, source, options, name or source.stem)


def _read_ref(ref: RecordRef, options: ReadOptions, name: str) -> ECGRecord:
    root = ref.root or ref.path.parent
    inside = DiskFolder(root)
    relative = ref.path.relative_to(root).as_posix()
    if ref.member is not None:
        inside.head(relative)
        return _read_member(open_archive(ref.path), ref.member, options, name)
    data = inside.read(relative, MAX_FILE_BYTES)
    if is_zip(data):
        archive = ZipFolder(str(ref.path), data)
        return _read_member(archive, _only(record_files(archive), str(ref.path)), options, name)
    file = _data_file(ref.path)
    source = Source(str(file), file.name, data, DiskFolder(file.parent))
    return _read(source, options, name)


def _read_member(
    archive: ZipFolder, member: str, options: ReadOptions, name: str | None
) -> ECGRecord:
    data = archive.read(member)
    path = PurePosixPath(member)
    folder: Folder = archive if len(path.parts) == 1 else archive.sub(str(path.parent))
    return _read(Source(f"{archive.label}!{member}", path.name, data, folder), options, name)


def _data_file(path: Path) -> Path:
    """Turn a record name, or a signal file beside its header, into the file to read."""
    header = path.with_name(path.name + ".hea")
    if not path.exists() and header.is_file():
        return header
    if path.suffix.lower() in (".dat", ".mat"):
        header = path.with_suffix(".hea")
        if path.exists() and not header.is_file():
            raise RecordError(
                f"{path}: a WFDB signal file without {header.name} beside it; the header tells "
                "rate, gain and leads. Put it there, or give the header that names this file."
            )
        return header
    return path


def _only(found: Sequence[T], label: str) -> T:
    """Give the single record of a folder or an archive."""
    if not found:
        raise RecordError(
            f"{label}: it holds 0 records where one is needed: a WFDB header with its signal file, "
            "a DICOM, XML, CSV or NPY file, or the image of a page, not in an archive of its own."
        )
    if len(found) > 1:
        names = [shown(one.name if isinstance(one, RecordRef) else str(one)) for one in found[:3]]
        more = ", …" if len(found) > 3 else ""
        raise RecordError(
            f"{label}: it holds {len(found)} records where one is needed "
            f"({', '.join(names)}{more}); give one of them."
        )
    return found[0]


def _relative(path: Path, root: Path) -> str | None:
    """Name a record by its path below a folder, without extension."""
    try:
        relative = path.resolve().relative_to(root.resolve())
    except ValueError:
        return None
    return as_text(relative.with_suffix("").as_posix())

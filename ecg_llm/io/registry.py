"""All readers, and which of them reads a file."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Protocol

from ecg_llm.errors import RecordError
from ecg_llm.io import aecg, dicom, muse, npy, page_image, table, wfdb_record
from ecg_llm.io.limits import HEAD_BYTES
from ecg_llm.io.raw import RawECG, ReadOptions
from ecg_llm.io.source import Source
from ecg_llm.io.xml_tree import root_name


class Reader(Protocol):
    """A module that reads one format; what it needs beyond numpy it imports inside ``read``."""

    NAME: str
    EXTENSIONS: tuple[str, ...]

    def sniff(self, head: bytes, filename: str) -> bool:
        """Whether a file that begins so is of this format."""

    def read(self, source: Source, options: ReadOptions) -> RawECG:
        """Read the file, or raise RecordError."""


READERS: tuple[Reader, ...] = (dicom, page_image, npy, aecg, muse, wfdb_record, table)
"""Asked in this order; the first whose ``sniff`` agrees reads the file."""

_FOREIGN = {
    b"GIF8": "a GIF image", b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "a gzip file",
    b"MATLAB": "a MATLAB file", b"\x89HDF": "an HDF5 file",
    b"0       ": "an EDF file",
}  # fmt: skip


def choose(source: Source, fmt: str | None) -> Reader:
    """Find the reader of a file, by content; the extension only helps to word errors.

    Parameters
    ----------
    source : Source
        The file.
    fmt : str or None
        Name of a reader to use whatever the content looks like.

    Returns
    -------
    Reader

    Raises
    ------
    RecordError
        If none fits.
    """
    if fmt is not None:
        named = [reader for reader in READERS if fmt.lower().lstrip(".") == reader.NAME]
        if not named:
            known = ", ".join(reader.NAME for reader in READERS)
            raise RecordError(f"{source.label}: no reader is called {fmt!r}; there are {known}.")
        return named[0]
    if not source.data.strip():
        raise RecordError(f"{source.label}: the file is empty.")
    head = source.data[:HEAD_BYTES]
    for reader in READERS:
        if reader.sniff(head, source.filename):
            return reader
    foreign = next((name for mark, name in _FOREIGN.items() if head.startswith(mark)), None)
    if head[16:22] == b"SCPECG":
        foreign = "an SCP-ECG file"
    if foreign:
        raise RecordError(
            f"{source.label}: {foreign}, which is not an ECG format that is read; export the "
            "recording itself as WFDB, DICOM, HL7 aECG, MUSE XML, CSV or NPY, or its page as PNG."
        )
    root = root_name(head)
    if root and root.lower() not in ("html", "doctype"):
        raise RecordError(
            f"{source.label}: XML with the root <{root[:40]}>; HL7 aECG (<AnnotatedECG>) and GE "
            "MUSE (<RestingECG>) are read."
        )
    suffix = PurePosixPath(source.filename).suffix.lower()
    for reader in READERS:
        if suffix in reader.EXTENSIONS:
            return reader
    raise RecordError(
        f"{source.label}: not a format that is read (WFDB, DICOM, HL7 aECG, GE MUSE XML, CSV, NPY, "
        "or the image of a page as PNG, JPEG, BMP, TIFF, WebP or PDF)."
    )

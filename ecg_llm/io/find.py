"""Which files of a folder or an archive are records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ecg_llm.errors import RecordError, as_text
from ecg_llm.io import aecg, dicom, muse, npy, page_image, table
from ecg_llm.io.archive import is_zip, open_archive
from ecg_llm.io.source import DiskFolder, Folder
from ecg_llm.io.wfdb_header import referred_names
from ecg_llm.io.xml_tree import root_name

_IGNORED = {
    ".md", ".txt", ".rst", ".html", ".htm", ".pdf", ".json", ".png", ".jpg", ".jpeg", ".bmp",
    ".gif", ".tif", ".tiff", ".svg", ".py", ".log", ".yaml", ".yml", ".toml", ".jsonl", ".parquet",
    ".atr", ".qrs", ".ecg", ".ari",
}  # fmt: skip


@dataclass(frozen=True)
class RecordRef:
    """Where one record is.

    Attributes
    ----------
    path : Path
        The file, or the archive it is in.
    name : str
        Path relative to the folder that was searched, without extension, with ``/``.
    member : str or None
        Path inside the archive.
    root : Path or None
        The folder that was searched; a link leading out of it is not followed.
    """

    path: Path
    name: str
    member: str | None = None
    root: Path | None = None


def find_records(folder_or_zip: str | Path) -> list[RecordRef]:
    """List the records of a folder or a zip archive.

    Parameters
    ----------
    folder_or_zip : str or Path
        Searched through all its folders; archives inside a folder are looked into.

    Returns
    -------
    list of RecordRef
        Sorted by name. A WFDB record counts once, with its signal files and segments. Files that
        look like a record but are broken are listed too, so that reading them tells why; tables
        of metadata, annotations and texts are not, and images only where there is nothing else.

    Raises
    ------
    RecordError
        If there is no such folder or the archive is damaged.
    """
    path = Path(folder_or_zip)
    if path.is_dir():
        refs = _in_folder(path)
    elif path.is_file():
        if not is_zip(DiskFolder(path.parent).head(path.name)):
            raise RecordError(f"{path}: neither a folder nor a zip archive.")
        archive = open_archive(path)
        refs = [RecordRef(path, name, member=name) for name in record_files(archive)]
    else:
        raise RecordError(f"{path}: no such folder or archive.")
    return _without_extensions(refs)


def as_written(names: Sequence[str]) -> Callable[[str], str | None]:
    """Look records up as a table beside them writes their names.

    Parameters
    ----------
    names : sequence of str
        Of all records, as in `RecordRef`.

    Returns
    -------
    callable
        Gives the name of a record from its path in the folder, with or without the file's ending,
        or from the last part of it where only one record has that; None if there is none.

    Examples
    --------
    >>> find = as_written(["ward1/0001", "ward1/0002", "ward2/0002"])
    >>> find("./ward1/0001.hea"), find("0001"), find("0002")
    ('ward1/0001', 'ward1/0001', None)
    """
    last = Counter(name.rpartition("/")[2] for name in names)
    places = {name.rpartition("/")[2]: name for name in names}
    places = {short: name for short, name in places.items() if last[short] == 1}
    places |= {name: name for name in names}

    def find(written: str) -> str | None:
        path = written.strip().replace("\\", "/").removeprefix("./")
        return places.get(path) or places.get(path.rpartition(".")[0])

    return find


def record_files(folder: Folder) -> list[str]:
    """List the files of a folder that are records, or broken ones.

    Parameters
    ----------
    folder : Folder
        On disk or in an archive.

    Returns
    -------
    list of str
        Relative paths, sorted.
    """
    names = folder.names()
    headers = {name for name in names if PurePosixPath(name).suffix.lower() == ".hea"}
    signal_files: set[str] = set()
    segments: set[str] = set()
    of_segments: set[str] = set()
    for header in headers:
        try:
            files, parts = referred_names(folder.head(header).decode("latin-1"))
        except RecordError:
            continue
        base = PurePosixPath(header).parent
        signal_files |= {str(base / file) for file in files}
        segments |= {str(base / f"{part}.hea") for part in parts}
        of_segments |= {header} if parts else set()
    # No header hides another one, nor itself: a record of segments is no segment.
    signal_files -= headers
    segments -= of_segments
    stems = {name.removesuffix(".hea") for name in headers}
    found = [
        name
        for name in names
        if name not in signal_files
        and name not in segments
        and (name in headers or _is_record(name, folder, stems))
    ]
    # Images beside recordings are pictures of them; images alone are what there is to read.
    if found or any(name.lower().endswith(".zip") for name in names):
        return found
    return [name for name in names if _is_page(name, folder)]


def _is_record(name: str, folder: Folder, wfdb_stems: set[str]) -> bool:
    """Judge a file that no WFDB header accounts for."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if suffix in _IGNORED or not path.suffix:
        # Scanners of DICOM archives name files by number, without any extension.
        return not suffix and _starts_as(name, folder, (dicom,))
    match suffix:
        case ".dat" | ".mat":
            return str(path.with_suffix("")) not in wfdb_stems
        case ".npy" | ".dcm" | ".dicom":
            return True
        case ".csv" | ".tsv":
            head = _head(name, folder)
            return head is None or not table.looks_like_metadata(head)
        case ".xml":
            head = _head(name, folder)
            return head is None or root_name(head) in (None, "", "AnnotatedECG", "RestingECG")
        case _:
            return _starts_as(name, folder, (dicom, npy, aecg, muse))


def _is_page(name: str, folder: Folder) -> bool:
    """Whether a file is named and begins like the image of a page."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in page_image.EXTENSIONS and _starts_as(name, folder, (page_image,))


def _starts_as(name: str, folder: Folder, readers: tuple[object, ...]) -> bool:
    head = _head(name, folder)
    return head is not None and any(reader.sniff(head, name) for reader in readers)  # type: ignore[attr-defined]


def _head(name: str, folder: Folder) -> bytes | None:
    try:
        return folder.head(name)
    except RecordError:
        return None


def _in_folder(path: Path) -> list[RecordRef]:
    folder = DiskFolder(path)
    # A link to a folder elsewhere is listed, so that reading it tells that it is not followed.
    listed = [*record_files(folder), *folder.links_out()]
    refs = [RecordRef(path / name, name, root=path) for name in listed]
    archives = [name for name in folder.names() if PurePosixPath(name).suffix.lower() == ".zip"]
    stems = Counter(str(PurePosixPath(name).with_suffix("")) for name in archives)
    for name in archives:
        stem = str(PurePosixPath(name).with_suffix(""))
        # Beside the folder it was unpacked to, its records need other names than those there.
        inside = name if stems[stem] > 1 or (path / stem).is_dir() else stem
        try:
            folder.head(name)
            members = record_files(open_archive(path / name))
        except RecordError:
            # Reading it will say what is wrong with it.
            refs.append(RecordRef(path / name, name, root=path))
            continue
        refs += [
            RecordRef(path / name, f"{inside}/{member}", member=member, root=path)
            for member in members
        ]
    return refs


def _without_extensions(refs: list[RecordRef]) -> list[RecordRef]:
    """Shorten the names where that leaves them distinct."""
    short = [str(PurePosixPath(ref.name).with_suffix("")) for ref in refs]
    count = Counter(short)
    named = [
        RecordRef(ref.path, as_text(name if count[name] == 1 else ref.name), ref.member, ref.root)
        for ref, name in zip(refs, short, strict=True)
    ]
    return sorted(named, key=lambda ref: ref.name)

"""Where bytes come from: a file and its neighbours, on disk, in an archive or uploaded.

A reader sees only a `Source`. Names that stand inside a file are followed nowhere but into the
folder the file lies in, whatever the file says.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from ecg_llm.errors import RecordError, as_text
from ecg_llm.io.limits import HEAD_BYTES, MAX_FILE_BYTES, MAX_RECORD_BYTES


class Folder(Protocol):
    """Files that may be read together: a directory or a part of an archive."""

    @property
    def label(self) -> str:
        """Name for errors."""

    def names(self) -> list[str]:
        """Every file below, as a relative path with ``/``, sorted."""

    def has(self, name: str) -> bool:
        """Whether a file of this relative path is there."""

    def head(self, name: str) -> bytes:
        """The first bytes of a file."""

    def read(self, name: str, limit: int) -> bytes:
        """All bytes of a file, refused beyond ``limit``."""

    def sub(self, name: str) -> Folder:
        """The folder of this relative path."""


def inner_name(name: str, source: str) -> str:
    """Check that a name written inside a file stays in the folder of that file.

    Parameters
    ----------
    name : str
        As the file says it.
    source : str
        The file, for the error.

    Returns
    -------
    str
        The same name, normalised.

    Raises
    ------
    RecordError
        If it is absolute, a URL, a device or climbs out of the folder.

    Examples
    --------
    >>> inner_name("rec_1.dat", "rec.hea")
    'rec_1.dat'
    """
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts or not path.parts or name == "-"
    odd = not name.isprintable() or len(name) > 255 or name.startswith("~")
    if outside or odd or ":" in name or "\\" in name:
        raise RecordError(
            f"{source}: it refers to {name[:80]!a}, which is not a file of its own folder; only "
            "plain names beside the header are read. Put the signal file there and name it so."
        )
    return str(path)


@dataclass(frozen=True)
class DiskFolder:
    """A directory.

    Attributes
    ----------
    path : Path
        Where it is.
    also : Path or None
        Where links of it may lead besides: the folder in which the record's first file, itself
        a link that the caller named, really lies.
    """

    path: Path
    also: Path | None = None

    @property
    def label(self) -> str:
        """Name for errors."""
        return str(self.path)

    @cached_property
    def _real(self) -> str:
        return os.path.join(os.path.realpath(self.path), "")  # noqa: PTH118

    @cached_property
    def _below(self) -> tuple[list[str], list[str]]:
        """All files below, and links to folders elsewhere, which are not followed."""
        files: list[str] = []
        links: list[str] = []
        for base, folders, names in os.walk(self.path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            inside = Path(base).relative_to(self.path).as_posix()
            prefix = "" if inside == "." else inside + "/"
            files += [prefix + name for name in names if not name.startswith(".")]
            linked = (name for name in folders if (Path(base) / name).is_symlink())
            links += [prefix + name for name in linked if not self._holds(Path(base) / name)]
        return sorted(files), sorted(links)

    def _holds(self, path: Path) -> bool:
        """Whether a folder really lies in this one."""
        return os.path.join(os.path.realpath(path), "").startswith(self._real)  # noqa: PTH118

    def names(self) -> list[str]:
        """Every file below, as a relative path with ``/``, sorted; hidden ones are left out."""
        return self._below[0]

    def links_out(self) -> list[str]:
        """Every link to a folder elsewhere, as a relative path; `names` does not follow them."""
        return self._below[1]

    def has(self, name: str) -> bool:
        """Whether a file of this relative path is there."""
        return (self.path / name).is_file()

    def head(self, name: str) -> bytes:
        """The first bytes of a file."""
        return self._bytes(name, HEAD_BYTES)

    def read(self, name: str, limit: int) -> bytes:
        """All bytes of a file, refused beyond ``limit``."""
        data = self._bytes(name, limit + 1)
        if len(data) > limit:
            raise too_large(str(self.path / name), limit)
        return data

    def sub(self, name: str) -> DiskFolder:
        """The folder of this relative path."""
        return DiskFolder(self.path / name)

    def _beside(self, real: str) -> bool:
        return self.also is not None and os.path.dirname(real) == str(self.also)  # noqa: PTH120

    def _bytes(self, name: str, size: int) -> bytes:
        path = self.path / name
        try:
            # os.path is several times faster than Path.resolve, which counts over 20,000 records.
            real = os.path.realpath(path, strict=True)
            if not (real.startswith(self._real) or self._beside(real)):
                raise RecordError(
                    f"{path}: a symbolic link that leads out of its folder; it is not followed. "
                    f"Copy the {'folder' if path.is_dir() else 'file'} itself there."
                )
            # A pipe or a device would block or never end.
            if not path.is_file():
                raise RecordError(f"{path}: not a regular file.")
            with path.open("rb") as file:
                return file.read(size)
        except FileNotFoundError:
            raise missing(path) from None
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise RecordError(f"{path}: cannot be read ({reason}).") from error


@dataclass(frozen=True)
class NoFolder:
    """The surroundings of a file that came alone, as an upload does."""

    label: str

    def names(self) -> list[str]:
        """No file at all."""
        return []

    def has(self, name: str) -> bool:
        """Never."""
        return False

    def head(self, name: str) -> bytes:
        """Refuse: there is no neighbour."""
        return self.read(name, HEAD_BYTES)

    def read(self, name: str, limit: int) -> bytes:
        """Refuse: there is no neighbour."""
        raise RecordError(
            f"{self.label}: it needs the file {name} beside it, which did not come with it; "
            "send all files of the recording together, in one zip if only one file is taken."
        )

    def sub(self, name: str) -> NoFolder:
        """The same emptiness."""
        return self


@dataclass
class Source:
    """One file to read, and the folder its neighbours lie in.

    Attributes
    ----------
    label : str
        Named in every error: the path, or ``archive.zip!member``.
    filename : str
        Last part of the path.
    data : bytes
        The whole file.
    folder : Folder
        Where neighbours are looked for.
    """

    label: str
    filename: str
    data: bytes
    folder: Folder
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256, repr=False)
    _n_read: int = 0

    def __post_init__(self) -> None:
        """Count the file itself; keep a label that can be written."""
        self.label = as_text(self.label)
        self._count(self.data)

    @property
    def stem(self) -> str:
        """File name without its extension."""
        return as_text(PurePosixPath(self.filename).stem)

    @property
    def sha256(self) -> str:
        """Digest of all bytes read so far, in order."""
        return self._digest.hexdigest()

    def neighbour(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        """Read a file of at most ``limit`` bytes that this one names; it must lie beside it."""
        name = inner_name(name, self.label)
        if not (isinstance(self.folder, NoFolder) or self.folder.has(name)):
            raise RecordError(
                f"{self.label}: the file {name}, which it names, is not in {self.folder.label}; "
                "put it there under that name."
            )
        data = self.folder.read(name, limit)
        self._count(data)
        return data

    def has(self, name: str) -> bool:
        """Whether a neighbour of this name is there."""
        return self.folder.has(name)

    def require_size(self, limit: int) -> bytes:
        """Give the file's bytes, if there are any and no more than ``limit``."""
        if len(self.data) > limit:
            raise too_large(self.label, limit)
        if not self.data.strip():
            raise RecordError(f"{self.label}: the file is empty.")
        return self.data

    def _count(self, data: bytes) -> None:
        self._n_read += len(data)
        if self._n_read > MAX_RECORD_BYTES:
            raise too_large(self.label, MAX_RECORD_BYTES)
        self._digest.update(data)


def missing(path: Path) -> RecordError:
    """Build the error for a file that is not there.

    Parameters
    ----------
    path : Path
        The file, or a link that leads nowhere.

    Returns
    -------
    RecordError
    """
    link = path.is_symlink()
    return RecordError(
        f"{path}: {'a symbolic link to a file that is not there' if link else 'no such file'}."
    )


def too_large(label: str, limit: int) -> RecordError:
    """Build the error for a file beyond its bound.

    Parameters
    ----------
    label : str
        The file.
    limit : int
        The bound, in bytes.

    Returns
    -------
    RecordError
    """
    return RecordError(
        f"{label}: larger than the {limit / 2**20:.0f} MB that are read of such a file; "
        "cut out the stretch to be judged."
    )

"""Zip archives as folders: members are read into memory, in bounds, and never unpacked to disk."""

from __future__ import annotations

import io
import os
import zipfile
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath

from ecg_llm.errors import RecordError
from ecg_llm.io.limits import HEAD_BYTES, MAX_FILE_BYTES, MAX_MEMBERS
from ecg_llm.io.source import too_large

MAGIC = b"PK\x03\x04"
_EMPTY_MAGIC = b"PK\x05\x06"


def open_archive(path: Path) -> ZipFolder:
    """Open an archive, or give it again while it stays the same.

    Parameters
    ----------
    path : Path
        The archive; its list of members is read once, which counts with 87,000 of them.

    Returns
    -------
    ZipFolder

    Raises
    ------
    RecordError
        If there is no such file.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read.") from error
    # A forked process must not share the position in the open file.
    return _opened(str(path), stat.st_mtime_ns, stat.st_size, os.getpid())


@lru_cache(maxsize=4)
def _opened(path: str, mtime_ns: int, size: int, process: int) -> ZipFolder:
    return ZipFolder(path, path)


def is_zip(head: bytes) -> bool:
    """Tell whether a file is a zip archive.

    Parameters
    ----------
    head : bytes
        Beginning of the file.

    Returns
    -------
    bool
    """
    return head.startswith((MAGIC, _EMPTY_MAGIC))


class ZipFolder:
    """An archive, or a folder in it.

    Parameters
    ----------
    label : str
        The archive, for errors.
    file : str or bytes
        Its path, or the archive itself.
    prefix : str
        The folder inside, empty or ending with ``/``.
    """

    def __init__(self, label: str, file: str | bytes, prefix: str = "") -> None:
        self.label = label
        self._file = file
        self._prefix = prefix

    def names(self) -> list[str]:
        """Every file below, as a relative path with ``/``, sorted; hidden ones are left out."""
        inside = [name for name in self._members if name.startswith(self._prefix)]
        relative = (name.removeprefix(self._prefix) for name in inside)
        return sorted(name for name in relative if not _is_hidden(name))

    def has(self, name: str) -> bool:
        """Whether a file of this relative path is there."""
        return self._prefix + name in self._members

    def head(self, name: str) -> bytes:
        """The first bytes of a file."""
        return self._bytes(name, HEAD_BYTES)

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        """All bytes of a file, refused beyond ``limit``."""
        member = self._members.get(self._prefix + name)
        # The archive's own word on the size is checked first, and then not trusted.
        if member is not None and member.file_size > limit:
            raise too_large(f"{self.label}!{name}", limit)
        data = self._bytes(name, limit + 1)
        if len(data) > limit:
            raise too_large(f"{self.label}!{name}", limit)
        return data

    def sub(self, name: str) -> ZipFolder:
        """The folder of this relative path."""
        folder = ZipFolder(self.label, self._file, f"{self._prefix}{name}/")
        folder.__dict__.update(_archive=self._archive, _members=self._members)
        return folder

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        try:
            file = io.BytesIO(self._file) if isinstance(self._file, bytes) else self._file
            return zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise RecordError(f"{self.label}: a damaged or cut-off zip archive.") from error

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        infos = [info for info in self._archive.infolist() if not info.is_dir()]
        if len(infos) > MAX_MEMBERS:
            raise RecordError(f"{self.label}: {len(infos)} files; at most {MAX_MEMBERS} are read.")
        for info in infos:
            path = PurePosixPath(info.filename)
            if path.is_absolute() or ".." in path.parts or "\\" in info.filename:
                raise RecordError(
                    f"{self.label}: a zip archive with a file path that leads out of it; it is "
                    "refused whole."
                )
        return {info.filename: info for info in infos}

    def _bytes(self, name: str, size: int) -> bytes:
        label = f"{self.label}!{self._prefix}{name}"
        member = self._members.get(self._prefix + name)
        if member is None:
            raise RecordError(f"{label}: no such file in the archive.")
        try:
            with self._archive.open(member) as file:
                return file.read(size)
        except (RuntimeError, NotImplementedError) as error:
            raise RecordError(
                f"{label}: encrypted, or packed in a way that is not read; pack it as an ordinary "
                "zip without a password."
            ) from error
        # Every packing fails with errors of its own (zlib, bz2, lzma).
        except Exception as error:
            raise RecordError(f"{label}: damaged in the archive; pack it again.") from error


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)

"""What one visitor of the page has open; gone when the page is closed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecg_llm.app.client import Case, Upload
from ecg_llm.errors import ConfigError


class Session:
    """The ECG that a visitor has open.

    Not a dataclass: Gradio would turn it into a dict.

    Attributes
    ----------
    case : Case or None
        None before anything was opened.
    before : Case or None
        The last ECG that could be read, also after it was closed: what was told of it must not be
        held against the next.
    tried : tuple of Upload
        The files that were opened last, whether they could be read or not.
    turns : list of dict
        Questions and answers on it, as the page shows them.
    busy : bool
        Whether the last of them is still being answered.
    folder : Path or None
        Documents made for download.
    """

    def __init__(self) -> None:
        self.case: Case | None = None
        self.before: Case | None = None
        self.tried: tuple[Upload, ...] = ()
        self.turns: list[dict[str, Any]] = []
        self.busy = False
        self.folder: Path | None = None

    def keep(self, name: str, data: bytes) -> str:
        """Write a document for download, and give its path."""
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="ecg-report-"))
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def forget(self) -> None:
        """Drop everything."""
        self.close()
        self.before = None
        self.tried = ()

    def close(self) -> None:
        """Close the ECG, and drop everything made of it."""
        self.case = None
        self.turns = []
        self.busy = False
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None


def read_files(paths: Sequence[str | Path] | None, max_mb: int) -> tuple[Upload, ...]:
    """Take the files that were given, of ``max_mb`` at most together."""
    found = [Path(path) for path in paths or ()]
    try:
        size = sum(path.stat().st_size for path in found)
    except OSError:  # Gradio removes what was uploaded an hour ago
        raise ConfigError(
            "What was chosen an hour ago or more is not kept; choose the files again."
        ) from None
    if size > max_mb << 20:
        raise ConfigError(
            f"{size / 2**20:.0f} MB were given, and at most {max_mb} MB are read. A 12-lead ECG of "
            "10 s takes less than 1 MB: choose the file of one recording."
        )
    return tuple(Upload(path.name, path.read_bytes()) for path in found)

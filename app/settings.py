"""What the app is told at its start."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import ecg_llm
from ecg_llm.serving.settings import is_loopback

EXAMPLES = Path(ecg_llm.__file__).parents[1] / "examples"
"""Example ECGs of a checkout; an installed wheel has none."""


@dataclass(frozen=True, kw_only=True)
class AppSettings:
    """What the app is told at its start.

    Attributes
    ----------
    host, port : str, int
        Where its page is served.
    server : str or None
        URL of a running server; None starts one.
    model : str or None
        For the server that is started: its model.
    engine : str
        For the server that is started: what runs the model.
    keys : Path or None
        For the server that is started: its API keys.
    allow_hosts : tuple of str
        Names under which browsers reach the page, beside the loopback's.
    examples : Path
        Folder of ECGs that are offered to try.
    max_upload_mb : int
        Largest file that is taken.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    server: str | None = None
    model: str | None = None
    engine: str = "auto"
    keys: Path | None = None
    allow_hosts: tuple[str, ...] = ()
    examples: Path = EXAMPLES
    max_upload_mb: int = 32

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach the page.

        Examples
        --------
        >>> AppSettings(host="0.0.0.0").is_public, AppSettings().is_public
        (True, False)
        """
        return not is_loopback(self.host)

    def example_records(self) -> dict[str, tuple[Path, ...]]:
        """List the example ECGs: the files of each record by its name."""
        if not self.examples.is_dir():
            return {}
        return {
            header.stem: tuple(sorted(self.examples.glob(f"{header.stem}.*")))
            for header in sorted(self.examples.glob("*.hea"))
        }

    def example_names(self) -> list[tuple[str, str]]:
        """Say what each example shows, as far as ``titles.json`` tells, and its record's name."""
        told = self.examples / "titles.json"
        titles = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {}
        return [
            (f"{titles[name]} ({name})" if name in titles else name, name)
            for name in self.example_records()
        ]

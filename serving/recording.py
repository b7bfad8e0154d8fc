"""One recording as a client sent it, and what the client says of it."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ecg_llm.serving.errors import BadRequestError

BUNDLE = "upload"
"""What errors call several files that were sent together: nobody sent a zip."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One recording as it was sent.

    Attributes
    ----------
    data : bytes
        The file; several files of one recording as a zip.
    filename : str
        Without folders and control characters.
    """

    data: bytes
    filename: str

    @cached_property
    def sha256(self) -> str:
        """Names it in the audit log."""
        return hashlib.sha256(self.data).hexdigest()


class ReadingFields(BaseModel):
    """What a client may say of a recording beside its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    age: float | None = Field(None, ge=0, le=120, description="Age in years.")
    sex: Literal["female", "male"] | None = Field(None, description="Sex of the patient.")
    fs: float | None = Field(
        None, gt=0, le=100_000, description="Sampling rate in Hz, for tables that do not state it."
    )
    unit: Literal["V", "mV", "uV", "nV"] | None = Field(
        None, description="Unit of the samples, for tables that do not state it."
    )
    leads: str | None = Field(
        None,
        max_length=2000,
        description="Lead names in the order of the columns, joined by commas.",
    )
    partial: bool = Field(
        False, description="Of a tracing that is refused for some of its leads, read the others."
    )

    @field_validator("leads")
    @classmethod
    def _names(cls, value: str | None) -> str | None:
        if value is not None and not all(map(str.strip, value.split(","))):
            raise ValueError("a name is empty")
        return value

    @property
    def names(self) -> tuple[str, ...] | None:
        """The lead names, one by one."""
        return None if self.leads is None else tuple(map(str.strip, self.leads.split(",")))


def bundle(files: Sequence[tuple[str, bytes]]) -> Upload:
    """Make one upload of the files of one recording; several become a zip in memory."""
    named = [(safe_name(name), data) for name, data in files]
    if len(named) == 1:
        return Upload(filename=named[0][0], data=named[0][1])
    if len({name for name, _ in named}) != len(named):
        raise BadRequestError("Two files of one recording have the same name.")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in named:
            # A fixed date, so that the same files are the same input.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return Upload(filename=BUNDLE, data=packed.getvalue())


def safe_name(name: str) -> str:
    """Keep of a file's name what can stand in a report.

    Parameters
    ----------
    name : str
        As the client sent it; never a path that is followed.

    Returns
    -------
    str

    Examples
    --------
    >>> safe_name("../../etc/passwd"), safe_name("C:\\\\ecg\\\\a b.hea"), safe_name("")
    ('passwd', 'a b.hea', 'upload')
    """
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = re.sub(r"[^\w .()+-]", "_", base).strip(" .")[-120:]
    return kept or "upload"

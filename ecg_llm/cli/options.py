"""Arguments and options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ecg_llm.errors import ConfigError

if TYPE_CHECKING:
    from ecg_llm.io import RecordRef
    from ecg_llm.record import ECGRecord
    from ecg_llm.record import Sex as PatientSex


File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="An ECG: WFDB (.hea), .mat, CSV, NPY, DICOM, HL7 aECG, MUSE XML, or a zip.",
        show_default=False,
    ),
]
FileOrFolder = Annotated[
    Path,
    typer.Argument(
        metavar="PATH",
        help="An ECG (WFDB, .mat, CSV, NPY, DICOM, HL7 aECG, MUSE XML, zip) or a folder of them.",
        show_default=False,
    ),
]
Age = Annotated[
    float | None,
    typer.Option(help="Age in years, instead of what the file says.", min=0, max=120),
]
Sex = Annotated[
    Literal["female", "male"] | None,
    typer.Option(help="female or male, instead of what the file says."),
]
Fs = Annotated[
    float | None,
    typer.Option(help="Sampling rate in Hz, for CSV and NPY that do not state it."),
]
Unit = Annotated[
    str | None,
    typer.Option(help="Unit of the samples (mV, uV, V), for CSV and NPY that do not state it."),
]
Leads = Annotated[
    str | None,
    typer.Option(
        help="Lead names in the order of the columns, joined by commas, for CSV and NPY that do "
        "not state them.",
    ),
]
Partial = Annotated[
    bool,
    typer.Option(
        "--partial",
        help="Of a tracing that is refused for some of its leads, read the others.",
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Start a folder run anew; a resumed one reads new records, and no failed one again.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="Language model of the narrative: none, a checkpoint's folder or a server's address; "
        "by default the bundled one, where its weights are there.",
        show_default=False,
    ),
]
KeepDraft = Annotated[
    bool,
    typer.Option(
        "--keep-draft", help="Put the model's draft and the verdict on each claim into the JSON."
    ),
]
Jobs = Annotated[
    int | None, typer.Option(help="Processes of a folder run; by default one a core.", min=1)
]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a person told about the recordings, beyond what their files say.

    Attributes
    ----------
    age_years : float or None
        Replaces the file's age.
    sex : str or None
        Replaces the file's sex.
    fs : float or None, Hz
        Sampling rate of tables that do not state it.
    unit : str or None
        Unit of tables that do not state it.
    leads : tuple of str or None
        Columns of tables that do not state them.
    partial : bool
        Leave out leads for which the tracing would be refused, if the others are good.
    """

    age_years: float | None = None
    sex: PatientSex | None = None
    fs: float | None = None
    unit: str | None = None
    leads: tuple[str, ...] | None = None
    partial: bool = False

    def read(self, path: Path) -> ECGRecord:
        """Read one file."""
        from ecg_llm.io import read_record

        return self._told(read_record(path, fs=self.fs, unit=self.unit, leads=self.leads))

    def read_earlier(self, path: Path) -> ECGRecord:
        """Read an earlier ECG: its age is its own, and its sex where the file tells it."""
        record = replace(self, age_years=None, sex=None).read(path)
        if record.sex is not None or self.sex is None:
            return record
        return replace(record, sex=self.sex)

    def read_ref(self, ref: RecordRef) -> ECGRecord:
        """Read one record of a folder."""
        from ecg_llm.io import read_ref

        return self._told(read_ref(ref, fs=self.fs, unit=self.unit, leads=self.leads))

    def _told(self, record: ECGRecord) -> ECGRecord:
        if self.age_years is not None:
            record = replace(record, age_years=self.age_years)
        if self.sex is not None:
            record = replace(record, sex=self.sex)
        if self.partial:
            from ecg_llm.quality import readable_part

            record = readable_part(record)
        return record


def reading(
    age: float | None = None,
    sex: PatientSex | None = None,
    fs: float | None = None,
    unit: str | None = None,
    leads: str | None = None,
    partial: bool = False,
) -> Reading:
    """Gather the options of one command; lead names are joined by commas."""
    names = tuple(name.strip() for name in leads.split(",")) if leads is not None else None
    if names is not None and not all(names):
        raise ConfigError(f"--leads {leads!r}: a name is empty; write them as I,II,V1.")
    return Reading(age_years=age, sex=sex, fs=fs, unit=unit, leads=names, partial=partial)

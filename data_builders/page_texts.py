"""What is written around the tracings: people and places that do not exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ecg_llm.record import ECGRecord

_SURNAMES = (
    "SAMPLE", "EXAMPLE", "TESTCASE", "SPECIMEN", "PLACEHOLDER", "FICTION", "NOBODY", "DEMOPERSON",
    "MUSTER", "FULANO", "MADEUP", "SIMULATED",
)  # fmt: skip
_GIVEN = ("Avery", "Robin", "Kim", "Alex", "Sasha", "Noor", "Jordan", "Ari", "Toni", "Mika")
_PLACES = (
    "Example General Hospital", "Sample Clinic", "Demo Heart Centre", "Testville Emergency Dept",
    "Fictional University Hospital", "Placeholder Ward 3", "Specimen Family Practice",
)  # fmt: skip
_DEVICES = ("DEMO-12 v3.4", "ECG-SAMPLE 1.08", "SPECIMEN 9 rev B", "TESTCARD 300", "CID: 00")
_FILTERS = (
    "0.05-150 Hz", "0.05 - 40 Hz", "0.5-40 Hz  AC 50", "~ 0.15-100 Hz", "0.67-100Hz AC60",
    "F 50~ 0.5-150 Hz W", "60~ 0.05 - 150 Hz", "40Hz",
)  # fmt: skip
_REMARKS = (
    "Unconfirmed", "Unconfirmed Diagnosis", "Not reviewed", "Reviewed by: ____________",
    "Confirmed by: ____________", "Referred by:", "Rest ECG", "12-lead resting ECG",
)  # fmt: skip


@dataclass(frozen=True)
class Texts:
    """Header by column and line; footer from left to right."""

    header: tuple[tuple[str, ...], ...]
    footer: tuple[str, ...]


def draw_texts(
    record: ECGRecord,
    rng: np.random.Generator,
    *,
    speed: float,
    gain: float,
    values: Mapping[str, float | None],
) -> Texts:
    """Write a header and a footer.

    Parameters
    ----------
    record : ECGRecord
        Its age and sex are printed if it tells them, nothing else of it.
    speed : float, mm/s
        Paper speed.
    gain : float, mm/mV
        Printed only if the record tells its gain.
    """
    person = _person(record, rng)
    place = [str(rng.choice(_PLACES)), str(rng.choice(_REMARKS))]
    place.append(f"Tech: {rng.choice(_GIVEN)} {rng.choice(_SURNAMES).title()[0]}. (demo)")
    told = measurement_lines(values)
    columns = [person]
    if told and rng.random() < 0.75:
        columns.append(told)
    if rng.random() < 0.8:
        columns.append(place)
    speed_text = f"{speed:g}{rng.choice([' mm/s', 'mm/s', ' mm/sec'])}"
    gain_text = f"{gain:g}{rng.choice([' mm/mV', 'mm/mV'])}"
    if rng.random() < 0.3:
        speed_text, gain_text = f"Speed: {speed_text}", f"Limb: {gain_text}  Chest: {gain_text}"
    footer = [speed_text]
    if record.calibrated:
        footer.append(gain_text)
    footer += [str(rng.choice(_FILTERS)), str(rng.choice(_DEVICES))]
    if rng.random() < 0.2:
        footer = footer[-1:] + footer[:-1]
    return Texts(tuple(tuple(column) for column in columns), tuple(footer))


def measurement_lines(values: Mapping[str, float | None]) -> list[str]:
    """Write measured values as devices do; what is unknown is left out.

    Parameters
    ----------
    values : mapping of str to float
        By the names of the columns of a built set.

    Examples
    --------
    >>> measurement_lines({"heart_rate_bpm": 71.6, "qt_ms": 398.0, "qtc_fridericia_ms": None})
    ['Vent. rate  72 bpm', 'QT  398 ms']
    """

    def told(name: str) -> str | None:
        value = values.get(name)
        return None if value is None or not np.isfinite(value) else f"{value:.0f}"

    lines = []
    for title, name, unit in (
        ("Vent. rate", "heart_rate_bpm", "bpm"),
        ("PR interval", "pr_ms", "ms"),
        ("QRS duration", "qrs_ms", "ms"),
    ):
        if (text := told(name)) is not None:
            lines.append(f"{title}  {text} {unit}")
    qt, qtc = told("qt_ms"), told("qtc_fridericia_ms")
    if qt is not None:
        lines.append(f"QT/QTcF  {qt}/{qtc} ms" if qtc is not None else f"QT  {qt} ms")
    axes = [told(f"{wave}_axis_deg") for wave in ("p", "qrs", "t")]
    if any(axis is not None for axis in axes):
        lines.append("P-R-T axes  " + "  ".join(axis or "*" for axis in axes))
    return lines


def _person(record: ECGRecord, rng: np.random.Generator) -> list[str]:
    """Write who this is not."""
    name = f"{rng.choice(_SURNAMES)}, {rng.choice(_GIVEN)}"
    date = f"{rng.integers(1, 29):02d}-{rng.choice(['JAN', 'MAR', 'MAY', 'JUL', 'OCT', 'DEC'])}-"
    date += f"{rng.integers(1998, 2031)}"
    time = f"{rng.integers(0, 24):02d}:{rng.integers(0, 60):02d}:{rng.integers(0, 60):02d}"
    lines = [name, f"ID: TEST-{rng.integers(0, 10**6):06d}", f"{date}  {time}"]
    about = []
    if record.age_years is not None and np.isfinite(record.age_years):
        about.append(f"{record.age_years:.0f} yr")
    if record.sex is not None:
        about.append(record.sex.capitalize())
    if about:
        lines.append("  ".join(about))
    if rng.random() < 0.4:
        lines = ["  ".join(lines[:2]), "  ".join(lines[2:])]
    return lines

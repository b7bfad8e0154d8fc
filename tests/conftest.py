"""What tests share: how long hypothesis searches, and one real record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from ecg_llm.analysis import Analysis
    from ecg_llm.ground.known import Known
    from ecg_llm.record import ECGRecord

_SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

settings.register_profile(
    "ci", max_examples=1000, deadline=None, derandomize=True, suppress_health_check=_SLOW_IS_FINE
)
settings.register_profile(
    "fuzz",
    max_examples=20_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=_SLOW_IS_FINE,
)
settings.load_profile("ci")


def _write_ludb(folder: Path, number: int, bpm: float) -> None:
    """Write a simulated record in LUDB's layout, with its true marks."""
    import wfdb

    from ecg_llm.data_builders.synthetic import synthetic_ecg
    from ecg_llm.leads import STANDARD_12

    ecg = synthetic_ecg(bpm=bpm, seed=number)
    data = folder / "data"
    data.mkdir(exist_ok=True)
    wfdb.wrsamp(
        str(number),
        fs=500,
        units=["mV"] * 12,
        sig_name=[lead.lower() for lead in STANDARD_12],
        p_signal=ecg.record.signal.T.astype(float),
        fmt=["16"] * 12,
        adc_gain=[1000.0] * 12,
        baseline=[0] * 12,
        write_dir=str(data),
    )
    for k, lead in enumerate(STANDARD_12):
        marks = []
        for beat in ecg.truth.delineation.times_s[k]:
            for first, symbol in ((0, "p"), (3, "N"), (6, "t")):
                if np.isfinite(beat[first : first + 3]).all():
                    times = beat[first : first + 3] * 500
                    marks += list(zip(times.round().astype(int), ("(", symbol, ")"), strict=True))
        samples, symbols = zip(*sorted(marks, key=lambda mark: mark[0]), strict=True)
        wfdb.wrann(str(number), "atr", np.array(samples), list(symbols), write_dir=str(data))
        (data / f"{number}.atr").rename(data / f"{number}.{lead.lower()}")


def _write_wfdb(folder: Path, name: str, record: ECGRecord, comments: Sequence[str] = ()) -> None:
    import wfdb

    wfdb.wrsamp(
        name,
        fs=round(record.fs),
        units=["mV"] * len(record.leads),
        sig_name=list(record.leads),
        p_signal=record.signal.T.astype(float),
        fmt=["16"] * len(record.leads),
        write_dir=str(folder),
        comments=list(comments),
    )


def _write_ptbxl(folder: Path, records: Iterable[tuple[ECGRecord, str, object]]) -> Path:
    rows = ["ecg_id,age,sex,scp_codes,strat_fold,filename_lr,filename_hr"]
    for k, (record, codes, fold) in enumerate(records):
        _write_wfdb(folder, f"{k}_lr", record)
        rows.append(f'{k},55.0,{k % 2},"{codes}",{fold},{k}_lr,')
    (folder / "ptbxl_database.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def write_wfdb() -> Callable[..., None]:
    """Give the function that writes ``(folder, name, record, comments)`` as WFDB."""
    return _write_wfdb


@pytest.fixture(scope="session")
def write_ptbxl() -> Callable[..., Path]:
    """Give the function that writes ``(folder, [(record at 100 Hz, scp_codes, fold), …])``."""
    return _write_ptbxl


@pytest.fixture
def write_ludb() -> Callable[[Path, int, float], None]:
    """Give the function that writes ``(folder, number, bpm)`` in LUDB's layout."""
    return _write_ludb


@pytest.fixture(scope="session")
def found() -> Analysis:
    """Analyse one real record."""
    from ecg_llm.analysis import analyse
    from ecg_llm.io import read_record

    return analyse(read_record("examples/00001_hr.hea"))


@pytest.fixture(scope="session")
def known(found: Analysis) -> Known:
    """Give what is known of it."""
    from ecg_llm.ground.known import known_of

    return known_of(found)

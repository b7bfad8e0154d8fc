"""The waves of a tracing that was read from a page, column by column.

On a page the leads follow each other: most show two and a half seconds of their own. What is
measured here serves criteria alone (`ecg_llm.page_criteria`): a line of ink is too coarse for
values that anybody should read.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ecg_llm.beats import BeatClass
from ecg_llm.delineate import FIDUCIALS, Delineation, delineate
from ecg_llm.measure import Measurements, measure, no_beats
from ecg_llm.quality import Quality
from ecg_llm.record import ECGRecord

_SAME_EDGE_S = 0.6
"""Leads whose tracings begin or end so close together stand in one column."""
_SHORTEST_S = 0.8
"""Nothing is read from a shorter stretch."""
_FILLED = 0.7
"""Share of a column that a lead must fill to be read with it."""


class Column(NamedTuple):
    """A stretch of time, and the leads that the page shows of it."""

    from_s: float
    to_s: float
    leads: tuple[str, ...]


def columns(record: ECGRecord) -> tuple[Column, ...]:
    """Tell what the page shows when.

    Parameters
    ----------
    record : ECGRecord
        Read from a page: NaN where a lead is not drawn.

    Returns
    -------
    tuple of Column
        In order of time; a rhythm strip is part of each.
    """
    spans = {}
    for lead, row in zip(record.leads, record.signal, strict=True):
        drawn = np.flatnonzero(np.isfinite(row))
        if len(drawn):
            spans[lead] = (drawn[0] / record.fs, (drawn[-1] + 1) / record.fs)
    edges: list[float] = []
    for edge in sorted(at for span in spans.values() for at in span):
        if not edges or edge - edges[-1] > _SAME_EDGE_S:
            edges.append(float(edge))
    found = []
    for start, stop in itertools.pairwise(edges):
        least = _FILLED * (stop - start)
        leads = tuple(
            lead
            for lead, (first, last) in spans.items()
            if min(last, stop) - max(first, start) > least
        )
        if leads and stop - start > _SHORTEST_S:
            found.append(Column(start, stop, leads))
    return tuple(found)


def trace(record: ECGRecord, quality: Quality, shown: Sequence[Column]) -> Measurements:
    """Measure what was read from a page, for criteria.

    Parameters
    ----------
    record : ECGRecord
        Read from a page.
    quality : Quality
        Its technical quality.
    shown : sequence of Column
        What it shows when.

    Returns
    -------
    Measurements
        Beats of all columns, each taken for one of the usual kind; a lead's values are those of
        its median beat.
    """
    delineation = _delineate(record, shown)
    recorded = replace(record, origin="recording")
    usual: BeatClass = "normal"
    return measure(recorded, quality, delineation, (usual,) * delineation.n_beats)


def _delineate(record: ECGRecord, shown: Sequence[Column]) -> Delineation:
    """Read each column by itself and put the columns one behind the other."""
    parts = []
    for column in shown:
        seen = record.select(column.leads).segment(column.from_s, column.to_s)
        parts.append((round(column.from_s * record.fs) / record.fs, delineate(seen)))
    n_beats = sum(part.n_beats for _, part in parts)
    if not n_beats:
        return no_beats()
    times_s = np.full((len(record.leads), n_beats, len(FIDUCIALS)), np.nan)
    first = 0
    for start_s, part in parts:
        rows = [record.leads.index(lead) for lead in part.leads]
        times_s[rows, first : first + part.n_beats] = part.times_s + start_s
        first += part.n_beats
    return Delineation(
        leads=record.leads,
        r_s=np.concatenate([part.r_s + start_s for start_s, part in parts]),
        times_s=times_s,
        global_s=np.concatenate([part.global_s + start_s for start_s, part in parts]),
        p_waves_s=np.concatenate([part.p_waves_s + start_s for start_s, part in parts]),
        p_confidence=np.concatenate([part.p_confidence for _, part in parts]),
    )

"""From a page example to a row of a built set of images, and back."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

import ecg_llm
from ecg_llm.data_builders.page_geometry import LeadTrace, PageExample, PageGeometry, Points
from ecg_llm.data_builders.page_settings import PageSettings
from ecg_llm.data_builders.photo_settings import PhotoSettings
from ecg_llm.data_builders.photograph import encode_image
from ecg_llm.data_builders.samples import GAP
from ecg_llm.data_builders.schema import Column, described

IMAGE_SCHEMA_VERSION = 1
BUILDER = f"ecg_llm {ecg_llm.__version__}, images {IMAGE_SCHEMA_VERSION}"
STEPS_PER_PX = 8.0
"""Places of samples are kept in eighths of a pixel: 0.0625 px off at most, up to 4095 px away."""
PACKED = tuple(f"traces.list.element.{name}.list.element" for name in ("x", "y"))

_TRACE = pa.struct([
    ("lead", pa.string()), ("label", pa.string()), ("strip", pa.bool_()), ("shown", pa.bool_()),
    ("inverted", pa.bool_()), ("first", pa.int32()), ("step", pa.int32()),
    ("from_s", pa.float64()), ("to_s", pa.float64()), ("mm_per_mv", pa.float64()),
    ("offset_mv", pa.float64()), ("polygon", pa.list_(pa.float32())),
    ("x", pa.list_(pa.int16())), ("y", pa.list_(pa.int16())),
])  # fmt: skip

_COLUMNS: tuple[Column, ...] = (
    ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]), "PNG, JPEG or WebP."),
    ("record", pa.string(), "Name of the record that is shown."),
    ("page", pa.int32(), "Counts the images of a record from 0."),
    ("dataset", pa.string(), "Where the record comes from."),
    ("patient", pa.string(), "Pseudonym as in the source; null if the source gives none."),
    ("split", pa.string(), "train, val or test; all images of a patient are in one."),
    ("kind", pa.string(), "clean, camera, screen, scan or fax."),
    ("width", pa.int32(), "Pixels."),
    ("height", pa.int32(), "Pixels."),
    ("leads", pa.list_(pa.string()), "Leads of which something is to be seen, each once."),
    ("layout", pa.string(), "3x4, 3x4+1, 3x4+3, 6x2, 12x1, or rows: one a lead."),
    ("paper", pa.string(), "Kind of paper."),
    ("speed_mm_s", pa.float64(), "Paper speed."),
    ("gain_mm_mv", pa.float64(), "Height of a millivolt; null if the record does not tell it."),
    ("fs", pa.float64(), "Samples a second of the record."),
    ("traces", pa.list_(_TRACE), "By cell: whose lead, printed label, times, outline (x, y, …), "
     "and the places x, y of the samples first, first + step, … in 1/8 pixel; -32768: none."),
    ("pulses", pa.list_(pa.list_(pa.float32())), "Outlines (x, y, …) of the 1 mV pulses."),
    ("grid", pa.list_(pa.float32()), "Crossings 5 mm apart (x, y, …), row by row; NaN: outside."),
    ("grid_columns", pa.int32(), "Crossings in a row."),
    ("grid_drawn", pa.bool_(), "Whether a grid is printed."),
    ("homography", pa.list_(pa.float64()), "3 x 3, from mm on the page to pixels."),
    ("flat", pa.bool_(), "Whether the homography is exact; else the paper is bent besides."),
    ("settings", pa.string(), "JSON: page and photo (null for a clean page); they give the same "
     "bytes again."),
    ("seed", pa.int64(), "Of this image."),
    ("licence", pa.string(), "SPDX identifier of the source; null if it does not tell."),
    ("source_file", pa.string(), "Path below the folder of the source, or of the shard."),
    ("sha256", pa.string(), "Of the record, as the source gives it."),
    ("builder", pa.string(), "Program and version that made the row."),
)  # fmt: skip


@functools.cache
def image_schema() -> pa.Schema:
    """Give the schema of a built set of images, whose metadata let `datasets` decode ``image``."""
    features = {"info": {"features": {"image": {"_type": "Image"}}}}
    about = {"schema": f"ecg_llm images {IMAGE_SCHEMA_VERSION}"}
    return described(_COLUMNS, about | {"huggingface": json.dumps(features)})


def packed_image(
    example: PageExample, settings: PageSettings, photo: PhotoSettings | None
) -> bytes:
    """Encode an image as its settings say, a photograph as JPEG of its quality."""
    if photo is not None:
        return encode_image(example.image, "jpeg", photo.quality)
    return encode_image(example.image, settings.encoding, settings.quality, settings.dpi)


def image_columns(
    example: PageExample, settings: PageSettings, photo: PhotoSettings | None
) -> dict[str, Any]:
    """Give the columns that tell what an image shows and where, without those of the record."""
    geometry = example.geometry
    shown = dict.fromkeys(trace.lead for trace in geometry.traces if trace.shown)
    document = {"page": asdict(settings), "photo": asdict(photo) if photo else None}
    return {
        "image": {"bytes": packed_image(example, settings, photo), "path": None},
        "kind": photo.mode if photo else "clean",
        "width": geometry.width,
        "height": geometry.height,
        "leads": list(shown),
        "layout": settings.layout,
        "paper": settings.paper.name,
        "speed_mm_s": settings.speed_mm_s,
        "traces": [_trace_row(trace) for trace in geometry.traces],
        "pulses": [_flat(pulse) for pulse in geometry.pulses],
        "grid": _flat(geometry.grid),
        "grid_columns": geometry.grid.shape[1],
        "grid_drawn": geometry.grid_drawn,
        "homography": geometry.homography.ravel().tolist(),
        "flat": geometry.flat,
        "settings": json.dumps(document, ensure_ascii=False, separators=(",", ":")),
        "builder": BUILDER,
    }


def geometry_of(row: Mapping[str, Any]) -> PageGeometry:
    """Read the geometry of a row.

    Parameters
    ----------
    row : mapping
        As `ecg_llm.data_builders.shards.read_shards` or `datasets` give it.

    Returns
    -------
    PageGeometry
        Samples to 1/16 pixel.
    """
    grid = _points(row["grid"])
    return PageGeometry(
        width=row["width"],
        height=row["height"],
        traces=tuple(_trace_of(trace) for trace in row["traces"]),
        pulses=tuple(_points(pulse) for pulse in row["pulses"]),
        grid=grid.reshape(-1, row["grid_columns"], 2),
        grid_drawn=row["grid_drawn"],
        speed_mm_s=row["speed_mm_s"],
        homography=np.array(row["homography"]).reshape(3, 3),
        flat=row["flat"],
    )


def settings_of(row: Mapping[str, Any]) -> tuple[PageSettings, PhotoSettings | None]:
    """Read the settings of a row.

    Parameters
    ----------
    row : mapping
        With ``settings``.

    Returns
    -------
    tuple of PageSettings and PhotoSettings or None

    Raises
    ------
    ConfigError
        If they are no settings.
    """
    document = json.loads(row["settings"])
    photo = document["photo"]
    return (
        PageSettings.from_dict(document["page"]),
        None if photo is None else PhotoSettings.from_dict(photo),
    )


def _trace_row(trace: LeadTrace) -> dict[str, Any]:
    steps = np.rint(trace.points * STEPS_PER_PX)
    steps[~(np.abs(steps) < -GAP).all(axis=1)] = GAP
    steps = steps.astype(np.int16)
    return {
        "lead": trace.lead,
        "label": trace.label,
        "strip": trace.strip,
        "shown": trace.shown,
        "inverted": trace.inverted,
        "first": trace.first,
        "step": trace.step,
        "from_s": trace.from_s,
        "to_s": trace.to_s,
        "mm_per_mv": trace.mm_per_mv,
        "offset_mv": trace.offset_mv,
        "polygon": _flat(trace.polygon),
        "x": steps[:, 0],
        "y": steps[:, 1],
    }


def _trace_of(row: Mapping[str, Any]) -> LeadTrace:
    steps = np.stack([np.array(row["x"], np.float64), np.array(row["y"], np.float64)], axis=1)
    points = steps / STEPS_PER_PX
    points[(steps == GAP).any(axis=1)] = np.nan
    rest = {name: row[name] for name in _TRACE.names if name not in ("x", "y", "polygon")}
    return LeadTrace(points=points, polygon=_points(row["polygon"]), **rest)


def _flat(points: Points) -> npt.NDArray[np.float32]:
    return points.astype(np.float32).ravel()


def _points(flat: Any) -> Points:
    points: Points = np.asarray(flat, np.float64).reshape(-1, 2)
    return points

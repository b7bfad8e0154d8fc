"""Pages to train the page net on: images as they come, with the exact place of what is on them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_llm.data_builders.page_geometry import PageExample, Points
from ecg_llm.data_builders.page_images import label_at, render_page
from ecg_llm.data_builders.page_settings import MIN_PAGE_DPI, PageSettings, draw_settings
from ecg_llm.data_builders.photo_settings import PhotoSettings, draw_photo
from ecg_llm.data_builders.photo_warp import Warp, warp_of
from ecg_llm.data_builders.photograph import decode_image, encode_image, photograph_as
from ecg_llm.page.net import LABELS, LONG_PX
from ecg_llm.page.pulse import USUAL_GAIN
from ecg_llm.page.read import USUAL_SPEED
from ecg_llm.record import ECGRecord
from ecg_llm.render.raster import MM_PER_INCH, Image
from ecg_llm.render.scene import text_mm

PHOTO_SHARE = 0.55
"""Of the pages: photographed, scanned or faxed."""
FOREIGN_SHARE = 0.35
"""Of the pages: drawn with lines, letters and sheets beyond those of the set builder."""
SMALL_SHARE = 0.25
"""Of the pages: drawn with few pixels and enlarged."""
HARD_SHARE = 0.35
"""Of the pages: drawn until one of twelve rows, of fast paper or of another gain comes."""
_HARD_TRIES = 8
_APART = 1_000_003
"""Between the seeds of one page's tries."""
NO_PAGE_SHARE = 0.03
"""Of the examples: images without an ECG."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PageTruth:
    """One image and where everything lies on it, in its pixels.

    Attributes
    ----------
    image : np.ndarray, shape (height, width, 3), uint8
        Its long side is about `LONG_PX`.
    trace : np.ndarray, shape (n, 2)
        Tracings, point by point; a row of NaN ends each piece.
    base : np.ndarray, shape (n, 2)
        For every point of ``trace`` the point of the same time on the lead's baseline.
    labels : np.ndarray, shape (m, 2)
        Centres of the printed names of leads.
    label_ids : np.ndarray, shape (m,)
        Their place in `LABELS`.
    starts, ends : np.ndarray, shape (k, 2)
        Where the baseline of each cell begins and ends.
    pulses : np.ndarray, shape (p, q, 2)
        Outlines of the calibration pulses.
    grid : np.ndarray, shape (rows, columns, 2)
        Crossings of the large squares.
    """

    image: Image
    trace: Points
    base: Points
    labels: Points
    label_ids: npt.NDArray[np.int64]
    starts: Points
    ends: Points
    pulses: Points
    grid: Points


def page_truth(record: ECGRecord, seed: int) -> PageTruth:
    """Draw one training page of a record."""
    rng = np.random.default_rng([seed, 0x7A6E])
    if rng.random() < NO_PAGE_SHARE:
        return _no_page(rng)
    small = rng.random() < SMALL_SHARE
    size = int(rng.uniform(640, 1000) if small else rng.uniform(1150, 1600))
    hard = rng.random() < HARD_SHARE
    settings = _settings(record, seed, size, hard)
    if rng.random() < FOREIGN_SHARE:
        settings = _foreign(settings, rng)
    page = render_page(record, settings)
    if rng.random() >= PHOTO_SHARE:
        packed = encode_image(page.image, settings.encoding, settings.quality)
        return _scaled(_truth(record, settings, page, None), decode_image(packed), rng)
    height, width = page.image.shape[:2]
    photo = draw_photo(seed, long_px=max(width, height), page_aspect=width / height)
    taken = photograph_as(page, photo)
    packed = encode_image(taken.image, "jpeg", photo.quality)
    return _scaled(_truth(record, settings, page, photo, taken), decode_image(packed), rng)


def _settings(record: ECGRecord, seed: int, size_px: int, hard: bool) -> PageSettings:
    """Draw how the record is printed, again and again if it is to be hard to read."""
    settings = draw_settings(record, seed, size_px=size_px)
    for again in range(1, _HARD_TRIES if hard else 1):
        usual = settings.speed_mm_s == USUAL_SPEED and settings.gain_mm_mv == USUAL_GAIN
        if not usual or settings.layout == "12x1":
            break
        settings = draw_settings(record, seed + again * _APART, size_px=size_px)
    return settings


def save_truth(truth: PageTruth, path: Path) -> None:
    """Write an example."""
    arrays = {f.name: getattr(truth, f.name) for f in fields(truth) if f.name != "image"}
    arrays = {k: v if v.dtype == np.int64 else v.astype(np.float32) for k, v in arrays.items()}
    packed = np.frombuffer(encode_image(truth.image, "jpeg", 95), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, image=packed, **arrays)
    part = path.with_suffix(".part")
    part.write_bytes(buffer.getvalue())
    part.replace(path)


def load_truth(path: Path) -> PageTruth:
    """Read what `save_truth` wrote."""
    with np.load(path) as stored:
        values = {name: stored[name] for name in stored.files}
    values["image"] = decode_image(values["image"].tobytes())
    return PageTruth(**values)


def _foreign(settings: PageSettings, rng: np.random.Generator) -> PageSettings:
    """Go beyond what the set builder prints: other software's lines, letters and sheets."""
    paper = settings.paper
    ink = paper.ink
    if rng.random() < 0.25:
        ink = "#" + "".join(f"{c:02x}" for c in rng.integers(0, 130, 3).tolist())
    if rng.random() < 0.3:
        shades = rng.integers(150, 250, 2)
        hue = rng.uniform(0.75, 1.0, 3)
        small, large = (
            "#" + "".join(f"{int(min(c, 255)):02x}" for c in (hue * shade).tolist())
            for shade in sorted(shades.tolist(), reverse=True)
        )
        paper = replace(paper, paper="#ffffff", small_line=small, large_line=large)
    paper = replace(paper, ink=ink, trace_mm=round(float(rng.uniform(0.1, 0.65)), 3))
    n_rows = len(settings.rows) + len(settings.strips)
    grow = rng.uniform(0.85, 1.3)
    low = n_rows * 12 + 2 * settings.margin_mm + settings.header_mm + settings.footer_mm
    height = max(settings.height_mm * rng.uniform(0.7, 1.2), low)
    strips = settings.strips
    if not strips and len(settings.rows) > 3 and rng.random() < 0.3:
        strips = ("II",)
    label = settings.label if rng.random() < 0.5 else "above"
    width = settings.width_mm * float(grow)
    least = max(width, height) / MM_PER_INCH * (MIN_PAGE_DPI + 2)
    return replace(
        settings,
        long_px=max(settings.long_px, int(least)),
        paper=paper,
        strips=strips,
        label=label,
        width_mm=round(width, 1),
        height_mm=round(float(height), 1),
        label_mm=round(float(rng.uniform(1.8, 4.6)), 2),
        label_dy_mm=round(float(rng.uniform(1.5, 14)), 2) if label == "above" else -3.0,
        label_bold=bool(rng.random() < 0.3),
        header=settings.header if rng.random() < 0.5 else (),
    )


def _truth(
    record: ECGRecord,
    settings: PageSettings,
    page: PageExample,
    photo: PhotoSettings | None,
    taken: PageExample | None = None,
) -> PageTruth:
    """Collect the places of everything in the pixels of the final image."""
    plan = settings.page_layout().place(record)
    k = settings.dpi / MM_PER_INCH
    size = (page.image.shape[1], page.image.shape[0])
    warp = None if photo is None else warp_of(photo, size)
    final = page if taken is None else taken
    trace, base, labels, ids, starts, ends = [], [], [], [], [], []
    for place, drawn, cell in zip(
        plan.places, page.geometry.traces, final.geometry.traces, strict=True
    ):
        if not cell.shown:
            continue
        level = np.full(len(drawn.points), place.baseline_y * k - 0.5)
        trace += [cell.points, np.full((1, 2), np.nan)]
        base += [_moved(np.stack([drawn.points[:, 0], level], 1), warp), np.full((1, 2), np.nan)]
        there = np.flatnonzero(np.isfinite(drawn.points[:, 1]))
        starts.append([drawn.points[there[0], 0], level[0]])
        ends.append([drawn.points[there[-1], 0], level[0]])
        x, y = label_at(plan, place, settings)
        half = text_mm(cell.label, settings.label_mm, settings.label_bold) / 2
        labels.append([(x + half) * k - 0.5, (y - settings.label_mm * 0.36) * k - 0.5])
        ids.append(LABELS.index(_plain(cell.label)))
    pulses = np.array(final.geometry.pulses or np.empty((0, 32, 2)), np.float64)
    return PageTruth(
        image=final.image,
        trace=np.concatenate(trace) if trace else np.empty((0, 2)),
        base=np.concatenate(base) if base else np.empty((0, 2)),
        labels=_moved(np.array(labels, np.float64).reshape(-1, 2), warp),
        label_ids=np.array(ids, np.int64),
        starts=_moved(np.array(starts, np.float64).reshape(-1, 2), warp),
        ends=_moved(np.array(ends, np.float64).reshape(-1, 2), warp),
        pulses=pulses,
        grid=final.geometry.grid,
    )


def _plain(label: str) -> str:
    """Give a printed name as it stands in `LABELS`, whatever its letters' case."""
    by_upper = {name.upper(): name for name in LABELS}
    return by_upper[label.upper()]


def _moved(points: Points, warp: Warp | None) -> Points:
    return points if warp is None else warp.forward(points)


def _scaled(truth: PageTruth, image: Image, rng: np.random.Generator) -> PageTruth:
    """Bring an example to the size at which the net works, with some spread."""
    import cv2

    height, width = image.shape[:2]
    factor = LONG_PX * float(rng.uniform(0.9, 1.12)) / max(height, width)
    size = (round(width * factor), round(height * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scale = np.array([size[0] / width, size[1] / height])
    moved = {
        f.name: (getattr(truth, f.name) + 0.5) * scale - 0.5
        for f in fields(truth)
        if f.name not in ("image", "label_ids")
    }
    resized = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
    return replace(truth, image=resized, **moved)


def _no_page(rng: np.random.Generator) -> PageTruth:
    """Make an image without an ECG: a page of text, or ruled and shaded paper."""
    import cv2

    height, width = LONG_PX * 3 // 4, LONG_PX
    left, right = rng.uniform(120, 255, 2).tolist()
    shade = np.linspace(left, right, width)[None, :, None]
    image = np.broadcast_to(shade, (height, width, 3)).copy()
    image += rng.normal(0, rng.uniform(0, 12), image.shape)
    image = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        pitch = int(rng.integers(8, 60))
        colour = rng.integers(90, 240, 3).tolist()
        image[::pitch] = colour
        image[:, ::pitch] = colour
    letters = "abcdefghiklmnoprstuv ABCDEFVI 0123456789 "
    size = float(rng.uniform(0.4, 1.4))
    for y in range(40, height - 20, int(30 * size) + 6):
        text = "".join(letters[i] for i in rng.integers(0, len(letters), int(rng.integers(5, 90))))
        cv2.putText(image, text, (int(rng.integers(10, 90)), y), int(rng.integers(0, 8)), size,
                    (30, 30, 30), int(rng.integers(1, 3)), cv2.LINE_AA)  # fmt: skip
    none = np.empty((0, 2))
    return PageTruth(
        image=image, trace=none, base=none, labels=none, label_ids=np.empty(0, np.int64),
        starts=none, ends=none, pulses=np.empty((0, 32, 2)), grid=np.empty((0, 0, 2)),
    )  # fmt: skip


def records_of(data: Path, folds: Sequence[int], simulated: int, seed: int) -> list[ECGRecord]:
    """Gather the records whose pages are drawn.

    Parameters
    ----------
    simulated : int
        How many simulated records are added.
    """
    from ecg_llm.data_builders.synthetic import generate
    from ecg_llm.eval.ptbxl_rows import ptbxl_rows
    from ecg_llm.io import read_record

    rows = ptbxl_rows(data, tuple(folds))
    real = [read_record(data / f"{row['filename_lr']}.hea") for row in rows]
    return real + [ecg.record for ecg in generate(simulated, seed, rare=0.5)]

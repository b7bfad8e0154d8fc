"""What a reader process does with a file: read, judge, measure; draw pages and documents."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ecg_llm.documents import document
from ecg_llm.errors import ConfigError, ECGError, RecordError
from ecg_llm.stages import clocked, stage

if TYPE_CHECKING:
    from ecg_llm.assistant import Analysis
    from ecg_llm.record import ECGRecord
    from ecg_llm.report import Report
    from ecg_llm.serving.recording import ReadingFields, Upload
    from ecg_llm.serving.settings import Settings

PAGE_PX = 1800
"""Long side of a page that is shown to a person."""


def analyse_file(
    upload: Upload, told: ReadingFields, bounds: Settings, earlier: bool = False
) -> tuple[Analysis, dict[str, float]]:
    """Read a file, judge its quality, measure it, apply the criteria; and tell the ms of each step.

    An earlier ECG has an age of its own, and a sex of its own, which tells a mix-up.
    """
    from ecg_llm.analysis import analyse

    with clocked() as stages_ms:
        with stage("read"):
            record = _read(upload, told, bounds, earlier)
        analysis = analyse(record)
    return analysis, stages_ms


def _read(upload: Upload, told: ReadingFields, bounds: Settings, earlier: bool) -> ECGRecord:
    """Read a file within its bounds, and put what the client says over what it says."""
    from ecg_llm.io import read_bytes
    from ecg_llm.quality import readable_part

    _check_size(upload, bounds)
    record = read_bytes(upload.data, upload.filename, fs=told.fs, unit=told.unit, leads=told.names)
    if record.duration_s > bounds.max_duration_s:
        raise RecordError(
            f"{record.source}: {record.duration_s:.0f} s long; at most "
            f"{bounds.max_duration_s:.0f} s are taken in. Cut out the stretch to be judged."
        )
    if told.age is not None and not earlier:
        record = replace(record, age_years=told.age)
    if told.sex is not None and not (earlier and record.sex):
        record = replace(record, sex=told.sex)
    return readable_part(record) if told.partial else record


def classify_record(record: ECGRecord, task: str, words: str | None, head: bool) -> dict[str, Any]:
    """Score an acceptable record for a benchmark's classes, or for ``words`` joined by commas."""
    from ecg_llm.classify import check_head, classify
    from ecg_llm.zero_shot import MAX_LABELS, Labels

    asked = (words or "").split(",")
    try:
        labels = Labels.of_texts(asked) if task == "words" else Labels.of_task(task)
        if head:
            check_head(labels)
    except ConfigError:
        if task != "words":
            raise
        # It names the labels, which are the client's words.
        known = ", each of PTB-XL, as head knows no others" if head else ""
        raise ConfigError(
            f"labels: 1 to {MAX_LABELS} statements are needed, none empty, too long or twice"
            f"{known}."
        ) from None
    return classify([record], labels, head=head)[0].scores


def draw_tracing(report: Report, record: ECGRecord, kind: str, dpi: float, from_s: float) -> bytes:
    """Draw the page that goes with a report, its evidence marked.

    A negative ``from_s`` begins it with the stretch that matters most.
    """
    from ecg_llm.render.page import page_scene
    from ecg_llm.render.tracing import lead_notes, number_evidence, page_layout

    layout = page_layout(report, record)
    if from_s >= 0:
        layout = replace(layout, from_s=from_s)
    index = number_evidence(report)
    marks = (*index.shown, *index.quiet) if kind == "svg" else index.shown
    scene, _ = page_scene(record, layout=layout, marks=marks, lead_notes=lead_notes(report))
    if kind == "svg":
        from ecg_llm.render.svg import to_svg

        return to_svg(scene).encode()
    from ecg_llm.render.raster import encode_png, rasterise

    return encode_png(rasterise(scene, dpi), dpi)


def page_image(upload: Upload, bounds: Settings) -> bytes:
    """Give the page that an ECG is read from, upright, as JPEG of `PAGE_PX` at most."""
    import PIL.Image

    from ecg_llm.page.decode import decode, is_image

    if not is_image(upload.data[:64]):
        raise RecordError(f"{upload.filename}: a recording, not the image of a page.")
    _check_size(upload, bounds)
    image = PIL.Image.fromarray(decode(upload.data, upload.filename))
    image.thumbnail((PAGE_PX, PAGE_PX))
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=85)
    return packed.getvalue()


TASKS: dict[str, Callable[..., Any]] = {
    "analyse": analyse_file,
    "classify": classify_record,
    "render": document,
    "draw": draw_tracing,
    "page": page_image,
}
"""What a reader process can be asked to do."""


def warm_up(settings: Settings) -> None:
    """Load libraries and nets, so that no request waits for them and limits count from there."""
    import PIL.Image

    from ecg_llm.analysis import analyse
    from ecg_llm.data_builders.synthetic import synthetic_ecg
    from ecg_llm.io import read_bytes

    PIL.Image.MAX_IMAGE_PIXELS = settings.max_pixels // 2  # Pillow refuses from twice this on
    analyse(synthetic_ecg(bpm=70, seed=1).record)
    with contextlib.suppress(ECGError):  # what tells the formats apart
        read_bytes(b"no ECG", "warm.csv")


def _check_size(upload: Upload, bounds: Settings) -> None:
    """Refuse what says of itself that it is too large, before it is unpacked."""
    if upload.data.startswith(b"PK"):
        try:
            with zipfile.ZipFile(io.BytesIO(upload.data)) as archive:
                total = sum(info.file_size for info in archive.infolist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return  # the reader says what is wrong with it
        if total > bounds.max_unpacked_bytes:
            raise RecordError(
                f"{upload.filename}: an archive of {total / 2**20:.0f} MB unpacked; at most "
                f"{bounds.max_unpacked_bytes / 2**20:.0f} MB are taken in. Send one record only."
            )
        return
    if upload.data.startswith((b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"II*\0", b"MM\0*")):
        import PIL.Image

        try:
            with PIL.Image.open(io.BytesIO(upload.data)) as image:
                width, height = image.size
        except (PIL.Image.DecompressionBombError, OSError, ValueError, SyntaxError):
            raise RecordError(
                f"{upload.filename}: an image that is damaged or larger than "
                f"{bounds.max_pixels / 1e6:.0f} megapixels; send a smaller one."
            ) from None
        if width * height > bounds.max_pixels:
            raise RecordError(
                f"{upload.filename}: an image of {width} × {height} pixels; at most "
                f"{bounds.max_pixels / 1e6:.0f} megapixels are taken in. Send a smaller one."
            )

"""What a reader process does with a file: read, judge, measure; draw pages and documents."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ecg_llm.errors import ECGError, RecordError
from ecg_llm.stages import clocked, stage

if TYPE_CHECKING:
    from ecg_llm.assistant import Analysis
    from ecg_llm.record import ECGRecord, Sex
    from ecg_llm.report import Report
    from ecg_llm.serving.settings import Settings

PAGE_PX = 1800
"""Long side of a page that is shown to a person."""


@dataclass(frozen=True, kw_only=True)
class FileJob:
    """A file as a client sent it.

    Attributes
    ----------
    data : bytes
        The file; several files of one recording as a zip.
    filename : str
        Its name without folders.
    fs : float or None, Hz
        Sampling rate, for tables that do not state it.
    unit : str or None
        Unit of the samples, likewise.
    leads : tuple of str or None
        Lead names, likewise.
    age_years : float or None
        Instead of what the file says.
    sex : str or None
        Instead of what the file says.
    partial : bool
        Of a tracing that is refused for some of its leads, read the others.
    max_unpacked_bytes, max_pixels : int
        Bounds.
    max_duration_s : float, s
        Bound.
    """

    data: bytes
    filename: str
    fs: float | None = None
    unit: str | None = None
    leads: tuple[str, ...] | None = None
    age_years: float | None = None
    sex: Sex | None = None
    partial: bool = False
    max_unpacked_bytes: int
    max_pixels: int
    max_duration_s: float


@dataclass(frozen=True, kw_only=True, eq=False)
class FileResult:
    """What became of a file.

    Attributes
    ----------
    analysis : Analysis
        All that is known of it.
    stages_ms : dict of str to float, ms
        How long each step took.
    """

    analysis: Analysis
    stages_ms: dict[str, float]


def analyse_file(job: FileJob) -> FileResult:
    """Read a file, judge its quality, measure it and apply the criteria.

    Parameters
    ----------
    job : FileJob
        The file.

    Returns
    -------
    FileResult

    Raises
    ------
    RecordError
        If it is not an ECG that can be read as it stands, or is larger than allowed.
    """
    from ecg_llm.analysis import analyse

    with clocked() as stages_ms:
        with stage("read"):
            record = _read(job)
        analysis = analyse(record)
    return FileResult(analysis=analysis, stages_ms=stages_ms)


def _read(job: FileJob) -> ECGRecord:
    """Read a file within its bounds, and put what the client says over what it says."""
    from ecg_llm.io import read_bytes
    from ecg_llm.quality import readable_part

    _check_size(job)
    record = read_bytes(job.data, job.filename, fs=job.fs, unit=job.unit, leads=job.leads)
    if record.duration_s > job.max_duration_s:
        raise RecordError(
            f"{record.source}: {record.duration_s:.0f} s long; at most {job.max_duration_s:.0f} s "
            "are taken in. Cut out the stretch to be judged."
        )
    if job.age_years is not None:
        record = replace(record, age_years=job.age_years)
    if job.sex is not None:
        record = replace(record, sex=job.sex)
    return readable_part(record) if job.partial else record


def classify_record(record: ECGRecord, task: str, words: str | None, head: bool) -> dict[str, Any]:
    """Score a record for a benchmark's classes, or for statements in anybody's words.

    Parameters
    ----------
    record : ECGRecord
        Of acceptable quality.
    task : str
        One of `ecg_llm.knowledge.TASKS`, or ``words``.
    words : str or None
        Statements joined by commas, for ``words``.
    head : bool
        Use the trained head, not words.

    Returns
    -------
    dict of str to float
        0 to 1 by label.

    Raises
    ------
    ConfigError
        If there is no such task, or the head does not know a label.
    """
    from ecg_llm.classify import classify
    from ecg_llm.zero_shot import Labels

    asked = (words or "").split(",")
    labels = Labels.of_texts(asked) if task == "words" else Labels.of_task(task)
    return classify([record], labels, head=head)[0].scores


def render_report(
    report: Report,
    record: ECGRecord,
    kind: str,
    subject: str | None = None,
    recorded: str | None = None,
) -> bytes:
    """Write a report as a document.

    Parameters
    ----------
    report : Report
        What to write.
    record : ECGRecord
        Its record, for the tracing.
    kind : {"html", "pdf", "text", "fhir"}
        Which document.
    subject, recorded : str, optional
        Patient and time of the ECG, for FHIR.

    Returns
    -------
    bytes
    """
    match kind:
        case "html":
            from ecg_llm.render.html import to_html

            return to_html(report, record).encode()
        case "pdf":
            from ecg_llm.render.pdf import to_pdf

            return to_pdf(report, record)
        case "fhir":
            from ecg_llm.fhir import to_fhir

            return json.dumps(to_fhir(report, record, subject=subject, recorded=recorded)).encode()
        case _:
            from ecg_llm.render.text import to_text

            return to_text(report).encode()


def draw_tracing(report: Report, record: ECGRecord, kind: str, dpi: float, from_s: float) -> bytes:
    """Draw the page that goes with a report, its evidence marked.

    Parameters
    ----------
    report : Report
        Gives the marks, the header and the leads that cannot be relied on.
    record : ECGRecord
        What to draw.
    kind : {"svg", "png"}
        Which image.
    dpi : float
        Resolution of a PNG.
    from_s : float, s
        Where the page begins; negative for the stretch that matters most.

    Returns
    -------
    bytes
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


def page_image(job: FileJob) -> bytes:
    """Give the page that an ECG is read from, upright, as a browser shows it.

    Parameters
    ----------
    job : FileJob
        An image or a PDF.

    Returns
    -------
    bytes
        JPEG, its long side `PAGE_PX` at most.

    Raises
    ------
    RecordError
        If it is neither, or cannot be read.
    """
    import PIL.Image

    from ecg_llm.page.decode import decode, is_image

    if not is_image(job.data[:64]):
        raise RecordError(f"{job.filename}: a recording, not the image of a page.")
    _check_size(job)
    image = PIL.Image.fromarray(decode(job.data, job.filename))
    image.thumbnail((PAGE_PX, PAGE_PX))
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=85)
    return packed.getvalue()


TASKS: dict[str, Callable[..., Any]] = {
    "analyse": analyse_file,
    "classify": classify_record,
    "render": render_report,
    "draw": draw_tracing,
    "page": page_image,
}
"""What a reader process can be asked to do."""


def warm_up(settings: Settings) -> None:
    """Load libraries and nets, so that no request waits for them and limits count from there.

    Parameters
    ----------
    settings : Settings
        Bounds for image libraries.
    """
    import PIL.Image

    from ecg_llm.analysis import analyse
    from ecg_llm.data_builders.synthetic import synthetic_ecg
    from ecg_llm.io import read_bytes

    PIL.Image.MAX_IMAGE_PIXELS = settings.max_pixels // 2  # Pillow refuses from twice this on
    analyse(synthetic_ecg(bpm=70, seed=1).record)
    with contextlib.suppress(ECGError):  # what tells the formats apart
        read_bytes(b"no ECG", "warm.csv")


def _check_size(job: FileJob) -> None:
    """Refuse what says of itself that it is too large, before it is unpacked."""
    if job.data.startswith(b"PK"):
        try:
            with zipfile.ZipFile(io.BytesIO(job.data)) as archive:
                total = sum(info.file_size for info in archive.infolist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return  # the reader says what is wrong with it
        if total > job.max_unpacked_bytes:
            raise RecordError(
                f"{job.filename}: an archive of {total / 2**20:.0f} MB unpacked; at most "
                f"{job.max_unpacked_bytes / 2**20:.0f} MB are taken in. Send one record only."
            )
        return
    if job.data.startswith((b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"II*\0", b"MM\0*")):
        import PIL.Image

        try:
            with PIL.Image.open(io.BytesIO(job.data)) as image:
                width, height = image.size
        except (PIL.Image.DecompressionBombError, OSError, ValueError, SyntaxError):
            raise RecordError(
                f"{job.filename}: an image that is damaged or larger than "
                f"{job.max_pixels / 1e6:.0f} megapixels; send a smaller one."
            ) from None
        if width * height > job.max_pixels:
            raise RecordError(
                f"{job.filename}: an image of {width} × {height} pixels; at most "
                f"{job.max_pixels / 1e6:.0f} megapixels are taken in. Send a smaller one."
            )

"""Routes of our own: a file in; its report, measurements, statements or tracing out."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ecg_llm.classify import Benchmark
from ecg_llm.errors import ConfigError
from ecg_llm.fhir import SUBJECT, WHEN, check_case
from ecg_llm.findings.codes import STATEMENTS
from ecg_llm.report import Report
from ecg_llm.serving.answering import MEASURED
from ecg_llm.serving.errors import BadRequestError
from ecg_llm.serving.recording import ReadingFields
from ecg_llm.serving.server import ERRORS, MEDIA, Server, accepted, form_body
from ecg_llm.serving.tracings import tracing

Task = Literal["statements", "words", Benchmark]


class ReportFields(ReadingFields):
    """Fields of a request for a report."""

    question: str | None = Field(
        None, max_length=4000, description="A question that the report is to answer as well."
    )
    model: Literal["default", "measured"] = Field(
        "default",
        description="default: the narrative is written by the server's model, and checked; "
        "measured: no language model has a part.",
    )
    subject: str | None = Field(
        None,
        # `check_case` holds it against this and says what is wanted.
        json_schema_extra={"pattern": f"^{SUBJECT}$"},
        description="For application/fhir+json: reference to the patient, Patient/ID.",
    )
    recorded: str | None = Field(
        None,
        json_schema_extra={"pattern": f"^{WHEN}$"},
        description="For application/fhir+json: day, or time with its zone, of the recording.",
    )


class ClassificationFields(ReadingFields):
    """Fields of a request for statements."""

    task: Task = Field(
        "statements",
        description="statements: what criteria decide, with evidence; words: scores for "
        "statements in your words; else scores for the classes of a benchmark.",
    )
    labels: str | None = Field(
        None,
        max_length=8000,
        description="Joined by commas. Task statements: codes, all without it; task words: the "
        "statements.",
    )
    head: bool = Field(False, description="Scores of the head trained on PTB-XL instead of words.")


class TracingFields(ReadingFields):
    """Fields of a request for a tracing."""

    from_s: float | None = Field(None, ge=0, le=86_400, description="Where it begins, in s.")
    seconds: float | None = Field(None, gt=0, le=60, description="How much of it, at most 60 s.")
    max_fs: float | None = Field(
        None, ge=50, le=1000, description="Samples a second, at most; 250 without it (JSON)."
    )
    dpi: float | None = Field(None, ge=36, le=300, description="Resolution of a PNG; 150.")


def ecg_router(server: Server) -> APIRouter:
    """Make the routes."""
    router = APIRouter(prefix="/v1/ecg", tags=["ECG"], responses=ERRORS)

    @router.post(
        "/reports",
        summary="Interpret an ECG",
        responses={200: {"model": Report, "content": _content("html", "pdf", "fhir", "text")}},
        openapi_extra=form_body(ReportFields, earlier=True),
    )
    async def reports(request: Request) -> Response:
        kind = accepted(request, "json", "html", "pdf", "fhir", "text")
        call, uploads, fields = await server.form(request, ReportFields, "file", "earlier")
        try:
            check_case(fields.subject, fields.recorded)
        except ConfigError as error:
            raise BadRequestError(str(error)) from None
        found = await server.intake.analyse(call, uploads["file"], fields)
        earlier = None
        if "earlier" in uploads:
            earlier = await server.intake.analyse(call, uploads["earlier"], fields, earlier=True)
        report = await server.answering.report(
            call,
            found,
            model=server.answering.chosen(call, fields.model),
            question=fields.question,
            earlier=earlier,
        )
        if kind == "json":
            return Response(report.to_json(), media_type=MEDIA["json"])
        begun = time.perf_counter()
        data = await server.intake.run(
            "render", report, found.record, kind, fields.subject, fields.recorded
        )
        call.add({"render": (time.perf_counter() - begun) * 1000})
        return Response(data, media_type=MEDIA[kind])

    @router.post(
        "/measurements",
        summary="Measure an ECG",
        openapi_extra=form_body(ReadingFields),
    )
    async def measurements(request: Request) -> JSONResponse:
        call, uploads, fields = await server.form(request, ReadingFields)
        found = await server.intake.analyse(call, uploads["file"], fields)
        report = await server.answering.report(call, found, model=MEASURED)
        values = None
        if found.measurements is not None:
            values = await asyncio.to_thread(found.measurements.to_dict)
        quality = {
            "acceptable": found.quality.acceptable,
            "verdict": found.quality.verdict,
            "reasons": list(found.quality.reasons),
        }
        made = report.provenance.model_dump()
        return JSONResponse({"measurements": values, "quality": quality, "provenance": made})

    @router.post(
        "/classifications",
        summary="Statements about an ECG: present, absent or not judged",
        openapi_extra=form_body(ClassificationFields),
    )
    async def classifications(request: Request) -> JSONResponse:
        call, uploads, fields = await server.form(request, ClassificationFields)
        if (fields.task == "words") != (fields.labels is not None) and fields.task != "statements":
            raise BadRequestError("Task words needs labels, and other benchmarks take none.")
        wanted = _codes(fields.labels) if fields.task == "statements" else None
        found = await server.intake.analyse(call, uploads["file"], fields)
        report = await server.answering.report(call, found, model=MEASURED)
        labels: list[dict[str, Any]] = []
        if fields.task == "statements":
            chosen = [one for one in found.findings if wanted is None or one.code in wanted]
            labels = await asyncio.to_thread(lambda: [asdict(one) for one in chosen])
        elif found.quality.acceptable:
            begun = time.perf_counter()
            scores = await server.intake.run(
                "classify", found.record, fields.task, fields.labels, fields.head
            )
            call.add({"classify": (time.perf_counter() - begun) * 1000})
            labels = [{"label": label, "score": score} for label, score in scores.items()]
        return JSONResponse(
            {
                "task": fields.task,
                "labels": labels,
                "acceptable": found.quality.acceptable,
                "reasons": list(found.quality.reasons),
                "provenance": report.provenance.model_dump(),
            }
        )

    @router.get("/statements", summary="The statements that can be made, with their codes")
    async def statements() -> JSONResponse:
        return JSONResponse([asdict(statement) for statement in STATEMENTS.values()])

    @router.post(
        "/tracings",
        summary="Draw an ECG, its evidence marked, or give its samples",
        responses={200: {"content": _content("svg", "png")}},
        openapi_extra=form_body(TracingFields),
    )
    async def tracings(request: Request) -> Response:
        kind = accepted(request, "json", "svg", "png")
        call, uploads, fields = await server.form(request, TracingFields)
        found = await server.intake.analyse(call, uploads["file"], fields)
        report = await server.answering.report(call, found, model=MEASURED)
        ends = found.record.duration_s
        if fields.from_s is not None and fields.from_s >= ends:
            raise BadRequestError(f"from_s has to be before the end of the recording, {ends:g} s.")
        if kind == "json":
            drawn = await asyncio.to_thread(
                tracing,
                found,
                report,
                from_s=fields.from_s or 0.0,
                seconds=fields.seconds or 10.0,
                max_fs=fields.max_fs or 250.0,
            )
            return JSONResponse(drawn)
        from_s = -1.0 if fields.from_s is None else fields.from_s
        data = await server.intake.run(
            "draw", report, found.record, kind, fields.dpi or 150.0, from_s
        )
        return Response(data, media_type=MEDIA[kind])

    @router.post(
        "/pages",
        summary="The page that an ECG is read from, upright",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {"schema": {"type": "string"}}}}},
        openapi_extra=form_body(ReadingFields),
    )
    async def pages(request: Request) -> Response:
        _, uploads, _ = await server.form(request, ReadingFields)
        data = await server.intake.run("page", uploads["file"], server.settings)
        return Response(data, media_type="image/jpeg")

    return router


def _content(*kinds: Any) -> dict[str, Any]:
    """Describe documents for the OpenAPI document."""
    return {MEDIA[kind]: {"schema": {"type": "string"}} for kind in kinds}


def _codes(labels: str | None) -> frozenset[str] | None:
    """Read which statements are wanted."""
    if labels is None:
        return None
    wanted = frozenset(label.strip() for label in labels.split(","))
    if not wanted <= set(STATEMENTS):
        raise BadRequestError(
            "labels: not all are codes of statements; GET /v1/ecg/statements lists them."
        )
    return wanted

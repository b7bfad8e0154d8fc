"""The parts of a running server, and what every route does with them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from ecg_llm.serving.answering import MEASURED
from ecg_llm.serving.audit import Entry
from ecg_llm.serving.guard import call_of
from ecg_llm.serving.recording import Upload
from ecg_llm.serving.uploads import Model, read_form

if TYPE_CHECKING:
    from starlette.requests import Request

    from ecg_llm.serving.answering import Answering
    from ecg_llm.serving.audit import AuditLog
    from ecg_llm.serving.guard import Call, Gate
    from ecg_llm.serving.intake import Intake
    from ecg_llm.serving.metrics import Metrics
    from ecg_llm.serving.settings import Settings
    from ecg_llm.serving.workers import WorkerPool


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(BaseModel):
    """Body of every error; the shape is the one that OpenAI's clients read."""

    error: ErrorDetail


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": text}
    for status, text in {
        400: "The request is not valid.",
        401: "No API key that is known.",
        403: "The server is not to be used under this name or from this page.",
        404: "There is no model of that name.",
        406: "None of the formats accepted is there.",
        408: "The request did not arrive in time.",
        413: "More bytes than are taken in.",
        422: "The file is not an ECG that can be read as it stands.",
        429: "The queue is full, or the key has used up its requests; see Retry-After.",
        503: "A part of the server is away and will be back; see Retry-After.",
        504: "The answer was not ready in time.",
    }.items()
}
"""Errors that any route may give, for the OpenAPI document."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Server:
    """The parts of a running server."""

    settings: Settings
    pool: WorkerPool
    intake: Intake
    answering: Answering
    gate: Gate
    metrics: Metrics
    audit: AuditLog

    async def form(
        self, request: Request, model: type[Model], *files: str
    ) -> tuple[Call, dict[str, Upload], Model]:
        """Read a form with files and write the request into the audit log.

        ``files`` name the fields that may be files; ``file`` alone without any. Gives whose it is,
        the files by field and the other fields.
        """
        call = call_of(request)
        uploads, fields = await read_form(
            request, model, files or ("file",), self.settings, self.gate, call
        )
        chosen = self.answering.chosen(call, getattr(fields, "model", MEASURED))
        await self.record(call, request.url.path, list(uploads.values()), chosen)
        return call, uploads, fields

    async def record(
        self, call: Call, route: str, uploads: list[Upload], model: str = MEASURED
    ) -> None:
        """Write into the audit log that a request is about to be served."""
        entry = Entry(
            request_id=call.request_id,
            caller=call.caller,
            client=call.client,
            route=route,
            model=model,
            inputs=tuple(upload.sha256 for upload in uploads),
        )
        await asyncio.to_thread(self.audit.begin, entry)
        call.audited = True


def form_body(model: type[BaseModel], *, earlier: bool = False) -> dict[str, Any]:
    """Describe a form with a file for the OpenAPI document, as ``openapi_extra`` of a route."""
    schema = model.model_json_schema()
    fields: dict[str, Any] = {}
    for name, field in schema.get("properties", {}).items():
        kinds = [kind for kind in field.pop("anyOf", [{}]) if kind.get("type") != "null"]
        field.pop("default", None)
        fields[name] = {**kinds[0], **field}
    file: dict[str, Any] = {
        "type": "string",
        "format": "binary",
        "description": "The ECG: WFDB files or their zip, DICOM, HL7 aECG, MUSE XML, CSV, NPY, or "
        "a page as PNG, JPEG or PDF. Several parts of this name are the files of one recording.",
    }
    properties: dict[str, Any] = {"file": file, **fields}
    if earlier:
        properties["earlier"] = {
            "type": "string",
            "format": "binary",
            "description": "An earlier ECG of the same patient, to compare with.",
        }
    body = {"type": "object", "required": ["file"], "properties": properties}
    return {
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": body | {"additionalProperties": False}}},
        }
    }


Kind = Literal["json", "html", "pdf", "text", "fhir", "svg", "png"]
MEDIA: dict[Kind, str] = {
    "json": "application/json",
    "html": "text/html",
    "pdf": "application/pdf",
    "text": "text/plain",
    "fhir": "application/fhir+json",
    "svg": "image/svg+xml",
    "png": "image/png",
}


def accepted(request: Request, *offered: Kind) -> Kind:
    """Choose the format that a client likes best of those offered, the usual one first."""
    from ecg_llm.serving.errors import NotAcceptableError

    best: tuple[float, int, Kind] | None = None
    header = request.headers.get("accept") or "*/*"
    for part in header.split(",")[:32]:
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        weight = _weight(parameters)
        for place, name in enumerate(offered):
            media = MEDIA[name]
            exact = kind == media
            wide = kind == "*/*" or kind == f"{media.partition('/')[0]}/*"
            if weight > 0 and (exact or wide):
                rank = (weight + (0.0001 if exact else 0.0), -place, name)
                best = rank if best is None else max(best, rank)
    if best is None:
        there = ", ".join(MEDIA[name] for name in offered)
        raise NotAcceptableError(f"The answer can be had as {there}.")
    return best[2]


def _weight(parameters: list[str]) -> float:
    """Read the q of a media type."""
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0

"""The server as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import ecg_llm
from ecg_llm.errors import ConfigError, ECGError
from ecg_llm.lm import TextModel, bundled
from ecg_llm.serving.answering import Answering
from ecg_llm.serving.audit import AuditLog
from ecg_llm.serving.chat_routes import chat_router
from ecg_llm.serving.ecg_routes import ecg_router
from ecg_llm.serving.engine import EngineHost
from ecg_llm.serving.engine_spec import EngineSpec
from ecg_llm.serving.errors import (
    BadFileError,
    BadRequestError,
    ServeError,
    UnavailableError,
)
from ecg_llm.serving.guard import Gate, Guard, call_of, error_response
from ecg_llm.serving.intake import Intake
from ecg_llm.serving.keys import KeyRing
from ecg_llm.serving.metrics import Metrics
from ecg_llm.serving.server import Server
from ecg_llm.serving.settings import Settings
from ecg_llm.serving.workers import WorkerPool

DESCRIPTION = (
    "Reads, judges, measures and interprets 12-lead ECGs. Every number is measured, every finding "
    "names its evidence, and what cannot be judged is said. Research software, not a medical "
    "device."
)


def create_app(settings: Settings, load_model: Callable[[], TextModel] | None = None) -> FastAPI:
    """Make the server; its reader processes start and end with its lifespan.

    ``app.state.server`` holds its parts. ``load_model`` is picklable and gives the language model,
    instead of the one that the settings name.
    """
    settings.check()
    pool = WorkerPool(settings)
    gate, metrics = Gate(settings), Metrics()
    audit = AuditLog(settings.audit_url)
    engine = _engine(settings, load_model)
    server = Server(
        settings=settings,
        pool=pool,
        intake=Intake(settings, pool),
        answering=Answering(settings, engine, metrics, gate),
        gate=gate,
        metrics=metrics,
        audit=audit,
    )
    metrics.watch("ecgllm_in_service", "Requests in service.", lambda: gate.requests)
    metrics.watch("ecgllm_readers_ready", "Reader processes that are up.", lambda: pool.ready)
    metrics.watch(
        "ecgllm_readers_replaced",
        "Reader processes that died or were ended at a file.",
        lambda: sum(pool.deaths.values()),
    )

    if engine is not None:
        metrics.watch(
            "ecgllm_engine_ready",
            "1 while the language model can be asked.",
            lambda: engine.state == "ready",
        )
        metrics.watch(
            "ecgllm_engine_restarts",
            "Times that the language model's process was started again.",
            lambda: engine.restarts,
        )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        pool.start()
        if engine is not None:
            engine.start()
        try:
            yield
        finally:
            server.intake.close()
            server.answering.close()
            pool.close()
            audit.close()

    app = FastAPI(
        title="ecg_llm",
        version=ecg_llm.__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        # Their pages load scripts from other places; the document itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
    )
    app.state.server = server
    _add_errors(app)
    app.include_router(ecg_router(server))
    app.include_router(chat_router(server))
    _add_watching(app, server)
    app.add_middleware(
        Guard,
        settings=settings,
        gate=gate,
        metrics=metrics,
        keys=KeyRing(settings.keys) if settings.keys is not None else None,
        audit=audit,
    )
    return app


def _engine(settings: Settings, load_model: Callable[[], TextModel] | None) -> EngineHost | None:
    """Make the host of the language model, if there is to be one."""
    if load_model is not None:
        return EngineHost(load_model)
    if settings.engine == "none" or settings.model == "none":
        return None
    if settings.model is None and not bundled():
        if settings.engine != "auto":
            raise ConfigError(
                f"--engine {settings.engine}: the bundled model is not installed; give --model "
                "FOLDER, or --engine none for the measured report alone."
            )
        return None
    spec = EngineSpec(model=settings.model, kind=settings.engine, arguments=settings.vllm)
    spec.check()
    return EngineHost(spec.load, concurrent=spec.concurrent)


def _add_errors(app: FastAPI) -> None:
    """Give every error one shape, with nothing of the request in it."""

    def told(request: Request, error: ServeError) -> Response:
        call_of(request).outcome = error.kind
        return error_response(error)

    @app.exception_handler(ServeError)
    async def _serve(request: Request, error: ServeError) -> Response:
        return told(request, error)

    @app.exception_handler(ECGError)
    async def _ecg(request: Request, error: ECGError) -> Response:
        return told(request, BadFileError(str(error)))

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, _: RequestValidationError) -> Response:
        return told(request, BadRequestError("The request is not valid."))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        text = {404: "There is nothing at this address.", 405: "Not with this method."}
        response = told(
            request,
            BadRequestError(text.get(error.status_code, "Refused."), status=error.status_code),
        )
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response


def _add_watching(app: FastAPI, server: Server) -> None:
    """Add the routes by which the server is watched."""
    engine = server.answering.engine

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", tags=["Watching"], summary="Whether the server runs")
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "version": ecg_llm.__version__}

    @app.head("/readyz", include_in_schema=False)
    @app.get(
        "/readyz",
        tags=["Watching"],
        summary="Whether the server can serve now",
        responses={503: {"description": "Not now."}},
    )
    async def readyz(request: Request) -> JSONResponse:
        parts: dict[str, Any] = {
            "readers": server.pool.ready > 0,
            "engine": "none" if engine is None else engine.state,
            "audit": server.audit.ping(),
        }
        if parts["readers"] and parts["engine"] in ("none", "ready") and parts["audit"]:
            return JSONResponse({"status": "ready", **parts})
        call_of(request).outcome = UnavailableError.kind
        later = {"retry-after": str(UnavailableError.retry_after_s)}
        return JSONResponse({"status": "not ready", **parts}, 503, later)

    @app.get(
        "/metrics",
        tags=["Watching"],
        summary="Counts and clocks for Prometheus",
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:
        return Response(server.metrics.text(), media_type="text/plain; version=0.0.4")

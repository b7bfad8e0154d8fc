"""What stands before every route: who may call, how many at a time, what is logged of it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
import uuid
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response

from ecg_llm.serving.errors import (
    BadRequestError,
    ForbiddenError,
    ServeError,
    TooManyError,
)
from ecg_llm.serving.settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ecg_llm.serving.audit import AuditLog
    from ecg_llm.serving.keys import KeyRing
    from ecg_llm.serving.metrics import Metrics
    from ecg_llm.serving.settings import Settings

LOG = logging.getLogger("ecg_llm.serving")
OPEN = frozenset({"/healthz", "/readyz"})
"""Answered to anybody: they tell nothing but up or down."""
HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass
class Call:
    """One request in service.

    Attributes
    ----------
    request_id : str
        In the answer's ``X-Request-Id`` and the audit log.
    caller : str
        Name of the API key, or ``local``.
    client : str
        Address it came from.
    begun : float, s
        On the monotonic clock.
    stages_ms : dict of str to float, ms
        Time by stage so far.
    audited : bool
        Whether the audit log knows of it.
    outcome : str
        ``ok``, or the kind of error.
    held_bytes : int
        Of its body, counted against the bound for all requests.
    at_engine : bool
        Whether it has, or waits for, the language model.
    """

    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    caller: str = "local"
    client: str = ""
    begun: float = field(default_factory=time.perf_counter)
    stages_ms: dict[str, float] = field(default_factory=dict)
    audited: bool = False
    outcome: str = "ok"
    held_bytes: int = 0
    at_engine: bool = False

    def add(self, stages_ms: dict[str, float]) -> None:
        """Add times by stage."""
        for name, ms in stages_ms.items():
            self.stages_ms[name] = self.stages_ms.get(name, 0.0) + ms

    @property
    def ms(self) -> float:
        """Time since the request came in."""
        return (time.perf_counter() - self.begun) * 1000


class Gate:
    """Counts what is in service, and refuses what is too much."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.requests = 0
        self.bytes = 0
        self.at_engine = 0

    def enter(self) -> None:
        """Let a request in, or refuse it."""
        if self.requests >= self._settings.queue:
            raise TooManyError(f"{self.requests} requests are in service already; try again later.")
        self.requests += 1

    def hold(self, call: Call, n_bytes: int) -> None:
        """Count bytes of a body, or refuse them."""
        if self.bytes + n_bytes > self._settings.max_inflight_bytes:
            raise TooManyError("Too many uploads at one time; try again later.")
        self.bytes += n_bytes
        call.held_bytes += n_bytes

    def queue_up(self, call: Call, wait_s: Callable[[int], float]) -> None:
        """Let a request wait for the language model, if its turn will come in time.

        ``wait_s`` gives the time after which so many requests will have been answered.
        """
        if call.at_engine:
            return
        wait = wait_s(self.at_engine + 1)
        longest = self._settings.answer_s / 2  # the other half is for what takes longer
        if self.at_engine and wait > longest:
            raise TooManyError(
                f"{self.at_engine} requests wait for the language model already; try again later.",
                retry_after_s=max(1, min(60, round(wait - longest))),
            )
        self.at_engine += 1
        call.at_engine = True

    def leave(self, call: Call) -> None:
        """Take a request out."""
        self.requests -= 1
        self.bytes -= call.held_bytes
        self.at_engine -= call.at_engine
        call.held_bytes, call.at_engine = 0, False


class Guard:
    """ASGI middleware around every route: lets in, counts and logs.

    Without ``keys`` whoever reaches the loopback may call.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        gate: Gate,
        metrics: Metrics,
        keys: KeyRing | None,
        audit: AuditLog,
    ) -> None:
        self._app = app
        self._settings = settings
        self._gate = gate
        self._metrics = metrics
        self._keys = keys
        self._audit = audit
        # A key tells more than a name.
        self._names = None if keys is not None else {settings.host, *settings.allow_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        client = scope.get("client")
        call = Call(client=client[0] if client else "")
        scope["ecg_call"] = call
        status = 500
        started = False

        async def respond(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                started = True
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers["x-request-id"] = call.request_id
                if call.stages_ms:
                    timing = [f"{name};dur={ms:.1f}" for name, ms in call.stages_ms.items()]
                    headers["server-timing"] = ", ".join(timing)
            await send(message)

        entered = False
        try:
            entered = self._check(scope, call)
            await self._app(scope, receive, respond)
        except ServeError as error:
            call.outcome = error.kind
            if not started:
                await error_response(error)(scope, receive, respond)
        except Exception as error:
            # The message of an exception may hold what was sent: only its place is logged.
            LOG.error("fault %s at %s", type(error).__name__, _place(error))
            call.outcome = ServeError.kind
            if not started:
                fault = ServeError("A fault of ecg_llm; please report it with the request id.")
                await error_response(fault)(scope, receive, respond)
        finally:
            if entered:
                self._gate.leave(call)
            await self._finish(scope, call, status)

    def _check(self, scope: Scope, call: Call) -> bool:
        """Refuse who may not call; say whether the request takes a place in the queue."""
        headers = Headers(scope=scope)
        check_origin(headers, self._names)
        if scope["path"] in OPEN:
            return False
        if self._keys is not None:
            call.caller = "unknown"
            scheme, _, token = headers.get("authorization", "").partition(" ")
            given = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")
            call.caller = self._keys.caller(given)
        if scope["method"] != "POST":
            return False
        self._gate.enter()
        return True

    async def _finish(self, scope: Scope, call: Call, status: int) -> None:
        """Count and log what became of a request."""
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in ("GET", "POST") else "other"
        self._metrics.requests.labels(route, method, str(status)).inc()
        self._metrics.seconds.labels(route).observe(call.ms / 1000)
        for stage, ms in call.stages_ms.items():
            self._metrics.stages.labels(stage).observe(ms / 1000)
        if call.audited:
            outcome = call.outcome
            try:
                await asyncio.shield(
                    asyncio.to_thread(
                        self._audit.end, call.request_id, outcome=outcome, status=status, ms=call.ms
                    )
                )
            except ServeError:
                LOG.error("audit log: the outcome of %s was not written", call.request_id)
        line = {
            "request_id": call.request_id,
            "caller": call.caller,
            "route": route,
            "method": method,
            "status": status,
            "outcome": call.outcome,
            "ms": round(call.ms, 1),
        }
        # Probes come every few seconds, and tell nothing while all is well.
        quiet = scope["path"] in OPEN and status == 200
        LOG.log(logging.DEBUG if quiet else logging.INFO, "%s", json.dumps(line))


def check_origin(headers: Headers, names: Container[str] | None) -> None:
    """Keep pages of other sites from using a server that trusts the loopback.

    ``names`` are those under which it is known beside the loopback's; None: under any.
    """
    host = headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        raise BadRequestError("The Host or Origin header is not one.") from None
    if names is not None and name not in names and not is_loopback(name):
        raise ForbiddenError("This server is not known by that name; see --allow-host.")
    if foreign:
        raise ForbiddenError(
            "Pages of other sites may not use this server; a proxy before it has to pass the Host "
            "header on."
        )


def call_of(request: HTTPConnection) -> Call:
    """Give the call that a request belongs to."""
    call: Call = request.scope["ecg_call"]
    return call


def error_response(error: ServeError) -> Response:
    """Tell a client of an error in the shape that OpenAI's clients read."""
    headers = {}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(error.retry_after_s)
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(error_body(error), status_code=error.status, headers=headers)


def error_body(error: ServeError) -> dict[str, Any]:
    """Give the body of an error."""
    body = {"message": str(error), "type": error.kind, "param": None, "code": error.kind}
    return {"error": body}


def _place(error: BaseException) -> str:
    """Name the lines of our own code that an exception passed, without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{PurePath(f.filename).name}:{f.lineno}" for f in reversed(frames[-4:]))

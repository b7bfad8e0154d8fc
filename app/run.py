"""Serve the page, and the ECG server behind it if none is given."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from ecg_llm.app.client import Client
from ecg_llm.app.settings import AppSettings
from ecg_llm.errors import ConfigError
from ecg_llm.serving.own_server import own_server

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; form-action 'self'; "
    "base-uri 'self'"
)
"""A browser fetches nothing for this page from anywhere else."""

_Scope = MutableMapping[str, Any]
_Send = Callable[[_Scope], Awaitable[None]]
_App = Callable[[_Scope, Any, _Send], Awaitable[None]]


class _Closed:
    """Keeps the page to itself: refuses other sites' pages, and adds headers against them."""

    def __init__(self, app: _App, settings: AppSettings) -> None:
        self._app = app
        # A page that other machines reach asks for a key, whatever it is called.
        self._names = None if settings.is_public else settings.allow_hosts

    async def __call__(self, scope: _Scope, receive: Any, send: _Send) -> None:
        from starlette.datastructures import Headers, MutableHeaders

        from ecg_llm.serving.errors import ServeError
        from ecg_llm.serving.guard import HEADERS, check_origin, error_response

        async def told(message: _Scope) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS | {"content-security-policy": POLICY})
            await send(message)

        app = self._app
        if scope["type"] != "lifespan":
            try:
                check_origin(Headers(scope=scope), self._names)
            except ServeError as error:
                app = error_response(error)
        await app(scope, receive, told)


def run(settings: AppSettings, *, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve the page until it is stopped; ``on_ready`` is given its address once it is open."""
    # Before a server is started, which takes seconds.
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        raise ConfigError(
            f"--host {settings.host} --port {settings.port}: cannot listen there "
            f"({error.strerror}); choose another --port."
        ) from error
    # uvicorn hands SIGTERM on once it has ended: as an exit, so that server and folder go too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="ecg-app-") as folder:
        # Read by Gradio at its import: uploads stay in a folder that goes with the app, and
        # nothing is told to anybody.
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["HF_HUB_OFFLINE"] = "1"
        tempfile.tempdir = folder
        try:
            with server_of(settings) as url:
                _serve(settings, url, on_ready)
        finally:
            tempfile.tempdir = None


def _serve(settings: AppSettings, url: str, on_ready: Callable[[str], None]) -> None:
    import uvicorn

    if settings.is_public and not Client(url=url).needs_key():
        raise ConfigError(
            f"--host {settings.host}: other machines could use the ECG server through this page, "
            "and it asks for no API key. Give --keys FILE (see `ecgllm keys --help`), or --server "
            "with a server that has keys."
        )
    address = f"http://{'[' + settings.host + ']' if ':' in settings.host else settings.host}"

    class Server(uvicorn.Server):
        """Says when the page can be opened."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                on_ready(f"{address}:{settings.port}")

    Server(
        uvicorn.Config(
            page_app(settings, url),
            host=settings.host,
            port=settings.port,
            log_level="warning",
            access_log=False,
            server_header=False,
        )
    ).run()


def page_app(settings: AppSettings, url: str) -> _App:
    """Make the page as an ASGI application, for the ECG server at ``url``."""
    import gradio as gr
    from fastapi import FastAPI

    from ecg_llm.app.page import STYLE, build_page, theme

    page = build_page(settings, url)
    inner = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app = gr.mount_gradio_app(
        inner,
        page,
        path="",
        theme=theme(),
        css=STYLE,
        show_error=False,
        ssr_mode=False,
        allowed_paths=[str(settings.examples.resolve())],
        max_file_size=f"{settings.max_upload_mb}mb",
        footer_links=[],
        run_history=False,  # it would keep questions and reports in the browser
        enable_monitoring=False,
        # Words of its own that Gradio 6.31 lacks.
        i18n=gr.I18n(en={"common.upload": "Upload", "common.complete": "Complete"}),
    )
    # Where a visitor's request names a file, Gradio would fetch addresses and, until it takes the
    # page for launched, read any file of this machine instead of those that were uploaded.
    page.has_launched = True
    gr.processing_utils.async_ssrf_protected_download = _fetch_nothing
    return _Closed(app, settings)


async def _fetch_nothing(*_: Any, **__: Any) -> str:
    raise ConfigError("Files are uploaded; no address is fetched.")


@contextmanager
def server_of(settings: AppSettings) -> Iterator[str]:
    """Give the address of the ECG server; start one on the loopback if none is given."""
    if settings.server is not None:
        if urlsplit(settings.server).scheme not in ("http", "https"):
            raise ConfigError(f"--server {settings.server}: give it as http://host:port.")
        yield settings.server.rstrip("/")
        return
    words = ["--engine", settings.engine]
    words += ["--model", settings.model] if settings.model else []
    words += ["--keys", str(settings.keys)] if settings.keys else []
    with own_server(words, log=_tell_faults) as (url, _):
        yield url


def _tell_faults(line: str) -> None:
    """Show of the server's log what goes wrong."""
    if " INFO " not in line:
        sys.stderr.write(line)

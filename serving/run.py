"""Run the server until it is told to stop."""

from __future__ import annotations

import logging
import sys

from ecg_llm.errors import ConfigError
from ecg_llm.serving.guard import LOG
from ecg_llm.serving.settings import Settings


def run(settings: Settings, *, quiet: bool = False) -> None:
    """Serve until SIGTERM or Ctrl-C; requests in service are finished first."""
    import uvicorn

    from ecg_llm.serving.app import create_app
    from ecg_llm.serving.connections import Connection

    app = create_app(settings)
    _log_to_stderr(logging.WARNING if quiet else logging.INFO)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        # Our own log line holds no path, query or header that a client chose.
        access_log=False,
        log_config=None,
        server_header=False,
        http=Connection,
        h11_max_incomplete_event_size=64 * 1024,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=int(settings.drain_s),
        limit_concurrency=settings.queue * 4,
    )
    server = uvicorn.Server(config)
    try:
        socket = config.bind_socket()
    except SystemExit:  # the line before tells the system's reason
        raise ConfigError(
            f"--host {settings.host} --port {settings.port}: cannot listen there; another program "
            "may do so already, or the address is not one of this machine. Choose others."
        ) from None
    scheme = "https" if settings.tls_cert else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    if settings.in_clear:
        LOG.warning(
            "without TLS keys and ECGs can be read on their way: give --tls-cert and --tls-key, or "
            "let a proxy end TLS on this machine or a network of its own"
        )
    LOG.info("listening at %s://%s:%d", scheme, host, socket.getsockname()[1])
    server.run(sockets=[socket])


def _log_to_stderr(least: int) -> None:
    """One line a request and a few about the server, on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    for name, level in (
        ("ecg_llm.serving", least),
        ("uvicorn", least),
        # Its warnings quote what clients sent.
        ("uvicorn.error", logging.ERROR),
    ):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.propagate = False
        logger.handlers = [handler]

"""Connections to the server: how many at one time, and how long one may take to ask."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from ecg_llm.serving.errors import UnavailableError
from ecg_llm.serving.guard import HEADERS, error_response

ASK_S = 30.0
"""Time in which the head of a request has to arrive; its body has a time of its own."""


class Connection(H11Protocol):
    """One connection. Beyond ``limit_concurrency`` of them, requests get 503 with Retry-After.

    Parameters
    ----------
    *args, **kwargs
        As uvicorn makes it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # uvicorn's own refusal does not tell when to try again.
        self._most, self.limit_concurrency = self.limit_concurrency, None
        self._asking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        super().connection_made(transport)
        if self._most is not None and len(self.connections) > self._most:
            self.app = _full
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._asking is None:  # the next request has begun, and is not whole
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let a connection go."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._asking = self.loop.call_later(ASK_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None


async def _full(scope: Any, receive: Any, send: Any) -> None:
    """Answer who comes when all connections are taken."""
    response = error_response(
        UnavailableError("Too many connections are open already; try again later.")
    )
    response.headers.update(HEADERS | {"connection": "close"})
    await response(scope, receive, send)

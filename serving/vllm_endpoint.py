"""What vLLM's own server says of a bad request: where it was wrong, never what stood there.

vLLM repeats the request in its errors, and here that would be a patient's ECG. Loaded if
``VLLM_PLUGINS`` names it: ``VLLM_PLUGINS=ecg_llm,ecg_errors``.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

MOST_ERRORS = 5


class QuietErrors:
    """Endpoint plug-in of vLLM."""

    name = "ecg_errors"
    required_tasks = None

    def attach_router(self, app: FastAPI) -> None:
        """Remember the application; vLLM sets its own handlers after this call."""
        self._app = app

    async def init_state(self, engine_client: Any, state: Any, args: Namespace) -> None:
        """Replace the handler of requests that are not valid."""
        self._app.exception_handler(RequestValidationError)(told)


async def told(request: Request, error: RequestValidationError) -> JSONResponse:
    """Say which fields of a request are wrong."""
    # Names of fields that the client made up would be its words too: known ones and numbers only.
    places = dict.fromkeys(_place(found["loc"]) for found in error.errors())
    shown = ", ".join(list(places)[:MOST_ERRORS])
    return JSONResponse(
        {
            "error": {
                "message": f"The request is not valid at: {shown}.",
                "type": "invalid_request_error",
                "param": next(iter(places), None),
                "code": 400,
            }
        },
        400,
    )


KNOWN = {
    "body", "query", "path", "header", "messages", "content", "role", "type", "text", "file",
    "file_data", "filename", "image_url", "url", "model", "max_tokens", "max_completion_tokens",
    "temperature", "top_p", "stream", "response_format", "tools", "tool_choice", "prompt", "input",
    "n", "seed", "stop", "logprobs", "top_logprobs",
}  # fmt: skip
"""Field names that may stand in an error."""


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(step) for step in loc if isinstance(step, int) or step in KNOWN) or "body"

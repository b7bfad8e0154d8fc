"""What a client is told when a request is not served: a status, a kind and one sentence."""

from __future__ import annotations

import re

from ecg_llm.errors import ECGError


class ServeError(ECGError):
    """A request that is answered with an error.

    Parameters
    ----------
    message : str
        What was wrong and what to do; no part of the request stands in it.
    status : int, optional
        HTTP status instead of the class's own.
    retry_after_s : int, optional
        When to try again.
    """

    status = 500
    kind = "internal_error"
    retry_after_s: int | None = None

    def __init_subclass__(cls, *, status: int, kind: str, retry_after_s: int | None = None) -> None:
        super().__init_subclass__()
        cls.status, cls.kind, cls.retry_after_s = status, kind, retry_after_s

    def __init__(
        self, message: str, *, status: int | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


class BadRequestError(ServeError, status=400, kind="invalid_request_error"):
    """The request itself is wrong."""


class UnauthorisedError(ServeError, status=401, kind="authentication_error"):
    """No key, or none that is known."""


class ForbiddenError(ServeError, status=403, kind="permission_error"):
    """A page of another site may not use this server."""


class NotAcceptableError(ServeError, status=406, kind="not_acceptable"):
    """None of the formats that the client accepts is there."""


class TooLargeError(ServeError, status=413, kind="too_large"):
    """More bytes than are taken in."""


class BadFileError(ServeError, status=422, kind="unreadable_ecg"):
    """The file is not an ECG that can be read as it stands."""

    def __init__(self, message: str) -> None:
        # The readers name the options of the command line; the form has fields of the same names.
        super().__init__(re.sub(r"--(fs|unit|leads)\b", r"\1", message))


class TooManyError(ServeError, status=429, kind="rate_limit_error", retry_after_s=1):
    """The queue is full, or a key has used up its requests."""


class UnavailableError(ServeError, status=503, kind="unavailable", retry_after_s=5):
    """A part of the server is away and will be back."""


class TookTooLongError(ServeError, status=504, kind="timeout"):
    """The answer was not ready in time."""

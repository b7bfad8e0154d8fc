"""What a client is told when a request is not served: a status, a kind and one sentence."""

from __future__ import annotations

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

    def __init__(
        self, message: str, *, status: int | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


class BadRequestError(ServeError):
    """The request itself is wrong."""

    status = 400
    kind = "invalid_request_error"


class UnauthorisedError(ServeError):
    """No key, or none that is known."""

    status = 401
    kind = "authentication_error"


class ForbiddenError(ServeError):
    """A page of another site may not use this server."""

    status = 403
    kind = "permission_error"


class NotAcceptableError(ServeError):
    """None of the formats that the client accepts is there."""

    status = 406
    kind = "not_acceptable"


class TooLargeError(ServeError):
    """More bytes than are taken in."""

    status = 413
    kind = "too_large"


class BadFileError(ServeError):
    """The file is not an ECG that can be read as it stands."""

    status = 422
    kind = "unreadable_ecg"


class TooManyError(ServeError):
    """The queue is full, or a key has used up its requests."""

    status = 429
    kind = "rate_limit_error"
    retry_after_s = 1


class UnavailableError(ServeError):
    """A part of the server is away and will be back."""

    status = 503
    kind = "unavailable"
    retry_after_s = 5


class TookTooLongError(ServeError):
    """The answer was not ready in time."""

    status = 504
    kind = "timeout"

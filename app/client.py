"""Talks to the server: the only way in which the app reaches an ECG's meaning."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import httpx

from ecg_llm.errors import ECGError

Kind = Literal["json", "html", "pdf", "fhir"]
ACCEPT: dict[Kind, str] = {
    "json": "application/json",
    "html": "text/html",
    "pdf": "application/pdf",
    "fhir": "application/fhir+json",
}
_SECONDS = httpx.Timeout(200.0, connect=5.0)


class ServerError(ECGError):
    """What the server said instead of an answer, in words for a person."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Upload(NamedTuple):
    """One file as it was given."""

    name: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Case:
    """The files of one ECG, and what a person told about it.

    Attributes
    ----------
    files : tuple of Upload
        Of one recording.
    earlier : tuple of Upload
        Of an earlier recording of the same patient; empty without one.
    fields : dict of str to str
        Form fields of the server: age, sex, partial, fs, unit, leads.
    """

    files: tuple[Upload, ...]
    earlier: tuple[Upload, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Client:
    """A server, such as ``http://127.0.0.1:8000``, and the API key for it, if it asks for one."""

    url: str
    key: str = ""

    def needs_key(self) -> bool:
        """Ask whether this key is not enough."""
        try:
            self._ask("GET", "/v1/models")
        except ServerError as error:
            if error.status in (401, 403):
                return True
            raise
        return False

    def tracing(self, case: Case) -> dict[str, Any]:
        """Ask for what is needed to draw an ECG, as ``/v1/ecg/tracings`` gives it."""
        answer = self._post("/v1/ecg/tracings", case, {"max_fs": "250", "seconds": "60"})
        tracing: dict[str, Any] = answer.json()
        return tracing

    def page(self, case: Case) -> bytes:
        """Ask for the page that an ECG was read from, as JPEG."""
        return self._post("/v1/ecg/pages", case, {}, accept="image/jpeg").content

    def report(self, case: Case, kind: Kind = "json") -> bytes:
        """Ask for the report as a document."""
        return self._post("/v1/ecg/reports", case, {}, accept=ACCEPT[kind]).content

    def chat(self, case: Case, turns: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
        """Ask about an ECG; the answer comes in checked sentences.

        Each is the ``ecg`` of a stream (``docs/api.md``); ``shown`` is its text with the white
        space before it.
        """
        messages: list[dict[str, Any]] = [{"role": role, "content": text} for role, text in turns]
        parts = [_part(upload) for upload in (*case.earlier, *case.files)]
        messages[0]["content"] = [*parts, {"type": "text", "text": messages[0]["content"]}]
        body = {
            "model": "default",
            "stream": True,
            "messages": messages,
            "ecg": case.fields,
        }
        try:
            with (
                httpx.Client(timeout=_SECONDS) as client,
                client.stream(
                    "POST", f"{self.url}/v1/chat/completions", json=body, headers=self._headers()
                ) as answer,
            ):
                if answer.status_code != 200:
                    answer.read()
                    raise _error(answer)
                for line in answer.iter_lines():
                    yield from _sentences(line)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    def _headers(self, accept: str = "application/json") -> dict[str, str]:
        headers = {"Accept": accept}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        return headers

    def _post(
        self, path: str, case: Case, fields: dict[str, str], accept: str = "application/json"
    ) -> httpx.Response:
        files = [("file", (upload.name, upload.data)) for upload in case.files]
        if path.endswith("reports"):
            files += [("earlier", (upload.name, upload.data)) for upload in case.earlier]
        return self._ask("POST", path, accept, files=files, data=case.fields | fields)

    def _ask(
        self, method: str, path: str, accept: str = "application/json", **sent: Any
    ) -> httpx.Response:
        headers = self._headers(accept)
        try:
            answer = httpx.request(
                method, f"{self.url}{path}", headers=headers, timeout=_SECONDS, **sent
            )
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        if answer.status_code != 200:
            raise _error(answer)
        return answer

    def _unreachable(self, error: httpx.HTTPError) -> ServerError:
        what = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "is away"
        return ServerError(f"The ECG server {what}; try again in a moment, or start it anew.")


def _part(upload: Upload) -> dict[str, Any]:
    text = base64.b64encode(upload.data).decode()
    return {
        "type": "file",
        "file": {
            "filename": upload.name,
            "file_data": f"data:application/octet-stream;base64,{text}",
        },
    }


def _sentences(line: str) -> Iterator[dict[str, Any]]:
    """Give the sentence of one line of a stream."""
    if not line.startswith("data:") or (text := line[5:].strip()) == "[DONE]":
        return
    event = json.loads(text)
    if "error" in event:
        raise ServerError(str(event["error"].get("message", "The answer broke off.")))
    if "text" in (one := event.get("ecg", {})):
        yield one | {"shown": event["choices"][0]["delta"].get("content", "")}


def _error(answer: httpx.Response) -> ServerError:
    """Take the server's words; they are written for people."""
    if answer.status_code == 401:
        return ServerError("The server asks for an API key, or does not know this one.", 401)
    try:
        message = str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"The ECG server answered with status {answer.status_code}."
    if wait := answer.headers.get("Retry-After"):
        message = f"{message} Try again in {wait} s."
    return ServerError(message, answer.status_code)

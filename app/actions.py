"""What happens when somebody uses the page; each step shows what is known so far."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ecg_llm.app.client import Case, Client, ServerError
from ecg_llm.app.session import Session, read_files
from ecg_llm.errors import ECGError

IDLE = (
    "Open an ECG to begin: WFDB (header and signal file together, or a zip), DICOM, HL7 aECG, "
    "MUSE XML, CSV, NPY, or an image or PDF of a page."
)
DONE = "Choose a statement to see on the tracing what it rests on."
DOCUMENTS = ("PDF", "JSON", "FHIR")
"""What can be downloaded, in the order of its buttons."""
FIELDS = ("age", "sex", "fs", "unit", "leads")
"""What a person may tell of a recording, in the order of the page."""

Shown = tuple[Any, ...]
"""A value for the session, the status, the reading, the chat and each document's button."""


@dataclass(frozen=True, kw_only=True)
class Actions:
    """What the page does.

    Attributes
    ----------
    url : str
        Of the server.
    examples : mapping of str to sequence of Path
        Files of the ECGs that can be tried, by name.
    max_upload_mb : int
        Largest upload.
    """

    url: str
    examples: Mapping[str, Sequence[Path]]
    max_upload_mb: int

    def ask_for_key(self, secret: str | None) -> Any:
        """Show the field for an API key where the server wants one."""
        try:
            return gr.update(visible=self._client(secret).needs_key())
        except ServerError:
            return gr.update()

    def open_example(
        self, session: Session, secret: str | None, name: str | None, before: Any, *fields: Any
    ) -> Iterator[Shown]:
        """Open one of the examples."""
        if name is not None and name in self.examples:
            yield from self.open_files(session, secret, self.examples[name], before, *fields)

    def open_files(
        self, session: Session, secret: str | None, paths: Any, before: Any, *fields: Any
    ) -> Iterator[Shown]:
        """Open an ECG: its tracing first, then its report, then the documents."""
        session.forget()
        try:
            case = Case(
                files=read_files(paths, self.max_upload_mb),
                earlier=read_files(before, self.max_upload_mb),
                fields=_told(*fields),
            )
            if not case.files:
                yield _shown(session, say(IDLE), None)
                return
            session.case = case
            yield from self._read(session, case, self._client(secret))
        except ECGError as error:
            session.forget()
            yield _shown(session, _problem(str(error)), None)

    def answer(
        self,
        session: Session,
        secret: str | None,
        question: str | None,
        history: list[dict[str, Any]] | None,
    ) -> Iterator[tuple[Any, str]]:
        """Answer a question, sentence by sentence; the field of the question is emptied."""
        turns = [(turn["role"], _plain(turn["content"])) for turn in history or []]
        question = (question or "").strip()
        if not question:
            yield history or [], ""
            return
        turns.append(("user", question))
        said = ""
        try:
            yield _chat(turns, "…"), ""
            for piece in self._client(secret).chat(session.opened(), turns):
                said += piece
                yield _chat(turns, said), ""
        except ECGError as error:
            yield _chat(turns, f"{said}\n\n{error}".strip()), ""

    def _read(self, session: Session, case: Case, client: Client) -> Iterator[Shown]:
        yield _shown(session, say("Reading and measuring …"), None)
        seen: dict[str, Any] = {"tracing": client.tracing(case), "report": None, "page": None}
        if seen["tracing"]["origin"] == "page":
            image = base64.b64encode(client.page(case)).decode()
            seen["page"] = f"data:image/jpeg;base64,{image}"
        yield _shown(session, say("Writing the report …"), seen)
        text = client.report(case)
        seen = seen | {"report": json.loads(text)}
        yield _shown(session, say("Making the documents …"), seen)
        name = Path(case.files[0].name).stem
        made = [
            session.keep(f"{name}.report.pdf", client.report(case, "pdf")),
            session.keep(f"{name}.report.json", text),
            session.keep(f"{name}.report.fhir.json", client.report(case, "fhir")),
        ]
        yield _shown(session, say(DONE), seen, made)

    def _client(self, secret: str | None) -> Client:
        return Client(url=self.url, key=(secret or "").strip())


def say(text: str) -> str:
    """Give a line that tells how far things are.

    Parameters
    ----------
    text : str
        What to say.

    Returns
    -------
    str
        HTML.
    """
    return f'<p role="status">{escape(text)}</p>'


def _problem(text: str) -> str:
    return f'<p role="alert" class="problem">{escape(text)}</p>'


def _shown(
    session: Session, status: str, seen: dict[str, Any] | None, made: list[str] | None = None
) -> Shown:
    paths: list[str | None] = [*made] if made else [None] * len(DOCUMENTS)
    buttons = [gr.update(value=path, interactive=path is not None) for path in paths]
    return session, status, seen, [] if made is None else gr.skip(), *buttons


def _told(*fields: str | None) -> dict[str, str]:
    """Give the server's form fields; what was left empty is not sent."""
    told = {name: (text or "").strip() for name, text in zip(FIELDS, fields, strict=True)}
    return {name: text for name, text in told.items() if text}


def _chat(turns: list[tuple[str, str]], said: str) -> list[dict[str, str]]:
    shown = [{"role": role, "content": text} for role, text in turns]
    return [*shown, {"role": "assistant", "content": said}]


def _plain(content: Any) -> str:
    """Take the text of a chat turn, in whatever form Gradio hands it back."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    return "".join(part.get("text", "") for part in parts if isinstance(part, dict))

"""What happens when somebody uses the page; each step shows what is known so far."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ecg_llm.app.client import Case, Client, Kind, ServerError, Upload
from ecg_llm.app.session import Session, read_files
from ecg_llm.errors import ECGError

IDLE = (
    "Open an ECG to begin: WFDB (header and signal file together, or a zip), DICOM, HL7 aECG, "
    "MUSE XML, CSV, NPY, or an image or PDF of a page."
)
READING = "Reading and measuring …"
DONE = "Choose a statement to see on the tracing what it rests on."
REFUSED = (
    "This tracing was not interpreted; why stands below it. Record it again; where that cannot be "
    "done and only some leads are bad, they can be left out."
)
OVER = "An hour after its last use an ECG is closed; choose its files and read it again."
CLEARED = "What you had told of the ECG before was cleared: {}."
DOCUMENTS: dict[str, tuple[Kind, str]] = {
    "PDF": ("pdf", "pdf"),
    "HTML": ("html", "html"),
    "JSON": ("json", "json"),
    "FHIR": ("fhir", "fhir.json"),
}
"""What can be downloaded, in the order of its buttons: what to ask for, and the file's ending."""
FIELDS = {
    "age": "age",
    "sex": "sex",
    "partial": "what to do with leads that cannot be read",
    "fs": "sampling rate",
    "unit": "unit",
    "leads": "lead names",
}
"""What a person may tell of a recording, in the order of the page; and its name there."""
TABLES = (".csv", ".tsv", ".txt", ".npy")
"""Endings of files that may not state rate, unit and leads."""

Shown = dict[str, Any]
"""What is shown anew, by the name of its place on the page; all else stays as it is."""


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

    def example_files(self, name: str | None) -> Any:
        """Put the files of an example where uploaded files stand."""
        return [str(path) for path in self.examples[name]] if name else gr.skip()

    def open_files(
        self, session: Session, secret: str | None, paths: Any, before: Any, *fields: Any
    ) -> Iterator[Shown]:
        """Open an ECG: its tracing first, then its report, then the documents."""
        opened = session.case
        files: tuple[Upload, ...] = ()
        try:
            files = read_files(paths, self.max_upload_mb)
            left, stood = None, session.tried
            # Gradio adds an upload to the files that stand there.
            if stood and files[: len(stood)] == stood != files:
                added = files[len(stood) :]
                if opened is not None or not _completes(added, stood):
                    files, left = added, paths[len(stood) :]
            told = Case(
                files=files,
                earlier=read_files(before, self.max_upload_mb),
                fields=_told(*fields),
            )
            if told == opened:  # Gradio tells of a change twice
                yield {"session": session}
                return
            session.close()
            session.tried = files
            case, cleared = _own(told, session.before)
            if not case.files:
                yield _shown(session, say(IDLE), None, cleared=cleared)
                return
            session.case = case
            yield _shown(session, say(READING), None, cleared=cleared, files=left)
            for shown in self._read(session, case, self._client(secret), cleared):
                if session.case is not case:  # another ECG was opened meanwhile
                    return
                yield shown
        except ECGError as error:
            session.close()
            tables = any(upload.name.lower().endswith(TABLES) for upload in files)
            yield _shown(session, _problem(str(error)), None, tables=tables)

    def answer(self, session: Session, secret: str | None, question: str | None) -> Iterator[Shown]:
        """Answer a question, sentence by sentence; the field of the question is emptied."""
        question = (question or "").strip()
        case = session.case
        if question and case is None:  # a visit ends an hour after its last use
            session.turns.append({"question": question, "sentences": [], "problem": OVER})
        if not question or case is None:
            yield _talk(session, question="")
            return
        asked = [*_said(session.turns), ("user", question)]
        turn: dict[str, Any] = {"question": question, "sentences": [], "problem": ""}
        session.turns.append(turn)
        session.busy = True
        yield _talk(session, question="")
        try:
            for one in self._client(secret).chat(case, asked):
                if session.case is not case:  # an answer never stands below another ECG
                    return
                turn["sentences"].append(one)
                yield _talk(session)
        except ECGError as error:
            turn["problem"] = str(error)
        if session.case is case:
            session.busy = False
            yield _talk(session)

    def stop(self, session: Session) -> Iterator[Shown]:
        """Say of an answer that it was stopped; the page cancels it."""
        if session.busy:
            session.turns[-1]["problem"] = "Stopped."
        session.busy = False
        yield _talk(session)

    def _read(
        self, session: Session, case: Case, client: Client, cleared: list[str]
    ) -> Iterator[Shown]:
        seen: dict[str, Any] = {"tracing": client.tracing(case), "report": None, "page": None}
        session.before = case
        if seen["tracing"]["origin"] == "page":
            image = base64.b64encode(client.page(case)).decode()
            seen["page"] = f"data:image/jpeg;base64,{image}"
        yield _shown(session, say("Writing the report …"), seen)
        seen = seen | {"report": json.loads(client.report(case))}
        done = DONE if seen["report"]["quality"]["acceptable"] else REFUSED
        if cleared:
            names = ", ".join(FIELDS.get(name, "earlier ECG") for name in cleared)
            done = f"{done} {CLEARED.format(names)}"
        first = _alerts(seen["report"]["alerts"])
        yield _shown(session, first + say(f"{done} The documents are being made …"), seen)
        name = Path(case.files[0].name).stem
        made = {ending: client.report(case, kind) for kind, ending in DOCUMENTS.values()}
        if session.case is not case:
            return
        paths = [session.keep(f"{name}.report.{end}", data) for end, data in made.items()]
        yield _shown(session, first + say(done), seen, paths)

    def _client(self, secret: str | None) -> Client:
        return Client(url=self.url, key=(secret or "").strip())


def say(text: str) -> str:
    """Give a line, as HTML, that tells how far things are."""
    return f'<p role="status">{escape(text)}</p>'


def _alerts(alerts: Sequence[Mapping[str, Any]]) -> str:
    """Name what somebody must look at above all else: the report stands below the tracing."""
    lines = []
    for alert in alerts:
        name = alert["text"].partition(", uncertain")[0].partition(": ")[0].rstrip(".")
        lines.append(_problem(f"{alert['urgency'].capitalize()}: {name}"))
    return "".join(lines)


def _problem(text: str) -> str:
    return f'<p role="alert" class="problem">{escape(text)}</p>'


def _completes(added: Sequence[Upload], stood: Sequence[Upload]) -> bool:
    """Whether files belong to those of a recording that could not be read without them.

    By their names, or because a header waits for its samples; anything else is the next ECG.
    """
    stems = {Path(upload.name).stem.lower() for upload in stood}
    if any(Path(upload.name).stem.lower() in stems for upload in added):
        return True
    heads = [any(one.name.lower().endswith(".hea") for one in files) for files in (stood, added)]
    return heads == [True, False]


def _own(told: Case, before: Case | None) -> tuple[Case, list[str]]:
    """Take from a next ECG what was told of the one before, and name what was taken.

    Age, sex and an earlier ECG of one patient must never be held against the next one's tracing.
    What was changed since is the next one's own.
    """
    if before is None or told.files == before.files:
        return told, []
    stale = [name for name, text in told.fields.items() if before.fields.get(name) == text]
    fields = {name: text for name, text in told.fields.items() if name not in stale}
    earlier = told.earlier
    if earlier and earlier == before.earlier:
        earlier = ()
        stale.append("earlier")
    return Case(files=told.files, earlier=earlier, fields=fields), stale


def _shown(
    session: Session,
    status: str,
    seen: dict[str, Any] | None,
    made: list[str] | None = None,
    *,
    cleared: Sequence[str] = (),
    files: list[str] | None = None,
    tables: bool = False,
) -> Shown:
    shown: Shown = {
        "session": session,
        "status": status,
        "reading": seen,
        "talk": gr.update(visible=seen is not None),
    }
    if files is not None:
        shown["files"] = files
    if seen is None:  # once there is something to ask about, only answers change what was said
        shown |= _talk(session)
    if tables:
        shown["tables"] = gr.update(open=True)
    shown |= {name: None if name == "earlier" else "" for name in cleared}
    for k, label in enumerate(DOCUMENTS):
        shown[label] = gr.update(value=made[k] if made else None, interactive=bool(made))
    return shown


def _talk(session: Session, **more: Any) -> Shown:
    """Give the questions and answers, and the button to ask or to stop."""
    # A copy: Gradio sends what differs from what was sent before, and must still have that.
    chat = {"turns": copy.deepcopy(session.turns), "busy": session.busy}
    buttons = {"ask": gr.update(visible=not session.busy), "stop": gr.update(visible=session.busy)}
    return {"chat": chat, **buttons, **more}


def _said(turns: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Give the conversation as the server takes it; a question without an answer is left out."""
    said = []
    for turn in turns:
        text = "".join(one["shown"] for one in turn["sentences"]).strip()
        if text:
            said += [("user", turn["question"]), ("assistant", text)]
    return said


def _told(*fields: str | None) -> dict[str, str]:
    """Give the server's form fields; what was left empty is not sent."""
    told = {name: (text or "").strip() for name, text in zip(FIELDS, fields, strict=True)}
    return {name: text for name, text in told.items() if text}

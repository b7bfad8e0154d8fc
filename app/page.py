"""The page: open an ECG, see it, read the report with its evidence, ask about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ecg_llm.app.client import Case, Client, ServerError
from ecg_llm.app.session import Session, read_files
from ecg_llm.app.settings import AppSettings
from ecg_llm.errors import ECGError

TITLE = "ECG assistant"
IDLE = (
    "Open an ECG to begin: WFDB (header and signal file together, or a zip), DICOM, HL7 aECG, "
    "MUSE XML, CSV, NPY, or an image or PDF of a page."
)
QUESTIONS = (
    "What does this ECG show?",
    "Is the QTc normal?",
    "Why do you say so?",
    "What could not be judged?",
)
STYLE = """
.gradio-container { max-width: 1500px !important; margin: 0 auto !important; }
#title h1 { font-size: 1.35rem; margin: 0; }
#title p { margin: 0.1rem 0 0; }
#status { min-height: 1.6rem; }
#status .problem { border-left: 4px solid #b00020; padding: 0.4rem 0.7rem; }
footer { display: none !important; }
"""


@cache
def _part(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Give the look of the page, with fonts of the machine only.

    Returns
    -------
    gradio.themes.Base
    """
    return gr.themes.Default(
        primary_hue="blue",
        font=["system-ui", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"],
    )


def build_page(settings: AppSettings, url: str) -> gr.Blocks:
    """Lay out the page and connect it to a server.

    Parameters
    ----------
    settings : AppSettings
        What the app is told.
    url : str
        Of the server.

    Returns
    -------
    gradio.Blocks
    """
    examples = settings.example_records()
    page: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(300, 3600)) as page:
        session = gr.State(Session(), delete_callback=Session.forget, time_to_live=3600)
        gr.HTML(
            f"<h1>{TITLE}</h1><p>Every number is measured, every finding names its evidence. "
            "<strong>Research software, not a medical device.</strong></p>",
            elem_id="title",
        )
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                key = gr.Textbox(label="API key", type="password", visible=False, elem_id="key")
                files = gr.File(
                    label="ECG (all files of one recording)", file_count="multiple", height=130,
                    elem_id="files",
                )  # fmt: skip
                example = gr.Dropdown(
                    label="Or try an example",
                    choices=sorted(examples),
                    value=None,
                    visible=bool(examples),
                    elem_id="example",
                )
                with gr.Accordion("Patient, earlier ECG, tables", open=False):
                    age = gr.Number(label="Age in years", minimum=0, maximum=130, value=None)
                    sex = gr.Dropdown(
                        label="Sex", choices=[("not stated", ""), "female", "male"], value=""
                    )
                    earlier = gr.File(
                        label="Earlier ECG of the same patient", file_count="multiple", height=110,
                        elem_id="earlier",
                    )  # fmt: skip
                    fs = gr.Number(label="Sampling rate in Hz (CSV, NPY)", value=None)
                    unit = gr.Dropdown(
                        label="Unit (CSV, NPY)",
                        choices=[("as stated", ""), "mV", "uV", "V"],
                        value="",
                    )
                    leads = gr.Textbox(label="Lead names (CSV, NPY)", placeholder="I, II, V1, …")
                read = gr.Button("Read the ECG", variant="primary", elem_id="read")
                with gr.Group(elem_id="downloads"):
                    downloads = [
                        gr.DownloadButton(f"Report as {label}", interactive=False, size="sm")
                        for label in ("PDF", "JSON", "FHIR")
                    ]
            with gr.Column(scale=4, min_width=320):
                status = gr.HTML(_say(IDLE), elem_id="status")
                reading = gr.HTML(
                    None,
                    html_template=_part("reading.html"),
                    css_template=_part("reading.css"),
                    js_on_load=_part("reading.js"),
                    apply_default_css=False,
                    elem_id="reading",
                )
                chat = gr.Chatbot(
                    label="Questions about this ECG", height=340, elem_id="chat", buttons=["copy"]
                )
                with gr.Row():
                    question = gr.Textbox(
                        label="Question", scale=5, elem_id="question", max_length=2000,
                        placeholder="What does this ECG show?",
                    )  # fmt: skip
                    ask = gr.Button("Ask", scale=1, min_width=90, elem_id="ask")
                gr.Examples([[text] for text in QUESTIONS], question, label="For instance")

        told = [age, sex, fs, unit, leads]
        shown = [session, status, reading, chat, *downloads]

        def client_of(secret: str | None) -> Client:
            return Client(url=url, key=(secret or "").strip())

        def first(secret: str | None) -> Any:
            try:
                return gr.update(visible=client_of(secret).needs_key())
            except ServerError:
                return gr.update()

        def open_files(
            state: Session, secret: str | None, paths: Any, before: Any, *fields: Any
        ) -> Iterator[tuple[Any, ...]]:
            state.forget()
            try:
                case = Case(
                    files=read_files(paths, settings.max_upload_mb),
                    earlier=read_files(before, settings.max_upload_mb),
                    fields=_fields(*fields),
                )
                if not case.files:
                    yield _shown(state, _say(IDLE), None)
                    return
                state.case = case
                client = client_of(secret)
                yield _shown(state, _say("Reading and measuring …"), None)
                tracing = client.tracing(case)
                seen: dict[str, Any] = {"tracing": tracing, "report": None}
                yield _shown(state, _say("Writing the report …"), seen)
                text = client.report(case)
                seen = {"tracing": tracing, "report": json.loads(text)}
                yield _shown(state, _say("Making the documents …"), seen)
                name = Path(case.files[0].name).stem
                made = [
                    state.keep(f"{name}.report.pdf", client.report(case, "pdf")),
                    state.keep(f"{name}.report.json", text),
                    state.keep(f"{name}.report.fhir.json", client.report(case, "fhir")),
                ]
                done = "Choose a statement to see on the tracing what it rests on."
                yield _shown(state, _say(done), seen, made)
            except ECGError as error:
                state.forget()
                yield _shown(state, _problem(str(error)), None)

        def open_example(
            state: Session, secret: str | None, name: str | None, before: Any, *fields: Any
        ) -> Iterator[tuple[Any, ...]]:
            if name in examples:
                yield from open_files(state, secret, examples[name], before, *fields)

        def answer(
            state: Session,
            secret: str | None,
            text: str | None,
            history: list[dict[str, Any]] | None,
        ) -> Iterator[tuple[Any, str]]:
            turns = [(turn["role"], _plain(turn["content"])) for turn in history or []]
            text = (text or "").strip()
            if not text:
                yield history or [], ""
                return
            turns.append(("user", text))
            said = ""
            try:
                yield _chat(turns, "…"), ""
                for piece in client_of(secret).chat(state.opened(), turns):
                    said += piece
                    yield _chat(turns, said), ""
            except ECGError as error:
                yield _chat(turns, f"{said}\n\n{error}".strip()), ""

        page.load(first, key, key)
        key.change(first, key, key)
        inputs = [session, key, files, earlier, *told]
        gr.on([files.upload, read.click], open_files, inputs, shown)
        example.input(open_example, [session, key, example, earlier, *told], shown)
        gr.on(
            [question.submit, ask.click], answer, [session, key, question, chat], [chat, question]
        )
    return page


def _shown(
    state: Session, status: str, seen: dict[str, Any] | None, made: list[str] | None = None
) -> tuple[Any, ...]:
    """Give a value for each thing that shows an ECG."""
    paths: list[str | None] = [*made] if made else [None] * 3
    buttons = [gr.update(value=path, interactive=path is not None) for path in paths]
    return state, status, seen, [] if made is None else gr.skip(), *buttons


def _fields(
    age: float | None, sex: str | None, fs: float | None, unit: str | None, leads: str | None
) -> dict[str, str]:
    """Give the server's form fields; what was left empty is not sent."""
    told = {
        "age": f"{age:g}" if age is not None else "",
        "sex": sex or "",
        "fs": f"{fs:g}" if fs is not None else "",
        "unit": unit or "",
        "leads": (leads or "").strip(),
    }
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


def _say(text: str) -> str:
    return f'<p role="status">{escape(text)}</p>'


def _problem(text: str) -> str:
    return f'<p role="alert" class="problem">{escape(text)}</p>'

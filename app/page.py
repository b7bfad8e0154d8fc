"""The page: open an ECG, see it, read the report with its evidence, ask about it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from ecg_llm.app.actions import DOCUMENTS, IDLE, Actions, say
from ecg_llm.app.session import Session
from ecg_llm.app.settings import AppSettings

TITLE = "ECG assistant"
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
#files .download, #earlier .download { display: none; } /* so that the name has room */
footer { display: none !important; }
"""


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
    do = Actions(url=url, examples=settings.example_records(), max_upload_mb=settings.max_upload_mb)
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
                given = _given(sorted(do.examples))
            with gr.Column(scale=4, min_width=320):
                view = _view()
        shown = [session, view.status, view.reading, view.chat, *given.downloads]
        about = [given.earlier, *given.told]
        page.load(do.ask_for_key, given.key, given.key)
        given.key.change(do.ask_for_key, given.key, given.key)
        gr.on(
            [given.files.upload, given.read.click],
            do.open_files,
            [session, given.key, given.files, *about],
            shown,
            trigger_mode="always_last",  # what is chosen while another ECG is read comes next
        )
        given.example.input(
            do.open_example,
            [session, given.key, given.example, *about],
            shown,
            trigger_mode="always_last",
        )
        gr.on(
            [view.question.submit, view.ask.click],
            do.answer,
            [session, given.key, view.question, view.chat],
            [view.chat, view.question],
        )
    return page


class _Given(NamedTuple):
    """Where a visitor says what to read, and takes the report from."""

    key: Any
    files: Any
    example: Any
    earlier: Any
    told: list[Any]
    read: Any
    downloads: list[Any]


class _View(NamedTuple):
    """Where the ECG and what is said of it are shown."""

    status: Any
    reading: Any
    chat: Any
    question: Any
    ask: Any


def _given(examples: Iterable[str]) -> _Given:
    """Lay out the left column."""
    names = list(examples)
    key = gr.Textbox(label="API key", type="password", visible=False, elem_id="key")
    files = gr.File(
        label="ECG (all files of one recording)", file_count="multiple", height=130, elem_id="files"
    )
    example = gr.Dropdown(
        label="Or try an example",
        choices=names,
        value=None,
        visible=bool(names),
        elem_id="example",
    )
    with gr.Accordion("Patient, earlier ECG, tables", open=False):
        # Not gr.Number, which makes 0 of an empty field: a newborn.
        age = gr.Textbox(label="Age in years", max_length=8)
        sex = gr.Dropdown(label="Sex", choices=[("not stated", ""), "female", "male"], value="")
        earlier = gr.File(
            label="Earlier ECG of the same patient",
            file_count="multiple",
            height=110,
            elem_id="earlier",
        )
        fs = gr.Textbox(label="Sampling rate in Hz (CSV, NPY)", max_length=12)
        unit = gr.Dropdown(
            label="Unit (CSV, NPY)", choices=[("as stated", ""), "mV", "uV", "V"], value=""
        )
        leads = gr.Textbox(label="Lead names (CSV, NPY)", placeholder="I, II, V1, …")
    read = gr.Button("Read the ECG", variant="primary", elem_id="read")
    with gr.Group(elem_id="downloads"):
        downloads = [
            gr.DownloadButton(f"Report as {label}", interactive=False, size="sm")
            for label in DOCUMENTS
        ]
    return _Given(key, files, example, earlier, [age, sex, fs, unit, leads], read, downloads)


def _view() -> _View:
    """Lay out the right column."""
    status = gr.HTML(say(IDLE), elem_id="status")
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
            label="Question",
            scale=5,
            elem_id="question",
            max_length=2000,
            placeholder="What does this ECG show?",
        )
        ask = gr.Button("Ask", scale=1, min_width=90, elem_id="ask")
    gr.Examples([[text] for text in QUESTIONS], question, label="For instance")
    return _View(status, reading, chat, question, ask)


@cache
def _part(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")

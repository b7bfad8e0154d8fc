"""The page: open an ECG, see it, read the report with its evidence, ask about it."""

from __future__ import annotations

from collections.abc import Sequence
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
    "Is there a bundle branch block?",
    "What could not be judged?",
)
STYLE = """
.gradio-container { max-width: 1500px !important; margin: 0 auto !important;
  overflow: clip !important; } /* hidden would keep the tracing from staying in sight */
#title h1 { font-size: 1.35rem; margin: 0; }
#title p { margin: 0.1rem 0 0; }
#status p { margin: 0; padding: 0.2rem 0; }
#status .problem { border-left: 4px solid #b00020; padding: 0.4rem 0.7rem; }
#files .download, #earlier .download { display: none; } /* so that the name has room */
#files .wrap, #earlier .wrap { padding-top: 1.6rem; } /* below the label */
#files .icon-wrap, #earlier .icon-wrap { display: none; }
#files .or, #earlier .or { color: inherit; }
input[role="listbox"] { text-overflow: ellipsis; padding-right: 1.3rem !important; }
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
    ).set(
        # White on the theme's own blue is too faint to be read well.
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
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
    records = settings.example_records()
    do = Actions(url=url, examples=records, max_upload_mb=settings.max_upload_mb)
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
                given = _given(settings.example_names())
            with gr.Column(scale=4, min_width=320):
                view = _view()
        talk = [view.chat, view.ask, view.stop]
        asking = [
            gr.on(
                [view.question.submit, view.ask.click],
                do.answer,
                [session, given.key, view.question],
                [*talk, view.question],
                show_progress="hidden",
            ),
            *(
                button.click(
                    do.answer,
                    [session, given.key, button],
                    [*talk, view.question],
                    show_progress="hidden",
                )
                for button in view.questions
            ),
        ]
        view.stop.click(do.stop, session, talk, cancels=asking)
        page.load(do.ask_for_key, given.key, given.key)
        given.key.change(do.ask_for_key, given.key, given.key)
        given.example.input(do.example_files, given.example, given.files)
        given.files.upload(lambda: None, None, given.example)
        about = [given.earlier, *given.told]
        # One event for all ways to open an ECG, so that two never run at a time in one page.
        gr.on(
            [given.files.change, given.read.click, given.told[0].submit],
            do.open_files,
            [session, given.key, given.files, *about],
            [
                *(session, given.files, view.status, view.reading, view.talk),
                *(*talk, given.tables, *about, *given.downloads),
            ],
            trigger_mode="always_last",  # what is chosen while another ECG is read comes next
            show_progress="hidden",  # a line says how far it is; a veil would hide what is there
        )
    page.queue(default_concurrency_limit=PAGES_AT_A_TIME)
    return page


PAGES_AT_A_TIME = 16
"""How many visitors' ECGs are opened at one time; the server has a queue of its own."""


class _Given(NamedTuple):
    """Where a visitor says what to read, and takes the report from."""

    key: Any
    files: Any
    example: Any
    earlier: Any
    told: list[Any]
    tables: Any
    read: Any
    downloads: list[Any]


class _View(NamedTuple):
    """Where the ECG and what is said of it are shown."""

    status: Any
    reading: Any
    talk: Any
    chat: Any
    question: Any
    ask: Any
    stop: Any
    questions: list[Any]


def _given(examples: Sequence[tuple[str, str]]) -> _Given:
    """Lay out the left column."""
    key = gr.Textbox(label="API key", type="password", visible=False, elem_id="key")
    files = gr.File(
        label="ECG (all files of one recording)", file_count="multiple", height=130, elem_id="files"
    )
    example = gr.Dropdown(
        label="Or try an example",
        choices=list(examples),
        value=None,
        visible=bool(examples),
        elem_id="example",
    )
    with gr.Row():
        # Not gr.Number, which makes 0 of an empty field: a newborn.
        age = gr.Textbox(label="Age in years", max_length=8, min_width=110)
        sex = gr.Dropdown(
            label="Sex", choices=[("–", ""), "female", "male"], value="", min_width=110
        )
    partial = gr.Dropdown(
        label="Where leads cannot be read",
        choices=[("refuse the tracing", ""), ("read the others", "true")],
        value="",
        elem_id="partial",
    )
    with gr.Accordion("Compare with an earlier ECG", open=False):
        earlier = gr.File(
            label="Earlier ECG of the same patient",
            file_count="multiple",
            height=110,
            elem_id="earlier",
        )
    with gr.Accordion("For CSV and NPY files", open=False) as tables:
        fs = gr.Textbox(label="Sampling rate in Hz (fs)", max_length=12)
        unit = gr.Dropdown(label="Unit", choices=[("as stated", ""), "mV", "uV", "V"], value="")
        leads = gr.Textbox(label="Lead names (leads), in order", placeholder="I, II, V1, …")
    read = gr.Button("Read the ECG", variant="primary", elem_id="read")
    with gr.Group(elem_id="downloads"):
        downloads = [
            gr.DownloadButton(f"Report as {label}", interactive=False, size="sm")
            for label in DOCUMENTS
        ]
    told = [age, sex, partial, fs, unit, leads]
    return _Given(key, files, example, earlier, told, tables, read, downloads)


def _view() -> _View:
    """Lay out the right column."""
    status = gr.HTML(say(IDLE), elem_id="status")
    reading = _own("reading", None)
    with gr.Column(visible=False, elem_id="talk") as talk:
        chat = _own("chat", {"turns": [], "busy": False})
        with gr.Row(equal_height=True):
            question = gr.Textbox(
                label="Question",
                scale=5,
                elem_id="question",
                max_length=2000,
                placeholder="Ask about this ECG",
            )
            ask = gr.Button("Ask", scale=1, min_width=90, elem_id="ask")
            stop = gr.Button("Stop", scale=1, min_width=90, elem_id="stop", visible=False)
        with gr.Row():
            questions = [gr.Button(text, size="sm", min_width=150) for text in QUESTIONS]
    return _View(status, reading, talk, chat, question, ask, stop, questions)


def _own(name: str, value: Any) -> gr.HTML:
    """Give a component of our own: its HTML, CSS and script stand beside this file."""
    return gr.HTML(
        value,
        html_template=_part(f"{name}.html"),
        css_template=_part(f"{name}.css"),
        js_on_load=_part(f"{name}.js"),
        apply_default_css=False,
        elem_id=name,
    )


@cache
def _part(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")

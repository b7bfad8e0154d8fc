"""The page: open an ECG, see it, read the report with its evidence, ask about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import Any

import gradio as gr

from ecg_llm.app.actions import DOCUMENTS, FIELDS, IDLE, Actions, Shown, say
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
.gradio-container { width: 100%; max-width: 1500px !important; margin: 0 auto !important;
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
    """Give the look of the page, with fonts of the machine only."""
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
    """Lay out the page and connect it to a server."""
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
        at: dict[str, Any] = {"session": session}
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                at |= _given(settings.example_names())
            with gr.Column(scale=4, min_width=320):
                at |= _view()
        talk = [at[name] for name in ("chat", "ask", "stop")]
        answer = {
            "fn": _placed(do.answer, at),
            "outputs": [*talk, at["question"]],
            "show_progress": "hidden",
        }
        told = [at["session"], at["key"]]
        asked = [at["question"].submit, at["ask"].click]
        asking = [gr.on(asked, inputs=[*told, at["question"]], **answer)]
        asking += [at[text].click(inputs=[*told, at[text]], **answer) for text in QUESTIONS]
        at["stop"].click(_placed(do.stop, at), session, talk, cancels=asking)
        page.load(do.ask_for_key, at["key"], at["key"])
        at["key"].change(do.ask_for_key, at["key"], at["key"])
        at["example"].input(do.example_files, at["example"], at["files"])
        at["files"].upload(lambda: None, None, at["example"])
        # One event for all ways to open an ECG, so that two never run at a time in one page.
        gr.on(
            [at["files"].change, at["read"].click, at["age"].submit],
            _placed(do.open_files, at),
            [*told, *(at[name] for name in ("files", "earlier", *FIELDS))],
            [
                *(at[name] for name in ("session", "files", "status", "reading", "talk", "tables")),
                *talk,
                *(at[name] for name in ("earlier", *FIELDS, *DOCUMENTS)),
            ],
            trigger_mode="always_last",  # what is chosen while another ECG is read comes next
            show_progress="hidden",  # a line says how far it is; a veil would hide what is there
        )
    page.queue(default_concurrency_limit=PAGES_AT_A_TIME)
    return page


PAGES_AT_A_TIME = 16
"""How many visitors' ECGs are opened at one time; the server has a queue of its own."""


def _placed(action: Callable[..., Iterator[Shown]], at: Mapping[str, Any]) -> Any:
    """Give an action as Gradio runs it: what it shows by its component, not by its name."""

    @wraps(action)
    def run(*given: Any) -> Iterator[dict[Any, Any]]:
        for shown in action(*given):
            yield {at[name]: value for name, value in shown.items()}

    return run


def _given(examples: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Lay out the left column, where a visitor says what to read and takes the report from."""
    at: dict[str, Any] = {}
    at["key"] = gr.Textbox(label="API key", type="password", visible=False, elem_id="key")
    at["files"] = gr.File(
        label="ECG (all files of one recording)", file_count="multiple", height=130, elem_id="files"
    )
    at["example"] = gr.Dropdown(
        label="Or try an example",
        choices=list(examples),
        value=None,
        visible=bool(examples),
        elem_id="example",
    )
    with gr.Row():
        # Not gr.Number, which makes 0 of an empty field: a newborn.
        at["age"] = gr.Textbox(label="Age in years", max_length=8, min_width=110)
        at["sex"] = gr.Dropdown(
            label="Sex", choices=[("–", ""), "female", "male"], value="", min_width=110
        )
    at["partial"] = gr.Dropdown(
        label="Where leads cannot be read",
        choices=[("refuse the tracing", ""), ("read the others", "true")],
        value="",
        elem_id="partial",
    )
    with gr.Accordion("Compare with an earlier ECG", open=False):
        at["earlier"] = gr.File(
            label="Earlier ECG of the same patient",
            file_count="multiple",
            height=110,
            elem_id="earlier",
        )
    with gr.Accordion("For CSV and NPY files", open=False) as at["tables"]:
        at["fs"] = gr.Textbox(label="Sampling rate in Hz (fs)", max_length=12)
        at["unit"] = gr.Dropdown(
            label="Unit", choices=[("as stated", ""), "mV", "uV", "V"], value=""
        )
        at["leads"] = gr.Textbox(label="Lead names (leads), in order", placeholder="I, II, V1, …")
    at["read"] = gr.Button("Read the ECG", variant="primary", elem_id="read")
    with gr.Group(elem_id="downloads"):
        for label in DOCUMENTS:
            at[label] = gr.DownloadButton(f"Report as {label}", interactive=False, size="sm")
    return at


def _view() -> dict[str, Any]:
    """Lay out the right column, where the ECG and what is said of it are shown."""
    at: dict[str, Any] = {"status": gr.HTML(say(IDLE), elem_id="status")}
    at["reading"] = _own("reading", None)
    with gr.Column(visible=False, elem_id="talk") as at["talk"]:
        at["chat"] = _own("chat", {"turns": [], "busy": False})
        with gr.Row(equal_height=True):
            at["question"] = gr.Textbox(
                label="Question",
                scale=5,
                elem_id="question",
                max_length=2000,
                placeholder="Ask about this ECG",
            )
            at["ask"] = gr.Button("Ask", scale=1, min_width=90, elem_id="ask")
            at["stop"] = gr.Button("Stop", scale=1, min_width=90, elem_id="stop", visible=False)
        with gr.Row():
            at |= {text: gr.Button(text, size="sm", min_width=150) for text in QUESTIONS}
    return at


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

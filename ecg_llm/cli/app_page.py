"""The command that opens the app."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ecg_llm.errors import ConfigError
from ecg_llm.serving.settings import EngineKind


def app_page(
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A server that already runs; else one is started."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="For the server that is started: its model.")
    ] = None,
    engine: Annotated[
        EngineKind, typer.Option(help="For the server that is started: what runs the model.")
    ] = "auto",
    host: Annotated[
        str, typer.Option(help="Address of the page; others than the loopback need API keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")] = 7860,
    keys: Annotated[
        Path | None, typer.Option(help="File of API keys, see `ecgllm keys add`.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name of this page; may be repeated.")
    ] = None,
    examples: Annotated[
        Path | None, typer.Option(help="Folder of WFDB records that are offered to try.")
    ] = None,
) -> None:
    """Open the chat in a browser: upload an ECG, see its report on the tracing, ask about it.

    \b
    ecgllm app                                  starts a server too, on this machine only
    ecgllm app --server http://127.0.0.1:8000
    ecgllm app --host 0.0.0.0 --keys keys.jsonl

    Nothing is kept after the page is closed, and nothing leaves the machine. \f
    """
    if find_spec("gradio") is None:
        raise ConfigError("the app needs Gradio: pip install 'ecg_llm[app]'.")
    from ecg_llm.app.run import run
    from ecg_llm.app.settings import EXAMPLES, AppSettings

    run(
        AppSettings(
            host=host,
            port=port,
            server=server,
            model=model,
            engine=engine,
            keys=keys,
            allow_hosts=tuple(allow_host or ()),
            examples=examples or EXAMPLES,
        ),
        on_ready=lambda url: typer.echo(f"Open {url} in a browser. Ctrl-C ends it."),
    )

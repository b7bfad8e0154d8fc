"""The commands around the server: serve, keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecg_llm.errors import ConfigError
from ecg_llm.serving.settings import MIB, EngineKind, Settings

keys_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make, list and revoke the API keys of a server.",
)
KeyFile = Annotated[
    Path, typer.Option("--keys", help="File of keys; only digests stand in it.", dir_okay=False)
]
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="Who uses the key.")]


def serve(
    model: Annotated[
        str | None,
        typer.Option(help="Checkpoint folder or address; by default the bundled model."),
    ] = None,
    engine: Annotated[
        EngineKind,
        typer.Option(help="What runs the model; none serves the measured report alone."),
    ] = "auto",
    vllm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="An argument of vLLM's engine, as tensor_parallel_size=2; may be repeated.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than the loopback need --keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    keys: Annotated[
        Path | None, typer.Option(help="File of API keys, see `ecgllm keys add`.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name of this server; may be repeated.")
    ] = None,
    audit: Annotated[
        str | None,
        typer.Option(
            envvar="ECGLLM_AUDIT",
            help="Database URL of the audit log; by default SQLite in ~/.local/state.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that read files; by default one a core.")
    ] = None,
    queue: Annotated[
        int, typer.Option(min=1, help="Requests in service at one time; more are refused (429).")
    ] = 64,
    max_upload_mb: Annotated[int, typer.Option(min=1, help="Largest request.")] = 32,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Log what goes wrong, and no line a request.")
    ] = False,
) -> None:
    """Serve reports, measurements and chat over HTTP: OpenAI-compatible, and FHIR.

    \b
    ecgllm serve                                   on this machine only
    curl -F file=@rec.zip http://127.0.0.1:8000/v1/ecg/reports
    ecgllm keys add ward7 --keys keys.jsonl
    ecgllm serve --host 0.0.0.0 --keys keys.jsonl --tls-cert cert.pem --tls-key key.pem

    The addresses and their answers stand in docs/api.md. \f
    """
    from ecg_llm.serving.run import run

    run(
        Settings(
            model=model,
            engine=engine,
            vllm=tuple(vllm or ()),
            host=host,
            port=port,
            keys=keys,
            tls_cert=tls_cert,
            tls_key=tls_key,
            allow_hosts=tuple(allow_host or ()),
            audit=audit,
            workers=workers or Settings.workers,
            queue=queue,
            max_upload_bytes=max_upload_mb * MIB,
        ),
        quiet=quiet,
    )


@keys_app.command("add", short_help="Make a key and print it once.")
def keys_add(
    name: KeyName,
    keys: KeyFile = Path("keys.jsonl"),
    per_minute: Annotated[int, typer.Option(min=1, help="Requests allowed in a minute.")] = 600,
) -> None:
    """Make a key, write its digest into the file, and print the key, which is kept nowhere.

    \b
    ecgllm keys add ward7 --keys keys.jsonl \f
    """
    from ecg_llm.serving.keys import add_key

    typer.echo(add_key(keys, name, per_minute=per_minute))


@keys_app.command("list", short_help="The keys of a file.")
def keys_list(keys: KeyFile = Path("keys.jsonl")) -> None:
    """List the keys of a file: name, requests a minute, since when, until when.

    \b
    ecgllm keys list --keys keys.jsonl \f
    """
    from ecg_llm.serving.keys import read_keys

    _there(keys)
    for key in read_keys(keys):
        until = f"revoked {key.revoked}" if key.revoked else "in use"
        typer.echo(f"{key.name}  {key.per_minute}/min  {key.created}  {until}")


@keys_app.command("revoke", short_help="Refuse a key from now on.")
def keys_revoke(name: KeyName, keys: KeyFile = Path("keys.jsonl")) -> None:
    """Refuse a key from now on; a running server need not be started anew.

    \b
    ecgllm keys revoke ward7 --keys keys.jsonl \f
    """
    from ecg_llm.serving.keys import revoke_key

    _there(keys)
    revoke_key(keys, name)


def _there(keys: Path) -> None:
    if not keys.is_file():
        raise ConfigError(f"--keys {keys}: no such file; `ecgllm keys add NAME` makes one.")

"""What a server is told at its start; every bound on what a request may cost stands here."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ecg_llm.errors import ConfigError
from ecg_llm.serving.keys import read_keys

EngineKind = Literal["auto", "onnx", "transformers", "vllm", "none"]
MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one server.

    Attributes
    ----------
    host : str
        Address to listen at; any but the loopback needs ``keys``.
    port : int
        Port; 0 takes a free one.
    model : str or None
        Checkpoint folder, address of an OpenAI-compatible server, or None for the bundled model.
    engine : str
        What runs the model; ``none`` serves the measured report alone.
    vllm : tuple of str
        Arguments of vLLM's engine, each ``name=value``.
    keys : Path or None
        File of API keys, made by ``ecgllm keys add``.
    tls_cert, tls_key : Path or None
        Certificate and private key in PEM.
    allow_hosts : tuple of str
        Names under which clients reach the server, beside the loopback's.
    audit : str or None
        Database URL of the audit log; None for SQLite in the user's state folder.
    workers : int
        Processes that read files.
    queue : int
        Requests in service at one time, waiting or running; the next one is refused with 429.
    max_upload_bytes : int
        Of one request.
    max_inflight_bytes : int
        Of all requests in service together.
    max_unpacked_bytes : int
        What an archive says it unpacks to.
    max_pixels : int
        Of an image.
    max_duration_s : float, s
        Of a recording.
    max_files : int
        Of one conversation.
    file_s : float, s
        Wall and processor time that reading and measuring one file may take.
    file_memory_bytes : int
        Memory that it may take.
    upload_s : float, s
        Time in which a request has to arrive.
    answer_s : float, s
        Time in which an answer has to be ready.
    max_new_tokens : int
        Longest draft of the model.
    max_engine_requests : int
        Answers that are written at one time.
    drain_s : float, s
        How long a stopping server waits for requests in service.
    cache_bytes : int
        Analyses kept so that a conversation does not measure its ECG at every turn.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: str | None = None
    engine: EngineKind = "auto"
    vllm: tuple[str, ...] = ()
    keys: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    allow_hosts: tuple[str, ...] = ()
    audit: str | None = None
    workers: int = max(1, os.cpu_count() or 1)
    queue: int = 64
    max_upload_bytes: int = 32 * MIB
    max_inflight_bytes: int = 512 * MIB
    max_unpacked_bytes: int = 128 * MIB
    max_pixels: int = 40_000_000
    max_duration_s: float = 3600.0
    max_files: int = 4
    file_s: float = 30.0
    file_memory_bytes: int = 1024 * MIB
    upload_s: float = 60.0
    answer_s: float = 180.0
    max_new_tokens: int = 512
    max_engine_requests: int = 64
    drain_s: float = 30.0
    cache_bytes: int = 64 * MIB

    def check(self) -> None:
        """Refuse settings that would not be safe or cannot work."""
        if not is_loopback(self.host) and self.keys is None:
            raise ConfigError(
                f"--host {self.host}: other machines could use the server, and it has no API "
                "keys; make one with `ecgllm keys add NAME --keys FILE` and give --keys FILE."
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("--tls-cert and --tls-key are needed together.")
        for option, path in (
            ("--keys", self.keys),
            ("--tls-cert", self.tls_cert),
            ("--tls-key", self.tls_key),
        ):
            if path is not None and not path.is_file():
                raise ConfigError(f"{option} {path}: no such file.")
        if self.keys is not None:
            read_keys(self.keys)
        if self.tls_cert is not None and self.tls_key is not None:
            import ssl

            try:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                # Without a password, a locked key fails here instead of asking at the terminal.
                context.load_cert_chain(self.tls_cert, self.tls_key, password="")
            except OSError as error:
                raise ConfigError(
                    f"--tls-cert {self.tls_cert}, --tls-key {self.tls_key}: not a certificate and "
                    "its private key; both are needed in PEM, the key without a password."
                ) from error
        if self.vllm and self.engine != "vllm":
            raise ConfigError("--vllm belongs to --engine vllm.")
        for name in ("workers", "queue", "max_files", "max_engine_requests"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)}: at least 1 is needed.")

    @property
    def in_clear(self) -> bool:
        """Whether what is sent crosses a network without TLS."""
        return self.tls_cert is None and not is_loopback(self.host)

    @property
    def audit_url(self) -> str:
        """Where the audit log is kept; by default in the user's folder for state."""
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return self.audit or f"sqlite:///{Path(base) / 'ecg_llm' / 'audit.db'}"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address.

    Parameters
    ----------
    host : str
        Address or ``localhost``.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""A real server process: TLS, keys, schemathesis, a log without payload, an orderly end."""

from __future__ import annotations

import datetime
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.serving.bench import bench_serve, tree_memory_mb
from ecg_llm.serving.keys import add_key
from ecg_llm.serving.own_server import own_server
from tests.serving.conftest import zipped

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance,negative_data_rejection"
)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for the loopback that signs itself."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, private


def audit_in(folder: Path) -> list[str]:
    return ["--audit", f"sqlite:///{folder / 'audit.db'}"]


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    words = ["--model", str(tmp_path / "none"), *audit_in(tmp_path)]
    with pytest.raises(ConfigError, match="none: no such folder"), own_server(words):
        pass


def test_tls_keys_a_clean_log_and_an_orderly_end(tmp_path: Path) -> None:
    cert, private = certificate(tmp_path)
    keys = tmp_path / "keys"
    token = add_key(keys, "ward7")
    log: list[str] = []
    words = ["--engine", "none", "--workers", "1", "--keys", str(keys)]
    words += ["--tls-cert", str(cert), "--tls-key", str(private), *audit_in(tmp_path)]
    answers: list[httpx.Response] = []
    with own_server(words, log=log.append) as (url, pid):
        assert url.startswith("https://127.0.0.1:")
        trusted = ssl.create_default_context(cafile=str(cert))
        base = url.replace("127.0.0.1", "localhost")
        with httpx.Client(base_url=base, verify=trusted, timeout=120) as client:
            client.headers["authorization"] = f"Bearer {token}"
            form = {"file": ("Mustermann-1931.zip", zipped())}
            assert client.post("/v1/ecg/reports", files=form).status_code == 200
            refused = client.post("/v1/ecg/reports", files=form, headers={"authorization": "x"})
            assert refused.status_code == 401

            def ask() -> None:
                answers.append(
                    client.post(
                        "/v1/ecg/reports", files=form, headers={"accept": "application/pdf"}
                    )
                )

            asking = threading.Thread(target=ask)
            asking.start()
            while "ecgllm_in_service 1.0" not in client.get("/metrics").text:
                assert asking.is_alive()
            os.kill(pid, signal.SIGTERM)
            asking.join(60)
    # What was in service was finished first.
    assert [answer.status_code for answer in answers] == [200]
    text = "".join(log)
    assert text.count('"route": "/v1/ecg/reports"') == 2
    assert '"caller": "ward7"' in text
    assert "Mustermann" not in text and token not in text
    assert "Traceback" not in text


def test_it_does_not_start_where_it_would_not_be_safe() -> None:
    command = [sys.executable, "-m", "ecg_llm.cli", "serve", "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "ecgllm keys add" in done.stderr
    command = [sys.executable, "-m", "ecg_llm.cli", "serve", "--model", "/nowhere", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "no such folder" in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--model", "."], "config.json or adapter_config.json is not there"),
        (["--engine", "vllm"], "--engine vllm: vllm not installed; pip install 'ecg_llm[vllm]'"),
        (["--engine", "transformers"], "--engine transformers: torch not installed"),
    ],
)
def test_an_engine_that_can_never_start_ends_the_server_at_once(
    given: list[str], said: str, tmp_path: Path
) -> None:
    code = (
        "import importlib.util as util, sys\n"
        "find = util.find_spec\n"
        "gone = ('torch', 'vllm')\n"
        "util.find_spec = lambda name, *of: None if name in gone else find(name, *of)\n"
        "import ecg_llm.cli\n"
        f"sys.argv[1:] = ['serve', '--port', '0', *{given!r}]\n"
        "ecg_llm.cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "listening" not in done.stderr


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    words = ["--engine", "none", "--workers", "1", *audit_in(tmp_path)]
    with own_server(words) as (url, _):
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"]
        command += ["--max-examples", "20", "--checks", CHECKS, "--no-color", "--seed", "1"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=250, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout[-4000:]
        passed = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
        assert passed is not None
        assert int(passed[1]) > 200


def test_a_short_load_gives_figures_and_no_error() -> None:
    result = bench_serve(clients=4, seconds=3, engine="none", workers=1)
    assert result.errors == 0, result.statuses
    assert result.statuses["200"] > 3
    assert result.latency_ms["report"]["p50"] <= result.latency_ms["report"]["p99"]
    assert {"read", "measure"} <= set(result.stages_ms["report"])
    assert "p99" in result.render()


def test_memory_of_a_tree_counts_its_processes() -> None:
    alone = tree_memory_mb(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", "x = bytearray(80 << 20); input()"], stdin=-1)
    try:
        end = time.monotonic() + 30
        while tree_memory_mb(os.getpid()) < alone + 60:
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        child.kill()
        child.wait()
        child.stdin.close()


def test_an_address_that_is_taken_is_one_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command in ("serve", "app"):
            words = [sys.executable, "-m", "ecg_llm.cli", command, "--engine", "none"]
            done = subprocess.run(
                [*words, "--port", port], capture_output=True, text=True, timeout=120, check=False
            )
            assert done.returncode == 2, done.stderr
            assert f"--port {port}: cannot listen there" in done.stderr
            assert "Traceback" not in done.stderr

"""A server is safe unless told otherwise, and then says what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.serving.keys import add_key
from ecg_llm.serving.settings import Settings


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "hospital.example"])
def test_other_addresses_need_keys(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ecgllm keys add"):
        Settings(host=host).check()
    add_key(tmp_path / "keys", "a")
    Settings(host=host, keys=tmp_path / "keys").check()


def test_what_crosses_a_network_without_tls_is_told() -> None:
    assert Settings(host="0.0.0.0").in_clear and not Settings().in_clear
    assert not Settings(host="0.0.0.0", tls_cert=Path("cert"), tls_key=Path("key")).in_clear


def test_the_default_is_this_machine_only() -> None:
    assert Settings().host == "127.0.0.1"
    Settings().check()


def test_half_of_tls_is_refused(tmp_path: Path) -> None:
    cert = tmp_path / "cert.pem"
    cert.write_text("")
    with pytest.raises(ConfigError, match="together"):
        Settings(tls_cert=cert).check()
    with pytest.raises(ConfigError, match="no such file"):
        Settings(tls_cert=cert, tls_key=tmp_path / "key.pem").check()
    with pytest.raises(ConfigError, match="not a certificate and its private key"):
        Settings(tls_cert=cert, tls_key=cert).check()


def test_arguments_of_vllm_are_names_and_json_values() -> None:
    from ecg_llm.serving.engine_spec import _named

    given = ["tensor_parallel_size=2", "dtype=bfloat16", "enforce_eager=true", 'a={"b": 1}']
    assert _named(given) == {
        "tensor_parallel_size": 2,
        "dtype": "bfloat16",
        "enforce_eager": True,
        "a": {"b": 1},
    }
    for wrong in ("x", "=1", "a b=1", "--x=1"):
        with pytest.raises(ConfigError, match="tensor_parallel_size=2"):
            _named([wrong])
    with pytest.raises(ConfigError, match="engine vllm"):
        Settings(vllm=("a=1",)).check()

"""API keys."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ecg_llm.errors import ConfigError
from ecg_llm.serving.errors import TooManyError, UnauthorisedError, UnavailableError
from ecg_llm.serving.keys import KeyRing, add_key, read_keys, revoke_key
from ecg_llm.serving.settings import Settings


def test_only_the_digest_of_a_key_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    token = add_key(path, "ward7")
    assert token not in path.read_text()
    assert len(token) > 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyRing(path).caller(token) == "ward7"


@pytest.mark.parametrize("wrong", [None, "", "ecg_", "x" * 5000, "\ud800", "ecg_é"])
def test_another_key_is_refused(tmp_path: Path, wrong: str | None) -> None:
    path = tmp_path / "keys.jsonl"
    add_key(path, "ward7")
    with pytest.raises(UnauthorisedError):
        KeyRing(path).caller(wrong)


def test_a_running_server_sees_new_and_revoked_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    first = add_key(path, "one")
    ring = KeyRing(path)
    assert ring.caller(first) == "one"
    second = add_key(path, "two")
    assert ring.caller(second) == "two"
    revoke_key(path, "one")
    with pytest.raises(UnauthorisedError):
        ring.caller(first)
    assert ring.caller(second) == "two"
    path.unlink()
    with pytest.raises(UnauthorisedError):
        ring.caller(second)


def test_a_key_has_so_many_requests_a_minute(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    token, other = add_key(path, "busy", per_minute=3), add_key(path, "calm", per_minute=3)
    ring = KeyRing(path)
    for _ in range(3):
        ring.caller(token)
    with pytest.raises(TooManyError) as refused:
        ring.caller(token)
    assert 1 <= (refused.value.retry_after_s or 0) <= 20
    assert ring.caller(other) == "calm"


def test_names_are_unique_and_plain(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    add_key(path, "a")
    for name in ("a", "", "x y", "../z", "n" * 65):
        with pytest.raises(ConfigError):
            add_key(path, name)
    assert [key.name for key in read_keys(path)] == ["a"]
    with pytest.raises(ConfigError, match="no key named b"):
        revoke_key(path, "b")


def test_a_key_that_allows_no_request_is_none(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    add_key(path, "none")
    path.write_text(path.read_text().replace("600", "0"))
    with pytest.raises(ConfigError, match="line 1 is not a key"):
        read_keys(path)


def test_a_damaged_file_of_keys_is_named(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    path.write_text('{"name": "a"}\n')
    with pytest.raises(ConfigError, match="line 1"):
        read_keys(path)


def test_a_damaged_file_of_keys_stops_the_start_and_later_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    token = add_key(path, "ward7")
    ring = KeyRing(path)
    assert ring.caller(token) == "ward7"
    whole = path.read_text()
    path.write_text(whole[:20])
    with pytest.raises(ConfigError, match="line 1 is not a key"):
        Settings(keys=path).check()
    for _ in range(2):
        with pytest.raises(UnavailableError, match="has to mend their file"):
            ring.caller(token)
    path.write_text(whole)
    assert ring.caller(token) == "ward7"


def test_a_server_that_has_the_file_itself_mounted_sees_a_key_revoked(tmp_path: Path) -> None:
    path, mounted = tmp_path / "keys.jsonl", tmp_path / "in_the_container"
    token = add_key(path, "one")
    mounted.hardlink_to(path)
    before = path.stat()
    ring = KeyRing(mounted)
    assert ring.caller(token) == "one"
    other = add_key(path, "two")
    assert ring.caller(other) == "two"
    revoke_key(path, "one")
    with pytest.raises(UnauthorisedError):
        ring.caller(token)
    after = path.stat()
    assert (after.st_ino, after.st_uid, after.st_mode) == (
        before.st_ino,
        before.st_uid,
        before.st_mode,
    )

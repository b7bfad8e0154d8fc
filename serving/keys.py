"""API keys: long random secrets of which only a digest is kept."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import threading
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ecg_llm.errors import ConfigError
from ecg_llm.serving.errors import TooManyError, UnauthorisedError, UnavailableError

LOG = logging.getLogger("ecg_llm.serving")
DEFAULT_PER_MINUTE = 600
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Key:
    """One API key as its file keeps it.

    Attributes
    ----------
    name : str
        Who uses it; stands in the audit log.
    digest : str
        SHA-256 of the key. The key is 32 random bytes, so nothing slower would add to it.
    per_minute : int
        Requests allowed in a minute.
    created : str
        UTC time.
    revoked : str or None
        UTC time since which it is refused.
    """

    name: str
    digest: str
    per_minute: int
    created: str
    revoked: str | None = None


def add_key(path: Path, name: str, *, per_minute: int = DEFAULT_PER_MINUTE) -> str:
    """Make a key, and write its digest into a file that only its owner may read.

    Returns the key, which is kept nowhere. Names are unique, of letters, digits, dot, dash and
    underscore.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"key name {name!r}: 1 to 64 letters, digits, dots, dashes or underscores are needed."
        )
    known = read_keys(path) if path.exists() else []
    if any(key.name == name for key in known):
        raise ConfigError(f"{path}: there is a key named {name} already; choose another name.")
    token = f"ecg_{secrets.token_urlsafe(32)}"
    fresh = Key(name=name, digest=_digest(token), per_minute=per_minute, created=_now())
    _write(path, [*known, fresh])
    return token


def revoke_key(path: Path, name: str) -> None:
    """Have a key refused from now on; a running server sees it at the next request."""
    known = read_keys(path)
    if not any(key.name == name and key.revoked is None for key in known):
        raise ConfigError(f"{path}: no key named {name} is in use; see `ecgllm keys list`.")
    _write(
        path,
        [
            replace(key, revoked=_now()) if key.name == name and key.revoked is None else key
            for key in known
        ],
    )


def read_keys(path: Path) -> list[Key]:
    """Read a file of keys: JSON lines, one a key."""
    keys = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            keys.append(key := Key(**json.loads(line)))
            if key.per_minute < 1:
                raise ValueError
        except (ValueError, TypeError):
            raise ConfigError(
                f"{path}: line {number} is not a key; write the file with `ecgllm keys add`."
            ) from None
    return keys


class KeyRing:
    """The keys a running server knows, read again when their file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._keys: list[Key] = []
        self._buckets: dict[str, _Bucket] = {}

    def caller(self, token: str | None) -> str:
        """Name who calls with a key, and count the call; refuse who has none or calls too often."""
        digest = _digest(token or "")
        found: Key | None = None
        with self._lock:
            self._reload()
            # Every key is compared, whichever fits, so that time tells nothing.
            for key in self._keys:
                if hmac.compare_digest(key.digest, digest) and key.revoked is None:
                    found = key
            if found is None:
                raise UnauthorisedError(
                    "An API key is needed: send it as `Authorization: Bearer KEY`."
                )
            bucket = self._buckets.setdefault(found.name, _Bucket(found.per_minute))
            wait_s = bucket.take()
        if wait_s:
            raise TooManyError(
                f"This key allows {found.per_minute} requests a minute; try again later.",
                retry_after_s=wait_s,
            )
        return found.name

    def _reload(self) -> None:
        """Read the file if it was written since."""
        try:
            stat = self._path.stat()
        except OSError:
            self._keys, self._stamp = [], None  # without its file no key is good
            return
        stamp = (stat.st_mtime_ns, stat.st_size)
        if stamp != self._stamp:
            try:
                self._keys, self._stamp = read_keys(self._path), stamp
            except (ConfigError, OSError, UnicodeDecodeError) as error:
                self._keys, self._stamp = [], None
                LOG.error("keys: none is good until their file is mended: %s", error)
                raise UnavailableError(
                    "The keys of this server cannot be read; its operator has to mend their file."
                ) from None
            self._buckets = {
                key.name: self._buckets.get(key.name, _Bucket(key.per_minute)) for key in self._keys
            }


class _Bucket:
    """Requests that may be made at once, refilled over a minute."""

    def __init__(self, per_minute: int) -> None:
        self._size = per_minute
        self._left = float(per_minute)
        self._at = time.monotonic()

    def take(self) -> int:
        """Take one; give 0, or the seconds to wait."""
        now = time.monotonic()
        self._left = min(self._size, self._left + (now - self._at) * self._size / 60)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0
        return max(1, round((1 - self._left) * 60 / self._size))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write(path: Path, keys: list[Key]) -> None:
    """Write the file; only its owner may read it."""
    # Never by putting another file in its place: a container has this one mounted and would go on
    # reading it, revoked keys and all, and its owner is the server's user.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.writelines(json.dumps(asdict(key)) + "\n" for key in keys)
        file.truncate()

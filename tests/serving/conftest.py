"""One server in this process with one reader, shared by the tests that only ask it."""

from __future__ import annotations

import io
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from ecg_llm.serving.app import create_app
from ecg_llm.serving.connections import Connection
from ecg_llm.serving.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "examples"
BASE = "http://127.0.0.1"


def wait_until_ready(client: TestClient, seconds: float = 240) -> None:
    """Wait for the first reader."""
    end = time.monotonic() + seconds
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < end, "no reader became ready"
        time.sleep(0.1)


@contextmanager
def served(app: Any, **options: Any) -> Iterator[int]:
    """An application on a real connection; gives its port."""
    config = uvicorn.Config(
        app, port=0, http=Connection, lifespan="off", log_config=None, **options
    )
    server = uvicorn.Server(config)
    bound = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield bound.getsockname()[1]
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


def zipped(name: str = "00177_hr") -> bytes:
    """Pack an example as a client would send it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(EXAMPLES.glob(f"{name}.*")):
            archive.write(path, path.name)
    return packed.getvalue()


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Bounds that tests can reach."""
    audit = tmp_path_factory.mktemp("audit") / "audit.db"
    return Settings(
        workers=1,
        engine="none",
        audit=f"sqlite:///{audit}",
        max_upload_bytes=4 * 2**20,
        max_unpacked_bytes=8 * 2**20,
        max_pixels=4_000_000,
    )


@pytest.fixture(scope="session")
def shared_client(settings: Settings) -> Iterator[TestClient]:
    """A client of the shared server."""
    with TestClient(create_app(settings), base_url=BASE) as made:
        yield made


@pytest.fixture
def client(shared_client: TestClient) -> TestClient:
    """The same, once its reader is there: a test before may have had it replaced."""
    wait_until_ready(shared_client)
    return shared_client


@pytest.fixture(scope="session")
def ecg() -> bytes:
    """An example record as a zip."""
    return zipped()

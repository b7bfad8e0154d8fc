"""The audit log: who asked what kind of thing when, of which input, with which outcome.

It holds no patient data: of a file its SHA-256, of a text nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ecg_llm
from ecg_llm.errors import ConfigError
from ecg_llm.serving.errors import UnavailableError


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One request.

    Attributes
    ----------
    request_id : str
        Also in the answer's ``X-Request-Id``.
    caller : str
        Name of the API key, or ``local``.
    client : str
        Address it came from.
    route : str
        What was asked for.
    model : str
        Which model had a part; ``none`` for the measured report.
    inputs : tuple of str
        SHA-256 of every file as it was sent.
    version : str
        Of the software.
    at : datetime
        When it came in, UTC.
    outcome : str
        ``begun``, then ``ok`` or the kind of error.
    status : int or None
        HTTP status.
    ms : float or None, ms
        How long it took.
    """

    request_id: str
    caller: str
    client: str
    route: str
    model: str
    inputs: tuple[str, ...]
    version: str = ecg_llm.__version__
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    outcome: str = "begun"
    status: int | None = None
    ms: float | None = None


class AuditLog:
    """A table in SQLite or PostgreSQL, at a URL as SQLAlchemy reads it."""

    def __init__(self, url: str) -> None:
        import sqlalchemy as sql
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError

        try:
            parsed = make_url(url)
        except ArgumentError:
            raise ConfigError(
                "--audit: not a database URL; write sqlite:///FILE or postgresql+psycopg://…"
            ) from None
        shown = parsed.render_as_string(hide_password=True)
        lite = parsed.get_backend_name() == "sqlite"
        self._sql = sql
        self._table = _table(sql)
        # SQLite takes one writer at a time; PostgreSQL needs no such care.
        self._lock = threading.Lock() if lite else nullcontext()
        try:
            if lite and parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Values never stand in what SQLAlchemy says of an error.
            self._engine = sql.create_engine(url, hide_parameters=True, pool_pre_ping=True)
            if lite:
                sql.event.listen(self._engine, "connect", _wal)
            self._table.metadata.create_all(self._engine)
        except (SQLAlchemyError, ModuleNotFoundError, OSError) as error:
            raise ConfigError(
                f"--audit {shown}: {type(error).__name__}; the audit log must be writable. Check "
                "the address, the driver (pip install psycopg) and the permissions."
            ) from None

    def begin(self, entry: Entry) -> None:
        """Write that a request is about to be served; what cannot be written is not served."""
        values = {**vars(entry), "inputs": " ".join(entry.inputs)}
        self._run(self._table.insert().values(**values))

    def end(self, request_id: str, *, outcome: str, status: int, ms: float) -> None:
        """Write what became of it: ``ok`` or the kind of error, HTTP status and milliseconds."""
        table = self._table
        self._run(
            table.update()
            .where(table.c.request_id == request_id)
            .values(outcome=outcome, status=status, ms=ms)
        )

    def entries(self, limit: int = 100) -> Sequence[Entry]:
        """Give the newest entries, newest first."""
        query = self._table.select().order_by(self._table.c.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        for row in rows:
            row.pop("id")
            row["inputs"] = tuple(row["inputs"].split())
            row["at"] = row["at"].replace(tzinfo=UTC)
        return [Entry(**row) for row in rows]

    def ping(self) -> bool:
        """Tell whether the database answers."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine.connect() as connection:
                connection.execute(self._sql.text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _run(self, statement: Any) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._lock, self._engine.begin() as connection:
                connection.execute(statement)
        except SQLAlchemyError:
            raise UnavailableError(
                "The audit log cannot be written, so nothing is served; try again later."
            ) from None


def _table(sql: Any) -> Any:
    """Describe the table."""
    return sql.Table(
        "audit",
        sql.MetaData(),
        sql.Column("id", sql.Integer, primary_key=True),
        sql.Column("request_id", sql.String(36), nullable=False, index=True),
        sql.Column("at", sql.DateTime(timezone=True), nullable=False, index=True),
        sql.Column("caller", sql.String(64), nullable=False),
        sql.Column("client", sql.String(64), nullable=False),
        sql.Column("route", sql.String(64), nullable=False),
        sql.Column("model", sql.String(200), nullable=False),
        sql.Column("version", sql.String(32), nullable=False),
        sql.Column("inputs", sql.Text, nullable=False),
        sql.Column("outcome", sql.String(40), nullable=False),
        sql.Column("status", sql.Integer),
        sql.Column("ms", sql.Float),
    )


def _wal(connection: Any, _record: Any) -> None:
    """Let readers and the writer of an SQLite file go on at the same time."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()

"""The database: what Docker's labels cannot hold. `Store` is its only door.

Every piece of work is one function of a session that runs in a thread, in one transaction, and returns plain values: no session
lives across an ``await``, and no object of SQLAlchemy's leaves this package. Each noun (builds, ledger, volumes …) has a module here
with its tables and functions, and a branch of migrations of its own.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from versatilehub.errors import StoreFailure

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Store"]

T = TypeVar("T")

#: Seconds a writer waits for another one on SQLite before it gives up.
BUSY_SECONDS = 10
#: Threads that wait for the database at the same time.
THREADS = 4
#: Alembic's environment is one for a process: upgrades wait for each other, also those of different databases.
_UPGRADING = threading.Lock()


class Store:
    """One database, by SQLAlchemy URL (``sqlite:////srv/state/versatilehub.sqlite``, ``postgresql+psycopg://…``)."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._engine = _engine(str(self._url.render_as_string(hide_password=False)))
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")
        self._upgraded = False

    async def run(self, work: Callable[[Session], T]) -> T:
        """Return what *work* returns, done in a thread in one transaction: committed at its return, undone when it raises.

        Raises `StoreFailure` when the database does not do it; errors of *work* itself come through. Brings the tables up to date
        before the first work.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.run_now, work)

    def run_now(self, work: Callable[[Session], T]) -> T:
        """Do the same in this thread: for the command line and the start of a hub, never on an event loop."""
        try:
            self.upgrade()
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                return work(session)
        except SQLAlchemyError as error:
            raise _failure(error) from error

    def upgrade(self) -> None:
        """Bring every table up to date, once; two processes at once wait for each other on SQLite."""
        with _UPGRADING:
            if not self._upgraded:
                self._upgrade()
                self._upgraded = True

    def _upgrade(self) -> None:
        config = Config()
        config.set_main_option(
            "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
        )
        try:
            with self._engine.connect() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "heads")
                connection.commit()
        except SQLAlchemyError as error:
            raise _failure(error) from error

    def close(self) -> None:
        """Wait for what is under way and let go of the database."""
        self._threads.shutdown(wait=True)
        self._engine.dispose()


def _engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS} if url.startswith("sqlite") else {})
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Let readers go on while one writes, keep foreign keys, and leave transactions to SQLAlchemy."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    # IMMEDIATE: one that reads and then writes would otherwise fail with "locked" instead of waiting its turn.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _failure(error: SQLAlchemyError) -> StoreFailure:
    # Only the driver's own words: SQLAlchemy's text carries the values of the statement.
    words = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
    return StoreFailure(
        f"The database does not answer as it should: {words}.",
        hint="Try again; if it stays, tell the person who runs this hub.",
    )

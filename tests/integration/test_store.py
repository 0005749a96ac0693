"""The database: work is whole or undone, waits its turn, and never tells the values of a failing statement."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import StatementError

import versatilehub.store
from versatilehub.errors import StoreFailure
from versatilehub.store import Store
from versatilehub.store.base import Base, Moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new database with one table of the test's own."""
    made = Store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    made.run_now(lambda session: session.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)")))
    yield made
    made.close()


def put(number: int) -> Any:
    """Return work that stores *number*."""
    return lambda session: session.execute(text("INSERT INTO t VALUES (:n)"), {"n": number}).rowcount


def numbers(session: Session) -> list[int]:
    """All numbers stored."""
    return [row[0] for row in session.execute(text("SELECT n FROM t ORDER BY n"))]


async def test_work_is_whole_or_undone(store: Store) -> None:
    """What raises leaves nothing behind; the error is the work's own."""

    def broken(session: Session) -> None:
        put(1)(session)
        raise KeyError("thrown by the work")

    with pytest.raises(KeyError):
        await store.run(broken)
    await store.run(put(2))

    assert await store.run(numbers) == [2]


async def test_many_writers_wait_for_each_other(store: Store, tmp_path: Path) -> None:
    """Forty who read and then write at once, in two processes' worth of connections: none is refused, none is lost."""
    other = Store(f"sqlite:///{tmp_path / 'store.sqlite'}")

    def next_number(session: Session) -> None:
        put(max(numbers(session), default=0) + 1)(session)

    await asyncio.gather(*((store, other)[n % 2].run(next_number) for n in range(40)))
    other.close()

    assert await store.run(numbers) == list(range(1, 41))


async def test_a_failure_keeps_the_values_to_itself(store: Store) -> None:
    """The sentence has the driver's words, never the parameters: they may be a person's."""
    with pytest.raises(StoreFailure) as raised:
        await store.run(lambda session: session.execute(text("SELECT :s FROM nowhere"), {"s": "hunter2"}))

    assert "nowhere" in raised.value.message
    assert "hunter2" not in str(raised.value.to_json())


def test_a_moment_is_utc() -> None:
    """A zone is turned into UTC and comes back; a moment without one is refused."""
    moment = Moment()
    dialect: Any = None
    noon = datetime(2026, 11, 26, 12, tzinfo=timezone(timedelta(hours=2)))

    assert moment.process_bind_param(noon, dialect) == datetime(2026, 11, 26, 10, tzinfo=UTC)
    assert moment.process_result_value(datetime(2026, 11, 26, 10), dialect) == noon  # noqa: DTZ001  # as SQLite gives it
    with pytest.raises((ValueError, StatementError)):
        moment.process_bind_param(datetime(2026, 11, 26), dialect)  # noqa: DTZ001  # the case


def test_migrations_make_the_tables_the_code_has(tmp_path: Path) -> None:
    """A new database, brought up to date twice, has each table and column of the code, and nothing else."""
    for module in pkgutil.iter_modules(versatilehub.store.__path__, "versatilehub.store."):
        importlib.import_module(module.name)
    store = Store(f"sqlite:///{tmp_path / 'new.sqlite'}")
    store.upgrade()
    store.upgrade()

    def differences(session: Session) -> Any:
        options = {"version_table": "vh_alembic_version", "compare_type": False}
        return compare_metadata(MigrationContext.configure(session.connection(), opts=options), Base.metadata)

    found = store.run_now(differences)
    store.close()
    assert found == []

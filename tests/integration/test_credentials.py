"""Logins in the database: sealed, one account's alone, and useless where they were not sealed for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from jupyterhub.crypto import CryptKeeper
from sqlalchemy import text

from versatilehub.credentials import Credentials
from versatilehub.errors import Refusal
from versatilehub.sources import SourceRules
from versatilehub.store import Store
from versatilehub.store.credentials import MOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

RULES = SourceRules(extra=("http://forge.lan:3000/",))
BORN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database and a crypt key."""
    keeper = CryptKeeper.instance()
    before, keeper.keys = keeper.keys, [b"k" * 32]
    made = Store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    yield made
    made.close()
    keeper.keys = before


def person(number: int, born: datetime = BORN, state: dict[str, Any] | None = None) -> Any:
    """Return what we read of JupyterHub's users."""

    async def auth_state() -> dict[str, Any] | None:
        return state

    return SimpleNamespace(id=number, name=f"user{number}", created=born, get_auth_state=auth_state)


def opened(store: Store, rules: SourceRules = RULES, **settings: Any) -> Credentials:
    """Return the credentials of a hub."""
    return Credentials(store, settings, lambda _user: rules)


@pytest.mark.req("K50", "T18")
async def test_a_login_is_sealed_and_its_owners(store: Store, tmp_path: Path) -> None:
    """The owner gets it back for its host; another account, the same name given again and another host get nothing."""
    kept, ada = opened(store), person(1)
    await kept.put(ada, host="github.com", username="", secret="canary-1")
    found = await kept.find(ada, "https://github.com/a/b")
    assert found is not None
    assert ("x-access-token", "canary-1") == (found.username, found.secret)
    assert await kept.find(person(2), "https://github.com/a/b") is None
    assert await kept.find(person(1, BORN + timedelta(days=1)), "https://github.com/a/b") is None
    assert await kept.find(ada, "https://gitlab.com/a/b") is None
    assert not [path for path in tmp_path.iterdir() if b"canary" in path.read_bytes()]  # noqa: ASYNC240 - a look


@pytest.mark.req("T18")
async def test_a_row_moved_in_the_database_opens_nothing(store: Store) -> None:
    """Who can write to the database, but has no key, gets nobody's token for another account or host."""
    kept, ada = opened(store), person(1)
    await kept.put(ada, host="github.com", username="", secret="canary-1")
    await kept.put(person(2), host="github.com", username="", secret="canary-2")
    rows = store.run_now(lambda session: session.execute(text("SELECT sealed FROM vh_credential")).all())
    for change in (
        "UPDATE vh_credential SET sealed = :x",
        "UPDATE vh_credential SET sealed = :x, origin = 'https://evil.org'",
    ):

        def move(session: Session, change: str = change) -> None:
            session.execute(text(change), {"x": rows[1][0]})

        store.run_now(move)
        assert await kept.find(ada, "https://github.com/a/b") is None
        assert await kept.find(ada, "https://evil.org/a/b") is None


async def test_a_changed_key_and_none(store: Store) -> None:
    """After a change of keys a stored login is as good as none; without a key nothing is stored."""
    kept, ada = opened(store), person(1)
    await kept.put(ada, host="github.com", username="", secret="canary-1")
    CryptKeeper.instance().keys = [b"n" * 32]
    assert await kept.find(ada, "https://github.com/a/b") is None
    CryptKeeper.instance().keys = []
    with pytest.raises(Refusal) as caught:
        await kept.put(ada, host="github.com", username="", secret="canary-1")
    assert "no_crypt_key" == caught.value.code


async def test_a_host_that_lost_its_place_gets_no_token(store: Store) -> None:
    """A token for plain http goes to hosts the site names now, not to those it named once."""
    ada = person(1)
    await opened(store).put(ada, host="forge.lan:3000", username="", secret="canary-1")
    assert await opened(store).find(ada, "http://forge.lan:3000/a") is not None
    assert await opened(store, SourceRules()).find(ada, "http://forge.lan:3000/a") is None


async def test_the_login_left_by_oauth_comes_second(store: Store) -> None:
    """A stored token is used before that of the login, which is for its own forge only."""
    ada = person(1, state={"access_token": "canary-oauth", "github_user": {"login": "ada"}})
    kept = opened(store)
    left = await kept.find(ada, "https://github.com/a/b")
    assert (left.secret if left else "") == "canary-oauth"
    assert await kept.find(ada, "https://gitlab.com/a/b") is None
    await kept.put(ada, host="github.com", username="", secret="canary-stored")
    stored = await kept.find(ada, "https://github.com/a/b")
    assert (stored.secret if stored else "") == "canary-stored"


async def test_rows_are_bounded(store: Store) -> None:
    """One person stores so many and no more; replacing one goes on."""
    kept, ada = opened(store), person(1)
    for number in range(MOST):
        await kept.put(ada, host=f"h{number}.example.org", username="", secret="x")
    with pytest.raises(Refusal):
        await kept.put(ada, host="one-more.example.org", username="", secret="x")
    await kept.put(ada, host="h0.example.org", username="", secret="y")

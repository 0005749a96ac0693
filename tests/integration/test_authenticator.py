"""Who is in the users.csv can log in, from the moment the file says so, and nobody else."""

# ruff: noqa: ASYNC240 - nothing else runs on these tests' loop while they write a file

from __future__ import annotations

import asyncio
import logging
import os
import stat
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tornado import web
from traitlets.config import Config

from versatilehub.authenticator import VersatileAuthenticator

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "name,password,admin\n"
ADA = "ada,correct-horse,true\n"
BOB = "bob,battery-staple,false\n"


@pytest.fixture
def users_csv(tmp_path: Path) -> Path:
    """A users.csv of an admin and another."""
    path = tmp_path / "users.csv"
    path.write_text(HEADER + ADA + BOB)
    path.chmod(0o600)
    return path


def authenticator(users_csv: Path, **settings: Any) -> VersatileAuthenticator:
    """What a hub started now would have."""
    settings = {
        "users_csv": str(users_csv),
        "accounts_file": str(users_csv.with_name("accounts.json")),
    } | settings
    return VersatileAuthenticator(config=Config({"VersatileAuthenticator": settings}))


async def login(hub: Any, name: str, password: str, address: str = "192.0.2.1") -> Any:
    """What a login from *address* gives, as the hub asks for it."""
    handler = SimpleNamespace(request=SimpleNamespace(remote_ip=address))
    return await hub.get_authenticated_user(handler, {"username": name, "password": password})


async def test_login(users_csv: Path) -> None:
    """Name and password let in, and the file alone says who is an admin."""
    hub = authenticator(users_csv)
    ada, bob = await login(hub, "ada", "correct-horse"), await login(hub, " Bob ", "battery-staple")
    assert (ada["name"], ada["admin"]) == ("ada", True)
    assert (bob["name"], bob["admin"]) == ("bob", False)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("ada", "battery-staple", id="another's password"),
        pytest.param("ada", "", id="no password"),
        pytest.param("ada", "correct-horse ", id="space after the password"),
        pytest.param("ada", "x" * 5_000_000, id="huge password"),
        pytest.param("eve", "correct-horse", id="unknown"),
        pytest.param("", "correct-horse", id="no name"),
        pytest.param("x" * 5_000_000, "correct-horse", id="huge name"),
        pytest.param("ada\0", "correct-horse", id="NUL"),
        pytest.param("аda", "correct-horse", id="Cyrillic twin"),
        pytest.param("ada%2F", "correct-horse", id="encoded slash"),
    ],
)
async def test_refused(users_csv: Path, name: str, password: str) -> None:
    """Everything but a name of the file with its password is refused."""
    assert await login(authenticator(users_csv), name, password) is None


async def test_form_without_fields(users_csv: Path) -> None:
    """A form that lacks its fields is a failed login, not an error."""
    hub: Any = authenticator(users_csv)
    assert await hub.get_authenticated_user(None, {}) is None


@pytest.mark.parametrize("name", ["password-löst", 'password, with "quotes"'], ids=["Unicode", "quotes"])
@pytest.mark.req("C12")
async def test_spreadsheet_file(users_csv: Path, name: str) -> None:
    """A file as spreadsheets write it, with a byte order mark, quotes and Windows line ends, works."""
    quoted = '"' + name.replace('"', '""') + '"'
    users_csv.write_bytes(("\ufeff" + f"name,password,admin\r\nada,{quoted},false\r\n").encode())
    assert await login(authenticator(users_csv), "ada", name)


async def test_changes_count_at_the_next_login(users_csv: Path) -> None:
    """New, removed, demoted people and new passwords count at once, without a restart."""
    hub = authenticator(users_csv)
    assert await login(hub, "ada", "correct-horse")
    users_csv.write_text(HEADER + "ada,new-password-1,false\ncyd,correct-horse,false\n")
    assert await login(hub, "ada", "correct-horse") is None
    assert (await login(hub, "ada", "new-password-1"))["admin"] is False
    assert await login(hub, "bob", "battery-staple") is None
    assert await login(hub, "cyd", "correct-horse")


async def test_replaced_file_of_the_same_size_and_time(users_csv: Path) -> None:
    """A file put in the place of another is seen, whatever its size and time."""
    hub = authenticator(users_csv)
    assert await login(hub, "ada", "correct-horse")
    before = users_csv.stat()
    other = users_csv.with_name("other.csv")
    other.write_text(users_csv.read_text().replace("correct-horse", "correct-house"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(users_csv)
    assert await login(hub, "ada", "correct-house")


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"nonsense", id="no header"),
        pytest.param(HEADER.encode() + b'ada,"open', id="open quote"),
        pytest.param(HEADER.encode() + b"ada,\xff\xfe\xff\xfe\xff\xfe\xff,true", id="not UTF-8"),
        pytest.param((HEADER + ADA + "ADA,other-password,true\n").encode(), id="one name twice"),
    ],
)
async def test_broken_file_changes_nothing(users_csv: Path, broken: bytes) -> None:
    """While the file cannot be taken, the accounts are as before, also over a restart; then the new ones count."""
    hub = authenticator(users_csv)
    assert await login(hub, "ada", "correct-horse")
    users_csv.write_bytes(broken)
    assert await login(hub, "ada", "correct-horse")
    assert await login(authenticator(users_csv), "ada", "correct-horse")
    users_csv.write_text(HEADER + BOB)
    assert await login(hub, "ada", "correct-horse") is None


async def test_missing_file(users_csv: Path) -> None:
    """Without a file nobody is let in, and one that comes later counts."""
    users_csv.rename(users_csv.with_name("later"))
    hub = authenticator(users_csv)
    assert await login(hub, "ada", "correct-horse") is None
    users_csv.with_name("later").rename(users_csv)
    assert await login(hub, "ada", "correct-horse")


async def test_only_changed_passwords_are_hashed_again(users_csv: Path) -> None:
    """A second start finds the hashes of the first, and a changed row alone gets a new one."""
    await login(authenticator(users_csv), "ada", "correct-horse")
    kept = users_csv.with_name("accounts.json")
    first = kept.read_bytes()
    hub = authenticator(users_csv)
    await login(hub, "ada", "correct-horse")
    assert kept.read_bytes() == first
    before = dict(hub._store.accounts)
    users_csv.write_text(HEADER + ADA + "bob,another-staple,false\n")
    await login(hub, "ada", "correct-horse")
    assert hub._store.accounts["ada"] == before["ada"]
    assert hub._store.accounts["bob"].hash != before["bob"].hash


async def test_kept_files_are_private_and_hold_no_password(users_csv: Path) -> None:
    """What the hub keeps is readable to nobody else, and holds hashes only."""
    await login(authenticator(users_csv), "ada", "correct-horse")
    for name in ("accounts.json", "accounts.json.key"):
        path = users_csv.with_name(name)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "correct-horse" not in path.read_text()
    assert "$argon2id$" in users_csv.with_name("accounts.json").read_text()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"ada": {}}', '{"ada": 1}'], ids=str)
async def test_damaged_accounts_file(users_csv: Path, content: str) -> None:
    """A damaged file of hashes is made again."""
    users_csv.with_name("accounts.json").write_text(content)
    assert await login(authenticator(users_csv), "ada", "correct-horse")


async def test_guessing_is_slowed(users_csv: Path) -> None:
    """After five failures of a name at an address it has to wait, with the time in the message; others do not."""
    hub = authenticator(users_csv)
    for _ in range(5):
        assert await login(hub, "ada", "wrong-password") is None
    with pytest.raises(web.HTTPError, match=r"Too many failed logins. Try again in \d+ s") as caught:
        await login(hub, "ada", "correct-horse")
    assert caught.value.status_code == 429
    assert await login(hub, "ada", "correct-horse", address="192.0.2.2")
    assert await login(hub, "bob", "battery-staple")


async def test_guesses_at_once_are_counted(users_csv: Path) -> None:
    """Guesses sent all at once do not pass before the first is counted."""
    hub = authenticator(users_csv)
    answers = await asyncio.gather(
        *(login(hub, "ada", f"guess-{n}-guess") for n in range(30)), return_exceptions=True
    )
    assert sum(isinstance(answer, web.HTTPError) for answer in answers) == 25


async def test_unknown_name_takes_as_long(users_csv: Path) -> None:
    """The time of an answer does not tell whether a name exists."""
    hub = authenticator(users_csv)
    await login(hub, "ada", "correct-horse")

    async def quickest(name: str) -> float:
        times = []
        for number in range(4):
            started = time.perf_counter()
            await login(hub, name, "wrong-password", address=f"192.0.2.{number}")
            times.append(time.perf_counter() - started)
        return min(times)

    known, unknown = await quickest("ada"), await quickest("eve")
    assert 0.5 < known / unknown < 2


async def test_the_loop_goes_on(users_csv: Path) -> None:
    """While many accounts are hashed for the first time, the hub answers others."""
    people = "".join(f"student{n},correct-horse-{n},false\n" for n in range(60))
    users_csv.write_text(HEADER + people)
    waiting = asyncio.ensure_future(login(authenticator(users_csv), "student1", "correct-horse-1"))
    turns, longest = 0, 0.0
    while not waiting.done():
        started = time.perf_counter()
        await asyncio.sleep(0.005)
        longest = max(longest, time.perf_counter() - started)
        turns += 1
    assert await waiting
    assert turns > 20
    assert longest < 0.5


async def test_the_log_holds_no_secret(users_csv: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Counts and line numbers are logged, never a cell."""
    users_csv.write_text(HEADER + ADA + "bob,hunter2-hunter2,maybe\ncyd,tiny-pass,false\n")
    users_csv.chmod(0o644)
    with caplog.at_level(logging.DEBUG):
        await login(authenticator(users_csv), "ada", "correct-horse")
    for said in (
        "1 accounts, 1 of them admins",
        "line 3 makes no account",
        "line 4 makes no account",
        "chmod 600",
    ):
        assert said in caplog.text
    for secret in ("hunter2", "tiny-pass", "correct-horse"):
        assert secret not in caplog.text


async def test_groups_when_the_hub_manages_them(users_csv: Path) -> None:
    """With ``manage_groups`` a login says the person's groups, and without it none."""
    users_csv.write_text("name,password,admin,groups\nada,correct-horse,false,physics;ml\n")
    assert (await login(authenticator(users_csv, manage_groups=True), "ada", "correct-horse"))["groups"] == [
        "physics",
        "ml",
    ]
    assert "groups" not in await login(authenticator(users_csv), "ada", "correct-horse")


async def test_mapped_names_that_collapse(users_csv: Path) -> None:
    """Two rows the hub would spell alike are refused with the whole file."""
    hub = authenticator(users_csv, username_map={"bob": "ada"})
    assert await login(hub, "ada", "correct-horse") is None


async def test_mapped_name(users_csv: Path) -> None:
    """A mapped name logs in under the name it is mapped to."""
    hub = authenticator(users_csv, username_map={"bob": "robert"})
    assert (await login(hub, "bob", "battery-staple"))["name"] == "robert"


def test_no_warning_about_missing_permissions(users_csv: Path) -> None:
    """The hub is told that the file is the permission."""
    assert authenticator(users_csv).any_allow_config

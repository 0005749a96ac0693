"""What an image offers, read from its files through a container that is never started: nothing of the image runs.

It costs tens of milliseconds where a start costs hundreds, works without a shell, and knows the usual layouts only:
what it does not find, a look from inside (`probe`) may.
"""

from __future__ import annotations

import asyncio
import io
import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from versatilehub.errors import EngineFailure, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from versatilehub.engine import Containers

COMMAND: Final = "jupyterhub-singleuser"
_DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Docker's, for an image that sets none."""
_MOST_FOLDERS: Final = 32
_READ: Final = 1 << 20
_MINORS: Final = range(8, 20)
_VERSION: Final = re.compile(
    r'^version_info = \((\d+), (\d+), (\d+), "([^"]{0,8})", "([^"]{0,8})"\)$', re.MULTILINE
)
"""In jupyterhub/_version.py of 1.x to 6.x."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who a container runs as."""

    uid: int
    gid: int
    home: str


class ImageFiles:
    """The files of one image, seen through a container of it; absence and unreadable are alike."""

    def __init__(self, containers: Containers, container: str) -> None:
        self._containers = containers
        self._container = container

    async def facts(self, config: Mapping[str, Any], user: str, *, expected: str) -> dict[str, str]:
        """Return uid, gid, home, repo, command, version and python, as far as they are known.

        *config* is the image's, *user* who is to run in it; *expected* is the jupyterhub version to look for first.
        """
        environment = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
        account, command, content = await asyncio.gather(
            self._account(user, environment.get("HOME", "")),
            self._command(environment.get("PATH") or _DEFAULT_PATH),
            self._is_folder("/srv/repo"),
        )
        found = {"repo": "yes"} if content else {}
        if account is not None:
            found |= {"uid": str(account.uid), "gid": str(account.gid), "home": account.home}
        if command:
            found["command"] = command
            found |= await self._version(command, expected)
        return found

    async def _account(self, user: str, home: str) -> Account | None:
        name, _, group = user.partition(":")
        if name.isdecimal() and group.isdecimal() and home:
            return Account(uid=int(name), gid=int(group), home=home)
        passwd, groups = await asyncio.gather(self._text("/etc/passwd"), self._text("/etc/group"))
        return account_of(user, home, passwd=passwd, groups=groups)

    async def _is_folder(self, path: str) -> bool:
        stat = await self._containers.stat(self._container, path)
        if stat is not None and stat.target:
            stat = await self._containers.stat(self._container, stat.target)
        return stat is not None and stat.folder

    async def _command(self, path: str) -> str:
        places = [f"{folder}/{COMMAND}" for folder in path.split(":") if folder.startswith("/")][
            :_MOST_FOLDERS
        ]
        found = await asyncio.gather(*(self._containers.stat(self._container, place) for place in places))
        fits = (
            place
            for place, stat in zip(places, found, strict=True)
            if stat and not stat.folder and stat.executable
        )
        return next(fits, "")

    async def _version(self, command: str, expected: str) -> dict[str, str]:
        script = await self._text(command)
        python = interpreter(script)
        prefix = (python or command).rpartition("/bin/")[0]
        minor = await self._minor([python] if python else [f"{prefix}/bin/python3", "/usr/bin/python3"])
        found = {"python": f"3.{minor}"} if minor else {}
        for folder in _site_folders(prefix, [minor] if minor else list(_MINORS)):
            version = await self._version_in(folder, expected)
            if version:
                return found | {"version": version}
        return found

    async def _minor(self, pythons: list[str]) -> int:
        """Return the second number of the first Python that has its version in its name, 0 when none has."""
        for python in pythons:
            stat = await self._containers.stat(self._container, python)
            named = re.fullmatch(r".*/python3\.(\d{1,2})", (stat.target if stat else "") or python)
            if stat and named:
                return int(named[1])
        return 0

    async def _version_in(self, folder: str, expected: str) -> str:
        record = f"{folder}/jupyterhub-{expected}.dist-info"
        if expected and await self._containers.stat(self._container, record):
            return expected
        found = _VERSION.search(await self._text(f"{folder}/jupyterhub/_version.py"))
        return f"{found[1]}.{found[2]}.{found[3]}{found[4]}{'.' * bool(found[5])}{found[5]}" if found else ""

    async def _text(self, path: str) -> str:
        """Return the text of a file, "" when it is not there, no file, or too large to be one of those looked for."""
        stat = await self._containers.stat(self._container, path)
        if stat is None or stat.folder or stat.size > _READ:
            return ""
        try:
            content = await self._containers.get_archive(self._container, stat.target or path, most=2 * _READ)
        except EngineUnavailable:
            raise
        except EngineFailure:
            return ""
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            members = [tar.extractfile(member) for member in tar.getmembers() if member.isfile()]
            return members[0].read().decode("utf-8", "replace") if members and members[0] else ""


def account_of(user: str, home: str, *, passwd: str, groups: str) -> Account | None:
    """Return who Docker runs for an image's *user*, by its /etc/passwd and /etc/group; None when it would refuse to.

    *home* is what the image sets as HOME; without it, it is the account's, "/" for a number that has none.
    """
    name, _, group = user.partition(":")
    rows = [
        row for line in passwd.splitlines() if len(row := line.split(":")) >= 6 and _are_numbers(row[2:4])
    ]
    _, _, uid, gid, _, own_home, *_ = next(
        (row for row in rows if name in {row[0], row[2]}), ["", "", name, "0", "", "/"]
    )
    if group:
        members = [entry for line in groups.splitlines() if len(entry := line.split(":")) >= 3]
        gid = next((entry[2] for entry in members if group in {entry[0], entry[2]}), group)
    if not uid.isdecimal() or not gid.isdecimal():
        return None
    return Account(uid=int(uid), gid=int(gid), home=home or own_home or "/")


def interpreter(script: str) -> str:
    """Return the absolute path of the Python in the first line of *script*, "" when none is named there."""
    first = script.partition("\n")[0]
    found = re.fullmatch(r"#![ \t]*(/\S{1,250}/bin/python[\d.]*)(?:\s.*)?", first)
    return found[1] if found else ""


def _are_numbers(fields: list[str]) -> bool:
    return all(field.isdecimal() for field in fields)


def _site_folders(prefix: str, minors: list[int]) -> list[str]:
    """Return where packages may lie: beside the interpreter, and in Debian's places."""
    own = [f"{prefix}/lib/python3.{minor}/site-packages" for minor in minors]
    debian = [f"/usr/local/lib/python3.{minor}/dist-packages" for minor in minors]
    return [*own, *debian, "/usr/lib/python3/dist-packages"]

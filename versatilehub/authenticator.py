"""Log in with the names and passwords of a users.csv.

Who is in the file may log in, and is an admin exactly if the file says so. Passwords are hashed and checked in
threads of their own; guessing is slowed down; nothing of the file is ever logged but counts and line numbers.
"""

from __future__ import annotations

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterhub.auth import Authenticator
from tornado import web
from traitlets import Unicode, default

from versatilehub.authenticator_accounts import AccountStore
from versatilehub.errors import InvalidName
from versatilehub.users import PASSWORD_MAX, check_user_name, compose
from versatilehub.users_backoff import BackOff

if TYPE_CHECKING:
    from collections.abc import Mapping

    from versatilehub.authenticator_accounts import StoredAccount


class VersatileAuthenticator(Authenticator):
    """Accounts from a users.csv; works on any JupyterHub with ``authenticator_class = "versatilehub"``."""

    users_csv = Unicode(
        "users.csv",
        help="""Path of the file of accounts, relative to the folder the hub runs in.

        UTF-8 text with the header ``name,password,admin`` or ``name,password,admin,groups``; *admin* is ``true`` or
        ``false``, *groups* are parted by ``;``, a password has 12 to 256 characters. It is read again at the next
        login after it has changed. Example: ``c.VersatileAuthenticator.users_csv = "/srv/hub/users.csv"``.
        """,
    ).tag(config=True)

    accounts_file = Unicode(
        "accounts.json",
        help="""Path of the file the hashed passwords are kept in, relative to the folder the hub runs in.

        The hub makes it, and beside it a ``.key``, both readable to nobody else; without it all passwords are hashed
        again. Example: ``c.VersatileAuthenticator.accounts_file = "/srv/hub/state/accounts.json"``.
        """,
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._store = AccountStore(Path(self.users_csv), Path(self.accounts_file), self._spelling, self.log)
        # Two: a flood of logins takes at most this many cores and 19 MiB each.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="login")
        self._pairs = BackOff()  # a name at an address
        self._addresses = BackOff(free=200)  # a whole class may sit behind one
        # Who sends X-Real-IP chooses their address, so names count by themselves too: mildly, or guessing locks people out.
        self._names = BackOff(free=30, longest=30.0)

    @default("any_allow_config")
    def _any_allow_config_default(self) -> bool:
        return True  # being in the file is the permission: `check_allowed`

    async def authenticate(self, handler: Any, data: Mapping[str, str]) -> dict[str, Any] | None:
        """Return who logs in, or None; raises 429 while the name or address has to wait after failures."""
        name = self._login_name(data.get("username", ""))
        address = handler.request.remote_ip if handler else ""
        tried = ((self._pairs, f"{name} {address}"), (self._addresses, address), (self._names, name))
        now = time.monotonic()
        wait = max(back_off.wait(key, now) for back_off, key in tried)
        if wait:
            raise web.HTTPError(429, f"Too many failed logins. Try again in {math.ceil(wait)} s.")
        for back_off, key in tried:
            back_off.fail(key, now)  # before the answer is known, so that tries at once count as well
        password = data.get("password", "")
        account = await self._in_thread(name, compose(password) if len(password) <= PASSWORD_MAX else "")
        if account is None:
            return None
        self._pairs.forget(f"{name} {address}")
        self._names.forget(name)
        self._addresses.undo(address)  # an account of one's own must not buy tries at others
        return self._model(name, account)

    def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Allow who is in the file, and whom the hub's own settings allow; nobody else."""
        return username in self._store.accounts or bool(super().check_allowed(username, authentication))

    def validate_username(self, username: str) -> bool:
        """Tell whether *username*, in the hub's spelling, may be an account's."""
        try:
            return check_user_name(username) == username and bool(super().validate_username(username))
        except InvalidName:
            return False

    async def _in_thread(self, name: str, password: str) -> StoredAccount | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._store.check, name, password)

    def _login_name(self, typed: str) -> str:
        """Return the hub's name for what was typed, "" when nobody can have it."""
        try:
            return self._spelling(check_user_name(typed.strip()))
        except InvalidName:
            return ""

    def _spelling(self, name: str) -> str:
        mapped = str(self.normalize_username(name))
        return mapped if self.validate_username(mapped) else ""

    def _model(self, name: str, account: StoredAccount) -> dict[str, Any]:
        # An explicit False takes the rights from who was an admin; None would leave them.
        model: dict[str, Any] = {"name": name, "admin": account.admin or name in self.admin_users}
        if self.manage_groups:
            model["groups"] = list(account.groups)
        return model

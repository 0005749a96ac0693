"""The accounts of a users.csv as the hub keeps them: argon2 hashes in a file that only the hub can read.

Everything here blocks and is for a thread. The file is read again when it has changed, only changed passwords are
hashed again, and a file that cannot be taken leaves the accounts as they were, also over a restart of the hub.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from versatilehub.errors import InvalidUsersFile
from versatilehub.users import parse_users

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from logging import Logger
    from pathlib import Path

    from versatilehub.users import Users

# OWASP's least for argon2id. Each hash takes 19 MiB and about 20 ms: a first load of 300 people takes 6 s, once.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

Stamp = tuple[int, int, int]  # time of change in ns, size, inode: what differs when the file does


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAccount:
    """One account without its password; *fingerprint* tells, to who has the key, whether the password changed."""

    hash: str
    fingerprint: str
    admin: bool
    groups: tuple[str, ...]


class AccountStore:
    """The accounts in force, from a users.csv and the hashes kept of it."""

    def __init__(self, csv: Path, kept: Path, spelling: Callable[[str], str], log: Logger) -> None:
        """*kept* is the file of hashes; *spelling* gives the hub's name for one in the file, "" to refuse it."""
        self.accounts: Mapping[str, StoredAccount] = {}
        self._csv, self._kept, self._spelling, self._log = csv, kept, spelling, log
        self._stamp: Stamp | None = None
        self._key = b""
        self._nobody = ""
        self._lock = threading.Lock()

    def check(self, name: str, password: str) -> StoredAccount | None:
        """Return the account of *name* if *password* is its; an unknown name takes as long as a wrong password."""
        self.refresh()
        account = self.accounts.get(name)
        try:
            _HASHER.verify(account.hash if account else self._nobody, password)
        except (VerificationError, InvalidHashError):
            return None
        return account

    def refresh(self) -> None:
        """Read the users.csv again if it has changed since."""
        with self._lock:
            if not self._key:
                self._open()
            try:
                with self._csv.open("rb") as file:
                    status = os.fstat(file.fileno())
                    stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                    if stamp == self._stamp:
                        return
                    content = file.read()
            except OSError as error:
                self._log.error("Cannot read the accounts: %s. Those read before stay in force.", error)
                return
            self._stamp = stamp
            if status.st_mode & 0o077:
                self._log.warning("%s holds passwords and is open to other accounts: chmod 600", self._csv)
            self._take(content)

    def _open(self) -> None:
        """Read what was kept by the hub's last run, and make what is missing."""
        self._nobody = _HASHER.hash(secrets.token_hex())
        key_file = self._kept.with_name(self._kept.name + ".key")
        try:
            self._key = bytes.fromhex(key_file.read_text(encoding="ascii"))
            rows = json.loads(self._kept.read_text(encoding="utf-8"))
            self.accounts = {
                name: StoredAccount(**{**row, "groups": tuple(row["groups"])}) for name, row in rows.items()
            }
        except FileNotFoundError:
            pass  # the first run
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self._log.warning("Cannot use %s, hashing all passwords again: %s", self._kept, error)
        if not self._key:
            self._key = secrets.token_bytes(32)
            self._keep(key_file, self._key.hex())

    def _take(self, content: bytes) -> None:
        try:
            users = parse_users(_decoded(content))
            accounts = self._hashed(users)
        except InvalidUsersFile as error:
            self._log.error("%s: %s %s The accounts stay as they were.", self._csv, error.message, error.hint)
            return
        for wrong in users.errors:
            self._log.error("%s, line %d makes no account: %s", self._csv, wrong.line, wrong.message)
        admins = sum(account.admin for account in accounts.values())
        self._log.info("%s: %d accounts, %d of them admins", self._csv, len(accounts), admins)
        if accounts != self.accounts:
            text = json.dumps({name: asdict(account) for name, account in accounts.items()}, indent=1)
            self._keep(self._kept, text)
            self.accounts = accounts

    def _keep(self, path: Path, text: str) -> None:
        try:
            _write_private(path, text)
        except OSError as error:
            self._log.error("Cannot keep hashed passwords, the next start hashes all again: %s", error)

    def _hashed(self, users: Users) -> dict[str, StoredAccount]:
        accounts: dict[str, StoredAccount] = {}
        for account in users.accounts:
            name = self._spelling(account.name)
            if not name:
                self._log.error("%s, line %d makes no account: its name is refused", self._csv, account.line)
                continue
            if name in accounts:
                message = (
                    f"Line {account.line} has the name of another line, once spelled as the hub spells it."
                )
                raise InvalidUsersFile(message, hint="Remove one of the two lines.")
            fingerprint = self._fingerprint(name, account.password)
            known = self.accounts.get(name)
            unchanged = known is not None and hmac.compare_digest(known.fingerprint, fingerprint)
            accounts[name] = StoredAccount(
                hash=known.hash if known and unchanged else _HASHER.hash(account.password),
                fingerprint=fingerprint,
                admin=account.admin,
                groups=account.groups,
            )
        return accounts

    def _fingerprint(self, name: str, password: str) -> str:
        return hmac.new(self._key, f"{name}\0{password}".encode(), hashlib.sha256).hexdigest()


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")  # spreadsheets begin the file with a byte order mark
    except UnicodeDecodeError as error:
        message = f"The file is not UTF-8 text, from byte {error.start} on."
        raise InvalidUsersFile(message, hint='Save it as "CSV UTF-8".') from error


def _write_private(path: Path, text: str) -> None:
    """Replace the file in one step by one that only its owner can read."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)

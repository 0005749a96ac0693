"""A users.csv to accounts: pure, text in, accounts and row errors out.

A row that is wrong makes no account and is reported by its line; what makes it unclear which row is whose (a header
of another form, an open quote, one name twice) refuses the whole file. No message repeats a cell: in a file with
swapped columns that would be a password.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from versatilehub.errors import InvalidName, InvalidUsersFile

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS: Final = ("name", "password", "admin")
GROUPS: Final = "groups"  # the optional fourth column: names with ";" between them
EXAMPLE: Final = "The first line is name,password,admin and each other line like ada,a-long-password,false."

PASSWORD_MIN: Final = 12  # characters
PASSWORD_MAX: Final = 256  # characters; a longer one only costs the hub's time
USER_NAME_MAX: Final = 64

# ASCII only: two names that look alike are two people's files. "@" and "+" are there for e-mail addresses.
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]*[a-z0-9])?")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BOOLEANS: Final = {"true": True, "false": False}
# What stands at these places of the hub's URLs and scopes is not a person.
_RESERVED: Final = frozenset({"user", "users", "service", "services", "hub", "api", "self", "all"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One person who may log in. *line* is where in the file; *password* is composed (NFC) and in plain text."""

    name: str
    password: str = field(repr=False)
    admin: bool = False
    groups: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """A row that makes no account, and why."""

    line: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """What a users.csv says."""

    accounts: tuple[Account, ...]
    errors: tuple[RowError, ...]


def check_user_name(name: str) -> str:
    """Return *name* in the hub's spelling (lower case), or raise InvalidName."""
    lower = name.lower() if name.isascii() else ""
    if len(name) > USER_NAME_MAX:
        message = f"A user name has at most {USER_NAME_MAX} characters; this one has {len(name)}."
    elif not _NAME.fullmatch(lower):
        message = "A user name has a-z, 0-9 and . _ @ + - only, and a letter or digit at both ends."
    elif lower in _RESERVED:
        message = "A user name is not one of " + ", ".join(sorted(_RESERVED)) + "."
    else:
        return lower
    raise InvalidName(message, hint="For example ada or ada@example.org.", field="name")


def compose(password: str) -> str:
    """Return *password* in the one spelling that is hashed: keyboards differ in how they type "é"."""
    return unicodedata.normalize("NFC", password)


def parse_users(text: str) -> Users:
    """Read the text of a users.csv; blank lines are skipped. Raises InvalidUsersFile."""
    rows = _rows(text)
    _, header = next(rows, (0, []))
    columns = tuple(cell.strip().lower() for cell in header)
    if columns not in {COLUMNS, (*COLUMNS, GROUPS)}:
        wanted = ",".join(COLUMNS)
        raise InvalidUsersFile(f"The first line is not {wanted} or {wanted},{GROUPS}.", hint=EXAMPLE)
    accounts: dict[str, Account] = {}
    errors = []
    for line, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        read = _account(line, row, len(columns))
        if isinstance(read, RowError):
            errors.append(read)
            continue
        if first := accounts.get(read.name):
            message = f"Lines {first.line} and {line} have the same name (case does not matter)."
            raise InvalidUsersFile(message, hint="Remove one of the two lines.")
        accounts[read.name] = read
    return Users(accounts=tuple(accounts.values()), errors=tuple(errors))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of its first line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            message = f"From line {line} on the quotes do not pair up ({error})."
            raise InvalidUsersFile(message, hint='Put "" for a quote inside quotes.') from error
        if row is None:
            return
        yield line, row


def _account(line: int, row: list[str], width: int) -> Account | RowError:
    if len(row) != width:
        message = f"The line has {len(row)} cells, the header {width}; cells are parted by commas."
        return RowError(line=line, message=message)
    name, password, admin, *groups = row
    try:
        name = check_user_name(name)
    except InvalidName as error:
        return RowError(line=line, message=error.message)
    password = compose(password)
    flag = _BOOLEANS.get(admin.lower())
    names = tuple(part.strip() for part in groups[0].split(";")) if groups and groups[0].strip() else ()
    if wrong := _wrong_password(password):
        return RowError(line=line, message=wrong)
    if flag is None:
        return RowError(line=line, message="The admin cell is neither true nor false.")
    if not all(map(_GROUP.fullmatch, names)):
        message = "A group has letters, digits and . _ - only, at most 64; groups are parted by semicolons."
        return RowError(line=line, message=message)
    return Account(name=name, password=password, admin=flag, groups=tuple(dict.fromkeys(names)), line=line)


def _wrong_password(password: str) -> str:
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        limits = f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters"
        return f"{limits}; this one has {len(password)}."
    if any(unicodedata.category(char) == "Cc" for char in password):
        return "A password has no line break or other control character."
    return ""

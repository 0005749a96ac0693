"""Reading a users.csv is total, and what a spreadsheet writes is what is read."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from versatilehub.errors import InvalidUsersFile
from versatilehub.users import check_user_name, compose, parse_users

NAMES = st.from_regex(r"[a-z][a-z0-9._-]{0,20}[0-9]", fullmatch=True)
PASSWORDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=12, max_size=64).filter(
    lambda text: 12 <= len(compose(text)) <= 256
)


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text after the header is read or refused with our own error, and every account has a good name."""
    try:
        users = parse_users("name,password,admin\n" + text)
    except InvalidUsersFile:
        return
    assert all(check_user_name(account.name) == account.name for account in users.accounts)
    assert all(len(account.password) >= 12 for account in users.accounts)


@given(st.dictionaries(NAMES, st.tuples(PASSWORDS, st.booleans())))
def test_round_trip(people: dict[str, tuple[str, bool]]) -> None:
    """Accounts written by Python's csv module are read back as they were."""
    file = io.StringIO()
    rows = [(name, password, str(admin).lower()) for name, (password, admin) in people.items()]
    csv.writer(file).writerows([("name", "password", "admin"), *rows])
    users = parse_users(file.getvalue())
    read = {account.name: (account.password, account.admin) for account in users.accounts}
    assert not users.errors
    assert read == {name: (compose(password), admin) for name, (password, admin) in people.items()}

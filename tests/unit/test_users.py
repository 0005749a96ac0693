"""A users.csv is read as its author meant it, or the line that is wrong is named."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from tests.bad_inputs import cases
from versatilehub.errors import InvalidName, InvalidUsersFile
from versatilehub.users import check_user_name, compose, parse_users

if TYPE_CHECKING:
    from tests.bad_inputs import Case

HEADER = "name,password,admin\n"


@pytest.mark.parametrize("case", cases("csv_row"))
def test_rows_of_the_corpus(case: Case) -> None:
    """A row becomes accounts exactly if the corpus accepts it; a refused one leaves none behind."""
    try:
        users = parse_users(HEADER + case.value)
    except InvalidUsersFile:
        assert not case.accepted
    else:
        assert bool(users.accounts) == case.accepted
        assert not (users.accounts and users.errors)


@pytest.mark.parametrize("case", cases("username"))
def test_names_of_the_corpus(case: Case) -> None:
    """A user name is taken exactly if the corpus accepts it."""
    try:
        check_user_name(case.value)
    except InvalidName:
        assert not case.accepted
    else:
        assert case.accepted


@pytest.mark.req("C12")
@pytest.mark.parametrize(
    "password",
    [
        pytest.param("comma, quote \" and 'tick'", id="comma and quotes"),
        pytest.param("grüße-日本語-🎉-pass", id="Unicode"),
        pytest.param(" edges are kept ", id="spaces at the edges"),
        pytest.param("semi;colon#hash=sign", id="signs"),
        pytest.param("%s{name}%(x)s${HOME}", id="templates"),
        pytest.param("x" * 12, id="shortest"),
        pytest.param("x" * 256, id="longest"),
    ],
)
def test_password_is_taken_as_it_is(password: str) -> None:
    """Whatever a spreadsheet program writes for a password is that password."""
    file = io.StringIO()
    csv.writer(file).writerows([("name", "password", "admin"), ("ada", password, "true")])
    (account,) = parse_users(file.getvalue()).accounts
    assert (account.name, account.password, account.admin, account.groups) == ("ada", password, True, ())


def test_password_is_composed() -> None:
    """Two ways to type one character are one password."""
    (account,) = parse_users(HEADER + "ada,cafe\u0301-cafe\u0301-cafe\u0301,false").accounts
    assert account.password == compose("café-café-café") == "café-café-café"


@pytest.mark.req("C10")
def test_wrong_rows_are_reported_by_line() -> None:
    """Each wrong row is reported with its line, and the rows around it still count."""
    text = (
        HEADER
        + "\nada,correct-horse,false\nbob,short,false\n\n,,\ncyd,correct-horse\ndan,correct-horse,TRUE\n"
    )
    users = parse_users(text)
    assert [(account.name, account.line, account.admin) for account in users.accounts] == [
        ("ada", 3, False),
        ("dan", 8, True),
    ]
    assert [error.line for error in users.errors] == [4, 7]
    assert "12 to 256 characters; this one has 5" in users.errors[0].message
    assert "2 cells, the header 3" in users.errors[1].message


def test_line_of_a_row_after_a_cell_with_a_line_break() -> None:
    """The line reported is the file's, also after a cell of two lines."""
    users = parse_users(HEADER + '"a\nb",correct-horse,false\nbob,short,false\n')
    assert [error.line for error in users.errors] == [2, 4]


def test_groups() -> None:
    """A fourth column names groups, each once, in order."""
    text = "name,password,admin,groups\nada,correct-horse,false,b; a;b\nbob,correct-horse,false,\n"
    assert [account.groups for account in parse_users(text).accounts] == [("b", "a"), ()]


@pytest.mark.parametrize("groups", ["a;", "a b", "a/b", "-a", "é", "x" * 65], ids=str)
def test_wrong_group(groups: str) -> None:
    """A group of another form refuses its row."""
    users = parse_users(f"name,password,admin,groups\nada,correct-horse,false,{groups}\n")
    assert (len(users.accounts), len(users.errors)) == (0, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "first line is not name,password,admin", id="empty file"),
        pytest.param("ada,correct-horse,false\n", "first line is not", id="no header"),
        pytest.param("name;password;admin\n", "first line is not", id="semicolons"),
        pytest.param("password,name,admin\n", "first line is not", id="other order"),
        pytest.param("name,password,admin,groups,more\n", "first line is not", id="a column more"),
        pytest.param(
            HEADER + 'ada,"correct-horse,false\nbob,x,y\n', "From line 2 on the quotes", id="open quote"
        ),
        pytest.param(
            HEADER + 'ada,"correct"-horse,false\n', "From line 2 on the quotes", id="text after a quote"
        ),
        pytest.param(
            HEADER + "ada,correct-horse,false\nAda,correct-horse,true\n",
            "Lines 2 and 3 have the same name",
            id="twin",
        ),
    ],
)
def test_file_is_refused(text: str, message: str) -> None:
    """A file in which it is unclear which row is whose is refused as a whole, with what to do."""
    with pytest.raises(InvalidUsersFile, match=message) as caught:
        parse_users(text)
    assert caught.value.hint


def test_header_as_spreadsheets_write_it() -> None:
    """Case and spaces of the header do not matter, nor do Windows line ends."""
    assert len(parse_users("Name, Password ,ADMIN\r\nada,correct-horse,false\r\n").accounts) == 1


def test_no_message_repeats_a_cell() -> None:
    """Nothing of a wrong row gets into a message or the text of an account: it may be a password."""
    secret = "hunter2-hunter2"
    rows = [f"{secret}!,x,false", f"ada,{secret},{secret}", f"bob,{secret}", f"cyd,{secret * 20},true"]
    users = parse_users(HEADER + "\n".join(rows) + f"\ndan,{secret},false\n")
    assert len(users.errors) == 4
    assert secret not in repr(users)


def test_upper_case_name() -> None:
    """A name is taken in the hub's spelling, lower case, and only ASCII has one."""
    assert check_user_name("Ada.Lovelace@Example.ORG") == "ada.lovelace@example.org"
    with pytest.raises(InvalidName):
        check_user_name("\u212aelvin")  # the Kelvin sign, whose lower case is "k"

"""Reading who runs in an image, and with which Python, from its files."""

from __future__ import annotations

import pytest

from versatilehub.builds.look import Account, account_of, interpreter

PASSWD = "root:x:0:0::/root:/bin/sh\njovyan:x:1000:100::/home/jovyan:/bin/sh\nodd\nalso:x:y:z:::\nbin:x:2:2::/bin:/no\n"
GROUPS = "root:x:0:\nusers:x:100:jovyan\nstaff:x:50:\nodd\n"


@pytest.mark.parametrize(
    ("user", "home", "expected"),
    [
        pytest.param("jovyan", "", (1000, 100, "/home/jovyan"), id="name"),
        pytest.param("1000", "", (1000, 100, "/home/jovyan"), id="number-with-an-account"),
        pytest.param("1000:50", "/h", (1000, 50, "/h"), id="numbers"),
        pytest.param("jovyan:staff", "", (1000, 50, "/home/jovyan"), id="group-by-name"),
        pytest.param("4711", "", (4711, 0, "/"), id="number-without-an-account"),
        pytest.param("4711:4712", "/data", (4711, 4712, "/data"), id="unknown-numbers"),
        pytest.param("toor", "", None, id="no-such-name"),
        pytest.param("jovyan:nogroup", "", None, id="no-such-group"),
        pytest.param("also", "", None, id="row-that-is-no-account"),
        pytest.param("", "", None, id="nobody"),
    ],
)
def test_account_of(user: str, home: str, expected: tuple[int, int, str] | None) -> None:
    """An image's user is read as Docker reads it: by name or number, the group of the account unless one is given."""
    uid, gid, own = expected or (0, 0, "")
    account = Account(uid=uid, gid=gid, home=own) if expected else None
    assert account == account_of(user, home, passwd=PASSWD, groups=GROUPS)


def test_an_image_without_accounts() -> None:
    """Without /etc/passwd a number is itself and its home is the root folder."""
    assert Account(uid=5, gid=6, home="/") == account_of("5:6", "", passwd="", groups="")
    assert account_of("jovyan", "", passwd="", groups="") is None


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("#!/opt/jupyter/bin/python\nimport x\n", "/opt/jupyter/bin/python"),
        ("#! /srv/conda/bin/python3.11 -E\n", "/srv/conda/bin/python3.11"),
        ("#!/usr/bin/env python3\n", ""),
        ("#!/bin/sh\nexec python3 x\n", ""),
        ("#!/opt/x/bin/pythonista\n", ""),
        ("\x7fELF#!/a/bin/python\n", ""),
        ("", ""),
    ],
)
def test_interpreter(script: str, expected: str) -> None:
    """Only a Python named by its path in the first line says where packages lie."""
    assert expected == interpreter(script)

"""Tests of what a wish to cancel comes to."""

from __future__ import annotations

import pytest

from versatilehub.builds.audience import Audience, decide
from versatilehub.errors import OthersWait


@pytest.mark.parametrize(
    ("people", "admin", "sure", "expected"),
    [
        pytest.param({"ada"}, False, False, "cancel", id="alone"),
        pytest.param(set(), False, False, "cancel", id="nobody-waits"),
        pytest.param({"ada", "bob"}, False, False, "1 other waits", id="asked"),
        pytest.param({"ada", "bob", "cleo"}, True, False, "2 others wait", id="an-administrator-is-asked"),
        pytest.param({"ada", "bob"}, False, True, "leave", id="sure"),
        pytest.param({"bob"}, True, True, "cancel", id="an-administrator-is-sure"),
        pytest.param({"bob"}, False, True, "leave", id="who-does-not-wait-ends-nothing"),
    ],
)
def test_decide(people: set[str], *, admin: bool, sure: bool, expected: str) -> None:
    """Nobody ends a build others wait for but an administrator who was asked."""
    try:
        found = decide(frozenset(people), "ada", admin=admin, sure=sure)
    except OthersWait as asked:
        found = asked.message  # type: ignore[assignment]  # what the case expects
    assert found.startswith(expected)


def test_people_are_counted_once() -> None:
    """Somebody who asked and does not watch waits until they leave."""
    audience = Audience(["ada"])
    audience.hold("bob")
    audience.hold("bob")
    assert {"ada", "bob"} == audience.people
    audience.leave("ada")
    assert {"bob"} == audience.people

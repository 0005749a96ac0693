"""The page for one more server, as a browser without JavaScript uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hub.people import Person, field_values
from tests.hubprocess import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from tests.hubprocess import HubProcess

IMAGE = {"kind": "image", "image": "versatilehub/test-server:latest"}


@pytest.fixture
def bob(hub: HubProcess) -> Iterator[Person]:
    """A person with no named server before and after."""
    person = Person(hub, "bob", "bob-password-1")
    yield person
    for server in _servers(hub):
        wait_for(lambda name=server: not hub.model("bob", name).get("pending"), "started")  # type: ignore[misc]  # bound now
        hub.halt("bob", server, remove=True)
    person.session.close()


def _servers(hub: HubProcess) -> list[str]:
    model = hub.api("GET", "users/bob", params={"include_stopped_servers": "1"}).json()
    return sorted(name for name in model["servers"] if name)


def _send(person: Person, **fields: str) -> requests.Response:
    url = f"{person.hub.url}/hub/versatilehub/new"
    return person.session.post(url, params={"_xsrf": person.xsrf}, data=fields, timeout=60)


@pytest.mark.req("V4")
def test_two_servers_without_a_name_get_two(hub: HubProcess, bob: Person) -> None:
    """Left empty, the name is chosen: two launches make two servers with different names, and both run."""
    first, second = _send(bob, server_name="", **IMAGE), _send(bob, server_name="", **IMAGE)

    assert (200, 200) == (first.status_code, second.status_code)
    assert 2 == len(_servers(hub))
    for name in _servers(hub):
        hub.wait_ready("bob", name)


@pytest.mark.req("V4", "V31")
def test_a_name_is_used_and_opening_the_page_makes_nothing(hub: HubProcess, bob: Person) -> None:
    """The page alone makes no record; with a name in it, the server has that name."""
    page = bob.get("versatilehub/new", params={"source": "https://github.com/a/b", "opt-source": "x"})
    before = _servers(hub)
    _send(bob, server_name="lab1", **IMAGE)

    assert (200, []) == (page.status_code, before)
    assert "versatilehub/new" in bob.get("home").text
    assert ["lab1"] == _servers(hub)
    hub.wait_ready("bob", "lab1")


@pytest.mark.parametrize(
    ("fields", "code", "kept"),
    [
        pytest.param(
            {"server_name": "Lab 1", **IMAGE}, "invalid_name", {"server_name": "Lab 1"}, id="bad name"
        ),
        pytest.param(
            {"server_name": "lab2", "kind": "source", "source": "no link"},
            "invalid_source",
            {"server_name": "lab2", "source": "no link"},
            id="bad source",
        ),
        pytest.param(
            {"server_name": "lab3", "kind": "image", "image": "quay.io/x/y:1"},
            "image_not_allowed",
            {"server_name": "lab3"},
            id="policy",
        ),
    ],
)
def test_a_refused_form_makes_no_record(
    hub: HubProcess, bob: Person, fields: dict[str, str], code: str, kept: dict[str, str]
) -> None:
    """What is wrong is said, what was typed is kept, and no server of that name exists."""
    answer = _send(bob, **fields)

    assert code in answer.text
    assert kept.items() <= field_values(answer.text).items()
    assert [] == _servers(hub)


def test_without_the_token_of_the_page_nothing_happens(hub: HubProcess, bob: Person) -> None:
    """A form on somebody else's page cannot make a server."""
    url = f"{hub.url}/hub/versatilehub/new"
    answer = bob.session.post(url, data={"server_name": "evil", **IMAGE}, timeout=60)

    assert 403 == answer.status_code
    assert [] == _servers(hub)

"""The laboratory's policy (preset `ska`) on every way a server is made, renamed or started, whoever asks."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.buildsite import BASE
from tests.hub.people import Person, field_values
from tests.hubprocess import HubProcess, docker, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

CODE = "VersatileHub-Error"
GIB = 1024**3
FIVE = ["lab-a", "lab-b", "lab-c", "lab-d", "lab-e"]
IMAGE = {"kind": "image", "image": BASE}
LONGEST, TOO_LONG = "a" * 20, "a" * 21

GROUPS = """
    c.VersatileHub.policy_groups = {
        "none": {"named_servers": 0},
        "two": {"named_servers": 2, "running_max": 1, "pids_max": 99},
        "large": {"named_servers": 7, "memory_max": "4G", "gpus_max": 1, "admin_may_exceed": True},
    }
    c.JupyterHub.load_groups = {name: {"users": []} for name in ("none", "two", "large")}
"""


@pytest.fixture(scope="module")
def ska(make_hub: Callable[..., HubProcess], odd_image: str) -> HubProcess:
    """A hub of preset `ska`, with three groups that have something else, and a look at each server every second."""
    lines = f"""
    c.VersatileHub.policy_overrides = {{"images": ["{BASE}", "{odd_image}"]}}
    c.VersatileSpawner.poll_interval = 1
    """
    return make_hub(lines + GROUPS, environment={"VERSATILEHUB_PRESET": "ska"}).start()


@pytest.fixture
def owner(ska: HubProcess) -> str:
    """A person nobody else in this run is."""
    return ska.user(f"u{secrets.token_hex(4)}")


@pytest.fixture
def grace(ska: HubProcess) -> Iterator[Person]:
    """Somebody in front of a browser, with no named server before and after."""
    person = Person(ska, "grace", "grace-password-1")
    yield person
    for server in servers(ska, "grace"):
        ska.halt("grace", server, remove=True)
    ska.halt("grace")
    person.session.close()


@pytest.fixture
def admin(ska: HubProcess) -> Iterator[Person]:
    """An administrator in front of a browser."""
    person = Person(ska, "admin", "admin-password-1")
    with person.session:
        yield person


def servers(hub: HubProcess, owner: str) -> list[str]:
    """Return the names of a person's named servers."""
    model = hub.api("GET", f"users/{owner}", params={"include_stopped_servers": "1"}).json()
    return sorted(name for name in model["servers"] if name)


def make(hub: HubProcess, owner: str, name: str, **body: Any) -> requests.Response:
    """Make the record of a server."""
    return hub.api("PUT", hub.server_path(owner, name), json=body or None)


def join(hub: HubProcess, owner: str, *groups: str) -> None:
    """Put a person into groups."""
    for group in groups:
        assert hub.api("POST", f"groups/{group}/users", json={"users": [owner]}).ok


def by_form(person: Person, owner: str, name: str, **fields: str) -> requests.Response:
    """Send JupyterHub's own form for a server, and follow where it leads."""
    url = f"{person.hub.url}/hub/spawn/{owner}/{name}"
    return person.session.post(url, params={"_xsrf": person.xsrf}, data={**IMAGE, **fields}, timeout=60)


def by_page(person: Person, name: str) -> requests.Response:
    """Send our own form for a new server."""
    url = f"{person.hub.url}/hub/versatilehub/new"
    fields = {**IMAGE, "server_name": name}
    return person.session.post(url, params={"_xsrf": person.xsrf}, data=fields, timeout=60)


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.req("P1")
def test_a_name_has_twenty_characters_on_every_route(ska: HubProcess, owner: str, grace: Person) -> None:
    """Twenty pass and twenty-one are refused with limit and length: PUT, POST, PATCH rename and both forms."""
    make(ska, owner, "lab1")
    refused = {
        "put": make(ska, owner, TOO_LONG),
        "post": ska.launch(owner, TOO_LONG, image=BASE),
        "patch": ska.api("PATCH", ska.server_path(owner, "lab1"), json={"name": TOO_LONG}),
        "form": by_form(grace, "grace", TOO_LONG),
        "page": by_page(grace, TOO_LONG),
    }
    words = "at most 20 characters; this one has 21"

    assert dict.fromkeys(refused, True) == {route: words in answer.text for route, answer in refused.items()}
    assert dict.fromkeys(refused, 400) == {route: answer.status_code for route, answer in refused.items()}
    assert (["lab1"], []) == (servers(ska, owner), servers(ska, "grace"))

    passed = [
        ska.api("PATCH", ska.server_path(owner, "lab1"), json={"name": LONGEST}),
        make(ska, owner, "b" * 20),
        by_page(grace, LONGEST),
    ]
    assert [200, 201, 200] == [answer.status_code for answer in passed]
    ska.wait_ready("grace", LONGEST)


@pytest.mark.req("P2")
def test_a_display_name_has_twenty_characters_as_people_count(ska: HubProcess, owner: str) -> None:
    """Twenty graphemes pass in PUT, POST and in a PATCH of nothing else; one more is refused with both figures."""
    flag, letter = "\U0001f1ed\U0001f1fa", "q\u0303"  # one character each to people, two to a computer
    fits, long = flag * 3 + letter * 17, flag * 3 + letter * 18
    made = make(ska, owner, "lab1", display_name=fits)
    refused = [
        make(ska, owner, "lab2", display_name=long),
        ska.api(
            "POST",
            ska.server_path(owner, "lab3"),
            json={"display_name": long, "user_options": {"image": BASE}},
        ),
        ska.api("PATCH", ska.server_path(owner, "lab1"), json={"display_name": long}),
        ska.api("POST", ska.server_path(owner, "lab1"), json={"display_name": long}),
    ]

    assert 201 == made.status_code, made.text
    assert [400] * 4 == [answer.status_code for answer in refused]
    assert [True] * 4 == ["at most 20 characters; this one has 21" in answer.text for answer in refused]
    assert (["lab1"], fits) == (servers(ska, owner), ska.model(owner, "lab1")["display_name"])
    assert ska.api("PATCH", ska.server_path(owner, "lab1"), json={"display_name": "Mass of π"}).ok
    assert "Mass of π" == ska.model(owner, "lab1")["display_name"]


@pytest.mark.req("P2")
@pytest.mark.parametrize("name", ["Lab", "lab_1", "1lab", "lab-", "la--b", "labör", "lab", "tree"])
def test_a_wrong_name_is_told_what_is_allowed(ska: HubProcess, owner: str, name: str) -> None:
    """Upper case, other characters, reserved words: refused before a record exists, with what is allowed."""
    answer = make(ska, owner, name)

    assert (400, "invalid_name") == (answer.status_code, answer.headers[CODE])
    assert "a-z, 0-9" in answer.text or "reserved" in answer.text
    assert [] == servers(ska, owner)


def test_jupyterhubs_own_rule_answers_a_patch_first(ska: HubProcess, owner: str) -> None:
    """A PATCH to a name JupyterHub itself forbids is refused in its words: it asks nobody else (docs/how-to/policies.md)."""
    make(ska, owner, "lab1")
    answers = [
        ska.api("PATCH", ska.server_path(owner, "lab1"), json={"name": name}) for name in ("Lab", "tree")
    ]

    assert ["Invalid server_name" in answers[0].text, "reserved" in answers[1].text] == [True, True]
    assert ["lab1"] == servers(ska, owner)


# -- how many ------------------------------------------------------------------------------------


@pytest.mark.req("P3", "P5")
def test_the_sixth_server_is_refused_on_every_route(
    ska: HubProcess, owner: str, grace: Person, admin: Person
) -> None:
    """Five and the default one; the sixth is refused naming the five, to the owner and to an administrator who acts."""
    for person in (owner, "grace"):
        assert [201] * 5 == [make(ska, person, name).status_code for name in FIVE]
    patched = {"name": "lab-f"}  # of the default server, which JupyterHub then makes anew
    refused = {
        "put": make(ska, owner, "lab-f"),
        "post": ska.launch(owner, "lab-f", image=BASE),
        "patch": ska.api("PATCH", ska.server_path(owner), json=patched),
        "form": by_form(grace, "grace", "lab-f"),
        "page": by_page(grace, "lab-f"),
        "admin's form": by_form(admin, owner, "lab-f"),
    }
    words = "5 of 5 named servers: lab-a, lab-b, lab-c, lab-d, lab-e. Delete one"

    assert dict.fromkeys(refused, True) == {route: words in answer.text for route, answer in refused.items()}
    assert dict.fromkeys(refused, 403) == {route: answer.status_code for route, answer in refused.items()}
    assert (FIVE, FIVE) == (servers(ska, owner), servers(ska, "grace"))
    assert ska.run(owner, image=BASE)["ready"]  # the default one is beside the five

    ska.halt(owner, "lab-e", remove=True)
    assert 201 == make(ska, owner, "lab-f").status_code


@pytest.mark.req("P4", "P5")
def test_ten_at_once_stay_within_the_limit(ska: HubProcess, owner: str) -> None:
    """Of ten named servers asked for at the same moment, half by PUT and half by POST, five are made."""

    def ask(number: int) -> int:
        name = f"lab-{number}"
        if number % 2:
            return make(ska, owner, name).status_code
        return ska.launch(owner, name, image=BASE).status_code

    with ThreadPoolExecutor(10) as pool:
        answers = sorted(pool.map(ask, range(10)))

    assert ([403] * 5, 5) == (answers[5:], len(servers(ska, owner)))


@pytest.mark.req("P6")
def test_opening_a_page_makes_no_record(ska: HubProcess, grace: Person, admin: Person) -> None:
    """JupyterHub's own page of a server that does not exist leads to the form for a new one, with its name filled in."""
    mine = grace.get("spawn/grace/lab1", params={"source": "https://github.com/a/b"})
    hers = admin.get("spawn/grace/lab1")
    form = grace.session.get(f"{ska.url}/hub/spawn/grace/lab1", timeout=30)

    assert (302, 302) == (mine.status_code, hers.status_code)
    assert "/hub/versatilehub/new/grace/lab1?source=" in mine.headers["Location"]
    assert (200, "lab1") == (form.status_code, field_values(form.text)["server_name"])
    assert [] == servers(ska, "grace")

    sent = by_form(grace, "grace", "lab1")
    assert 200 == sent.status_code
    assert ["lab1"] == servers(ska, "grace")
    ska.wait_ready("grace", "lab1")


def test_a_form_sent_to_a_new_server_comes_back_without_a_record(ska: HubProcess, grace: Person) -> None:
    """A refused form for a server that does not exist makes none, and is shown again with what was typed."""
    answer = by_form(grace, "grace", "lab1", image="evil/image:1", open="a/b.ipynb", display_name="x" * 99)

    assert (403, "a/b.ipynb") == (answer.status_code, field_values(answer.text)["open"])
    assert "evil/image:1" in answer.text
    assert [] == servers(ska, "grace")


# -- groups --------------------------------------------------------------------------------------


@pytest.mark.req("P26", "P5")
def test_groups_differ(ska: HubProcess, admin: Person) -> None:
    """No named server at all, two, or seven, by the owner's groups; of two groups the larger; the administrator's own do not count."""
    counts = {}
    join(ska, "admin", "large")
    for groups in (["none"], ["two"], ["none", "two"], ["two", "large", "none"]):
        person = ska.user(f"u{secrets.token_hex(4)}")
        join(ska, person, *groups)
        counts["+".join(groups)] = sum(make(ska, person, f"lab-{n}").ok for n in range(8))
    nobody = ska.user(f"u{secrets.token_hex(4)}")
    join(ska, nobody, "none")
    refused = by_form(admin, nobody, "lab-1")

    assert {"none": 0, "two": 2, "none+two": 2, "two+large+none": 7} == counts
    assert (403, True) == (refused.status_code, "You may have no named servers." in refused.text)


@pytest.mark.req("P5")
def test_an_administrator_passes_the_count_where_policy_says_so(ska: HubProcess, admin: Person) -> None:
    """With `admin_may_exceed` in the owner's policy an administrator makes the eighth; the name and the options still have to hold."""
    person = ska.user(f"u{secrets.token_hex(4)}")
    join(ska, person, "large")
    made = [make(ska, person, f"lab-{n}").status_code for n in range(8)]
    eighth = by_form(admin, person, "lab-7")
    bad = by_form(admin, person, TOO_LONG)

    assert [201] * 7 + [403] == made
    assert (200, 400) == (eighth.status_code, bad.status_code)
    assert 8 == len(servers(ska, person))
    ska.wait_ready(person, "lab-7")


@pytest.mark.req("K46")
def test_the_running_limit_and_the_process_limit(ska: HubProcess, owner: str) -> None:
    """Of three starts at once one runs where one may; the refusal names it; stopping it makes room; processes are the group's."""
    join(ska, owner, "two")
    for name in ("lab-a", "lab-b"):
        make(ska, owner, name)
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda name: ska.launch(owner, name, image=BASE), ["", "lab-a", "lab-b"]))
    (winner,) = [name for name, answer in zip(["", "lab-a", "lab-b"], answers, strict=True) if answer.ok]
    ska.wait_ready(owner, winner)
    other = next(name for name in ("lab-a", "lab-b") if name != winner)
    refused = ska.launch(owner, other, image=BASE)
    host = json.loads(docker("inspect", ska.container(owner, winner)))[0]["HostConfig"]

    assert (403, "too_many_running") == (refused.status_code, refused.headers[CODE])
    assert f"1 of 1 running servers: {winner or 'the default server'}. Stop one first" in refused.text
    assert 99 == host["PidsLimit"]
    ska.halt(owner, winner)
    assert ska.run(owner, other)["ready"]


# -- the size of a server ------------------------------------------------------------------------


@pytest.mark.req("P17", "K46", "V13")
def test_one_cpu_and_two_gigabytes(ska: HubProcess, owner: str) -> None:
    """A server has 1 CPU, 2 GiB without swap and 512 processes; more is refused with limit and figure, never lowered in silence."""
    more = [
        ska.launch(owner, image=BASE, memory="3G"),
        ska.launch(owner, image=BASE, cpus=1.5),
        ska.launch(owner, image=BASE, idle_timeout=9000),
    ]
    ska.run(owner, image=BASE)
    host = json.loads(docker("inspect", ska.container(owner)))[0]["HostConfig"]

    assert (2 * GIB, 2 * GIB, 512) == (host["Memory"], host["MemorySwap"], host["PidsLimit"])
    assert 1.0 == host["CpuQuota"] / host["CpuPeriod"]
    assert [403] * 3 == [answer.status_code for answer in more]
    assert "128M to 2G of memory; this one asks for 3G" in more[0].text
    assert "0.05 to 1 CPUs; this one asks for 1.5" in more[1].text


@pytest.mark.req("K46")
def test_graphics_cards_are_for_who_was_given_some(ska: HubProcess, owner: str) -> None:
    """Without leave no card; with leave for one the engine is asked for it, and its answer is what the person reads."""
    refused = ska.launch(owner, image=BASE, gpus=1)
    join(ska, owner, "large")
    asked = ska.launch(owner, image=BASE, gpus=1)
    more = ska.launch(owner, image=BASE, gpus=2)

    assert (403, "gpus_out_of_range") == (refused.status_code, refused.headers[CODE])
    assert "no graphics cards here; this one asks for 1" in refused.text
    assert "1 graphics cards here; this one asks for 2" in more.text
    assert (424, True) == (asked.status_code, "device driver" in asked.text), (
        asked.text
    )  # this machine has no card


@pytest.mark.req("P17")
def test_three_gigabytes_are_told_as_out_of_memory(ska: HubProcess, grace: Person, odd_image: str) -> None:
    """A server that takes 3 GiB is ended at 2; its owner reads that, with the figure, until the next start."""
    ska.run("grace", "glutton", image=odd_image)
    ska.exec("grace", "touch /tmp/eat", server="glutton")
    wait_for(lambda: not ska.model("grace", "glutton").get("ready"), "the server to end", seconds=60)
    wait_for(lambda: not ska.model("grace", "glutton").get("pending"), "its end to be seen to")
    page = grace.get("user/grace/glutton/")

    assert "It ran out of memory and was ended; it had 2G." in " ".join(page.text.split())
    ska.run("grace", "glutton", image=BASE)
    ska.halt("grace", "glutton")
    assert "ran out of memory" not in grace.get("user/grace/glutton/").text

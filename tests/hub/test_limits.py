"""What people are told of their limits is what is enforced; a malformed policy stops the hub."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.buildsite import BASE
from tests.hub.people import Person
from tests.hubprocess import HubProcess, docker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: A policy file, and what stands on the spawner; ada is in both groups, bob in none.
POLICY = """
named_servers = 3
server_volume_max = "1G"

[groups.staff]
named_servers = 4
pids_max = 600

[groups.physics]
named_servers = 2
memory_max = "4G"
cpus_max = 1.5
"""
LINES = """
    from pathlib import Path
    _policy = Path(c.VersatileHub.state_dir) / "policy.toml"
    _policy.write_text({policy!r})
    c.VersatileHub.policy_file = str(_policy)
    c.VersatileHub.preset = "ska"
    c.VersatileSpawner.cpu_limit = 0.5
    c.JupyterHub.load_groups = {{"staff": {{"users": ["ada"]}}, "physics": {{"users": ["ada"]}}}}
"""


@pytest.fixture(scope="module")
def site(make_hub: Callable[..., HubProcess]) -> HubProcess:
    """A hub with a policy file and two groups."""
    return make_hub(LINES.format(policy=POLICY)).start()


@pytest.fixture(scope="module")
def ada(site: HubProcess) -> Iterator[Person]:
    """A member of both groups, with one server that runs and one that does not."""
    person = Person(site, "ada", "ada-password-1")
    site.run("ada", image=BASE, memory="3G")
    assert site.api("PUT", site.server_path("ada", "lab1")).status_code == 201
    yield person
    person.session.close()


def limits(site: HubProcess, user: str) -> dict[str, dict[str, Any]]:
    """Return the rows of the API by key."""
    answer = _ask(site, user, site.token)
    assert answer.ok, answer.text
    return {row["key"]: row for row in answer.json()["limits"]}


def _ask(site: HubProcess, user: str, token: str) -> requests.Response:
    url = f"{site.url}/hub/versatilehub/api/limits/{user}"
    return requests.get(url, headers={"Authorization": f"token {token}"}, timeout=20)


def shown(page: str) -> dict[str, list[str]]:
    """Return value, use and rule of each row of the page."""
    rows = re.findall(r'<tr data-vh-limit="([a-z_]+)">(.*?)</tr>', page, re.DOTALL)
    return {
        key: [_text(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)] for key, row in rows
    }


def _text(markup: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", "", markup)).split())


@pytest.mark.req("P25", "P26")
def test_the_page_says_what_is_enforced(site: HubProcess, ada: Person) -> None:
    """Page and API agree; each figure is the one in Docker or in the refusal, with the rule it came from."""
    page = shown(ada.get("versatilehub/limits").content.decode())
    api = limits(site, "ada")
    host = json.loads(docker("inspect", site.container("ada")))[0]["HostConfig"]
    too_much = site.launch("ada", "lab2", image=BASE, memory="5G")
    for name in ("lab2", "lab3", "lab4"):
        site.api("PUT", site.server_path("ada", name))
    fifth = site.api("PUT", site.server_path("ada", "lab5"))

    assert {key: [row["value"], row["origin"]] for key, row in api.items()} == {
        key: [value, rule] for key, (value, _, rule) in page.items()
    }
    assert ["4", "1: lab1", "groups physics, staff: largest"] == page["named_servers"]
    assert ["no limit", "1: the default server", "versatilehub's default"] == page["running_max"]
    assert (page["pids_max"], host["PidsLimit"]) == (["600", "–not counted", "group staff"], 600)
    assert (page["memory_max"][0], page["memory_max"][2]) == ("4G", "group physics")
    assert page["memory_max"][1].endswith("M: the default server")
    assert page["cpus_max"][0] == "0.5"
    assert "cpu_limit" in page["cpus_max"][2]
    assert host["CpuQuota"] / host["CpuPeriod"] == 0.5
    assert (page["server_volume_max"][0], page["server_volume_max"][2]) == ("1G", "policy.toml")
    assert "128M to 4G" in too_much.text
    assert "4 of 4 named servers" in fifth.text
    assert {} == site.model("ada", "lab5")
    for name in ("lab2", "lab3", "lab4"):
        site.halt("ada", name, remove=True)


@pytest.mark.req("P25")
def test_others_do_not_see_them(site: HubProcess, ada: Person) -> None:
    """A person reads their own limits, not another's; an operator reads anybody's; nobody at all reads none."""
    api = f"{site.url}/hub/versatilehub/api/limits"
    own, hers = ada.session.get(api, timeout=20), ada.session.get(f"{api}/bob", timeout=20)
    anonymous = _ask(site, "bob", "wrong")

    assert (200, "ada", ["physics", "staff"]) == (own.status_code, own.json()["user"], own.json()["groups"])
    assert 404 == hers.status_code
    assert 403 == anonymous.status_code
    site.user("bob")
    assert "3" == limits(site, "bob")["named_servers"]["value"]


@pytest.mark.req("P25", "P26")
def test_the_command_says_the_same(site: HubProcess, ada: Person) -> None:
    """`versatilehub policy explain` prints what the hub enforces, with groups and use from its database."""
    del ada
    told = _explain(site, "--json", "ada")
    text = _explain(site, "", "ada").stdout
    guest = _explain(site, "--json", "nobody-yet", "--group", "physics")
    unknown = _explain(site, "", "nobody-yet")
    rows = {row["key"]: row for row in json.loads(told.stdout)["limits"]}
    api = limits(site, "ada")
    spawners = {key for key, row in api.items() if "spawner" in row["origin"]}
    counted = {"named_servers", "running_max"}

    assert {key: (row["value"], row["origin"]) for key, row in rows.items() if key not in spawners} == {
        key: (row["value"], row["origin"]) for key, row in api.items() if key not in spawners
    }
    assert {key: rows[key]["use"] for key in counted} == {key: api[key]["use"] for key in counted}
    assert "group staff" in text
    assert 2 == {row["key"]: row for row in json.loads(guest.stdout)["limits"]}["named_servers"]["setting"]
    assert (1, True) == (unknown.returncode, "nobody-yet" in unknown.stderr)


def _explain(site: HubProcess, json_flag: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "versatilehub.cli", "--state", str(site.state)]
    command += [json_flag] if json_flag else []
    return subprocess.run(
        [*command, "policy", "explain", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


BAD = "[groups.staff]\nmemory_max = '4G'\nmemory_default = '9G'\n"


@pytest.mark.req("P25")
@pytest.mark.parametrize(
    ("lines", "preset", "message"),
    [
        pytest.param("", "skk", "There is no preset 'skk'", id="preset"),
        pytest.param(
            LINES.format(policy=BAD),
            "ska",
            "policy.toml, group staff, line 3: memory_default: 9G of memory is outside",
            id="a line after configure",
        ),
    ],
)
def test_a_malformed_policy_stops_the_hub(
    make_hub: Callable[..., HubProcess], lines: str, preset: str, message: str
) -> None:
    """A hub with a policy that cannot hold ends at once and says file, line, key and reason; it never runs."""
    hub = make_hub(lines, environment={"VERSATILEHUB_PRESET": preset})
    with pytest.raises(AssertionError, match="the hub ended"):
        hub.start()

    assert hub.process is not None
    assert 1 == hub.process.returncode
    assert message in hub.log.read_text()
    assert "JupyterHub is now running" not in hub.log.read_text()

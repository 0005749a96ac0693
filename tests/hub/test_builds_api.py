"""Builds over HTTP and on the command line: begun, watched, read, cancelled, tried again; and hidden from others."""

from __future__ import annotations

import json
import time
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from tests.hub.building import Builder, repository
from tests.hubprocess import docker, wait_for
from versatilehub import cli

if TYPE_CHECKING:
    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess

LINES = 300
# The content differs each time, so that the step after it is never one Docker kept.
SPEAKS = f"FROM versatilehub/test-server\nCOPY . /srv/repo/\nRUN seq -f 'line %g.' {LINES}\n"
SLEEPS = "FROM versatilehub/test-server\nRUN echo begun; sleep 300\n"
FAILS = "FROM versatilehub/test-server\nRUN echo it breaks here; false\n"


@pytest.fixture
def ada(hub: HubProcess, user: str) -> Builder:
    """A person nobody else in this run is."""
    return Builder(hub=hub, name=user)


@pytest.fixture
def eve(hub: HubProcess, user: str) -> Builder:
    """Another person."""
    return Builder(hub=hub, name=f"{user}-2")


@pytest.fixture
def operator(hub: HubProcess) -> Builder:
    """An administrator."""
    return Builder(hub=hub)


@pytest.mark.req("V23", "V26")
def test_a_build_without_a_server(ada: Builder, forge: GitServer) -> None:
    """A build is begun, shown with its record and times, listed, and not made twice; its log has every line once."""
    source = repository(forge, SPEAKS)
    build = ada.begin(source)
    found = ada.wait(build)

    assert ("ready", source, ada.name, 1) == tuple(
        found[key] for key in ("state", "source", "owner", "number")
    )
    assert found["pack"] == "dockerfile"
    assert found["image"].startswith("vh-build/")
    assert {"fetching", "rendering", "building", "probing"} <= found["seconds"].keys()
    assert found["created"] <= found["started"] <= found["ended"]
    again = ada.ask("POST", json={"source": source})
    assert (200, "ready", found["image"]) == (again.status_code, again.json()["state"], again.json()["image"])
    listed = ada.ask("GET", params={"state": "ready"}).json()
    assert ([build], 1) == ([one["id"] for one in listed["builds"]], listed["total"])
    text = ada.ask("GET", f"/{build}/log")
    assert "text/plain; charset=utf-8" == text.headers["Content-Type"]
    assert [f"line {n}." for n in range(1, LINES + 1)] == _said(text.text)


def _said(text: str) -> list[str]:
    return [
        line[line.index("line ") :] for line in text.splitlines() if line.startswith("#") and " line " in line
    ]


@pytest.mark.req("V23")
def test_events_go_on_where_they_were_cut_off(ada: Builder, forge: GitServer) -> None:
    """A stream that was cut off anywhere goes on after the last number seen; nothing is missing, nothing comes twice."""
    build = ada.begin(repository(forge, SPEAKS))
    first = list(islice(ada.events(build), 40))  # while it is built
    rest = list(ada.events(build, last=str(first[-1][0])))
    whole = list(ada.events(build))

    assert list(range(len(whole))) == [number for number, _ in whole]
    assert whole == first + rest
    assert ("done", "ok") == (whole[-1][1]["kind"], whole[-1][1]["outcome"])
    over = ada.ask("GET", f"/{build}/events", headers={"Last-Event-ID": str(whole[-1][0])})
    assert (204, b"") == (over.status_code, over.content)
    headers = ada.ask("GET", f"/{build}/events").headers
    assert ("text/event-stream", "no", "no-cache") == tuple(
        headers[name] for name in ("Content-Type", "X-Accel-Buffering", "Cache-Control")
    )


def test_the_log_in_part(ada: Builder, forge: GitServer) -> None:
    """Bytes and last lines of the log can be asked for; what is not there is 416, what is no number 400."""
    build = ada.begin(repository(forge, FAILS))
    ada.wait(build)
    whole = ada.ask("GET", f"/{build}/log").content

    def part(header: str) -> tuple[int, bytes, str]:
        answer = ada.ask("GET", f"/{build}/log", headers={"Range": header})
        return answer.status_code, answer.content, answer.headers.get("Content-Range", "")

    size = len(whole)
    assert (206, whole[10:20], f"bytes 10-19/{size}") == part("bytes=10-19")
    assert (206, whole[10:], f"bytes 10-{size - 1}/{size}") == part("bytes=10-")
    assert (206, whole[-7:], f"bytes {size - 7}-{size - 1}/{size}") == part("bytes=-7")
    assert (416, b"", f"bytes */{size}") == part(f"bytes={size}-")
    assert (200, whole, "") == part("lines=1-2")
    assert whole.splitlines()[-3:] == ada.ask("GET", f"/{build}/log?tail=3").content.splitlines()
    assert [400, 400] == [ada.ask("GET", f"/{build}/log?tail={bad}").status_code for bad in ("x", "0")]


def test_others_see_nothing(ada: Builder, eve: Builder, operator: Builder, forge: GitServer) -> None:
    """To somebody who did not ask for it a build does not exist; an administrator, and who asks for the same, sees it."""
    source = repository(forge, SLEEPS)
    build = ada.begin(source)
    paths = [("GET", f"/{build}{end}") for end in ("", "/events", "/log")]
    paths += [("POST", f"/{build}{end}") for end in ("/cancel", "/retry")]
    hidden = {
        (eve.ask(method, path).status_code, eve.ask(method, path).json()["code"]) for method, path in paths
    }
    assert {(404, "build_not_found")} == hidden
    assert 0 == eve.ask("GET").json()["total"]
    assert build in [one["id"] for one in operator.ask("GET", params={"source": source}).json()["builds"]]

    assert build == eve.begin(source)  # the same build, whoever asks
    assert (build, 2) == (eve.show(build)["id"], eve.show(build)["waiting"])
    assert "askers" not in eve.show(build)
    operator.ask("POST", f"/{build}/cancel", json={"force": True})
    eve.token = "nothing"
    assert {403} == {eve.ask(method, path).status_code for method, path in paths}


@pytest.mark.req("V25")
def test_a_cancel_asks_first_when_others_wait(ada: Builder, eve: Builder, forge: GitServer) -> None:
    """Two wait: who cancels is asked, then only leaves; the last one ends it within 2 s, and nothing is left in Docker."""
    source = repository(forge, SLEEPS)
    build = ada.begin(source)
    assert build == eve.begin(source)
    wait_for(lambda: "begun" in ada.ask("GET", f"/{build}/log").text, "the step runs")
    asked = ada.ask("POST", f"/{build}/cancel")
    assert (409, "others_wait", "1") == (asked.status_code, asked.json()["code"], asked.json()["waiting"])
    left = ada.ask("POST", f"/{build}/cancel", json={"force": True}).json()
    assert ("building", False, 1) == (left["state"], left["ended"], left["waiting"])

    begun = time.monotonic()
    ended = eve.ask("POST", f"/{build}/cancel").json()
    assert time.monotonic() - begun < 2
    assert ("cancelled", True, eve.name) == (ended["state"], ended["ended"], ended["cancelled_by"])
    label = f"label=versatilehub.attempt={build}"
    assert ["", "", ""] == [
        docker(*command, "--filter", label)
        for command in (("ps", "-aq"), ("volume", "ls", "-q"), ("image", "ls", "-aq"))
    ]
    again = eve.ask("POST", f"/{build}/cancel")
    assert (403, "build_ended") == (again.status_code, again.json()["code"])


def test_tried_again(ada: Builder, forge: GitServer) -> None:
    """A retry is a build of its own with a log of its own; the failure says why and where, and stays readable."""
    build = ada.begin(repository(forge, FAILS))
    failed = ada.wait(build)
    assert ("failed", "build_failed", "Dockerfile") == tuple(failed[key] for key in ("state", "code", "file"))
    second = ada.ask("POST", f"/{build}/retry").json()["id"]
    assert second != build
    ada.wait(second)

    shown = ada.show(second)
    assert (2, {build: 1, second: 2}) == (
        shown["number"],
        {one["id"]: one["number"] for one in shown["attempts"]},
    )
    assert all("it breaks here" in ada.ask("GET", f"/{one}/log").text for one in (build, second))


def test_built_anew(ada: Builder, forge: GitServer) -> None:
    """With force an image that exists is built again without cached steps; meanwhile others get the one there is."""
    source = repository(
        forge, "FROM versatilehub/test-server\nRUN cat /proc/sys/kernel/random/uuid > /tmp/made\n"
    )
    build = ada.begin(source)
    first = ada.wait(build)
    second = ada.ask("POST", f"/{build}/retry", json={"force": True}).json()
    assert 200 == ada.ask("POST", json={"source": source}).status_code
    made = ada.wait(second["id"])

    assert (True, "ready", first["image"]) == (second["forced"], made["state"], made["image"])
    assert first["image_id"] != made["image_id"]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        pytest.param({}, "invalid_spec", "source", id="nothing"),
        pytest.param({"source": "file:///etc"}, "invalid_source", "source", id="no-repository"),
        pytest.param(
            {"source": "https://github.com/a/b", "image": "x"}, "invalid_input", "image", id="unknown-key"
        ),
        pytest.param(
            {"source": "https://github.com/a/b", "force": "yes"}, "invalid_input", "force", id="no-flag"
        ),
        pytest.param({"source": ["a"]}, "invalid_spec", "source", id="no-text"),
    ],
)
def test_what_cannot_be_built(ada: Builder, body: object, code: str, field: str) -> None:
    """A body that makes no sense is refused by key, and nothing is begun."""
    answer = ada.ask("POST", json=body)
    assert (400, code, field) == (answer.status_code, answer.json()["code"], answer.json()["field"])
    assert 0 == ada.ask("GET").json()["total"]


def test_the_command_line(ada: Builder, forge: GitServer, capsys: pytest.CaptureFixture[str]) -> None:
    """An administrator at the machine lists, shows, reads and cancels builds without a token."""
    build = ada.begin(repository(forge, SLEEPS))
    wait_for(lambda: "begun" in ada.ask("GET", f"/{build}/log").text, "the step runs")

    def run(*arguments: str) -> tuple[int, str]:
        code = cli.main(["--state", str(ada.hub.state), *arguments])
        said = capsys.readouterr()
        return code, said.out + said.err

    code, listed = run("--json", "builds", "ls", "--owner", ada.name)
    assert (0, [build]) == (code, [one["id"] for one in json.loads(listed)])
    assert "begun" in run("builds", "log", build)[1]
    code, said = run("builds", "cancel", build)
    assert (0, f"Build {build} is cancelled.\n") == (code, said)
    assert "cancelled" == ada.show(build)["state"]
    assert "state        cancelled" in run("builds", "show", build)[1]
    assert 1 == run("builds", "cancel", build)[0]
    assert "no build" in run("builds", "show", "0" * 12)[1]

"""Moments of a start at which a hub may be killed, each reached without a change to the hub.

`Stage.park` brings one person's start to a `CrashPoint` and leaves it there: the engine's proxy holds a call, the git host
does not answer, or a build waits for a file. Any number of people can be parked at once, and one SIGKILL then meets them all.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import requests

from tests.enginefault import Fault
from tests.gitserver import Behaviour
from tests.hubprocess import docker, wait_for
from versatilehub import naming

if TYPE_CHECKING:
    from tests.enginefault import EngineProxy, Rule
    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess

IMAGE: Final = "versatilehub/test-server:latest"
#: Lines that only a step that really runs prints: BuildKit shows the command with the sum not done.
RAN: Final = ("step-21", "step-42")
#: Seconds a slow git host keeps a fetch waiting: longer than parking the last people and killing the hub takes.
SLOW: Final = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashPoint:
    """Where a start stands when the hub is killed: at an engine *call*, held before the engine sees it or after it is done.

    In *call*, ``{user}``, ``{name}`` (the container's), ``{url}`` (the repository's) and ``{made}`` are filled in; *made* is
    known once the call *via* has been seen: the container's id, or the name all containers of a build begin with.
    *fresh*: the person never had a server, so there is no volume yet. *source*: a repository is asked for, not an image.
    """

    name: str
    call: str = ""
    hold: Literal["before", "after"] = "before"
    via: str = ""
    source: bool = False
    fresh: bool = False


_CREATE = r"POST /containers/create\?.*name={name}"
_FETCH = r"POST /containers/create\?.*-fetch[\s\S]*{url}"
_VOLUME = r"POST /volumes/create[\s\S]*\.owner\": ?\"{user}\""

POINTS: Final = (
    CrashPoint(name="resolve", source=True),
    CrashPoint(name="fetch asked", call=_FETCH, source=True),
    CrashPoint(name="fetch created", call=_FETCH, hold="after", source=True),
    CrashPoint(name="fetch", source=True),
    CrashPoint(name="render", via=_FETCH, call=r"GET /containers/{made}-render/logs", source=True),
    CrashPoint(name="build", source=True),
    CrashPoint(name="probe", call=r"POST /containers/create\?name=vh-probe-", source=True),
    CrashPoint(name="queue", source=True),
    CrashPoint(name="volume recorded", call=_VOLUME, fresh=True),
    CrashPoint(name="volume made", call=_VOLUME, hold="after", fresh=True),
    CrashPoint(name="container asked", call=_CREATE),
    CrashPoint(name="container created", call=_CREATE, hold="after"),
    CrashPoint(name="start asked", via=_CREATE, call=r"POST /containers/{made}/start"),
    CrashPoint(name="started", via=_CREATE, call=r"POST /containers/{made}/start", hold="after"),
    CrashPoint(name="address asked", via=_CREATE, call=r"GET /containers/{made}/json"),
    CrashPoint(
        name="content copied", call=r"POST /containers/create\?name=vh-seed-", hold="after", source=True
    ),
    CrashPoint(
        name="content placing", call=r"POST /containers/create\?name=vh-place-[\s\S]*{user}", source=True
    ),
    CrashPoint(name="ready"),
)
"""In the order they are reached; the builds among them fill the line the one in the queue waits in."""
BUILDING: Final = 6  # of POINTS that are in a build of their own when the hub is killed


@dataclass(slots=True, kw_only=True)
class Parked:
    """A person whose start stands at *point*; *builders* are the ids of the containers of their build, by name."""

    point: CrashPoint
    user: str
    repo: str = ""
    url: str = ""
    text: str = ""  # in a file of theirs, "" when they had no server before
    rules: list[Rule] = field(default_factory=list)
    builders: dict[str, str] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, str]:
        """What they ask for."""
        return {"source": self.url} if self.url else {"image": IMAGE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The hub to be killed, its engine's proxy, and the git host."""

    hub: HubProcess
    engine: EngineProxy
    forge: GitServer

    def arrive(self, point: CrashPoint) -> Parked:
        """Make a person, with a file in their home unless the point is about their first volume or before any is touched."""
        someone = Parked(point=point, user=self.hub.user(f"k{secrets.token_hex(4)}"))
        if not point.fresh and (not point.source or point.name == "build"):
            someone.text = f"written by {someone.user}"
            self.hub.run(someone.user, image=IMAGE)
            put(self.hub, someone.user, "mine.txt", someone.text)
            self.hub.halt(someone.user)
        if point.source:
            someone.repo = f"crash-{someone.user}"
            someone.url = self.forge.url(someone.repo)
            self.forge.repo(someone.repo, self._files(someone))
        return someone

    def _files(self, someone: Parked) -> dict[str, str]:
        """Return a repository whose build, at the point "build", waits until the repository ``gate-…`` exists."""
        lines = ["FROM versatilehub/test-server", "COPY . /srv/repo/", "RUN echo step-$((20+1))"]
        if someone.point.name == "build":
            gate = self.forge.url(f"gate-{someone.user}/info/refs?service=git-upload-pack")
            look = f"import urllib.request as u; u.urlopen('{gate}')"
            lines.append(f'RUN until python3 -c "{look}" 2>/dev/null; do sleep 0.2; done')
        lines.append("RUN echo step-$((20+22))")
        return {"Dockerfile": "\n".join(lines) + "\n", "content.txt": someone.user}

    def park(self, someone: Parked) -> None:
        """Ask for the server and return when its start stands at the point."""
        match someone.point.name:
            case "resolve":
                self.forge.behave(someone.repo, Behaviour(delay=600))
                self.hub.launch_soon(someone.user, **someone.options)
                self._asked(someone, times=1)
            case "fetch":
                with self._rule(someone, _FETCH, "before") as rule:
                    self.hub.launch_soon(someone.user, **someone.options)
                    rule.wait_held()
                    self.forge.behave(someone.repo, Behaviour(delay=SLOW))
                self._asked(someone, times=2)
            case "build":
                self.hub.launch_soon(someone.user, **someone.options)
                wait_for(lambda: self.said(someone, RAN[0]), "the build to run")
            case "queue":
                self.hub.launch_soon(someone.user, **someone.options)
                wait_for(lambda: self.said(someone, "ahead"), "the build to wait")
            case "ready":
                self.hub.run(someone.user, **someone.options)
            case _:
                self._park_at_call(someone)
        someone.builders = self.builders(someone)

    def _park_at_call(self, someone: Parked) -> None:
        point = someone.point
        if not point.via:
            someone.rules.append(self._rule(someone, point.call, point.hold))
            self.hub.launch_soon(someone.user, **someone.options)
        else:
            with self._rule(someone, point.via, "before" if point.source else "after") as rule:
                self.hub.launch_soon(someone.user, **someone.options)
                made = self._made(someone, rule.wait_held())
                someone.rules.append(self._rule(someone, point.call, point.hold, made=made))
        someone.rules[-1].wait_held()

    def _made(self, someone: Parked, rule: Rule) -> str:
        if not someone.point.source:
            return self.hub.container(someone.user)
        found = re.search(r"name=(\S+)-fetch", rule.hits[0])
        assert found is not None
        return found[1]

    def _rule(self, someone: Parked, call: str, hold: Literal["before", "after"], made: str = "") -> Rule:
        words = {
            "user": someone.user,
            "name": naming.container_name(self.hub.hub_id, someone.user, ""),
            "url": someone.url,
            "made": made,
        }
        pattern = re.sub(r"\{(\w+)\}", lambda word: re.escape(words[word[1]]), call)
        return self.engine.fault(pattern, Fault(hold=hold), times=1)

    def _asked(self, someone: Parked, *, times: int) -> None:
        wait_for(
            lambda: sum(someone.repo in seen.path for seen in self.forge.requests) >= times,
            "the git host asked",
        )

    def said(self, someone: Parked, words: str) -> int:
        """Return how many lines of the logs of the person's builds end with, or hold, *words*."""
        return sum(words in message for message in self.build_log(someone))

    def build_log(self, someone: Parked) -> list[str]:
        """Return the messages of the log of a person's one build, as the hub keeps it on disk."""
        for record in (self.hub.state / "builds").glob("*/log.jsonl"):
            rows = [json.loads(line) for line in record.read_text().splitlines() if line.startswith("{")]
            messages = [str(row.get("message", "")) for row in rows]
            if any(someone.url in message for message in messages):
                return messages
        return []

    def builders(self, someone: Parked) -> dict[str, str]:
        """Return the containers of a person's build: name → id."""
        if not someone.url:
            return {}
        found = docker(
            "ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.ID}}",
            "--filter", f"label=versatilehub.source={someone.url}", "--filter", "label=versatilehub.kind=build",
        )  # fmt: skip
        return dict(line.split(" ", 1) for line in found.splitlines())

    def open_all(self) -> None:
        """Hold nothing any more: engine and git host are healthy again."""
        self.engine.forget_all()
        for seen in self.forge.requests:
            self.forge.behave(seen.path.split("/")[1], Behaviour())

    def open_gate(self, someone: Parked) -> None:
        """Let the build of a person at the point "build" go on."""
        if not (self.forge.folder / f"gate-{someone.user}").exists():
            self.forge.repo(f"gate-{someone.user}", {"open.txt": "open"})


def put(hub: HubProcess, user: str, path: str, text: str, server: str = "") -> None:
    """Write a file into a running server's home, through the proxy."""
    answer = requests.put(_file(hub, user, path, server), data=text.encode(), timeout=30)
    assert answer.status_code == 201, answer.text


def get(hub: HubProcess, user: str, path: str, server: str = "") -> str:
    """Read a file of a running server's home, through the proxy."""
    return requests.get(_file(hub, user, path, server), timeout=30).text


def _file(hub: HubProcess, user: str, path: str, server: str) -> str:
    where = f"{user}/{server}" if server else user
    return f"{hub.url}/user/{where}/files/{path}"


def volumes(hub: HubProcess, user: str) -> list[str]:
    """Return the names of a person's volumes."""
    filters = [f"label=versatilehub.hub={hub.hub_id}", f"label=versatilehub.owner={user}"]
    arguments = [part for one in filters for part in ("--filter", one)]
    return sorted(docker("volume", "ls", "-q", *arguments).split())


def leftovers(hub: HubProcess, *kinds: str) -> list[str]:
    """Return the names of the hub's containers and work volumes of these kinds."""
    found: list[Any] = []
    for kind in kinds:
        marks = [
            "--filter",
            f"label=versatilehub.hub={hub.hub_id}",
            "--filter",
            f"label=versatilehub.kind={kind}",
        ]
        found += docker("ps", "-a", "--format", "{{.Names}}", *marks).split()
        found += docker("volume", "ls", "-q", *marks).split()
    return sorted(found)

"""A repository becomes a running server: refs, one build for all who ask, progress, cancel, names of images."""

from __future__ import annotations

import json
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.buildsite import GOOD
from tests.dockerevents import ContainersMade
from tests.hubprocess import docker, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gitserver import GitServer, Repo
    from tests.hubprocess import HubProcess

STUB = "FROM versatilehub/test-server:latest\n"


def inspect(name: str) -> dict[str, Any]:
    """Return what Docker knows of a container or image."""
    return dict(json.loads(docker("inspect", name))[0])


def labels(hub: HubProcess, user: str, server: str = "") -> dict[str, str]:
    """Return the labels of a server's container."""
    return dict(inspect(hub.container(user, server))["Config"]["Labels"])


def read(hub: HubProcess, user: str, path: str, server: str = "") -> str:
    """Return what the server shows at *path*, through the proxy."""
    where = f"{user}/{server}" if server else user
    answer = requests.get(f"{hub.url}/user/{where}/{path}", timeout=30)
    assert answer.ok, f"{answer.status_code} {answer.text}"
    return answer.text


def images_of(url: str) -> set[str]:
    """Return the ids of the images built from a repository."""
    return set(
        docker("image", "ls", "-q", "--no-trunc", "--filter", f"label=versatilehub.source={url}").split()
    )


@pytest.fixture(scope="module")
def demo(forge: GitServer) -> Repo:
    """A repository with a Dockerfile, a branch, a light and an annotated tag."""
    repo = forge.repo(
        "demo",
        {**GOOD, "notes/first.ipynb": "{}", "which.txt": "main"},
        branches={"feature/new": {"which.txt": "branch"}},
    )
    repo.tag("v1")
    repo.tag("v2", message="second")
    return repo


@pytest.mark.req("V2", "V3", "V21", "P19", "S7")
def test_a_repository_with_a_dockerfile_becomes_a_server(
    hub: HubProcess, forge: GitServer, demo: Repo, user: str
) -> None:
    """Source, ref and file to open, sent over REST, end in exactly one container with that file's page as its own."""
    hub.run(user, source=forge.url("demo"), ref="main", open="notes/first.ipynb")

    assert 1 == len(hub.containers(user))
    assert "/lab/tree/demo/notes/first.ipynb" == json.loads(read(hub, user, "env/JUPYTERHUB_DEFAULT_URL"))
    assert "main" == read(hub, user, "files/demo/which.txt")
    assert demo.head == labels(hub, user)["versatilehub.commit"]


@pytest.mark.req("V2", "P19", "S7", "V27")
def test_a_repository_with_requirements_becomes_a_server(
    hub: HubProcess, forge: GitServer, user: str
) -> None:
    """A requirements.txt alone is enough: its package can be imported, the files are at home, JupyterLab answers."""
    forge.repo("needs", {"requirements.txt": "iniconfig==2.1.0\n", "analysis.py": "import iniconfig\n"})

    hub.run(user, source=forge.url("needs"))

    assert "uv" in labels(hub, user)["versatilehub.pack"]
    assert "" == hub.exec(user, "cd ~/needs && python analysis.py")
    assert '"version"' in read(hub, user, "api")


@pytest.mark.parametrize(
    ("ref", "content"),
    [
        ("", "main"),
        ("HEAD", "main"),
        ("main", "main"),
        ("v1", "main"),
        ("v2", "main"),
        ("{commit}", "main"),
        ("{COMMIT}", "main"),
        ("feature/new", "branch"),
    ],
    ids=[
        "none",
        "HEAD",
        "branch",
        "tag",
        "annotated-tag",
        "commit",
        "commit-upper-case",
        "branch-with-slash",
    ],
)
@pytest.mark.req("V2")
def test_every_kind_of_ref(
    hub: HubProcess, forge: GitServer, demo: Repo, user: str, ref: str, content: str
) -> None:
    """A branch, a tag of either kind, a full commit, HEAD and no ref at all lead to the commit they stand for."""
    ref = ref.replace("{commit}", demo.head).replace("{COMMIT}", demo.head.upper())

    hub.run(user, source=forge.url("demo"), ref=ref)

    assert content == read(hub, user, "files/demo/which.txt")
    assert (
        demo.git("rev-parse", "main" if content == "main" else ref)
        == labels(hub, user)["versatilehub.commit"]
    )


@pytest.mark.usefixtures("demo")
@pytest.mark.req("K2", "S10")
def test_named_servers_run_beside_the_default_one(hub: HubProcess, forge: GitServer, user: str) -> None:
    """One person's three servers run at once, each in its own container, at its own address, with its own files."""
    for server in ("", "lab-1", "lab-2"):
        hub.run(user, server, source=forge.url("demo"))
        hub.exec(user, f"echo {server or 'default'} > ~/who", server=server)

    assert ["default\n", "lab-1\n", "lab-2\n"] == [
        read(hub, user, "files/who", server) for server in ("", "lab-1", "lab-2")
    ]
    assert 3 == len(hub.containers(user))


@pytest.mark.usefixtures("demo")
@pytest.mark.req("K1")
def test_two_people_are_apart(hub: HubProcess, forge: GitServer, user: str) -> None:
    """Two people who run the same repository have two containers, and neither's home shows the other's files."""
    other = hub.user(f"{user}-b")
    for name in (user, other):
        hub.run(name, source=forge.url("demo"))
    hub.exec(user, f"echo mine > ~/private-{user}")

    assert hub.container(user) != hub.container(other)
    assert f"private-{user}" in read(hub, user, "files/")
    assert "" == hub.exec(other, f"find / -name 'private-{user}' 2>/dev/null; true")


@pytest.mark.req("V24")
def test_twenty_people_share_one_build(hub: HubProcess, forge: GitServer) -> None:
    """Twenty people who ask for one new repository at the same moment get twenty servers from one build."""
    content = {**GOOD, "unique.txt": secrets.token_hex(8)}
    content["Dockerfile"] = f"{STUB}RUN sleep 1\nCOPY . /srv/repo/\n"
    forge.repo("wanted", content)
    people = [f"crowd{number}" for number in range(20)]
    assert hub.api("POST", "users", json={"usernames": people}).ok
    with ContainersMade(hub, kind="build") as made, ThreadPoolExecutor(20) as pool:
        asked = list(pool.map(lambda name: hub.launch(name, source=forge.url("wanted")), people))
        ready = list(pool.map(hub.wait_ready, people))

    assert {201, 202} >= {answer.status_code for answer in asked}
    assert 20 == sum(model["ready"] for model in ready)
    assert 1 == len(made.attempts)
    assert 1 == len(images_of(forge.url("wanted")))
    assert 20 == len({hub.container(name) for name in people})
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(hub.halt, people))


@pytest.mark.req("V26", "P21", "V19")
def test_a_commit_is_built_once_and_a_new_one_again(hub: HubProcess, forge: GitServer, user: str) -> None:
    """The second start of a commit builds nothing and is a new container; a pushed commit is built and comes."""
    repo = forge.repo("moving", {**GOOD, "which.txt": "one"})
    hub.run(user, source=forge.url("moving"))
    first = hub.container(user)
    hub.halt(user)

    with ContainersMade(hub, kind="build") as again:
        hub.run(user, source=forge.url("moving"))
    second = hub.container(user)
    hub.halt(user)
    repo.commit({"which.txt": "two"})
    with ContainersMade(hub, kind="build") as pushed:
        hub.run(user, source=forge.url("moving"))

    assert (0, 1) == (len(again.attempts), len(pushed.attempts))
    assert first != second
    assert "two" == read(hub, user, "files/moving/which.txt")


@pytest.mark.req("V23", "K57")
def test_progress_is_whole_for_everyone_who_looks(hub: HubProcess, forge: GitServer, user: str) -> None:
    """Who looks later gets the same events from the first on: phases in order, step counts, and the build's own lines."""
    dockerfile = f"{STUB}RUN echo said-by-the-build && sleep 2\nCOPY . /srv/repo/\n"
    forge.repo("talking", {**GOOD, "Dockerfile": dockerfile, "unique.txt": secrets.token_hex(8)})
    answered: list[requests.Response] = []
    asking = threading.Thread(target=lambda: answered.append(hub.launch(user, source=forge.url("talking"))))
    asking.start()
    wait_for(lambda: hub.model(user).get("pending"), "pending start")
    seen: list[dict[str, Any]] = []
    late: list[dict[str, Any]] = []
    second = threading.Thread(target=lambda: late.extend(hub.events(user)))
    for event in hub.stream(user):
        if "said-by-the-build" in event["message"] and not second.ident:
            second.start()
        seen.append(event)
    second.join()
    asking.join()

    ours = [event["vh"] for event in seen if "vh" in event]
    assert ours == [event["vh"] for event in late if "vh" in event]
    assert list(range(1, len(ours) + 1)) == [event["seq"] for event in ours]
    phases = list(dict.fromkeys(event["phase"] for event in ours))
    assert ["resolve", "queue", "fetch", "build", "start", "ready"] == phases
    assert any(event["kind"] == "step" and 1 <= event["step"] <= event["steps"] for event in ours)
    assert any(event["kind"] == "log" for event in ours)
    assert sorted(event["progress"] for event in seen) == [event["progress"] for event in seen]
    assert seen[-1]["ready"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"requirements.txt": "numpy ===== 1\n"}, ["requirements.txt"]),
        ({"Dockerfile": f"{STUB}RUN echo last-words-of-it && exit 3\n"}, ["Dockerfile"]),
        ({"Dockerfile": "FROM versatilehub/hub:latest\n"}, ["Dockerfile", "versatilehub/hub"]),
        ({"runtime.txt": "python-9.9\n"}, ["runtime.txt"]),
    ],
    ids=["requirements", "step-fails", "from-another-image", "no-such-python"],
)
@pytest.mark.req("P19", "V23", "K10")
def test_a_failed_build_names_the_file(
    hub: HubProcess, forge: GitServer, user: str, files: dict[str, str], words: list[str]
) -> None:
    """A start whose build fails ends in one message with the file that caused it, no stack trace and no container."""
    name = f"broken-{secrets.token_hex(3)}"
    forge.repo(name, {**files, "unique.txt": name})
    hub.launch(user, source=forge.url(name))
    wait_for(lambda: not hub.model(user).get("pending"), "the end of the start", seconds=60)

    last = hub.events(user)[-1]
    assert last["failed"]
    assert [] == [word for word in words if word not in last["message"]], last["message"]
    assert "Traceback" not in last["message"]
    assert [] == hub.containers(user)


#: A build step that writes down what it finds around it.
CURIOUS = f"""{STUB}USER root
RUN env > /srv/found; cat /proc/mounts >> /srv/found; ls -d /var/run/docker.sock /work >> /srv/found 2>&1; true
USER 1000:100
COPY . /srv/repo/
"""


@pytest.mark.req("V27")
def test_a_build_step_finds_nothing_of_the_hub(hub: HubProcess, forge: GitServer, user: str) -> None:
    """What a repository runs while it is built has no token, no environment of the hub, no volume and no Docker socket."""
    forge.repo("curious", {"Dockerfile": CURIOUS, "unique.txt": secrets.token_hex(8)})
    hub.run(user, source=forge.url("curious"))
    found = hub.exec(user, "cat /srv/found")

    assert "PATH=" in found
    words = ("JUPYTERHUB_", "VERSATILEHUB_", "TOKEN", hub.token, "/var/lib/docker/volumes", "/home/jovyan ")
    assert [] == [word for word in words if word in found]
    assert 2 == found.count("No such file or directory")


@pytest.mark.parametrize("server", ["", "lab1"], ids=["default", "named"])
@pytest.mark.parametrize(
    ("name", "dockerfile", "phase"),
    [
        ("slow-build", f"{STUB}RUN sleep 300\n", "build"),
        (
            "silent",
            f"{STUB}USER root\nRUN printf '#!/bin/sh\\nexec sleep 600\\n' > /usr/local/bin/jupyterhub-singleuser\n",
            "start",
        ),
    ],
    ids=["while-building", "while-starting"],
)
@pytest.mark.usefixtures("demo")
@pytest.mark.req("K10")
def test_a_pending_start_can_be_cancelled(
    hub: HubProcess,
    forge: GitServer,
    user: str,
    server: str,
    name: str,
    dockerfile: str,
    phase: str,
) -> None:
    """Cancelling a start leaves neither container nor build, and the server can be started again at once."""
    if not (forge.folder / name).exists():
        forge.repo(name, {"Dockerfile": dockerfile, "unique.txt": secrets.token_hex(8)})
    asking = threading.Thread(target=lambda: hub.launch(user, server, source=forge.url(name)))
    asking.start()
    wait_for(_reaches(hub, user, phase), f"phase {phase}")

    hub.halt(user, server)

    wait_for(lambda: not hub.containers(user), "no container", seconds=5)
    wait_for(lambda: not builds_of(hub, forge.url(name)), "no build", seconds=5)
    asking.join()
    hub.run(user, server, source=forge.url("demo"))
    assert 1 == len(hub.containers(user, server))


def _reaches(hub: HubProcess, user: str, phase: str) -> Callable[[], bool]:
    """Return a look at Docker that tells whether the build, or the person's container, runs."""
    label = f"label=versatilehub.hub={hub.hub_id}"
    role = "label=versatilehub.role=build" if phase == "build" else f"label=versatilehub.owner={user}"

    def look() -> bool:
        return bool(docker("ps", "-q", "--filter", label, "--filter", role, "--filter", "status=running"))

    return look


def builds_of(hub: HubProcess, url: str) -> list[str]:
    """Return the build containers of a repository."""
    label = f"label=versatilehub.source={url}"
    kind = "label=versatilehub.kind=build"
    return docker(
        "ps", "-aq", "--filter", f"label=versatilehub.hub={hub.hub_id}", "--filter", kind, "--filter", label
    ).split()


@pytest.mark.req("S1", "S12")
def test_a_built_image_says_where_it_is_from(hub: HubProcess, forge: GitServer, user: str) -> None:
    """A built image has a tag of its commit, one of the day with the short commit, and `latest`; labels tell its origin."""
    demo = forge.repo("labelled", {**GOOD, "unique.txt": secrets.token_hex(8)})
    hub.run(user, source=forge.url("labelled"))
    container = inspect(hub.container(user))
    image = inspect(container["Image"])
    tags = {tag.rpartition(":")[2] for tag in image["RepoTags"]}
    found = image["Config"]["Labels"]

    day = found["versatilehub.created"][:10]
    assert {f"{day}-{demo.head[:7]}", "latest"} <= tags
    assert any(tag.startswith(f"{demo.head[:12]}-") for tag in tags)
    assert {
        "versatilehub.source": forge.url("labelled"),
        "versatilehub.commit": demo.head,
        "versatilehub.kind": "image",
        "versatilehub.hub": hub.hub_id,
    }.items() <= found.items()
    assert found["versatilehub.builder"].startswith("sha256:")
    assert found["versatilehub.base"].startswith("sha256:")


@pytest.mark.req("S1")
def test_latest_moves_only_on_success(hub: HubProcess, forge: GitServer, user: str) -> None:
    """A commit that cannot be built leaves `latest` at the last one that could."""
    repo = forge.repo("latest", {**GOOD, "unique.txt": secrets.token_hex(8)})
    hub.run(user, source=forge.url("latest"))
    latest = f"{hub_image(hub, user).rpartition(':')[0]}:latest"
    before = inspect(latest)["Id"]
    hub.halt(user)
    repo.commit({"Dockerfile": f"{STUB}RUN exit 7\n"})
    hub.launch(user, source=forge.url("latest"))
    wait_for(lambda: not hub.model(user).get("pending"), "the end of the start")

    assert [] == hub.containers(user)
    assert before == inspect(latest)["Id"]


def hub_image(hub: HubProcess, user: str) -> str:
    """Return the image name a server's container was made from."""
    return str(inspect(hub.container(user))["Config"]["Image"])

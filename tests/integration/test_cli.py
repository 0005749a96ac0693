"""The `versatilehub` command as a person runs it, on a real engine."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.buildsite import BASE
from tests.hubprocess import docker
from tests.manyimages import Wanted, make_images
from versatilehub import __version__
from versatilehub.cli import main
from versatilehub.commands import deployment
from versatilehub.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plugins.leftovers import SessionLabel


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "versatilehub.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of a hub that has started once."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "hub_id").write_text(f"t{secrets.token_hex(4)}\n")
    return folder


@pytest.fixture
def belongings(state: Path, session_label: SessionLabel) -> Iterator[str]:
    """A server, a build and a volume of that hub, and a server of another; yields the hub's id."""
    hub = (state / "hub_id").read_text().strip()
    made = []
    for owner, kind, hub_id in (("ada", "server", hub), ("", "build", hub), ("eve", "server", "other")):
        labels = {"hub": hub_id, "kind": kind, "owner": owner, "server": "lab"}
        options = [f"--label=versatilehub.{key}={value}" for key, value in labels.items()]
        made.append(docker("create", "--label", session_label.text, "--network", "none", *options, BASE))
    labels = {"hub": hub, "kind": "volume", "owner": "ada", "server": "lab"}
    options = [f"--label=versatilehub.{key}={value}" for key, value in labels.items()]
    volume = docker("volume", "create", "--label", session_label.text, *options)
    yield hub
    for container in made:
        docker("rm", "-f", container)
    docker("volume", "rm", volume)


def test_version() -> None:
    """`--version` prints the package's version and nothing else."""
    done = run("--version")

    assert (0, f"{__version__}\n") == (done.returncode, done.stdout)


@pytest.mark.parametrize("arguments", [[], ["heal"], ["doctor", "--now"]], ids=["none", "unknown", "option"])
def test_a_wrong_command_line(arguments: list[str]) -> None:
    """What cannot be understood ends with 2 and the usage."""
    done = run(*arguments)

    assert 2 == done.returncode
    assert done.stderr.startswith("usage: versatilehub")


def test_doctor_on_this_machine(state: Path) -> None:
    """Where tests run, engine and images are there; what is missing is a warning with advice, not a failure."""
    done = run("--state", str(state), "--json", "doctor")
    found = {row["name"]: row for row in json.loads(done.stdout)}

    assert (0, "") == (done.returncode, done.stderr)
    assert {
        "engine",
        "seccomp",
        "runc",
        "git",
        "images",
        "network",
        "firewall",
        "disk",
        "storage",
        "state",
        "volumes",
    } == found.keys()
    assert ("ok", "ok", "ok") == tuple(found[name]["level"] for name in ("engine", "images", "state"))
    assert "Docker" in found["engine"]["found"]


@pytest.mark.req("S14")
def test_doctor_says_when_there_is_no_firewall(state: Path) -> None:
    """A hub that has not set its rules is a warning that names what servers can reach."""
    rows = json.loads(run("--state", str(state), "--json", "doctor").stdout)
    (finding,) = [row for row in rows if row["name"] == "firewall"]

    assert "warn" == finding["level"]
    assert "metadata" in finding["advice"]


def test_doctor_in_lines(state: Path) -> None:
    """Each check is a line that begins with its mark; advice stands below it."""
    lines = run("--state", str(state), "doctor").stdout.splitlines()

    assert any(line.startswith("ok    engine") for line in lines)
    assert any(line.startswith("WARN  firewall") for line in lines)
    assert all(line.startswith(("ok  ", "WARN", "FAIL", " " * 16)) for line in lines)


@pytest.mark.parametrize("command", ["doctor", "status"])
def test_no_engine(state: Path, tmp_path: Path, command: str) -> None:
    """Without an engine both commands end with 1 and a sentence, never with a traceback."""
    done = run("--state", str(state), command, DOCKER_HOST=f"unix://{tmp_path}/no-such.sock")

    assert 1 == done.returncode
    assert "Docker" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_status_before_the_first_start(tmp_path: Path) -> None:
    """Without a hub there is nothing to list, and the folder that was looked at is named."""
    done = run("--state", str(tmp_path / "none"), "status")

    assert (1, "") == (done.returncode, done.stdout)
    assert f"{tmp_path}/none" in done.stderr


@pytest.mark.usefixtures("belongings")
def test_status_lists_what_is_the_hubs(state: Path) -> None:
    """Servers, builds and volumes of this hub are listed with owner and server, another hub's are not."""
    done = run("--state", str(state), "--json", "status")
    found = json.loads(done.stdout)

    assert 0 == done.returncode
    assert {"servers": 1, "builds": 1, "volumes": 1} == {title: len(rows) for title, rows in found.items()}
    assert {"owner": "ada", "server": "lab", "state": "created"}.items() <= found["servers"][0].items()
    assert {"owner": "ada", "server": "lab"}.items() <= found["volumes"][0].items()


@pytest.mark.usefixtures("belongings")
def test_status_in_lines(state: Path) -> None:
    """For people: a count and a line for each; the state folder may come from the environment."""
    done = run("status", VERSATILEHUB_STATE=str(state))

    assert ["1 servers", "1 builds", "1 volumes"] == [
        row for row in done.stdout.splitlines() if row[0] != " "
    ]
    assert "owner=ada" in done.stdout
    assert "owner=eve" not in done.stdout


@pytest.fixture
def images(belongings: str, state: Path, session_label: SessionLabel) -> Iterator[list[str]]:
    """Two old images of that hub; the first has a container of ada's."""
    deployment.write(state, {"hub_id": belongings, "state_dir": str(state)})
    engine = Engine(hub=belongings, labels=session_label.labels)
    names = [f"vh-build/{belongings}-{n}:1" for n in range(2)]
    asyncio.run(_make(engine, names))
    container = docker(
        "create", "--label", session_label.text, "--network", "none", "--label=versatilehub.kind=server",
        "--label=versatilehub.owner=ada", "--label=versatilehub.server=big", names[0], "true",
    )  # fmt: skip
    yield names
    docker("rm", "-f", container)
    docker("rmi", "-f", *names)


async def _make(engine: Engine, names: list[str]) -> None:
    await make_images(engine, [Wanted(name=name, built=time.time() - 90 * 86400) for name in names])
    await engine.close()


@pytest.mark.req("S3", "S4", "S5")
def test_images(state: Path, images: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`images` lists with size and users, shows what a prune would do, does it when told, and refuses with a name."""

    def ask(*arguments: str) -> tuple[int, str]:
        code = main(["--state", str(state), "images", *arguments])
        said = capsys.readouterr()
        return code, said.out + said.err

    _, listed = ask("ls")
    assert listed.startswith("2 images\n")
    assert "used by ada's server big (stopped)" in listed
    assert "built 90 days ago" in listed
    assert 0 == ask("pin", images[1], "--reason", "exam")[0]
    assert "Would remove 0 images" in ask("prune")[1]
    assert "(exam)" in ask("show", images[1])[1]
    assert 0 == ask("unpin", images[1])[0]
    _, shown = ask("prune", "--older-than", "30d")
    assert images[1] in shown
    assert "Would remove 1 images" in shown
    code, refused = ask("rm", images[0])
    assert (1, True) == (code, "ada's server big" in refused)
    assert "Removed 1 images" in ask("prune", "--older-than", "30d", "--yes")[1]
    assert 1 == ask("rm", images[1])[0]
    assert 1 == ask("prune", "--older-than", "soon")[0]

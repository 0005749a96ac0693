"""The builder's commands in real containers: a real git host, a real engine, and repositories that misbehave."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.gitrepos import Executable, Files, Link
from tests.gitserver import Behaviour, GitServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUILDER = os.environ.get("VERSATILEHUB_BUILDER_IMAGE", "versatilehub/builder:latest")
BASE = "versatilehub/singleuser:latest"
PACKAGE = Path(__file__).parents[2] / "images" / "builder"
LABEL = "versatilehub.test=builder-package"
SOCKET = ("-v", "/var/run/docker.sock:/var/run/docker.sock", "-v", "/sys/fs/cgroup:/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command said: its exit code, its lines, and how long it took (seconds)."""

    code: int
    lines: list[dict[str, Any]]
    seconds: float
    stderr: str

    @property
    def last(self) -> dict[str, Any]:
        """The result or the error."""
        return self.lines[-1]

    def text(self) -> str:
        """All that was said."""
        return "\n".join(str(line.get("m")) for line in self.lines)


@dataclass(slots=True)
class Work:
    """One work volume and the commands run on it."""

    volume: str = field(default_factory=lambda: f"vh-test-{uuid.uuid4().hex[:12]}")

    def run(self, command: str, job: Mapping[str, object], timeout: float = 120) -> Said:
        """Run one command of the package as the hub runs it."""
        started = time.monotonic()
        arguments = self.arguments(command, job)
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=timeout, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines, done.stderr
        seconds = time.monotonic() - started
        return Said(code=done.returncode, lines=lines, seconds=seconds, stderr=done.stderr)

    def arguments(self, command: str, job: Mapping[str, object], *, name: str = "") -> list[str]:
        """Return the docker command line."""
        options = {
            "fetch": ["--network=host", "--user=1000:1000"],
            "render": ["--network=none", "--user=1000:1000"],
            "build": ["--network=none", "--user=0:0", *SOCKET],
        }[command]
        return [
            *("docker", "run", "--rm", "--init", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL"),
            *(
                "--security-opt=no-new-privileges",
                f"--label={LABEL}",
                "--env=HOME=/tmp",
                "--env=PYTHONPATH=/package",
            ),
            *(f"--env=VERSATILEHUB_JOB={json.dumps(job)}", f"--volume={self.volume}:/work", "--workdir=/tmp"),
            *(f"--volume={PACKAGE}:/package:ro", *options, *((f"--name={name}",) if name else ())),
            *("--entrypoint=python3", BUILDER, "-m", f"versatilehub_builder.{command}"),
        ]


@pytest.fixture(scope="module")
def host() -> Iterator[GitServer]:
    """A git host the containers reach."""
    with GitServer() as server:
        yield server


@pytest.fixture
def work() -> Iterator[Work]:
    """A work volume of the builder's own user."""
    made = Work()
    subprocess.run(
        ["docker", "volume", "create", f"--label={LABEL}", made.volume], check=True, capture_output=True
    )
    own = [
        "docker",
        "run",
        "--rm",
        f"--label={LABEL}",
        f"--volume={made.volume}:/work",
        "--user=0",
        "--entrypoint=chown",
    ]
    subprocess.run([*own, BUILDER, "1000:1000", "/work"], check=True)
    yield made
    subprocess.run(["docker", "volume", "rm", "-f", made.volume], check=True, capture_output=True)


def job(host: GitServer, name: str, **more: object) -> dict[str, object]:
    """Return the fetch job of a repository of *host*."""
    head = more.pop("commit", None) or host.repo(name, more.pop("files", {"a": "1"})).head  # type: ignore[arg-type]  # files
    return {"url": host.url(name), "commit": head, "prefixes": [host.base], **more}


def build(work: Work, host: GitServer, name: str, files: Files, **limits: object) -> Said:
    """Fetch, render and build *files*; return what the build said."""
    where = job(host, name, files=files)
    fetched = work.run("fetch", where)
    assert "result" == fetched.last["t"], fetched.last
    rendered = work.run("render", {**where, "base": BASE})
    assert "result" == rendered.last["t"], rendered.last
    labels = {"versatilehub.test": "builder-package"}
    return work.run("build", {**where, "labels": labels, "limits": {"seconds": 100, **limits}})


@pytest.fixture(autouse=True)
def _no_images_stay() -> Iterator[None]:
    """Remove the images a test built."""
    yield
    listed = subprocess.run(
        ["docker", "images", "-q", f"--filter=label={LABEL}"], capture_output=True, text=True, check=True
    )
    if listed.stdout.split():
        subprocess.run(["docker", "rmi", "-f", *listed.stdout.split()], check=False, capture_output=True)


def dockerfile(*steps: str) -> dict[str, str]:
    """Return a repository with a Dockerfile whose steps are in no cache."""
    return {"Dockerfile": "\n".join([f"FROM {BASE}", f"ENV UNIQUE={uuid.uuid4().hex}", *steps, ""])}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        pytest.param({"commit": "1" * 40}, "commit_not_found", id="no-such-commit"),
        pytest.param({"files": {"a": Link("/etc/passwd")}}, "link_leaves_tree", id="link-out"),
        pytest.param({"files": {"apt.txt": "x; id"}}, "apt_package_name", id="apt"),
        pytest.param(
            {"files": {".lfsconfig": "[lfs]\nurl=http://169.254.169.254/"}}, "lfs_endpoint_refused", id="lfs"
        ),
        pytest.param(
            {"files": {str(n): "" for n in range(30)}, "limits": {"files": 20}}, "too_many_files", id="files"
        ),
        pytest.param({"files": {"a": "x" * 3000}, "limits": {"bytes": 2000}}, "tree_too_large", id="bytes"),
        pytest.param({"prefixes": []}, "source_refused", id="http-not-allowed"),
    ],
)
def test_fetch_refuses(work: Work, host: GitServer, more: dict[str, object], code: str) -> None:
    """A fetch that must not go on ends with one error line of a stable code, and tells nobody that it is done."""
    name = f"refused-{uuid.uuid4().hex[:8]}"
    if "commit" in more:
        host.repo(name, {"a": "1"})
    said = work.run("fetch", job(host, name, **more))
    assert (1, code) == (said.code, said.last.get("code"))


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        pytest.param(Behaviour(login=("a", "b")), "source_not_readable", id="private"),
        pytest.param(Behaviour(status=404), "source_not_readable", id="missing"),
        pytest.param(Behaviour(redirect="http://127.0.0.1:1/"), "source_moved", id="redirect"),
        pytest.param(Behaviour(delay=60), "source_too_slow", id="silent"),
    ],
)
def test_fetch_meets_hosts(work: Work, host: GitServer, behaviour: Behaviour, code: str) -> None:
    """What the git host does has its own code, within the time limit."""
    name = f"host-{code}"
    where = job(host, name, limits={"seconds": 4})
    host.behave(name, behaviour)
    said = work.run("fetch", where)
    assert code == said.last.get("code"), said.last
    assert said.seconds < 15


def test_fetched_git_is_the_persons(work: Work, host: GitServer) -> None:
    """The tree has a ``.git`` with a clean origin, on the branch that was asked for, with nothing to commit."""
    where = job(host, "sane", files={"a": "1", "run": Executable("x"), "l": Link("a")}, ref="main")
    assert "result" == work.run("fetch", where).last["t"]
    script = "cd /work/tree && git status -sb && git remote get-url origin && stat -c %A run"
    shell = ["docker", "run", "--rm", f"--label={LABEL}", "--user=1000:1000", "--env=HOME=/tmp"]
    done = subprocess.run(
        [*shell, f"--volume={work.volume}:/work", "--entrypoint=sh", BUILDER, "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ["## main...origin/main", host.url("sane"), "-rwxr-xr-x"] == done.stdout.splitlines()


@pytest.mark.req("V13")
def test_fast_pack(work: Work, host: GitServer) -> None:
    """requirements.txt and postBuild become an image from the singleuser base; the pack is told first and labelled."""
    files: Files = {
        "requirements.txt": "cowsay==6.1\n",
        "postBuild": "#!/bin/sh\nid -u > built\n",
        "a b.ipynb": "{}",
    }
    said = build(work, host, "fast", files)
    assert "result" == said.last["t"], said.text()
    image = said.last["image_id"]
    check = ["docker", "run", "--rm", f"--label={LABEL}", "--entrypoint=sh", image, "-c"]
    script = "python -c 'import cowsay' && cat /srv/repo/built && ls -A /srv/repo && git -C /srv/repo status --short"
    done = subprocess.run([*check, script], capture_output=True, text=True, check=True)
    assert [
        "1000",
        ".git",
        "a b.ipynb",
        "built",
        "postBuild",
        "requirements.txt",
        "?? built",
    ] == done.stdout.splitlines()
    inspect = [
        "docker",
        "inspect",
        '--format={{index .Config.Labels "versatilehub.pack"}} {{.Config.User}}',
        image,
    ]
    assert "uv 1000:100\n" == subprocess.run(inspect, capture_output=True, text=True, check=True).stdout


@pytest.mark.req("V13")
def test_dockerfile_pack(work: Work, host: GitServer) -> None:
    """A Dockerfile is built as it is, keeps its user, and the image holds the content."""
    said = build(work, host, "docker", {**dockerfile("USER 1234", "WORKDIR /tmp"), "x/y": "1"})
    assert "result" == said.last["t"], said.text()
    steps = [(line["step"], line["steps"]) for line in said.lines if line["t"] == "step"]
    assert (3, 3) == steps[-1]
    form = "--format={{.Config.User}} {{.Config.WorkingDir}}"
    done = subprocess.run(
        ["docker", "inspect", form, said.last["image_id"]], capture_output=True, text=True, check=True
    )
    assert "1234 /tmp\n" == done.stdout


def test_failing_step_names_its_line(work: Work, host: GitServer) -> None:
    """The error has the Dockerfile's line, the exit code and the step's own last words."""
    said = build(work, host, "failing", dockerfile("RUN echo last words && exit 3"))
    assert ("build_failed", "Dockerfile") == (said.last["code"], said.last["file"].partition(":")[0])
    assert "exit code 3" in said.last["message"]
    assert "last words" in said.last["lines"]


def test_failing_requirement_names_its_file(work: Work, host: GitServer) -> None:
    """A package that does not exist is the fault of requirements.txt."""
    said = build(work, host, "no-package", {"requirements.txt": f"no-such-package-{uuid.uuid4().hex}\n"})
    assert ("build_failed", "requirements.txt") == (said.last["code"], said.last["file"])


ALLOCATE = "python3 -c 'x = [bytearray(1 << 20) for _ in range(4000)]'"


@pytest.mark.alone  # the limits of a step are those of whoever wrote them last: builds of one hub share theirs
@pytest.mark.req("K1")
@pytest.mark.parametrize(
    ("step", "limits", "code"),
    [
        pytest.param("sleep 300", {"seconds": 3}, "build_timeout", id="sleeps"),
        pytest.param(ALLOCATE, {"memory": 200 << 20}, "out_of_memory", id="allocates"),
        pytest.param(
            "bash -c 'f(){ f|f& sleep 9; }; f; sleep 100'", {"pids": 60}, "too_many_processes", id="forks"
        ),
        pytest.param("yes", {"log_bytes": 200_000}, "log_too_long", id="prints-for-ever"),
        pytest.param("yes", {"idle_seconds": 5}, "log_too_long", id="prints-beyond-what-buildkit-keeps"),
        pytest.param(
            "dd if=/dev/zero of=/tmp/bomb bs=1M count=3000",
            {"disk": 300 << 20},
            "build_too_large",
            id="fills",
        ),
    ],
)
def test_limits(work: Work, host: GitServer, step: str, limits: dict[str, object], code: str) -> None:
    """A step that sleeps, allocates, forks, prints or writes without end is ended with the limit's own code."""
    said = build(work, host, f"limit-{code}-{uuid.uuid4().hex[:6]}", dockerfile(f"RUN {step}"), **limits)
    assert code == said.last.get("code"), said.text()[-2000:]
    assert said.seconds < 60
    wait_until_no_step_runs()


def test_cancel(work: Work, host: GitServer) -> None:
    """SIGTERM ends the command within a second or so, and the step dies with it."""
    where = job(host, "cancel", files=dockerfile("RUN sleep 300"))
    work.run("fetch", where)
    work.run("render", {**where, "base": BASE})
    name = f"vh-test-cancel-{uuid.uuid4().hex[:8]}"
    command = work.arguments(
        "build", {**where, "labels": {"versatilehub.test": "builder-package"}}, name=name
    )
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    for line in running.stdout:
        if "sleep 300" in line:
            break
    started = time.monotonic()
    subprocess.run(["docker", "kill", "--signal=TERM", name], check=True, capture_output=True)
    last = json.loads(running.communicate(timeout=20)[0].splitlines()[-1])
    assert ("build_cancelled", True) == (last["code"], time.monotonic() - started < 2.5)
    wait_until_no_step_runs()


def wait_until_no_step_runs() -> None:
    """Wait until BuildKit has no step of ours left: none of the processes that tests start are alive."""
    deadline = time.monotonic() + 15
    needles = (b"sleep\x00300", b"f|f&", b"bytearray(1", b"of=/tmp/bomb", b"\x00-c\x00yes")
    while time.monotonic() < deadline:
        alive = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _matches(path, needles)]
        if not alive:
            return
        time.sleep(0.05)
    pytest.fail(f"still running: {alive}")


def _matches(path: Path, needles: tuple[bytes, ...]) -> bool:
    try:
        line = path.read_bytes()
        group = (path.parent / "cgroup").read_text()
    except OSError:
        return False
    return "buildkit" in group and any(needle in line for needle in needles)


def test_render_refuses_another_persons_image(work: Work, host: GitServer) -> None:
    """A Dockerfile from another person's image ends before BuildKit hears of it."""
    where = job(host, "thief", files={"Dockerfile": "FROM vh-build/victim:1\n"})
    work.run("fetch", where)
    said = work.run("render", {**where, "base": BASE})
    assert ("dockerfile_from_refused", "Dockerfile:1") == (said.last["code"], said.last["file"])


def test_conda_goes_to_repo2docker(work: Work, host: GitServer) -> None:
    """environment.yml is rendered by repo2docker's own pack, without a network or a socket."""
    where = job(host, "conda", files={"environment.yml": "name: x\ndependencies: [numpy]\n"})
    work.run("fetch", where)
    said = work.run("render", {**where, "base": BASE})
    assert ("result", "repo2docker") == (said.last["t"], said.last["pack"])
    assert "environment.yml" in said.lines[0]["m"]


PLACE_CAPS = ("--cap-add=CHOWN", "--cap-add=DAC_OVERRIDE", "--cap-add=FOWNER")


def place(home: str, content: Path, commit: str) -> Said:
    """Place *content* into the Docker volume *home* as the hub does."""
    job = {"name": "repo", "commit": commit, "uid": 1000, "gid": 100}
    started = time.monotonic()
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", *PLACE_CAPS),
            *("--security-opt=no-new-privileges", "--network=none", f"--label={LABEL}", "--user=0:0"),
            *("--env=PYTHONPATH=/package", f"--env=VERSATILEHUB_JOB={json.dumps(job)}", "--workdir=/tmp"),
            *(
                f"--volume={PACKAGE}:/package:ro",
                f"--volume={content}:/content:ro",
                f"--volume={home}:/volume",
            ),
            *("--entrypoint=python3", BUILDER, "-m", "versatilehub_builder.place"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return Said(code=done.returncode, lines=lines, seconds=time.monotonic() - started, stderr=done.stderr)


@pytest.fixture
def small_home() -> Iterator[str]:
    """A home volume of 2 MiB, its top still root's."""
    name = f"vh-test-home-{uuid.uuid4().hex[:12]}"
    options = ("--opt=type=tmpfs", "--opt=device=tmpfs", "--opt=o=size=2m")
    subprocess.run(
        ["docker", "volume", "create", f"--label={LABEL}", *options, name], check=True, capture_output=True
    )
    keep = [
        "docker",
        "run",
        "-d",
        "--rm",
        f"--label={LABEL}",
        f"--volume={name}:/home",
        "--entrypoint=sleep",
        BUILDER,
    ]
    keeper = subprocess.run([*keep, "600"], check=True, capture_output=True, text=True).stdout.strip()
    yield name
    subprocess.run(["docker", "rm", "-f", keeper], check=True, capture_output=True)
    subprocess.run(["docker", "volume", "rm", "-f", name], check=True, capture_output=True)


@pytest.mark.req("V49")
def test_placed_files_are_the_persons(small_home: str, tmp_path: Path) -> None:
    """Root places without the right to become the person, and everything it makes is theirs."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_text("1")
    (tmp_path / "l").symlink_to("d/a")
    said = place(small_home, tmp_path, "c1")
    assert ("result", 2) == (said.last["t"], said.last["count"]), said.stderr
    script = "find /volume ! -user 1000 -o ! -group 100; cat /volume/repo/l"
    look = [
        "docker",
        "run",
        "--rm",
        f"--label={LABEL}",
        f"--volume={small_home}:/volume",
        "--entrypoint=sh",
        BUILDER,
    ]
    done = subprocess.run([*look, "-c", script], capture_output=True, text=True, check=True)
    assert "1" == done.stdout


def test_full_home(small_home: str, tmp_path: Path) -> None:
    """A home too small for the content says so, holds whole files only, and goes on once there is room."""
    for number in range(4):
        (tmp_path / f"f{number}").write_bytes(b"x" * 700_000)
    said = place(small_home, tmp_path, "c1")
    assert (1, "no_space") == (said.code, said.last.get("code")), said.stderr
    script = "find /volume -type f -printf '%P %s\\n'"
    look = [
        "docker",
        "run",
        "--rm",
        f"--label={LABEL}",
        f"--volume={small_home}:/volume",
        "--entrypoint=sh",
        BUILDER,
    ]
    done = subprocess.run([*look, "-c", script], capture_output=True, text=True, check=True)
    assert ["repo/f0 700000", "repo/f1 700000"] == sorted(done.stdout.splitlines())
    (tmp_path / "f3").unlink()
    (tmp_path / "f2").write_text("small")
    again = place(small_home, tmp_path, "c1")
    assert (["f2"], 3) == (again.last["brought"], again.last["count"])

"""Which command builds an image on this machine.

Engines from 20.10 and docker commands from 20.10 to today meet in every mix, with and without buildx. BuildKit is
preferred (its own docker command, then the builder image's); the classic builder is what is left.
"""

from __future__ import annotations

import os
import subprocess

BUILDER = "versatilehub/builder:latest"
SOCKET = "/var/run/docker.sock"


class BuildFailed(Exception):
    """An image could not be made; the text says why and what to do."""


def run(
    argv: list[str],
    *,
    stdin: bytes | None = None,
    environment: dict[str, str] | None = None,
    timeout: float | None = None,
) -> tuple[int, str, str]:
    """Run *argv* to its end and return its code and what it printed; *environment* is added to this process's.

    Raises BuildFailed when there is no such command, ``subprocess.TimeoutExpired`` after *timeout* seconds.
    """
    try:
        done = subprocess.run(
            argv,
            check=False,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
            timeout=timeout,
        )
    except FileNotFoundError as error:
        raise BuildFailed(f"there is no command {argv[0]!r} on PATH") from error
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def local_socket() -> str:
    """Return the path of the engine's socket on this machine, "" when the engine is elsewhere."""
    host = os.environ.get("DOCKER_HOST", "")
    if not host:
        _, host, _ = run(["docker", "context", "inspect", "--format={{.Endpoints.docker.Host}}"])
    scheme, _, path = (host.strip() or f"unix://{SOCKET}").partition("://")
    return path if scheme == "unix" else ""


def client_major() -> int:
    """Return the major version of the docker command on PATH."""
    _, out, _ = run(["docker", "version", "--format={{.Client.Version}}"])
    major = out.strip().partition(".")[0]
    return int(major) if major.isdecimal() else 0


def build_command(*, usable_builder: bool) -> tuple[str, list[str], dict[str, str]]:
    """Return a word for the way, the command up to its options, and the environment it needs.

    *usable_builder*: the builder image may be used, because it is not the one to be made.
    """
    if run(["docker", "buildx", "version"])[0] == 0:
        return "built (buildx)", ["docker", "buildx", "build", "--load", "--progress=plain"], {}
    if 0 < client_major() < 23:
        return "built (BuildKit)", ["docker", "build", "--progress=plain"], {"DOCKER_BUILDKIT": "1"}
    socket = local_socket()
    if usable_builder and socket and run(["docker", "image", "inspect", "--", BUILDER])[0] == 0:
        inside = ["docker", "run", "--rm", "--interactive", f"--volume={socket}:{SOCKET}", BUILDER]
        return (
            "built (builder's buildx)",
            [*inside, "docker", "buildx", "build", "--load", "--progress=plain"],
            {},
        )
    return "built (classic)", ["docker", "build", "--force-rm"], {"DOCKER_BUILDKIT": "0"}

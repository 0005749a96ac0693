"""A Docker Engine that answers: the one there is, else Debian's, started in the background and left running.

Nothing is installed or started when DOCKER_HOST names an engine: that one is the admin's to repair.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from steps import packages
from steps.report import Step, StepFailed, run

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "unix:///var/run/docker.sock"
START_SECONDS = 90.0
SYSTEMD = Path("/run/systemd/system")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ensure(step: Step, *, log: Path, environ: Mapping[str, str]) -> None:
    """Return when an engine answers; say exactly what to do when none can be made to."""
    address = environ.get("DOCKER_HOST") or DEFAULT
    version = answering(address, environ)
    if version:
        step.already(f"Docker {version}")
        _ensure_command(log)
        return
    if environ.get("DOCKER_HOST"):
        raise StepFailed(
            f"DOCKER_HOST is {address}, and no Docker Engine answers there.",
            hint="Start that engine, or unset DOCKER_HOST to use the one of this machine.",
        )
    _refuse_without_root(address)
    installed = shutil.which("dockerd") is None
    if installed:
        _install(log)
    version = _start(address, environ, log)
    _ensure_command(log)
    step.did(f"{'installed and started' if installed else 'started'} Docker {version}")


def answering(address: str, environ: Mapping[str, str]) -> str:
    """Return the version of the engine at *address* (a DOCKER_HOST value), "" when none answers within 5 s."""
    try:
        connection = _connection(address, environ)
    except (OSError, ValueError, ssl.SSLError) as error:
        raise StepFailed(
            f"DOCKER_HOST is {address!r}, which cannot be used: {error}.",
            hint="Use unix:///path/to/docker.sock or tcp://host:port.",
        ) from error
    try:
        connection.request("GET", "/version")
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return ""
    else:
        return str(answer.get("Version", "")) if isinstance(answer, dict) else ""
    finally:
        connection.close()


def _connection(address: str, environ: Mapping[str, str]) -> http.client.HTTPConnection:
    url = urlsplit(address)
    if url.scheme == "unix":
        return _UnixConnection(url.path, 5.0)
    if url.scheme != "tcp" or not url.hostname:
        raise ValueError("only unix:// and tcp:// addresses are known")
    if not environ.get("DOCKER_TLS_VERIFY"):
        return http.client.HTTPConnection(url.hostname, url.port or 2375, timeout=5.0)
    folder = Path(environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return http.client.HTTPSConnection(url.hostname, url.port or 2376, timeout=5.0, context=context)


def _refuse_without_root(address: str) -> None:
    if os.geteuid() == 0:
        return
    if Path(urlsplit(address).path).exists() and not os.access(urlsplit(address).path, os.W_OK):
        raise StepFailed(
            "A Docker Engine is there, and this account may not use it.",
            hint="Run `sudo usermod -aG docker $USER`, log out and in, then start again. "
            "(Who may use Docker is root on this machine in effect.)",
        )
    raise StepFailed(
        "No Docker Engine answers, and installing or starting one needs root.",
        hint="Run `sudo apt-get update && sudo apt-get install docker.io && sudo usermod -aG docker $USER`, "
        "log out and in, then start again; or set DOCKER_HOST to an engine elsewhere.",
    )


def _install(log: Path) -> None:
    names = ["docker.io", "apparmor", "ca-certificates", "iptables"]
    if not SYSTEMD.exists():
        names.append("cgroupfs-mount")  # systemd mounts the cgroup tree itself; without it nobody does
    packages.install(*names, log=log, why="No Docker Engine answers")


def _ensure_command(log: Path) -> None:
    """Make `docker` be on PATH: Debian 12 has it in docker.io, Debian 13 in a package of its own."""
    if shutil.which("docker") is None:
        package = "docker-cli" if packages.known("docker-cli") else "docker.io"
        packages.install(package, log=log, why="There is no `docker` command")


def _start(address: str, environ: Mapping[str, str], log: Path) -> str:
    engine_log = log.parent / "dockerd.log"
    hint = f"Look at {engine_log}, start the engine by hand, then start again."
    daemon: subprocess.Popen[bytes] | None = None
    # The package may have started it already: starting a second one while the first comes up would fail.
    version = _await(address, environ, seconds=5.0 if Path("/var/run/docker.pid").exists() else 0.0)
    if not version and SYSTEMD.exists():
        run(("systemctl", "start", "docker"), log=log, hint="See `systemctl status docker`.")
    elif not version:
        if shutil.which("cgroupfs-mount"):
            run(("cgroupfs-mount",), log=log, hint=hint)
        daemon = _start_detached(engine_log)
    version = version or _await(address, environ, seconds=START_SECONDS, daemon=daemon)
    if version:
        return version
    lines = engine_log.read_text("utf-8", "replace").splitlines()[-15:] if engine_log.exists() else []
    raise StepFailed(f"dockerd does not answer at {address}.", hint=hint, lines=lines)


def _start_detached(engine_log: Path) -> subprocess.Popen[bytes]:
    """Start dockerd so that it outlives this program, its terminal and its Ctrl-C."""
    engine_log.parent.mkdir(parents=True, exist_ok=True)
    with engine_log.open("ab") as sink:
        return subprocess.Popen(
            ("dockerd",),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
        )


def _await(
    address: str, environ: Mapping[str, str], *, seconds: float, daemon: subprocess.Popen[bytes] | None = None
) -> str:
    deadline = time.monotonic() + seconds
    while not (version := answering(address, environ)):
        # One that ends at once found another on its way up: that one gets a little more time.
        if daemon is not None and daemon.poll() is not None:
            deadline, daemon = min(deadline, time.monotonic() + 5.0), None
        if time.monotonic() >= deadline:
            return ""
        time.sleep(0.2)
    return version

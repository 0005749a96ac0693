"""Measure how long images take from ``docker start`` to the first HTTP answer of their single-user server.

Compares any number of images in one run, alternating, so that what else the machine does hits all alike.
Standard library and the docker command only; a stand-in for the hub's API runs in this process.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PREFIX = "/user/ada/"
PORT = 8888
DEADLINE = 60.0
STEP = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One image and the command to run in it, with the seconds each boot took."""

    image: str
    command: tuple[str, ...]
    seconds: list[float] = field(default_factory=list)


class StubHub(BaseHTTPRequestHandler):
    """The three calls of the hub's API that a single-user server makes while it starts."""

    def do_GET(self) -> None:
        """Answer a version for ``/hub/api`` and a user for everything else."""
        body: dict[str, object] = {"version": "6.1.1"}
        if not self.path.rstrip("/").endswith("/api"):
            body = {"kind": "user", "name": "ada", "admin": False, "groups": [], "scopes": ["access:servers"]}
        self._answer(body)

    def do_POST(self) -> None:
        """Accept an activity report."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer({})

    def _answer(self, body: dict[str, object]) -> None:
        payload = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it
        """Stay silent."""


def docker(*argv: str) -> str:
    """Run one docker command and return what it printed."""
    done = subprocess.run(("docker", *argv), check=True, capture_output=True, text=True)
    return done.stdout.strip()


def hub_environment(api: str) -> dict[str, str]:
    """Return the environment JupyterHub 6 gives a server of user ``ada``."""
    return {
        "JUPYTERHUB_API_TOKEN": "0" * 32,
        "JUPYTERHUB_API_URL": api,
        "JUPYTERHUB_ACTIVITY_URL": f"{api}/users/ada/activity",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ada",
        "JUPYTERHUB_HOST": "",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=ada/", "access:servers!user=ada"]',
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{PREFIX}oauth_callback",
        "JUPYTERHUB_OAUTH_SCOPES": '["access:servers!server=ada/", "access:servers!user=ada"]',
        "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
        "JUPYTERHUB_SERVICE_URL": f"http://0.0.0.0:{PORT}{PREFIX}",
        "JUPYTERHUB_USER": "ada",
    }


def create(candidate: Candidate, api: str, *options: str) -> str:
    """Create the container of one boot, with a server's settings and *options*, and return its id."""
    environment = (f"--env={key}={value}" for key, value in hub_environment(api).items())
    return docker(
        "create",
        "--init",
        "--user=1000:100",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--label=versatilehub.test=measure-boot",
        *environment,
        *options,
        candidate.image,
        *candidate.command,
    )


def first_answer(container: str) -> float:
    """Start the container and return the seconds until ``/api`` below its prefix answers 200."""
    began = time.perf_counter()
    docker("start", container)
    address = docker("inspect", "--format={{.NetworkSettings.IPAddress}}", container)
    while time.perf_counter() - began < DEADLINE:
        connection = http.client.HTTPConnection(address, PORT, timeout=5)
        try:
            connection.request("GET", f"{PREFIX}api")
            with connection.getresponse() as answer:
                if answer.status == http.HTTPStatus.OK:
                    return time.perf_counter() - began
        except OSError:
            time.sleep(STEP)
        finally:
            connection.close()
    sys.exit(f"no answer after {DEADLINE:.0f} s; its log ends:\n{docker('logs', '--tail=30', container)}")


def boot(candidate: Candidate, api: str) -> float:
    """Boot once in a fresh container and remove it."""
    container = create(candidate, api)
    try:
        return first_answer(container)
    finally:
        docker("rm", "--force", "--volumes", container)


def report(candidates: list[Candidate]) -> str:
    """Return one line per image: median, range and ratio to the first image's median."""
    base = statistics.median(candidates[0].seconds)
    lines = []
    for one in candidates:
        median = statistics.median(one.seconds)
        spread = f"{min(one.seconds):.2f}-{max(one.seconds):.2f}"
        lines.append(
            f"{one.image:40} median {median:.2f} s ({spread}, n={len(one.seconds)})  {median / base:.2f}"
        )
    return "\n".join(lines)


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line: images, each optionally with ``=`` and the command to run in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="boots of each image")
    parser.add_argument("--gateway", default="172.17.0.1", help="address of this machine on Docker's bridge")
    parser.add_argument(
        "image", nargs="+", help="IMAGE or IMAGE=COMMAND; the first is the base of the ratios"
    )
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Boot every image in turn, *runs* times after one warm-up, and print the report."""
    options = parse(argv)
    hub = ThreadingHTTPServer((options.gateway, 0), StubHub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    api = f"http://{options.gateway}:{hub.server_address[1]}/hub/api"
    candidates = []
    for text in options.image:
        image, _, command = text.partition("=")
        candidates.append(Candidate(image=image, command=tuple((command or "jupyterhub-singleuser").split())))
    for one in candidates:
        boot(one, api)
    for _ in range(options.runs):
        for one in candidates:
            one.seconds.append(boot(one, api))
    sys.stdout.write(report(candidates) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

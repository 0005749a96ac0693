"""A real hub for tests: the example configuration in a process of its own, driven by REST, killed and started again.

Also the benchmarks' hub. Everything it makes in Docker carries ``versatilehub.test`` and its own hub id, and goes with `close`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import requests

from versatilehub.firewall import remove_walls
from versatilehub.networks import NetworkPlan, walls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).parent.parent
T = TypeVar("T")


def wait_for(look: Callable[[], T], what: str, *, seconds: float = 60, step: float = 0.05) -> T:
    """Return what *look* gives as soon as it is truthy; say *what* was waited for and the last answer when it never is."""
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s; last answer: {answer!r}")
        time.sleep(step)


def free_ports() -> int:
    """Return a port whose neighbours at +1 and +81 are free as well: pages, proxy API, hub API."""
    while True:
        base = 20000 + secrets.randbelow(20000)
        try:
            for port in (base, base + 1, base + 81):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base


def docker(*arguments: str, check: bool = True) -> str:
    """Run the docker command line and return its output."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


def bridge_address() -> str:
    """Return this machine's address on Docker's default bridge, which every container and build can reach.

    A fresh engine 20.10 does not write the gateway down; it is the first address of the subnet then.
    """
    ipam = json.loads(docker("network", "inspect", "bridge", "-f", "{{json .IPAM.Config}}"))[0]
    return str(ipam.get("Gateway") or next(ipaddress.ip_network(ipam["Subnet"]).hosts()))


@dataclass(kw_only=True)
class HubProcess:
    """One deployment: *state* folder, *lines* of configuration after the example's, *users* (name: password)."""

    state: Path
    lines: str = ""
    users: Mapping[str, str] = field(default_factory=dict)
    extra_sources: Sequence[str] = ()
    config: Path = ROOT / "jupyterhub_config.py"
    session: str = "hub"
    environment: Mapping[str, str] = field(default_factory=dict)  # the hub's, beside what is set here
    port: int = field(default_factory=free_ports)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        rows = [
            "name,password,admin",
            *(f"{name},{word},{'true' if name == 'admin' else 'false'}" for name, word in self.users.items()),
        ]
        users_csv = self.state / "users.csv"
        users_csv.write_text("\n".join(rows) + "\n")
        users_csv.chmod(0o600)
        wrapper = f"""
            __file__ = {str(self.config)!r}
            exec(compile(open(__file__).read(), __file__, "exec"))
            c.VersatileHub.extra_labels = {{"versatilehub.test": {self.session!r}}}
            c.JupyterHub.log_level = 10
        """
        self._wrapper = self.state / "test_config.py"
        self._wrapper.write_text(textwrap.dedent(wrapper) + "\n" + textwrap.dedent(self.lines))

    @property
    def url(self) -> str:
        """Where people go."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """The hub's log, of all its lives."""
        return self.state / "hub.log"

    @property
    def hub_id(self) -> str:
        """The id in every label."""
        record = self.state / "hub_id"
        return record.read_text().strip() if record.exists() else "none-started"

    # -- life ------------------------------------------------------------------------------

    def start(self, *, seconds: float = 60) -> Self:
        """Start the hub and return when it answers."""
        environment = {
            **os.environ,
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), *_proxy_folders(), os.environ["PATH"]]
            ),
            "VERSATILEHUB_PORT": str(self.port),
            "VERSATILEHUB_STATE": str(self.state),
            "VERSATILEHUB_USERS": str(self.state / "users.csv"),
            "VERSATILEHUB_API_TOKEN": self.token,
            "VERSATILEHUB_EXTRA_SOURCES": ",".join(self.extra_sources),
            **self.environment,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(self._wrapper)],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(self._up, f"hub at {self.url} (log: {self.log})", seconds=seconds)
        return self

    def _up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the hub ended:\n{self.tail()}")
        try:
            return requests.get(f"{self.url}/hub/health", timeout=2).ok
        except requests.RequestException:
            return False

    def tail(self, lines: int = 60) -> str:
        """Return the end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        """End the hub as a power cut would; its proxy stays behind."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End the hub as Ctrl-C does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=40)

    def close(self) -> None:
        """End everything and remove all that this hub made in Docker."""
        try:
            self.stop()
        finally:
            if self.process is not None:
                _kill_group(self.process.pid)
            self.sweep()

    def sweep(self) -> None:
        """Remove every container, volume, image and network of this hub, and its firewall rules."""
        label = f"label=versatilehub.hub={self.hub_id}"
        for container in docker("ps", "-aq", "--filter", label).split():
            docker("rm", "-fv", container, check=False)
        for volume in docker("volume", "ls", "-q", "--filter", label).split():
            docker("volume", "rm", "-f", volume, check=False)
        for image in set(docker("image", "ls", "-q", "--filter", label).split()):
            docker("rmi", "-f", image, check=False)
        for network in docker("network", "ls", "-q", "--filter", label).split():
            docker("network", "rm", network, check=False)
        remove_images(Path("/var/lib/versatilehub") / self.hub_id)
        plan = NetworkPlan(hub_id=self.hub_id, network="", build_network="", hub_port=0)
        remove_walls(walls(plan, gateway="0.0.0.0"))

    # -- talking to it ---------------------------------------------------------------------

    def api(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """Call the hub's REST API as the operator."""
        headers = {"Authorization": f"token {self.token}"}
        return requests.request(method, f"{self.url}/hub/api/{path}", headers=headers, timeout=120, **kwargs)

    def routes(self) -> dict[str, str]:
        """Return the proxy's routes of servers as the proxy itself tells them: path → target."""
        token = (self.state / "proxy_token").read_text().strip()
        answer = requests.get(
            f"http://127.0.0.1:{self.port + 1}/api/routes",
            headers={"Authorization": f"token {token}"},
            timeout=10,
        )
        return {path: row["target"] for path, row in answer.json().items() if path.startswith("/user/")}

    def user(self, name: str) -> str:
        """Make the user *name* if there is none, and return it."""
        answer = self.api("POST", f"users/{name}")
        assert answer.status_code in (201, 409), answer.text
        return name

    def server_path(self, user: str, server: str = "") -> str:
        """Return the API path of a server."""
        return f"users/{user}/servers/{server}" if server else f"users/{user}/server"

    def launch(self, user: str, server: str = "", **options: Any) -> requests.Response:
        """Ask for a server; returns at once or after the hub's 10 s."""
        return self.api("POST", self.server_path(user, server), json={"user_options": options})

    def launch_soon(self, user: str, server: str = "", **options: Any) -> None:
        """Ask for a server without waiting for the hub's answer, and return when the start is on its way."""
        threading.Thread(target=self._launch_quietly, args=(user, server, options), daemon=True).start()
        wait_for(
            lambda: self.model(user, server).get("pending") or self.model(user, server).get("ready"),
            f"{user}/{server} on its way",
        )

    def _launch_quietly(self, user: str, server: str, options: dict[str, Any]) -> None:
        with contextlib.suppress(requests.RequestException):  # a hub that is killed does not answer
            self.launch(user, server, **options)

    def model(self, user: str, server: str = "") -> dict[str, Any]:
        """Return the hub's record of one server, {} when there is none."""
        answer = self.api("GET", f"users/{user}", params={"include_stopped_servers": "1"})
        return dict(answer.json().get("servers", {}).get(server) or {})

    def wait_ready(self, user: str, server: str = "", *, seconds: float = 120) -> dict[str, Any]:
        """Return the record of a server once it is ready; fail with the hub's words when the start fails."""

        def look() -> dict[str, Any]:
            model = self.model(user, server)
            if model.get("ready"):
                return model
            if not model.get("pending"):
                raise AssertionError(
                    f"{user}/{server} did not start: {self.events(user, server)[-1:]}\n{self.tail()}"
                )
            return {}

        return wait_for(look, f"{user}/{server} ready", seconds=seconds)

    def run(self, user: str, server: str = "", **options: Any) -> dict[str, Any]:
        """Launch and wait until ready."""
        answer = self.launch(user, server, **options)
        assert answer.status_code in (201, 202), f"{answer.status_code} {answer.text}\n{self.tail()}"
        return self.wait_ready(user, server)

    def halt(self, user: str, server: str = "", *, remove: bool = False) -> None:
        """Stop (and with *remove* delete) a server and wait until it is."""
        body = {"remove": True} if remove else None
        answer = self.api("DELETE", self.server_path(user, server), json=body)
        assert answer.status_code in (202, 204, 404), answer.text
        wait_for(lambda: not self.model(user, server).get("pending"), f"{user}/{server} stopped")

    def stream(self, user: str, server: str = "") -> Iterator[dict[str, Any]]:
        """Yield the progress events of a pending start as a browser gets them."""
        path = self.server_path(user, server)
        with requests.get(
            f"{self.url}/hub/api/{path}/progress",
            headers={"Authorization": f"token {self.token}"},
            stream=True,
            timeout=300,
        ) as answer:
            if not answer.ok:
                yield {"failed": True, "message": answer.text}
                return
            for line in answer.iter_lines():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    def events(self, user: str, server: str = "") -> list[dict[str, Any]]:
        """Return all progress events until the start ends."""
        return list(self.stream(user, server))

    # -- looking at Docker -------------------------------------------------------------------

    def containers(
        self, user: str | None = None, server: str | None = None, *, kind: str = "server"
    ) -> list[str]:
        """Return the ids of this hub's containers, also ended ones."""
        filters = [f"label=versatilehub.hub={self.hub_id}", f"label=versatilehub.kind={kind}"]
        if user is not None:
            filters.append(f"label=versatilehub.owner={user}")
        if server is not None:
            filters.append(f"label=versatilehub.server={server}")
        arguments = [part for f in filters for part in ("--filter", f)]
        return docker("ps", "-aq", "--no-trunc", *arguments).split()

    def container(self, user: str, server: str = "") -> str:
        """Return the one container of a server."""
        found = self.containers(user, server)
        assert len(found) == 1, f"{len(found)} containers of {user}/{server}"
        return found[0]

    def exec(self, user: str, command: str, *, server: str = "", as_user: str = "") -> str:
        """Run a shell line inside a running server and return its output."""
        options = ["-u", as_user] if as_user else []
        return docker("exec", *options, self.container(user, server), "sh", "-c", command)


def remove_images(store: Path) -> None:
    """Remove a folder of capped volumes' disk images, with their devices and links."""
    for image in store.glob("*.img"):
        found = subprocess.run(
            ["losetup", "-n", "-O", "NAME", "-j", str(image)], capture_output=True, text=True, check=False
        )
        for device in found.stdout.split():
            subprocess.run(["losetup", "-d", device], check=False)
        (Path("/dev/vhub") / image.stem).unlink(missing_ok=True)
    shutil.rmtree(store, ignore_errors=True)


def _proxy_folders() -> list[str]:
    state = Path(os.environ.get("VERSATILEHUB_STATE") or ROOT / ".state")
    return [str(state / "proxy" / "node_modules" / ".bin")]


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return

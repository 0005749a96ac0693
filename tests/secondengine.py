"""A Docker Engine of a test's own, to be killed, restarted and reconfigured; the machine's engine never notices.

It lives in a network and a mount namespace of its own: a second dockerd beside the first would rewrite its firewall and
bridge. containerd is started apart, because one that dockerd started survives its kill and holds up the next start.
Needs root. The fixture `make_engine` (tests/plugins/hubs.py) makes them: `make_engine().start()`.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tests.hubprocess import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_HOLD = "ip link set lo up && echo held && exec sleep infinity"


@dataclass(kw_only=True)
class SecondEngine:
    """An engine whose everything is below *folder* (short: a socket's path has 107 characters); *settings*: daemon.json."""

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    _holder: subprocess.Popen[bytes] | None = None
    _containerd: subprocess.Popen[bytes] | None = None
    _daemon: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What DOCKER_HOST must be to reach it."""
        return f"unix://{self.folder}/docker.sock"

    @property
    def log(self) -> Path:
        """The log of dockerd, of all its lives."""
        return self.folder / "dockerd.log"

    # -- life ------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start what is not running and return when the engine answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._holder is None:
            command = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", _HOLD]
            self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
            assert self._holder.stdout is not None
            self._holder.stdout.readline()
            self._holder.stdout.close()
        if self._containerd is None:
            self._containerd = self._inside("containerd", "--config", str(self._containerd_settings()))
            wait_for((self.folder / "containerd.sock").exists, "the second engine's containerd")
        if self._daemon is None:
            (self.folder / "docker.pid").unlink(missing_ok=True)  # of one that was killed
            (self.folder / "daemon.json").write_text(json.dumps(dict(self.settings)))
            places = {
                "data-root": self.folder / "data",
                "exec-root": self.folder / "exec",
                "pidfile": self.folder / "docker.pid",
                "config-file": self.folder / "daemon.json",
                "containerd": self.folder / "containerd.sock",
                "host": self.url,
            }
            self._daemon = self._inside("dockerd", *(f"--{key}={value}" for key, value in places.items()))
        wait_for(self._answers, f"the second engine (log: {self.log})")
        return self

    def kill(self) -> None:
        """End dockerd as the kernel's out-of-memory killer would; containers and containerd stay."""
        self._end(self._daemon, signal.SIGKILL)
        self._daemon = None

    def stop(self) -> None:
        """End dockerd as an update would: its containers are stopped, unless `live-restore` is set."""
        self._end(self._daemon, signal.SIGTERM)
        self._daemon = None

    def close(self) -> None:
        """End everything that lives in the namespaces; the folder is the caller's to remove."""
        self.stop()
        self._end(self._containerd, signal.SIGTERM)
        if self._holder is not None:
            for process in self._inhabitants():
                _signal(process, signal.SIGKILL)
            self._end(self._holder, signal.SIGKILL)
        self._holder = self._containerd = None

    # -- use -------------------------------------------------------------------------------

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Run the docker command line against it and return its output."""
        done = subprocess.run(
            ["docker", f"--host={self.url}", *arguments], capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def take(self, *images: str) -> Self:
        """Copy images of the machine's engine into it."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saved:
            subprocess.run(
                ["docker", f"--host={self.url}", "load", "-q"],
                stdin=saved.stdout,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        return self

    def take_shell(self) -> str:
        """Make a small image with a shell and coreutils from the machine's own base image; return its name."""
        script = (
            "cd / && mkdir -p /out/usr/bin /out/usr/lib /out/usr/lib64 && cp -a bin lib lib64 /out/ && "
            "for one in sh cat dd df ls mkdir rm sha256sum sleep stat sync true; do "
            "cp -L --parents usr/bin/$one $(ldd usr/bin/$one | grep -o '/lib[^ ]*' | sed 's,^/,,') /out/; done && "
            "tar -C /out -c ."
        )
        with subprocess.Popen(
            ["docker", "run", "--rm", "versatilehub/base", "sh", "-c", script], stdout=subprocess.PIPE
        ) as made:
            subprocess.run(
                ["docker", f"--host={self.url}", "import", "-", "shell"], stdin=made.stdout, check=True
            )
        return "shell"

    def run(self, *command: str) -> str:
        """Run a command in its namespaces, where its mounts and its network are, and return the output."""
        return subprocess.run(
            [*self._enter(), *command], capture_output=True, text=True, check=True
        ).stdout.strip()

    def connect(self) -> str:
        """Join its network with the tests' and return the tests' address in it, which its containers can reach."""
        assert self._holder is not None
        number, mark = secrets.randbelow(250), secrets.token_hex(4)
        here, there = f"vh{mark}a", f"vh{mark}b"
        link = ["link", "add", here, "type", "veth", "peer", "name", there, "netns", str(self._holder.pid)]
        for command in (
            link,
            ["addr", "add", f"10.213.{number}.1/30", "dev", here],
            ["link", "set", here, "up"],
        ):
            subprocess.run(["ip", *command], check=True)
        for words in (("addr", "add", f"10.213.{number}.2/30", "dev", there), ("link", "set", there, "up")):
            self.run("ip", *words)
        return f"10.213.{number}.1"

    # -- parts -----------------------------------------------------------------------------

    def _containerd_settings(self) -> Path:
        path = self.folder / "containerd.toml"
        path.write_text(
            f'version = 2\nroot = "{self.folder}/containerd"\nstate = "{self.folder}/containerd-run"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\n  address = "{self.folder}/containerd.sock"\n'
        )
        return path

    def _enter(self) -> list[str]:
        assert self._holder is not None
        return ["nsenter", f"--target={self._holder.pid}", "--net", "--mount", "--"]

    def _inside(self, *command: str) -> subprocess.Popen[bytes]:
        # nsenter becomes the command itself, so that a signal reaches it.
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*self._enter(), *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        assert self._daemon is not None
        if self._daemon.poll() is not None:
            raise AssertionError(f"the second engine ended:\n{self.log.read_text()[-4000:]}")
        return bool(self.docker("version", "--format", "{{.Server.Version}}", check=False))

    @staticmethod
    def _end(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _inhabitants(self) -> list[int]:
        """Return the processes in its network namespace: containerd's shims, which outlive containerd."""
        assert self._holder is not None
        home = os.stat(f"/proc/{self._holder.pid}/ns/mnt").st_ino  # noqa: PTH116  # a link to no path
        found = []
        for name in os.listdir("/proc"):  # noqa: PTH208  # numbers, not files
            try:
                if name.isdigit() and os.stat(f"/proc/{name}/ns/mnt").st_ino == home:  # noqa: PTH116  # as above
                    found.append(int(name))
            except OSError:
                continue  # it ended meanwhile
        return [pid for pid in found if pid != self._holder.pid]


def _signal(process: int, how: signal.Signals) -> None:
    try:
        os.kill(process, how)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and os.path.exists(f"/proc/{process}"):  # noqa: PTH110  # as above
        time.sleep(0.01)

"""The one place where the builder runs git: fixed environment and options, limits, and the whole group killed.

Environment and options are those of the security review §3; user text stands behind ``--`` or in checked form.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from versatilehub_builder.lines import Failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from versatilehub_builder.logins import Login

_TAIL = 200
_KEPT = 64 * 1024  # bytes of output kept for the failure
_LOOK = 0.1  # seconds between two looks at clock and disk


def limit_files(size: int) -> None:
    """Let no file this process and its children write exceed *size* bytes; there are no core files either."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """How git is run: where, until when (monotonic), and within which bounds.

    *folder* is the repository when it is not the tree's own ``.git``; *login* what it may log in with; *pin* the addresses
    its host was checked to have (``http.curloptResolve``).
    """

    tree: Path
    http: bool
    deadline: float
    free: int
    log: Callable[[str], None]
    folder: Path | None = None
    login: Login | None = None
    pin: str = ""

    def run(self, *arguments: str, check: bool = True, lfs: bool = False, most: int = 0) -> tuple[int, str]:
        """Run git and return (exit code, output); raise `Failure` at the limits, or for a failure if *check*.

        Above *most* bytes of output the run is ended and counts as done; without *most* only the end is kept.
        """
        command = ["git", *self._options(), *arguments]
        child = subprocess.Popen(
            command,
            cwd=self.tree,
            env=self._environment(lfs=lfs),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(self.login.descriptor,) if self.login else (),
        )
        try:
            output = self._follow(child, most)
        finally:
            kill_group(child)
        text = output.decode("utf-8", "replace")
        text = self.login.hidden(text) if self.login else text
        if check and child.returncode != 0 and not most:
            raise failure_of(text, child.returncode)
        return child.returncode, text

    def _follow(self, child: subprocess.Popen[bytes], most: int) -> bytes:
        assert child.stdout is not None  # noqa: S101 - a pipe was asked for
        kept = bytearray()
        while True:
            self._check()
            if not select.select([child.stdout], [], [], _LOOK)[0]:
                continue
            chunk = os.read(child.stdout.fileno(), 1 << 16)
            kept += chunk
            if not chunk or 0 < most < len(kept):
                break
            if not most:
                del kept[:-_KEPT]
        if not chunk:
            child.wait()
        return bytes(kept)

    def _check(self) -> None:
        if time.monotonic() > self.deadline:
            raise Failure(
                "source_too_slow",
                "The repository was not fetched within the time limit.",
                hint="Try again later; a smaller repository is fetched faster.",
            )
        disk = os.statvfs(self.tree)
        if disk.f_bavail * disk.f_frsize < self.free:
            raise no_space()

    def _options(self) -> list[str]:
        options = [
            "protocol.allow=never",
            "protocol.https.allow=always",
            "http.followRedirects=false",
            "http.lowSpeedLimit=1000",
            "http.lowSpeedTime=20",
            "core.hooksPath=/dev/null",
            "core.symlinks=true",
            "core.fsmonitor=false",
            "core.untrackedCache=false",
            "transfer.fsckObjects=true",
            "submodule.recurse=false",
            "fetch.recurseSubmodules=false",
            "fetch.writeCommitGraph=false",
            "gc.auto=0",
            "maintenance.auto=false",
            "advice.detachedHead=false",
        ]
        if self.http:
            options.append("protocol.http.allow=always")
        if self.pin:
            options.append(f"http.curloptResolve={self.pin}")
        words = [word for option in options for word in ("-c", option)]
        words += self.login.options() if self.login else ()
        return [*words, f"--git-dir={self.folder}", f"--work-tree={self.tree}"] if self.folder else words

    def _environment(self, *, lfs: bool) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _PASSED if name in os.environ}
        return kept | {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": "/nonexistent",
            "LC_ALL": "C.UTF-8",
            "GIT_ALLOW_PROTOCOL": "https:http" if self.http else "https",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_LFS_SKIP_SMUDGE": "0" if lfs else "1",
        }


# A site's certificate bundle and proxy are the machine's settings, not the hub's secrets.
_PASSED = (
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
)


def kill_group(child: subprocess.Popen[bytes], patience: float = 0.0) -> None:
    """End the child's whole process group: politely when *patience* (seconds) is given, then by force."""
    if patience and child.poll() is None:
        _signal_group(child.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):  # the force below is the answer
            child.wait(patience)
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def no_space() -> Failure:
    """Return the failure of a full disk."""
    return Failure(
        "no_space",
        "The disk for builds is full.",
        hint="Ask an administrator to free space, then start again.",
    )


_MESSAGES: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (("No space left on device", "Disk quota exceeded"), "no_space", "The disk for builds is full.", ""),
    (("File size limit", "File too large"), "tree_too_large", "One file of the repository is too large.", ""),
    (
        ("not our ref", "unadvertised object", "couldn't find remote ref", "bad object"),
        "commit_not_found",
        "The repository no longer has this commit.",
        "It may have been removed by a forced push: start again from the branch.",
    ),
    (
        (
            "could not read Username",
            "Authentication failed",
            "terminal prompts disabled",
            "not found",
            "requested URL returned error: 40",
        ),
        "source_not_readable",
        "The repository is private or does not exist.",
        "Check the address. If it is private, store a token for its host under “Git access”.",
    ),
    (
        ("Operation too slow", "timed out", "Timeout was reached"),
        "source_too_slow",
        "The git host answered too slowly.",
        "Try again later.",
    ),
    (
        ("unable to update url base from redirection", "returned error: 30"),
        "source_moved",
        "The git host sends the repository to another address.",
        "Use the address the host shows in a browser.",
    ),
    (
        (
            "Could not resolve host",
            "Failed to connect",
            "Couldn't connect",
            "SSL",
            "certificate",
            "Connection re",
        ),
        "source_unreachable",
        "The git host cannot be reached.",
        "Check the address, and that the host is up.",
    ),
    (("fsck", "bad object", "malformed"), "source_damaged", "The repository has objects git refuses.", ""),
)


def failure_of(output: str, code: int) -> Failure:
    """Return what git's *output* means to a person."""
    last = [line for line in output.strip().splitlines() if line.strip()][-1:] or [f"exit code {code}"]
    if code == -signal.SIGXFSZ:
        return Failure("tree_too_large", "One file of the repository is larger than the limit.")
    for needles, name, message, hint in _MESSAGES:
        if any(needle in output for needle in needles):
            return Failure(name, f"{message} (git: {last[0][:_TAIL]})", hint=hint)
    return Failure("source_failed", f"git failed: {last[0][:_TAIL]}", hint="Try again later.")

"""``python -m versatilehub_builder.build``: hand what render wrote to BuildKit, under limits, and report.

It holds Docker's socket and therefore runs one fixed command. Ending it, by whatever signal, ends the build: a killed
buildx client cancels its solve, and no image is left but a finished one.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from versatilehub_builder.buildlog import BuildLog, cause, readable
from versatilehub_builder.cgroups import StepGroups
from versatilehub_builder.gitrun import kill_group, no_space
from versatilehub_builder.jobs import WORK, BuildJob, BuildLimits, build_job
from versatilehub_builder.lines import JSON, Failure, Lines, main
from versatilehub_builder.waiting import await_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUILDX = "/usr/libexec/docker/cli-plugins/docker-buildx"
CGROUPS = Path("/sys/fs/cgroup")
_LOOK = 0.02
_PATIENCE = 0.8  # seconds a cancelled client gets to tell BuildKit
_KILLED = 137


def command(values: Mapping[str, JSON], lines: Lines) -> Mapping[str, JSON]:
    """Wait for the rendered context, then build it."""
    job = build_job(values)
    rendered = json.loads(await_file(WORK / "rendered", job.limits.seconds))
    return build(job, rendered, lines, WORK)


def build(job: BuildJob, rendered: Mapping[str, JSON], lines: Lines, work: Path) -> Mapping[str, JSON]:
    """Build ``work/Dockerfile``; return the image's id, or raise what stopped it."""
    lines.phase(f"Building ({rendered.get('pack')}): {rendered.get('steps')} steps")
    groups = StepGroups(root=CGROUPS, limits=job.limits)
    if groups.usable:
        groups.prepare()
    else:
        lines.log("No control groups here: steps have no limits of their own.")
    iid = Path(f"/tmp/iid-{os.getpid()}")
    child = subprocess.Popen(
        _command(job, rendered, work, iid),
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    watch = _Watch(limits=job.limits, groups=groups, disk=work)
    try:
        for line in watch.follow(child):
            step = watch.log.feed(line)
            if step:
                lines.step(readable(step.text), step.step, step.steps)
            elif line.strip():
                lines.log(line)
        code = child.wait()
    except Failure as failure:
        kill_group(child, _PATIENCE)
        failure.lines = watch.log.tail
        raise
    finally:
        kill_group(child, _PATIENCE)
    if code != 0:
        raise _failure(watch, rendered)
    return {"image_id": iid.read_text().strip(), "pack": rendered.get("pack")}


def _command(job: BuildJob, rendered: Mapping[str, JSON], work: Path, iid: Path) -> list[str]:
    # The plugin itself: the docker command only finds it, twice, which costs each build a tenth of a second.
    command = [BUILDX, "build", "--progress=plain", "--provenance=false", "--load"]
    command += [f"--file={work / 'Dockerfile'}", f"--iidfile={iid}"]
    command += ["--no-cache"] if job.fresh else []
    arguments = rendered.get("build_args")
    given = arguments if isinstance(arguments, dict) else {}
    command += [f"--build-arg={key}={value}" for key, value in given.items()]
    labels = {"versatilehub.pack": str(rendered.get("pack")), **_reads(work), **job.labels}
    command += [f"--label={key}={value}" for key, value in labels.items()]
    return [*command, "--", str(work / str(rendered.get("context", "tree")))]


def _reads(work: Path) -> dict[str, str]:
    """Return the label that names the private submodules in the image: whoever starts it must be able to read them too."""
    fetched = json.loads((work / "fetched").read_text(encoding="utf-8"))
    # Always set, so that no base image and no LABEL of a Dockerfile says it in our place.
    return {"versatilehub.reads": json.dumps(fetched.get("private") or [])}


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/tmp",
        "DOCKER_HOST": os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"),
        "DOCKER_CLI_HINTS": "false",
        "BUILDX_GIT_INFO": "false",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    }


@dataclass(slots=True)
class _Watch:
    """Reads the client's output and looks at clock, log size, disk and groups between two reads."""

    limits: BuildLimits
    groups: StepGroups
    disk: Path
    log: BuildLog = field(default_factory=BuildLog)
    _started: float = field(default_factory=time.monotonic)
    _free: int = 0
    _disk_at: float = 0.0

    def follow(self, child: subprocess.Popen[bytes]) -> Iterator[str]:
        """Yield the lines of *child* until it ends; raise `Failure` at a limit."""
        assert child.stdout is not None  # noqa: S101 - a pipe was asked for
        self._free = self._free_bytes()
        rest, size, spoken = b"", 0, time.monotonic()
        while True:
            now = time.monotonic()
            self._check(now, size, spoken)
            if not select.select([child.stdout], [], [], _LOOK)[0]:
                continue
            chunk = os.read(child.stdout.fileno(), 1 << 16)
            if not chunk:
                break
            size, spoken = size + len(chunk), now
            *whole, rest = (rest + chunk).split(b"\n")
            rest = rest[-65536:]
            for line in whole:
                yield line.decode("utf-8", "replace")
        if rest:
            yield rest.decode("utf-8", "replace")

    def _check(self, now: float, size: int, spoken: float) -> None:
        limits = self.limits
        if self.groups.usable:
            self.groups.look(now)
        if now - self._started > limits.seconds:
            message = f"The build took longer than {limits.seconds:g} s."
            raise Failure("build_timeout", message, hint="Make its steps shorter, or ask for a longer limit.")
        if size > limits.log_bytes:
            raise _log_too_long(f"The build printed more than {limits.log_bytes} bytes.")
        if limits.idle_seconds and now - spoken > limits.idle_seconds:
            if self.log.clipped:
                raise _log_too_long("One step printed more than BuildKit keeps and did not end.")
            message = f"The build printed nothing for {limits.idle_seconds:g} s."
            raise Failure(
                "build_timeout", message, hint="Let long steps print something, or make them shorter."
            )
        if self.groups.too_many_processes(now) and self._is_mine():
            raise self.processes()
        if now - self._disk_at > 0.5:
            self._disk_at = now
            self._check_disk()

    def _is_mine(self) -> bool:
        """Whether a step at its process limit is ours: no other build runs one, or our own log complains of it."""
        return 0 < len(self.log.running) >= len(self.groups.groups) or self.log.forks_refused

    def _check_disk(self) -> None:
        free = self._free_bytes()
        if free < self.limits.free:
            raise no_space()
        if self._free - free > self.limits.disk:
            message = f"The build wrote more than {self.limits.disk >> 20} MiB to the disk."
            raise Failure(
                "build_too_large", message, hint="Download less, and delete what a step no longer needs."
            )

    def _free_bytes(self) -> int:
        disk = os.statvfs(self.disk)
        return disk.f_bavail * disk.f_frsize

    def processes(self) -> Failure:
        """Return the failure of a step that forks without end."""
        message = f"A build step tried to run more than {self.limits.pids} processes at once."
        return Failure("too_many_processes", message, hint="Run fewer jobs in parallel.")


def _log_too_long(message: str) -> Failure:
    return Failure("log_too_long", message, hint="Make the steps print less, for example with --quiet.")


def _failure(watch: _Watch, rendered: Mapping[str, JSON]) -> Failure:
    """Return what a build that ended by itself failed of."""
    log, limits = watch.log, watch.limits
    if watch.groups.usable:
        watch.groups.look(time.monotonic())
    listed = rendered.get("causes")
    causes = [(str(part), str(file)) for part, file in listed] if isinstance(listed, list) else []  # type: ignore[str-unpack, misc]  # pairs, by render
    file = cause(log.failed, log.line, file=str(rendered.get("dockerfile") or ""), causes=causes)
    step = readable(log.failed)[:200] or log.reason[:200]
    if "no space left on device" in " ".join((*log.tail, log.reason)):
        failure = no_space()
    elif watch.groups.out_of_memory() and (log.exit_code == _KILLED or log.memory_refused):
        message = f"A build step needed more than {limits.memory >> 20} MiB of memory: “{step}”."
        failure = Failure(
            "out_of_memory", message, hint="Install less at once, or ask for more memory.", file=file
        )
    elif watch.groups.processes_refused() and log.forks_refused:
        failure = watch.processes()
    elif log.missing_image:
        why, hint = missing_image(log.reason)
        message = f"The image {log.missing_image} the Dockerfile starts from {why}."
        failure = Failure("base_image_not_found", message, hint=hint, file=file)
    else:
        code = f" (exit code {log.exit_code})" if log.exit_code else ""
        message = f"A build step failed{code}: “{step}”."
        failure = Failure("build_failed", message, hint="The last lines of the log say why.", file=file)
    failure.lines = log.tail
    return failure


def missing_image(reason: str) -> tuple[str, str]:
    """Return what BuildKit's *reason* means for an image it could not have, and what to do."""
    if re.search(
        r"no such host|dial tcp|i/o timeout|connection refused|network is unreachable|TLS handshake", reason
    ):
        advice = (
            "Ask an administrator to fetch the image to this machine, or start from versatilehub/singleuser."
        )
        return "cannot be fetched: its registry cannot be reached from here", advice
    if re.search(r"not found|denied|unauthorized|authorization", reason):
        return "does not exist, or needs a login", "Check the name and tag after FROM."
    return f"cannot be fetched: {reason[-200:]}", "Check the name and tag after FROM."


if __name__ == "__main__":
    sys.exit(main(command))

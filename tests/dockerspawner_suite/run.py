"""Runs DockerSpawner's suite in a pytest of its own and returns how each case ended."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.buildsite import BASE
from tests.dockerspawner_suite import upstream
from tests.dockerspawner_suite.answering import answering
from tests.dockerspawner_suite.plugin import Settings
from tests.dockerspawner_suite.registry import Registry
from tests.dockerspawner_suite.table import CHANGES
from tests.hubprocess import ROOT, docker

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The run is a pytest of its own, with none of this project's settings.
INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = module
asyncio_default_test_loop_scope = module
markers =
    role
    user
    slow
    group
    services
"""
#: Names below the harness's own folder that the suite knows images by.
IMAGES = ("singleuser:4", "singleuser:4.0", "busybox:1.29.1")
SECONDS = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one case ended: pytest's word for it, and the failure's text."""

    outcome: str
    text: str


def run(folder: Path, cache: Path, *, label: str, stock: bool = False, only: str = "") -> dict[str, Outcome]:
    """Return the outcome of every case by its name; *stock* runs DockerSpawner itself, *only* is a ``-k`` expression.

    All that is made in Docker carries *label* and is removed. Raises `upstream.SuiteUnavailable`.
    """
    sdist = upstream.fetch(cache)
    hub_id = f"t{secrets.token_hex(4)}"
    labels = {"versatilehub.test": label}
    with (
        tagged(f"suite-{hub_id}"),
        answering() as port,
        Registry("busybox", ("1.29.1", "latest"), labels) as registry,
    ):
        words = {"images": f"suite-{hub_id}", "registry": registry.address, "port": str(port)}
        changes = [
            replace(change, new=change.new.format(**words))
            for change in CHANGES
            if not (stock and change.ours)
        ]
        upstream.unpack(sdist, folder, changes)
        (folder / "pytest.ini").write_text(INI)
        settings = Settings(
            stock=stock,
            hub_id=hub_id,
            label=label,
            image=BASE,
            homes=str(folder / "homes"),
            report=str(folder / "report.jsonl"),
        )
        try:
            _pytest(folder, settings, only)
        finally:
            _sweep(hub_id, registry.address)
    return _read(Path(settings.report), f"suite-{hub_id}")


def state_folder() -> Path:
    """Return where set-up keeps what it downloads."""
    return Path(os.environ.get("VERSATILEHUB_STATE") or ROOT / ".state").absolute()


@contextmanager
def tagged(prefix: str) -> Iterator[None]:
    """Have the test server under the names of `IMAGES` below *prefix*."""
    names = [f"{prefix}/{name}" for name in IMAGES]
    try:
        for name in names:
            docker("tag", BASE, name)
        yield
    finally:
        docker("rmi", *names, check=False)


def _pytest(folder: Path, settings: Settings, only: str) -> None:
    environment = {**os.environ, **settings.write(folder / "settings.json"), "PYTHONPATH": str(ROOT)}
    proxy = state_folder() / "proxy" / "node_modules" / ".bin"  # where set-up puts it when it is not on PATH
    environment["PATH"] = os.pathsep.join([str(proxy), environment["PATH"]])
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.dockerspawner_suite.plugin",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    with (folder / "output.txt").open("wb") as output:
        subprocess.run(
            [*command, *(["-k", only] if only else []), str(folder)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )


def _read(report: Path, images: str) -> dict[str, Outcome]:
    """Return the outcomes by names that are the same in each run; a case that fails twice keeps the text of both."""
    found: dict[str, Outcome] = {}
    for line in report.read_text("utf-8").splitlines() if report.exists() else ():
        row = json.loads(line)
        case = row["case"].replace(images, "images")
        before = found.get(case, Outcome(outcome="passed", text=""))
        worse = before.outcome if before.outcome == "failed" else row["outcome"]
        found[case] = Outcome(outcome=worse, text=before.text + row["text"])
    return found


def _sweep(hub_id: str, registry: str) -> None:
    """Remove what the suite leaves: it keeps containers with remove=False, and images it pulled."""
    hub = f"label=versatilehub.hub={hub_id}"
    named = f"name=suite-{hub_id}"
    for flt in (hub, named):
        for container in docker("ps", "-aq", "--filter", flt).split():
            docker("rm", "-fv", container, check=False)
    for volume in docker("volume", "ls", "-q", "--filter", hub).split():
        docker("volume", "rm", "-f", volume, check=False)
    for network in docker("network", "ls", "-q", "--filter", hub).split():
        docker("network", "rm", network, check=False)
    for tag in ("1.29.1", "latest"):
        docker("rmi", f"{registry}/busybox:{tag}", check=False)

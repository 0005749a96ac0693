"""From a new repository to its image, beside BuildKit alone on the same Dockerfile and content; what a second commit and a known one take.

The peer is one `docker buildx build` in a container that already runs: no fetch, no render, no check, no probe. Both bases are here, both
caches are warm in the same way: each content is new, each repository has a package cache of its own.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, figure
from tests.buildsite import BASE, site
from versatilehub import git
from versatilehub.sources import SourceRules, parse_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.buildsite import Site
    from versatilehub.builds.jobs import Builds

BUILDER = "versatilehub/builder:latest"
SINGLEUSER = "versatilehub/singleuser:latest"
BUILDX = "/usr/libexec/docker/cli-plugins/docker-buildx"
REQUIREMENTS = "idna==3.10\n"
DOCKERFILE = f"FROM {BASE}\nCOPY . /srv/repo/\nRUN sleep 2\n"
LINES = 20_000
WATCHERS = 50
# BuildKit cuts what a step prints faster than 200 KiB/s.
CHATTY = f"FROM {BASE}\nCOPY . /srv/repo/\nRUN for n in 1 2 3 4 5 6 7 8; do seq -f 'line %g' {LINES // 8}; sleep 0.5; done\n"
#: What the fast pack writes for such a repository, with a package cache of its own.
FAST = """FROM {base}
USER root
RUN install -d -o 1000 -g 100 /srv/repo
WORKDIR /srv/repo
USER 1000:100
COPY --chown=1000:100 requirements.txt /srv/repo/requirements.txt
RUN --mount=type=cache,id={cache},target=/home/jovyan/.cache/uv,uid=1000,gid=100 UV_CACHE_DIR=/home/jovyan/.cache/uv \
UV_LINK_MODE=copy UV_NO_PROGRESS=1 uv pip install --python "$(command -v python3)" -r requirements.txt
COPY --chown=1000:100 . /srv/repo/
ENV REPO_DIR=/srv/repo
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """BuildKit's client in a container that waits; *folder* is where it finds contents."""

    container: str
    folder: Path

    def build(self, files: Mapping[str, str]) -> float:
        """Return the seconds one build of *files* takes; its image goes again."""
        name = f"vh-bench:{secrets.token_hex(6)}"
        content = self.folder / name.partition(":")[2]
        content.mkdir()
        for path, text in files.items():
            (content / path).write_text(text)
        command = [
            "docker",
            "exec",
            self.container,
            BUILDX,
            "build",
            "--load",
            "-t",
            name,
            f"/work/{content.name}",
        ]
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        took = time.perf_counter() - began
        subprocess.run(["docker", "rmi", "-f", name], check=True, capture_output=True)
        shutil.rmtree(content)
        return took


@contextmanager
def plain(folder: Path) -> Iterator[Plain]:
    """Have such a container."""
    folder.mkdir(parents=True)
    mounts = ["-v", "/var/run/docker.sock:/var/run/docker.sock", "-v", f"{folder}:/work:ro"]
    command = [
        "docker",
        "run",
        "-d",
        "--user=0",
        "--network=none",
        *mounts,
        "--entrypoint=sleep",
        BUILDER,
        "3600",
    ]
    container = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield Plain(container=container, folder=folder)
    finally:
        subprocess.run(["docker", "rm", "-f", container], check=True, capture_output=True)


def images(folder: Path, *, quick: bool) -> list[Figure]:
    """New repositories by both ways, a second commit, a known one, and a long log with many watchers."""
    return asyncio.run(_measure(folder, 3 if quick else 7))


async def _measure(folder: Path, runs: int) -> list[Figure]:
    rows: dict[str, list[float]] = {key: [] for key in ("fast", "fast-plain", "file", "file-plain", "second", "second-plain", "found", "asked")}  # fmt: skip
    (folder / "state").mkdir(parents=True)
    with plain(folder / "plain") as peer:
        async with site(folder / "state", {"versatilehub.test": "benchmark"}, builder=BUILDER) as opened:
            builds = opened.builds(
                base_image=SINGLEUSER, images=("versatilehub/singleuser", "versatilehub/test-server")
            )
            await _ensure(builds, opened, "warm", {"requirements.txt": REQUIREMENTS})  # probes of the base
            for run in range(runs):
                await _one(builds, opened, peer, run, rows)
            log = [await _watched(builds, opened, run) for run in range(3)]
    return [
        figure("image-fast", rows["fast"], rows["fast-plain"], peer="docker buildx build of the same"),
        figure("image-dockerfile", rows["file"], rows["file-plain"], peer="docker buildx build of the same"),
        figure("image-second", rows["second"], rows["second-plain"], peer="docker buildx build of the same"),
        figure("resolve-and-find", rows["found"], rows["asked"], peer="git ls-remote alone"),
        figure(
            "log-20000-50",
            [took for took, _ in log],
            [alone for _, alone in log],
            peer="one watcher",
            note=f"{LINES} lines, {WATCHERS} watchers",
        ),
    ]


async def _one(builds: Builds, opened: Site, peer: Plain, run: int, rows: dict[str, list[float]]) -> None:
    dockerfile = FAST.format(base=SINGLEUSER, cache=secrets.token_hex(8))
    first, second = await _fast(builds, opened, f"fast{run}")
    for key, took in (("fast", first), ("second", second)):
        content = {"requirements.txt": REQUIREMENTS, "Dockerfile": dockerfile, "a.txt": secrets.token_hex(8)}
        rows[key].append(took)
        rows[f"{key}-plain"].append(await asyncio.to_thread(peer.build, content))
    rows["file"].append(await _ensure(builds, opened, f"file{run}", {"Dockerfile": DOCKERFILE}))
    content = {"Dockerfile": DOCKERFILE, "unique.txt": secrets.token_hex(8)}
    rows["file-plain"].append(await asyncio.to_thread(peer.build, content))
    url = f"{opened.prefix}file{run}"
    rows["found"].append(await _found(builds, opened, url))
    rows["asked"].append(await asyncio.to_thread(_ls_remote, url))


async def _ensure(builds: Builds, opened: Site, name: str, files: Mapping[str, str]) -> float:
    source = opened.source(files, name)
    began = time.perf_counter()
    await builds.ensure(source, lambda _: None)
    return time.perf_counter() - began


async def _fast(builds: Builds, opened: Site, name: str) -> tuple[float, float]:
    """Return the seconds of a new repository by the fast pack, and of a second commit that changes no requirement."""
    repo = opened.repo(name, {"requirements.txt": REQUIREMENTS, "a.txt": secrets.token_hex(8)})
    first = await _found(builds, opened, f"{opened.prefix}{name}")
    repo.commit({"requirements.txt": REQUIREMENTS, "a.txt": secrets.token_hex(8)})
    return first, await _found(builds, opened, f"{opened.prefix}{name}")


async def _found(builds: Builds, opened: Site, url: str) -> float:
    rules = SourceRules(extra=(opened.prefix,))
    began = time.perf_counter()
    await builds.ensure(await git.resolve(parse_source(url, rules=rules), rules), lambda _: None)
    return time.perf_counter() - began


async def _watched(builds: Builds, opened: Site, run: int) -> tuple[float, float]:
    """Return the seconds a build of a long log takes with many watchers, and with one."""

    async def watch(count: int) -> float:
        source = opened.source({"Dockerfile": CHATTY}, f"chatty{run}-{count}")
        seen = [0] * count

        def watcher(number: int) -> None:
            seen[number] += 1

        began = time.perf_counter()
        await asyncio.gather(*(builds.ensure(source, lambda _, n=n: watcher(n)) for n in range(count)))  # type: ignore[misc]  # bound now
        took = time.perf_counter() - began
        if len(set(seen)) > 1 or seen[0] < LINES:
            raise AssertionError(f"watchers saw {sorted(set(seen))} of {LINES} lines")
        return took

    return await watch(WATCHERS), await watch(1)


def _ls_remote(url: str) -> float:
    began = time.perf_counter()
    subprocess.run(["git", "ls-remote", "--", url], check=True, capture_output=True)
    return time.perf_counter() - began

"""The hub's jobs, read by the builder: both sides of the contract in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from versatilehub_builder import jobs

from versatilehub.builds.attempt import Attempt, BuildSettings
from versatilehub.builds.specs import RENDER_ONLINE, Specs
from versatilehub.engine import Engine
from versatilehub.sources import ResolvedSource

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = ResolvedSource(
    provider="git", url="http://forge.lan:3000/a/b", commit="1" * 40, ref="feature/x", subdir="sub"
)
ATTEMPT = Attempt(id="a", identity="b" * 64, source=SOURCE, builder="sha256:1", base="sha256:2", created=0.0)


@pytest.fixture
def specs(tmp_path: Path) -> Specs:
    """Specs of settings that are nowhere the default."""
    settings = BuildSettings(
        state_dir=tmp_path,
        base_image="site/base:1",
        images=("site/base", "site/other:2"),
        extra_sources=("HTTP://Forge.LAN:3000/a/", "http://10.0.0.1:80"),
        memory=1 << 30,
        cpus=1.5,
        pids=77,
        timeout=11.0,
        idle_timeout=12.0,
        fetch_timeout=13.0,
        render_timeout=14.0,
        tree_bytes=15,
        tree_files=16,
        log_limit=17,
        disk=18,
        disk_free=19,
        concurrent=3,
    )
    return Specs(Engine(hub="h1"), settings)


def test_the_builder_reads_a_fetch(specs: Specs) -> None:
    """Where, which branch and within which bounds; prefixes arrive in the spelling of canonical URLs."""
    job = jobs.fetch_job(specs.job(ATTEMPT, "fetch"))
    assert (SOURCE.url, SOURCE.commit, "feature/x", "sub") == (job.url, job.commit, job.ref, job.subdir)
    assert ("http://forge.lan:3000/a/", "http://10.0.0.1") == job.prefixes
    assert job.http_allowed
    assert (13.0, 15, 16) == (job.limits.seconds, job.limits.bytes, job.limits.files)


@pytest.mark.parametrize(("role", "network"), [("render", False), (RENDER_ONLINE, True)])
def test_the_builder_reads_a_rendering(specs: Specs, role: str, *, network: bool) -> None:
    """Which images a Dockerfile may build from, and the base of the fast pack with its Python when that is known."""
    job = jobs.render_job(specs.job(ATTEMPT, role))
    assert ("site/base:1", network, 14.0) == (job.base, job.network, job.seconds)
    assert {"site/base", "site/other:2", "site/base:1"} == set(job.images)
    assert jobs.RenderJob(url="", commit="").python == job.python
    known = Attempt.from_json(ATTEMPT.to_json() | {"python": "3.11"})
    assert "3.11" == jobs.render_job(specs.job(known, role)).python


def test_the_builder_reads_a_build(specs: Specs) -> None:
    """Every limit of the settings, and the record the image is to carry."""
    job = jobs.build_job(specs.job(ATTEMPT, "build"))
    assert (
        jobs.BuildLimits(
            seconds=11.0,
            idle_seconds=12.0,
            memory=1 << 30,
            cpus=1.5,
            pids=77,
            log_bytes=17,
            disk=18,
            free=19,
            builds=3,
        )
        == job.limits
    )
    assert ("image", "h1", SOURCE.url, SOURCE.commit, "b" * 64) == tuple(
        job.labels[f"versatilehub.{key}"] for key in ("kind", "hub", "source", "commit", "digest")
    )

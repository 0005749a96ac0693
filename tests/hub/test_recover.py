"""A build goes on without the hub, and the next hub takes it up without being asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hubprocess import docker, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess


@pytest.mark.req("V24", "V26")
def test_a_build_is_finished_by_the_next_hub(make_hub: Callable[..., HubProcess], forge: GitServer) -> None:
    """Killed while a step runs, the hub comes back, and the image gets its names though nobody asks for it again."""
    hub = make_hub().start()
    hub.user("ada")
    dockerfile = "FROM versatilehub/test-server\nRUN sleep 4\n"
    forge.repo("resumed.git", {"Dockerfile": dockerfile, "unique": hub.hub_id})
    hub.launch_soon("ada", source=forge.url("resumed.git"))
    steps = wait_for(
        lambda: [c for c in hub.containers(kind="build") if "RUN sleep" in docker("logs", c, check=False)],
        "the step runs",
    )
    hub.kill()

    hub.start()
    label = f"label=versatilehub.hub={hub.hub_id}"
    names = wait_for(
        lambda: docker("image", "ls", "--filter", label, "--format", "{{.Repository}}:{{.Tag}}").split(),
        "the image has its names",
    )

    assert steps
    assert all(name.startswith("vh-build/resumed-") for name in names)
    wait_for(lambda: not hub.containers(kind="build"), "the build's containers are gone")

"""Where storage appears in a container."""

from __future__ import annotations

import pytest

from versatilehub.errors import Refusal
from versatilehub.mounts import MountPlan, PlannedMount, plan_mounts

HOME = "/home/jovyan"
MIB = 1024**2


@pytest.mark.req("K4", "S9")
def test_the_home_is_the_lasting_volume() -> None:
    """The server's volume is mounted at the home of the image, writable."""
    plan = plan_mounts(home=HOME, home_volume="vh-a")

    assert MountPlan(mounts=(PlannedMount(target=HOME, kind="volume", source="vh-a"),)) == plan
    assert (HOME,) == plan.lasting


def test_without_a_volume_nothing_lasts() -> None:
    """Where nothing is persistent there is no mount."""
    assert MountPlan() == plan_mounts(home=HOME, home_volume="")


@pytest.mark.req("S8")
def test_declared_volumes_are_covered_by_a_bounded_tmpfs() -> None:
    """Docker would make an anonymous volume of the host's size at each; a stop drops what is in the tmpfs."""
    plan = plan_mounts(
        home=HOME, home_volume="vh-a", image_volumes=("/data", "/data/", "/home/jovyan/"), tmpfs_size=8 * MIB
    )

    assert (("/data", "tmpfs", 8 * MIB), (HOME, "volume", 0)) == tuple(
        (m.target, m.kind, m.size) for m in plan.mounts
    )
    assert ("/data",) == plan.fleeting


def test_a_volume_of_ones_own_covers_a_declared_one() -> None:
    """Where a volume is mounted anyway, no tmpfs comes on top of it."""
    extra = PlannedMount(target="/data", kind="volume", source="vh-b", read_only=True)
    plan = plan_mounts(home=HOME, home_volume="vh-a", image_volumes=("/data",), extra=(extra,))

    assert (extra, PlannedMount(target=HOME, kind="volume", source="vh-a")) == plan.mounts
    assert (HOME,) == plan.lasting


@pytest.mark.req("V5")
@pytest.mark.parametrize(
    "path",
    [
        "/", "//", "/.", "/etc", "/etc/", "/etc/ssl", "/usr", "/usr/local/bin", "/proc", "/sys/fs", "/dev/shm", "/run/x", "/var/run/docker.sock",
        "/bin", "/sbin", "/lib64", "/boot", "/opt/conda", "/opt/conda/lib", "/srv/repo", "/data/docker.sock", "data", "./data", "", "/a/../etc",
        "/..", "/a\\b", "/a\nb", "/a\u202eb", "/{username}", "/a,b", "/a:b", " /a", "/x" * 600,
    ],
)  # fmt: skip
def test_paths_nothing_may_be_mounted_at(path: str) -> None:
    """System paths, the server's own, sockets, and what is no plain absolute path, for volumes and declared ones alike."""
    for plan in (
        {"home": path, "home_volume": "vh-a"},
        {
            "home": HOME,
            "home_volume": "vh-a",
            "extra": (PlannedMount(target=path, kind="volume", source="vh-b"),),
        },
        {"home": HOME, "home_volume": "", "image_volumes": (path,)},
    ):
        with pytest.raises(Refusal) as refused:
            plan_mounts(**plan)
        assert ("mount_refused", "mounts", True) == (
            refused.value.code,
            refused.value.field,
            bool(refused.value.hint),
        )


@pytest.mark.parametrize(
    "path", ["/etcetera", "/usrdata", "/opt/data", "/srv/data", "/mnt", "/var/lib/data", "/home/jovyan/x"]
)
def test_paths_that_only_look_alike_are_free(path: str) -> None:
    """A system path covers what is below it, not what begins with the same letters."""
    extra = (PlannedMount(target=path, kind="volume", source="vh-b"),)

    assert path in {mount.target for mount in plan_mounts(home=HOME, home_volume="vh-a", extra=extra).mounts}


@pytest.mark.req("V5")
def test_two_volumes_at_one_path_are_refused() -> None:
    """The second would hide the first, also when it is spelled differently."""
    extra = (PlannedMount(target=f"{HOME}/./", kind="volume", source="vh-b"),)

    with pytest.raises(Refusal, match="Two volumes"):
        plan_mounts(home=HOME, home_volume="vh-a", extra=extra)


def test_an_image_cannot_ask_for_any_number_of_mounts() -> None:
    """An image that declares a hundred volumes is refused with the limit and the figure."""
    with pytest.raises(Refusal, match="at most 32 mounts; this one has 101"):
        plan_mounts(home=HOME, home_volume="vh-a", image_volumes=[f"/v{n}" for n in range(100)])

"""Where storage appears in a container."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.bad_inputs import cases
from versatilehub.errors import InvalidSpec, Refusal
from versatilehub.mounts import MountPlan, PlannedMount, grant_mounts, module_environment, plan_mounts
from versatilehub.spec import Mount
from versatilehub.volume_grants import MountGrant

if TYPE_CHECKING:
    from tests.bad_inputs import Case
    from versatilehub.volume_grants import Kind

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


# -- what a person asks for ------------------------------------------------------------------------

KINDS: tuple[Kind, ...] = ("shared", "data", "module", "scratch")
GRANTS = (
    MountGrant(name="data", kind="shared", mode="rw", source="vh-data-1"),
    MountGrant(name="course-data", kind="data", mode="ro", source="/srv/course", bind=True),
    MountGrant(name="geo", kind="module", mode="ro", source="/srv/geo", bind=True, at="/opt/modules/geo"),
)


def granted(*texts: str, **more: Any) -> dict[str, bool]:
    """Return path → read-only of the mounts that *texts* ask for."""
    wanted = [Mount.from_text(text) for text in texts]
    return {one.at: one.read_only for one in grant_mounts(wanted, GRANTS, **{"kinds": KINDS, **more})}


@pytest.mark.req("V5", "V6")
@pytest.mark.parametrize("case", cases("mount_spec"))
def test_mounts_of_the_corpus(case: Case) -> None:
    """Every hostile and every good mount, through the parser and the planner that stand before a build."""
    said: tuple[str, bool] | None = None
    try:
        granted(case.value)
    except (InvalidSpec, Refusal) as error:
        said = error.field, bool(error.hint)

    assert (None if case.accepted else ("mounts", True)) == said


@pytest.mark.req("V5")
@pytest.mark.parametrize(
    "at",
    [
        HOME, f"{HOME}/", f"{HOME}/.", "/home", "/srv", "/srv/repo", "/opt", "/var", "/var/run/x", "/root", "/root/x", "/tmp", "/tmp/x", "/.x",
        f"{HOME}/.jupyter", f"{HOME}/.local/lib", f"{HOME}/.bashrc", f"{HOME}/.ssh/keys", f"{HOME}/./.config", "/opt/conda/lib", "/etc", "/usr",
        f"{HOME}/repo", f"{HOME}//repo/",
    ],
)  # fmt: skip
def test_a_person_hides_nothing_with_a_volume(at: str) -> None:
    """Neither the home, nor what leads to it, nor settings in it, nor the repository's content."""
    with pytest.raises(Refusal) as refused:
        granted(f"data:{at}", content="repo")

    assert ("mount_refused", "mounts") == (refused.value.code, refused.value.field)


@pytest.mark.parametrize(
    "at", ["/data", "/mnt/x", "/srv/data", "/opt/data", f"{HOME}/x/y", f"{HOME}/repo/in", "/home/other"]
)
def test_what_is_free_stays_free(at: str) -> None:
    """Paths beside the home, and folders within it and within the repository."""
    assert {at: False} == granted(f"data:{at}", content="repo")


@pytest.mark.req("K28", "S16")
@pytest.mark.parametrize(
    ("mode", "grant", "policy", "read_only"),
    [("rw", "rw", "rw", False), ("ro", "rw", "rw", True), ("rw", "ro", "rw", True), ("rw", "rw", "ro", True), ("ro", "ro", "ro", True)],
)  # fmt: skip
def test_the_least_of_wish_grant_and_policy(mode: str, grant: Any, policy: str, read_only: bool) -> None:
    """Whoever of the three says read-only has the last word."""
    one = MountGrant(name="data", kind="data", mode=grant, source="/srv/data", bind=True)
    wanted = [Mount.from_text(f"data:/data:{mode}")]

    (found,) = grant_mounts(wanted, [one], kinds={"data": policy})

    assert read_only == found.read_only


@pytest.mark.req("K30", "V6")
def test_what_was_not_granted_is_as_what_does_not_exist() -> None:
    """A volume of somebody else, of a kind the policy leaves out, and one that never was: the same words."""
    said = set()
    for name, kinds in (("foreign", KINDS), ("data", ("module",)), ("nothing", KINDS)):
        with pytest.raises(Refusal) as refused:
            granted(f"{name}:/data", kinds=kinds)
        said.add((refused.value.code, refused.value.status, refused.value.message.replace(name, "…")))

    assert {("volume_not_granted", 403, "You may not mount a volume called '…'.")} == said


@pytest.mark.req("V5")
@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (("data:/a", "course-data:/a/"), "Two volumes"),
        (("data:/a", "data:/b"), "asked for twice"),
        (("data:/a", "course-data:/a/b"), "would be inside"),
        (("geo:/opt/other",), "appears at /opt/modules/geo"),
    ],
)
def test_mounts_stay_apart(texts: tuple[str, ...], words: str) -> None:
    """One path, one volume; none twice, none within another; a module where its programs expect it."""
    with pytest.raises(Refusal, match=words):
        granted(*texts)


@pytest.mark.req("K29")
def test_a_module_brings_its_kernels() -> None:
    """JUPYTER_PATH and CONDA_ENVS_PATH lead into the module, after what was set before; without one nothing changes."""
    grants = [replace(one, jupyter_path=("share/jupyter",)) for one in GRANTS]
    found = grant_mounts([Mount.from_text("geo:/opt/modules/geo")], grants, kinds=KINDS)

    assert {
        "JUPYTER_PATH": "/site:/opt/modules/geo/share/jupyter",
        "CONDA_ENVS_PATH": "/opt/modules/geo/envs",
    } == module_environment(found, {"JUPYTER_PATH": "/site"})
    assert {} == module_environment([], {"JUPYTER_PATH": "/site"})


def test_a_granted_mount_is_planned() -> None:
    """A host folder stays a bind, read-only as decided; a volume is what it was made as."""
    data, course = grant_mounts(
        [Mount.from_text("data:/data"), Mount.from_text("course-data:/in")], GRANTS, kinds=KINDS
    )

    assert (
        PlannedMount(target="/data", kind="volume", source="vh-data-1"),
        PlannedMount(target="/in", kind="bind", source="/srv/course", read_only=True),
    ) == (data.planned("vh-data-1"), course.planned("/srv/course"))

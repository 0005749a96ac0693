"""What Docker is told about a user's container: our defaults, the admin's word over them, our labels over everything."""

from __future__ import annotations

from typing import Any

import pytest

from versatilehub.hardening import ContainerMount, ContainerShape, Isolation, dangers, harden

GIB = 1024**3


def hardened(
    create: dict[str, Any] | None = None,
    isolation: Isolation | None = None,
    shape: ContainerShape | None = None,
) -> dict[str, Any]:
    """Return what Docker is sent."""
    return harden(create or {}, isolation or Isolation(), shape or ContainerShape())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CapDrop", ["ALL"]),
        ("SecurityOpt", ["no-new-privileges:true"]),
        ("PidsLimit", 512),
        ("ShmSize", 64 * 1024**2),
        ("OomScoreAdj", 500),
        ("LogConfig", {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}}),
        ("Init", True),
        ("IpcMode", "private"),
        ("RestartPolicy", {"Name": "no"}),
        ("AutoRemove", False),
        (
            "Ulimits",
            [{"Name": "nofile", "Soft": 8192, "Hard": 8192}, {"Name": "core", "Soft": 0, "Hard": 0}],
        ),
    ],
)
@pytest.mark.req("S14")
def test_default(key: str, value: object) -> None:
    """A container for which nobody set anything has every protection."""
    assert value == hardened()["host_config"][key]


@pytest.mark.parametrize("key", ["Privileged", "PortBindings", "Devices", "CapAdd", "PidMode", "UsernsMode"])
def test_nothing_is_given_away(key: str) -> None:
    """Settings that hand out power over the host are not made here."""
    assert key not in hardened()["host_config"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CapDrop", ["NET_RAW"]),
        ("PidsLimit", 64),
        ("PidsLimit", 0),
        ("Init", False),
        ("ShmSize", GIB),
        ("IpcMode", "shareable"),
        ("RestartPolicy", {"Name": "always"}),
        ("LogConfig", {"Type": "journald"}),
    ],
)
def test_the_admins_word_stands(key: str, value: object) -> None:
    """What the configuration set is sent as it is, a zero and False included."""
    assert value == hardened({"host_config": {key: value}})["host_config"][key]


@pytest.mark.parametrize("unset", [None, "", [], {}], ids=["none", "text", "list", "object"])
def test_an_empty_setting_is_none(unset: object) -> None:
    """DockerSpawner sends keys nobody set as empty values; those get the default."""
    assert ["ALL"] == hardened({"host_config": {"CapDrop": unset}})["host_config"]["CapDrop"]


@pytest.mark.parametrize(
    ("host", "swap"),
    [
        ({"Memory": GIB}, GIB),
        ({"Memory": GIB, "MemorySwap": 2 * GIB}, 2 * GIB),
        ({"Memory": GIB, "MemorySwap": -1}, -1),
        ({}, None),
        ({"Memory": 0}, None),
    ],
    ids=["no-swap", "admin", "admin-unlimited", "no-limit", "zero"],
)
@pytest.mark.req("P17")
def test_memory_includes_swap(host: dict[str, int], swap: int | None) -> None:
    """A memory limit is one for memory and swap together, unless the admin set another."""
    assert swap == hardened({"host_config": host})["host_config"].get("MemorySwap")


def test_isolation_is_configurable() -> None:
    """Processes, cgroup parent and Docker runtime are the site's to set."""
    host = hardened(isolation=Isolation(pids=99, cgroup_parent="/people", runtime="runsc"))["host_config"]

    assert (99, "/people", "runsc") == (host["PidsLimit"], host["CgroupParent"], host["Runtime"])


def test_engine_defaults_are_not_named() -> None:
    """No runtime and no cgroup parent is the engine's own, not an empty name."""
    assert not {"CgroupParent", "Runtime"} & hardened()["host_config"].keys()


@pytest.mark.parametrize(
    ("mount", "sent"),
    [
        (
            ContainerMount(target="/home/jovyan", source="vh-1"),
            {"Type": "volume", "Source": "vh-1", "Target": "/home/jovyan", "ReadOnly": False},
        ),
        (
            ContainerMount(target="/data", source="vh-2", read_only=True),
            {"Type": "volume", "Source": "vh-2", "Target": "/data", "ReadOnly": True},
        ),
        (
            ContainerMount(target="/var/cache", size=1024),
            {"Type": "tmpfs", "Target": "/var/cache", "TmpfsOptions": {"SizeBytes": 1024, "Mode": 0o1777}},
        ),
        (
            ContainerMount(target="/scratch"),
            {"Type": "tmpfs", "Target": "/scratch", "TmpfsOptions": {"Mode": 0o1777}},
        ),
    ],
    ids=["volume", "read-only", "tmpfs", "tmpfs-unbounded"],
)
def test_mount(mount: ContainerMount, sent: dict[str, object]) -> None:
    """A mount with a source is a volume, one without is a tmpfs."""
    assert [sent] == hardened(shape=ContainerShape(mounts=(mount,)))["host_config"]["Mounts"]


def test_mounts_of_the_admin_stay() -> None:
    """Our mounts come after those of the configuration."""
    theirs = {"Type": "bind", "Source": "/srv/shared", "Target": "/shared"}
    made = hardened(
        {"host_config": {"Mounts": [theirs]}},
        shape=ContainerShape(mounts=(ContainerMount(target="/home/jovyan", source="v"),)),
    )

    assert ["/shared", "/home/jovyan"] == [row["Target"] for row in made["host_config"]["Mounts"]]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"site": "physics"}, {"site": "physics"}),
        ({"versatilehub.owner": "eve"}, {}),
        (["flag"], {"flag": ""}),
        (None, {}),
    ],
    ids=["others-stay", "forged", "list", "none"],
)
@pytest.mark.req("S12")
def test_our_labels_win(given: object, kept: dict[str, str]) -> None:
    """A label of the configuration stays unless it is one of ours: ours say whose container it is."""
    made = hardened({"labels": given}, shape=ContainerShape(labels={"versatilehub.owner": "ada"}))

    assert {"versatilehub.owner": "ada", **kept} == made["labels"]


@pytest.mark.parametrize(
    ("key", "default", "own"),
    [
        ("user", "1000:100", "2000:2000"),
        ("working_dir", "/home/jovyan", "/srv"),
        ("healthcheck", {"test": ["NONE"]}, {"test": ["CMD", "true"]}),
        ("stop_signal", "SIGTERM", "SIGINT"),
    ],
)
def test_what_an_image_may_not_decide(key: str, default: object, own: object) -> None:
    """User, folder, health check and stop signal are set for every image, below the admin's own setting."""
    shape = ContainerShape(user="1000:100", working_dir="/home/jovyan")

    assert (default, own) == (hardened(shape=shape)[key], hardened({key: own}, shape=shape)[key])


def test_an_image_keeps_its_folder_when_none_is_given() -> None:
    """A start that names neither user nor folder sends neither."""
    assert not {"user", "working_dir"} & hardened().keys()


def test_arguments_are_not_changed() -> None:
    """What DockerSpawner made is left as it was."""
    create = {"host_config": {"Memory": 1}, "labels": {"a": "b"}}

    hardened(create, shape=ContainerShape(labels={"c": "d"}))

    assert {"host_config": {"Memory": 1}, "labels": {"a": "b"}} == create


@pytest.mark.parametrize(
    ("host", "word"),
    [
        ({"Privileged": True}, "Privileged"),
        ({"CapAdd": ["SYS_ADMIN"]}, "SYS_ADMIN"),
        ({"Devices": [{"PathOnHost": "/dev/kvm"}]}, "Devices"),
        ({"PidMode": "host"}, "PidMode"),
        ({"NetworkMode": "host"}, "NetworkMode"),
        ({"IpcMode": "host"}, "IpcMode"),
        ({"UsernsMode": "host"}, "UsernsMode"),
        ({"SecurityOpt": ["seccomp=unconfined"]}, "seccomp=unconfined"),
        ({"SecurityOpt": ["apparmor:unconfined"]}, "apparmor:unconfined"),
        ({"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]}, "docker.sock"),
        (
            {"Mounts": [{"Type": "bind", "Source": "/run/docker.sock", "Target": "/run/docker.sock"}]},
            "docker.sock",
        ),
        ({"Binds": ["/var/run:/host-run:ro"]}, "/var/run"),
    ],
    ids=[
        "privileged",
        "capability",
        "device",
        "pid",
        "network",
        "ipc",
        "users",
        "seccomp",
        "apparmor",
        "socket-bind",
        "socket-mount",
        "socket-folder",
    ],
)
def test_danger_is_named(host: dict[str, object], word: str) -> None:
    """What gives a container power over the host is allowed to the admin, in one warning that names it."""
    sentences = dangers({"host_config": host})

    assert 1 == len(sentences)
    assert word in sentences[0]


def test_our_own_settings_are_no_danger() -> None:
    """A container of ours makes no warning, nor does a shared folder of the site."""
    shared = {"Type": "bind", "Source": "/srv/shared", "Target": "/shared"}
    create = {"host_config": {"Binds": ["/srv/data:/data:ro"], "Mounts": [shared]}}

    assert [] == dangers(
        hardened(create, shape=ContainerShape(mounts=(ContainerMount(target="/h", source="v"),)))
    )

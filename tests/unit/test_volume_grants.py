"""Who may mount what, as an administrator writes it."""

from __future__ import annotations

from typing import Any

import pytest

from versatilehub.errors import InvalidInput
from versatilehub.volume_grants import MountGrant, grants_for, parse_registered, parse_toml

TABLES = parse_toml(
    """
    [[data]]
    name = "sky"
    path = "/srv//sky/"
    description = "The survey"
    groups = ["astro"]
    users = { ada = "rw" }

    [[shared]]
    name = "course"
    size = "1G"
    groups = { "*" = "ro", teachers = "rw" }

    [[module]]
    name = "geo"
    path = "/srv/geo"
    groups = { "*" = "rw" }

    [[shared]]
    name = "nobody"
    """
)


def seen(user: str, *groups: str) -> dict[str, str]:
    """Return name → mode of what a person may mount."""
    return {one.name: one.mode for one in grants_for(user, groups, parse_registered(TABLES))}


@pytest.mark.req("K28", "K30")
@pytest.mark.parametrize(
    ("person", "expected"),
    [
        (("bob",), {"course": "ro", "geo": "ro"}),
        (("bob", "astro"), {"sky": "ro", "course": "ro", "geo": "ro"}),
        (("ada",), {"sky": "rw", "course": "ro", "geo": "ro"}),
        (("ada", "astro", "teachers"), {"sky": "rw", "course": "rw", "geo": "ro"}),
    ],
)
def test_grants(person: tuple[str, ...], expected: dict[str, str]) -> None:
    """Nobody without an entry, the widest of several, a list means read-only, and a module is never written to."""
    assert expected == seen(*person)


def test_a_grant_says_where_the_files_are() -> None:
    """Host folder in its normal form, proposed place and kernels of a module, size of a volume of ours."""
    found = {one.name: one for one in grants_for("ada", (), parse_registered(TABLES))}

    assert (
        MountGrant(name="sky", kind="data", mode="rw", source="/srv/sky", bind=True, description="The survey")
        == found["sky"]
    )
    assert ("/opt/modules/geo", ("share/jupyter",)) == (found["geo"].at, found["geo"].jupyter_path)
    assert ("", False, 1024**3) == (found["course"].source, found["course"].bind, found["course"].size)


@pytest.mark.parametrize(
    ("kind", "row", "words"),
    [
        ("data", {"name": "sky"}, "neither a path nor a volume"),
        ("data", {"name": "sky", "path": "/a", "volume": "bb"}, "both a path and a volume"),
        ("data", {"name": "a--b", "path": "/a"}, "no name of a volume"),
        ("data", {"name": "vh-x", "path": "/a"}, "no name of a volume"),
        ("data", {"name": "home", "path": "/a"}, "meaning of its own"),
        ("data", {"name": "sky", "path": "/a", "group": ["x"]}, "no key 'group'"),
        ("data", {"name": "sky", "path": "/a", "groups": {"x": "rwx"}}, "ro or rw"),
        ("data", {"name": "sky", "path": "/a", "users": "ada"}, "a table of name"),
        ("data", {"name": "sky", "volume": "../x"}, "Docker has no volume"),
        ("data", {"name": "sky", "path": "/a", "at": "x"}, "no path"),
        ("data", {"name": "sky", "path": "/a", "description": "x" * 201}, "at most 200"),
        ("shared", {"name": "sky", "size": "1"}, "at least 16M"),
        ("module", {"name": "geo", "path": "/a", "jupyter_path": ["../x"]}, "no folder of it"),
        ("module", {"name": "geo", "path": "/a", "jupyter_path": 3}, "list of folders"),
        ("disk", {"name": "sky"}, "unknown table"),
        ("data", "sky", "an entry is a table"),
    ],
)  # fmt: skip
def test_wrong_entries(kind: str, row: Any, words: str) -> None:
    """Each is refused at start with the entry, the reason and a hint."""
    with pytest.raises(InvalidInput, match=words) as refused:
        parse_registered({kind: [row]})

    assert ("invalid_volumes", True) == (refused.value.code, bool(refused.value.hint))


@pytest.mark.parametrize(
    "path",
    ["/", "//", "/etc", "/etc/ssl", "/var", "/var/run/docker.sock", "/run", "/proc/1", "/sys", "/dev", "/root/x", "/var/lib", "/var/lib/docker/volumes",
     "/srv/../etc", "srv", "./srv", "~", "", "/srv/a.sock", "/a\0b", 3],
)  # fmt: skip
def test_host_folders_nobody_mounts(path: Any) -> None:
    """Whatever holds Docker's socket, the system or the engine's own files, also from above."""
    with pytest.raises(InvalidInput):
        parse_registered({"data": [{"name": "sky", "path": path}]})


def test_names_are_one_volume_each() -> None:
    """One name in two tables would be two volumes."""
    with pytest.raises(InvalidInput, match="two volumes called sky"):
        parse_registered({"data": [{"name": "sky", "path": "/a"}], "shared": [{"name": "sky"}]})


def test_what_is_no_table() -> None:
    """Text that is no TOML, and a table that is no list."""
    with pytest.raises(InvalidInput, match="not TOML"):
        parse_toml("[[")
    with pytest.raises(InvalidInput, match="a list of tables"):
        parse_registered({"data": {"name": "x"}})

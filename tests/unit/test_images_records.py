"""What is known of images: layers counted once, who needs an image, which one a person means."""

from __future__ import annotations

import pytest

from versatilehub.errors import ImageNotFound
from versatilehub.images.layers import Facts
from versatilehub.images.records import ImageRecord, Known, Use, is_outdated, pick, records

LABELS = {"versatilehub.hub": "h1", "versatilehub.kind": "image"}
BASE = Facts(
    id="sha256:" + "b" * 64,
    tags=("base:1",),
    size=100,
    layers=("l1",),
    steps=(("ADD rootfs", 100), ("ENV A=1", 0)),
)


def child(name: str, *, size: int = 30, labels: dict[str, str] | None = None) -> Facts:
    """An image of ours on the base with one layer of its own."""
    return Facts(
        id=f"sha256:{name * 64}"[:71],
        tags=(f"vh-build/{name}:1",),
        labels={**LABELS, **(labels or {})},
        size=100 + size,
        layers=("l1", f"l-{name}"),
        steps=(*BASE.steps, (f"RUN {name}", size), ("CMD x", 0)),
    )


def test_shared_layers_are_counted_once() -> None:
    """What another image has as well is shared, the rest is an image's own; only what this hub built or pulled is listed."""
    foreign = Facts(id="sha256:f", labels={**LABELS, "versatilehub.hub": "h2"}, layers=("l1", "x"), size=1)
    found = {one.name: one for one in records([BASE, child("a"), child("c", size=5), foreign], "h1", {}, {})}

    pulled = records([foreign], "h1", {"sha256:f": Known(published="r/x@sha256:1")}, {})

    assert ["sha256:f"] == [one.id for one in pulled]
    assert {"vh-build/a:1", "vh-build/c:1"} == found.keys()
    assert (130, 30, 100) == (
        found["vh-build/a:1"].size,
        found["vh-build/a:1"].unique,
        found["vh-build/a:1"].shared,
    )


def test_the_same_layer_on_another_base_is_another() -> None:
    """A layer is told by all that is below it."""
    one = Facts(id="1", labels=LABELS, layers=("a", "x"), size=10, steps=(("RUN a", 4), ("RUN x", 6)))
    two = Facts(id="2", labels=LABELS, layers=("b", "x"), size=10, steps=(("RUN b", 4), ("RUN x", 6)))

    assert [10, 10] == [record.unique for record in records([one, two], "h1", {}, {})]


def test_the_database_adds_launches() -> None:
    """Launches, launchers and pins come from the database, by image id; the last of use is listed first."""
    known = {child("a").id: Known(owner="ada", launched=50.0, launches=2, launchers=frozenset({"ada"}))}
    uses = {child("a").id: [Use(what="pin", owner="ada", name="course")]}
    first, second = records([BASE, child("c"), child("a")], "h1", known, uses)

    assert ("ada", 50.0, 2) == (first.owner, first.launched, first.launches)
    assert ["a pin of ada (course)"] == [str(use) for use in first.uses]
    assert 0.0 == second.launched


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (Use(what="running", owner="ada", name="lab"), "ada's server lab (running)"),
        (Use(what="server", owner="ada"), "ada's default server (not running)"),
        (Use(what="stopped", name="db"), "the container db (stopped)"),
        (Use(what="workspace", name="course"), "the workspace course"),
        (Use(what="image", name="x:1"), "the image x:1, which is built on it"),
        (Use(what="build"), "a build that runs"),
    ],
    ids=["server", "default", "foreign", "workspace", "child", "build"],
)
def test_a_use_in_words(use: Use, words: str) -> None:
    """A use names who needs the image."""
    assert words == str(use)


def test_pick() -> None:
    """A name, a repository with one image, or the digits of an id; several or none is an error that helps."""
    images = [
        ImageRecord(id="sha256:aabbcc11", tags=("vh-build/a:1", "vh-build/a:latest")),
        ImageRecord(id="sha256:aabbdd22", tags=("vh-build/b:1",)),
        ImageRecord(id="sha256:ccddee33", tags=("vh-build/b:2",)),
    ]

    assert (
        images[0] == pick(images, "vh-build/a:latest") == pick(images, "vh-build/a") == pick(images, "aabbcc")
    )
    assert images[1] == pick(images, "sha256:aabbdd")
    assert "vh-build/a:1" == images[0].name
    for text in ("vh-build/b", "ffffff", "", "../etc", "aabb"):
        with pytest.raises(ImageNotFound):
            pick(images, text)


@pytest.mark.req("K9")
def test_a_server_of_an_older_build_is_outdated() -> None:
    """A server is outdated once its source has a newer image; another source or subfolder does not count."""
    old = ImageRecord(id="1", tags=("a:1",), source="u", built=1.0)
    new = ImageRecord(id="2", tags=("a:2",), source="u", built=2.0)
    other = ImageRecord(id="3", tags=("b:1",), source="u", subdir="x", built=9.0)
    images = [new, old, other]

    assert is_outdated("1", "u", "", images)
    assert is_outdated("gone", "u", "", images)
    assert not is_outdated("2", "u", "", images)
    assert not is_outdated("1", "elsewhere", "", images)

"""Which images go: never one that is needed, the longest unused first, and what the disk gains counted layer by layer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from versatilehub.errors import ImageInUse, InvalidInput
from versatilehub.images.layers import Layer
from versatilehub.images.plan import DAY, HOUR, Rules, parse_age, parse_disk, plan, refuse_removal
from versatilehub.images.records import ImageRecord, Need, Use

NOW = 1_000 * DAY
BASE = Layer(chain="base", size=100)


def image(name: str, *, age: float, source: str = "u", own: int = 10, **more: object) -> ImageRecord:
    """An image built *age* days ago, one layer of its own on the shared base."""
    layers = (BASE, Layer(chain=name, size=own))
    made = ImageRecord(
        id=name, tags=(f"{name}:1",), source=source, built=NOW - age * DAY, layers=layers, size=100 + own
    )
    return replace(made, **more)  # type: ignore[arg-type]  # fields of ImageRecord


def names(images: list[ImageRecord], rules: Rules) -> list[str]:
    """The names of what goes, in order."""
    return [one.image.id for one in plan(images, rules, NOW).removals]


@pytest.mark.req("S5")
@pytest.mark.parametrize("what", ["running", "stopped", "server", "pin", "workspace", "build"])
def test_what_is_needed_stays(what: Need) -> None:
    """Nothing in use or pinned ever goes, whatever the rules; the plan says who needs it."""
    held = image("held", age=900, uses=(Use(what=what, owner="ada", name="lab"),))
    made = plan(
        [held, image("free", age=900)], Rules(older_than=0, keep=0, max_disk=0, recent=0, leavings=0), NOW
    )

    assert ["free"] == [one.image.id for one in made.removals]
    ((kept, reason),) = made.kept
    assert kept == held
    assert "used by" in reason


@pytest.mark.req("S5")
def test_older_than() -> None:
    """What was neither built nor launched for so long goes, the longest unused first."""
    launched = image("launched", age=90, launched=NOW - 2 * DAY)

    assert ["c", "b"] == names(
        [image("a", age=3), image("b", age=31), image("c", age=40), launched], Rules(older_than=30 * DAY)
    )


@pytest.mark.req("S5")
def test_keep_counts_each_source() -> None:
    """The newest so many of each source stay, needed ones counted; with an age, both must agree."""
    images = [image(f"u{n}", age=n, source="u") for n in (5, 6, 7)] + [image("v9", age=90, source="v")]
    images[0] = replace(images[0], uses=(Use(what="pin"),))

    assert ["u7", "u6"] == names(images, Rules(keep=1))
    assert ["v9", "u7", "u6", "u5"] == names([replace(one, uses=()) for one in images], Rules(keep=0))
    assert [] == names(images, Rules(keep=1, older_than=30 * DAY))


@pytest.mark.req("S5")
def test_max_disk_takes_the_longest_unused() -> None:
    """The longest unused go until the rest is within the limit; the shared base counts once."""
    images = [
        image("a", age=3),
        image("b", age=40, launched=NOW - 2 * DAY),
        image("c", age=20),
        image("d", age=10),
    ]
    made = plan(images, Rules(max_disk=125), NOW)

    assert 140 == made.disk
    assert ["c", "d"] == [one.image.id for one in made.removals]
    assert 20 == made.frees
    assert [] == names(images, Rules(max_disk=140))


def test_a_shared_layer_is_free_with_its_last_image() -> None:
    """What two images share is gained when the second goes; never, when an image of another hub has it too."""
    images = [image("a", age=50), image("b", age=40)]
    rules = Rules(older_than=DAY)

    assert [10, 110] == [one.frees for one in plan(images, rules, NOW).removals]
    assert 20 == plan(images, rules, NOW, others=[("base",)]).frees


def test_recent_ones_stay() -> None:
    """A day after its build or launch an image stays even where the disk is full."""
    images = [image("new", age=0.5), image("used", age=90, launched=NOW - HOUR), image("old", age=2)]

    assert ["old"] == names(images, Rules(max_disk=0))


def test_leavings_go_after_an_hour() -> None:
    """An image without a name is left by a failed build and goes without any rule, but not while its build may run."""
    images = [
        image("young", age=0.5 / 24, tags=()),
        image("left", age=2 / 24, tags=()),
        image("named", age=400),
    ]

    assert ["left"] == names(images, Rules())


@pytest.mark.req("S4")
def test_a_base_goes_only_with_what_is_built_on_it() -> None:
    """An image others are built on goes after them, and stays when one of them stays."""
    base = image("base", age=90, uses=(Use(what="image", name="top:1"),))
    top = image("top", age=50, layers=(*base.layers, Layer(chain="top2", size=1)))

    assert ["top", "base"] == names([base, top], Rules(older_than=30 * DAY))
    assert [] == names([base, replace(top, uses=(Use(what="pin"),))], Rules(older_than=30 * DAY))


@pytest.mark.req("S4")
def test_a_refusal_names_the_users() -> None:
    """Removal of something in use says who uses it; beyond five they are counted."""
    uses = tuple(Use(what="server", owner="ada", name=f"lab{n}") for n in range(7))
    with pytest.raises(ImageInUse) as caught:
        refuse_removal(image("a", age=1, uses=uses))

    assert "ada's server lab0" in caught.value.message
    assert "and 2 more" in caught.value.message
    assert 7 == len(caught.value.users)
    refuse_removal(image("a", age=1))


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 30 * DAY), ("12h", 12 * HOUR), (" 90M ", 5400), ("2w", 14 * DAY)]
)
def test_ages(text: str, seconds: float) -> None:
    """A number and a unit."""
    assert seconds == parse_age(text)


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5h", "1y", "30 days", "٣d", "1e9d", "999999d"])
def test_what_is_no_age(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(InvalidInput, match="no length of time"):
        parse_age(text)


@pytest.mark.parametrize(
    ("text", "size"), [("50G", 50 << 30), ("800 MiB", 800 << 20), ("1kb", 1024), ("0", 0)]
)
def test_sizes(text: str, size: int) -> None:
    """A number and a binary unit."""
    assert size == parse_disk(text)


@pytest.mark.parametrize("text", ["", "G", "-1G", "1.5G", "many", "1P", "1" * 16])
def test_what_is_no_size(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(InvalidInput, match="is no size"):
        parse_disk(text)

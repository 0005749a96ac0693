"""Which images go, and why each of the others stays. Pure: the same plan is shown first and carried out then.

Nothing goes that is in use, pinned, or was of use recently. A plan counts what the disk gains layer by layer: what two images share
is free only when both are gone.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from versatilehub.errors import ImageInUse, InvalidInput
from versatilehub.spec_values import UNITS
from versatilehub.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from versatilehub.images.records import ImageRecord

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_UNITS: Final = {"m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_AGE: Final = re.compile(r"(\d{1,5})\s*([mhdw])", re.ASCII)
_SIZE: Final = re.compile(r"(\d{1,15})\s*([KMGT]?)(?:I?B)?", re.ASCII)
_MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a prune is asked for; times in seconds, sizes in bytes, None for "not asked".

    *older_than*: goes when it was of no use for so long. *keep*: the newest so many of each source stay; alone, the others go.
    *max_disk*: the longest unused go until the rest is within it. *recent*: was of use so shortly ago that it stays
    whatever else is asked. *leavings*: how old what a failed build left must be, for a build that runs may need it.
    """

    older_than: float | None = None
    keep: int | None = None
    max_disk: int | None = None
    recent: float = DAY
    leavings: float = HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One image that goes, why, and the bytes the disk gains once it and those before it are gone."""

    image: ImageRecord
    reason: str
    frees: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What goes, in this order, and what stays with the reason. *disk* is what the hub's images take now, in bytes."""

    removals: tuple[Removal, ...] = ()
    kept: tuple[tuple[ImageRecord, str], ...] = ()
    disk: int = 0

    @property
    def frees(self) -> int:
        """Bytes the disk gains when all of it is done."""
        return sum(one.frees for one in self.removals)

    def to_json(self) -> dict[str, object]:
        """Return it for a page or a script."""
        return {
            "frees": self.frees,
            "disk": self.disk,
            "removals": [
                {"id": one.image.id, "name": one.image.name, "reason": one.reason, "frees": one.frees}
                for one in self.removals
            ],
            "kept": [{"id": one.id, "name": one.name, "reason": reason} for one, reason in self.kept],
        }


def plan(
    images: Sequence[ImageRecord], rules: Rules, now: float, *, others: Iterable[Iterable[str]] = ()
) -> Plan:
    """Return what *rules* remove of *images* at *now*; *others* are the layer chains of images that are not this hub's.

    An image another one is built on goes only together with that, and after it.
    """
    stays = {one.id: hold(one, rules, now) for one in images}
    free = [one for one in images if not stays[one.id]]
    reasons = _chosen(images, {one.id for one in free}, rules, now)
    disk = _disk(images)
    if rules.max_disk is not None:
        _shrink(images, free, reasons, rules.max_disk)
    _with_children(images, reasons, stays)
    order = _order([one for one in free if one.id in reasons])
    gains = _gains(order, images, others)
    kept = [
        (one, stays[one.id] or "none of the rules asks for it") for one in images if one.id not in reasons
    ]
    removals = [
        Removal(image=one, reason=reasons[one.id], frees=gain) for one, gain in zip(order, gains, strict=True)
    ]
    return Plan(removals=tuple(removals), kept=tuple(kept), disk=disk)


def hold(image: ImageRecord, rules: Rules, now: float) -> str:
    """Return why an image must stay, "" when it may go. That another image is built on it is looked at in the plan."""
    uses = [use for use in image.uses if use.what != "image"]
    if uses:
        more = f" and {len(uses) - 1} more" if len(uses) > 1 else ""
        return f"used by {uses[0]}{more}"
    if not image.tags:
        return "a build may still need it" if now - image.built < rules.leavings else ""
    if now - image.active < rules.recent:
        return "launched recently" if image.launched >= image.built else "built recently"
    return ""


def refuse_removal(image: ImageRecord) -> None:
    """Return if a person may remove *image*; raise `ImageInUse`, which names who and what needs it (S4)."""
    if not image.uses:
        return
    named = [str(use) for use in image.uses]
    shown = ", ".join(named[:_MOST_NAMED]) + (
        f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    )
    hint = "Delete those servers, or start them from another image, first."
    if image.uses[0].what == "pin":
        hint = "Unpin it first."
    elif image.uses[0].what == "image":
        hint = "Remove that image first."
    raise ImageInUse(f"{image.name} is in use by {shown}.", hint=hint, users=tuple(named))


def parse_age(text: str) -> float:
    """Return the seconds of ``30d``, ``12h``, ``90m`` or ``2w``; raise `InvalidInput` for anything else."""
    found = _AGE.fullmatch(text.strip().lower())
    if not found:
        hint = "A whole number and m, h, d or w: for example 30d."
        raise InvalidInput(f"{quoted(text, 60)} is no length of time.", hint=hint, field="older_than")
    return int(found[1]) * _UNITS[found[2]]


def parse_disk(text: str) -> int:
    """Return the bytes of ``50G``, ``800M`` or a plain number; raise `InvalidInput` for anything else."""
    found = _SIZE.fullmatch(text.strip().upper())
    if not found:
        hint = "A whole number and K, M, G or T: for example 50G."
        raise InvalidInput(f"{quoted(text, 60)} is no size.", hint=hint, field="max_disk")
    return int(found[1]) * UNITS.get(found[2], 1)


def _chosen(images: Sequence[ImageRecord], free: set[str], rules: Rules, now: float) -> dict[str, str]:
    """Return the reason of each image that older_than, keep or being a leaving makes go."""
    found = {
        one.id: "left by a build that did not end well" for one in images if one.id in free and not one.tags
    }
    places: Counter[tuple[str, str]] = Counter()
    for one in sorted((one for one in images if one.tags), key=lambda one: (-one.built, one.name)):
        places[one.source, one.subdir] += 1
        kept = rules.keep is not None and places[one.source, one.subdir] <= rules.keep
        if one.id not in free or kept:
            continue
        if rules.older_than is not None:
            if now - one.active > rules.older_than:
                found[one.id] = f"of no use for {(now - one.active) / DAY:.0f} days"
        elif rules.keep is not None:
            found[one.id] = f"there are {rules.keep} newer ones of its source"
    return found


def _shrink(
    images: Sequence[ImageRecord], free: Sequence[ImageRecord], reasons: dict[str, str], most: int
) -> None:
    """Add to *reasons* the longest unused of *free* until the images that stay take at most *most* bytes."""
    counts = Counter(layer.chain for one in images if one.id not in reasons for layer in one.layers)
    size = _disk([one for one in images if one.id not in reasons])
    for one in sorted(free, key=lambda one: (one.active, one.name)):
        if size <= most:
            return
        if one.id in reasons:
            continue
        reasons[one.id] = "the longest unused, to save disk"
        for layer in one.layers:
            counts[layer.chain] -= 1
            size -= layer.size if not counts[layer.chain] else 0


def _with_children(images: Sequence[ImageRecord], reasons: dict[str, str], stays: dict[str, str]) -> None:
    """Take out of *reasons* what an image that stays is built on."""
    going = {tag for one in images if one.id in reasons for tag in (*one.tags, one.id)}
    while True:
        held = [
            (one, use)
            for one in images
            if one.id in reasons
            for use in one.uses
            if use.what == "image" and use.name not in going
        ]
        if not held:
            return
        for one, use in held:
            reasons.pop(one.id, None)
            stays[one.id] = f"used by {use}"
            going -= {*one.tags, one.id}


def _order(going: Sequence[ImageRecord]) -> list[ImageRecord]:
    """Put the longest unused first, but what is built on an image before that image: it has more layers."""
    bases = {one.id for one in going if any(use.what == "image" for use in one.uses)}
    return sorted(
        going,
        key=lambda one: (one.id in bases, -len(one.layers) if one.id in bases else 0, one.active, one.name),
    )


def _gains(
    order: Sequence[ImageRecord], images: Sequence[ImageRecord], others: Iterable[Iterable[str]]
) -> list[int]:
    counts = Counter(layer.chain for one in images for layer in one.layers)
    for chains in others:
        counts.update(chains)
    gains = []
    for one in order:
        gain = 0
        for layer in one.layers:
            counts[layer.chain] -= 1
            gain += layer.size if not counts[layer.chain] else 0
        gains.append(gain)
    return gains


def _disk(images: Iterable[ImageRecord]) -> int:
    return sum({layer.chain: layer.size for one in images for layer in one.layers}.values())

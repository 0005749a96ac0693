"""Names for servers that nobody named: two words a person can say, free among the names already taken.

Every name keeps JupyterHub's rules for server names (a-z and single hyphens, at most 20 characters).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

FIRST = (
    "amber", "azure", "brave", "bright", "calm", "clear", "cosy", "crisp", "early", "eager", "fair", "fresh",
    "gentle", "golden", "green", "happy", "keen", "kind", "light", "lively", "lucky", "mellow", "merry", "misty",
    "noble", "polar", "proud", "quick", "quiet", "rapid", "silver", "solar", "sunny", "swift", "tidy", "vivid",
)  # fmt: skip
SECOND = (
    "acorn", "aspen", "badger", "birch", "breeze", "brook", "cedar", "cloud", "comet", "coral", "crane", "delta",
    "falcon", "fern", "fjord", "forest", "garden", "harbor", "heron", "island", "lagoon", "lake", "maple", "meadow",
    "orchid", "otter", "pebble", "pine", "planet", "prairie", "raven", "reef", "river", "robin", "summit", "willow",
)  # fmt: skip
COUNT = len(FIRST) * len(SECOND)


def readable_name(taken: Collection[str], numbers: Iterable[int]) -> str:
    """Return the first free name that *numbers* (random ones, say) lead to; with all words taken, one with a count.

    Two names of one person never agree; whether two people have the same is of no matter.
    """
    for number in numbers:
        name = f"{FIRST[number % len(FIRST)]}-{SECOND[number // len(FIRST) % len(SECOND)]}"
        if name not in taken:
            return name
    base, count = f"{FIRST[0]}-{SECOND[0]}", 2
    while f"{base}-{count}" in taken:
        count += 1
    return f"{base}-{count}"

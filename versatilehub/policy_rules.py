"""How the values of several groups become one: a rule for each key, by name.

Guarantee: every rule is symmetric, so the order of a person's groups never matters. A rule is asked only when more than one
of the groups says something about the key; one that says it alone decides, also for less than the site's own value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from versatilehub.policy_types import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """*combine* takes the values of all groups that name a key; *name* and *sentence* are what people read."""

    name: str
    sentence: str
    combine: Callable[[Sequence[Any]], Any]


def _largest(values: Sequence[Any]) -> Any:
    return None if None in values else max(values)


def _sum(values: Sequence[float | None]) -> float | None:
    # fsum is exact, so that the order of the groups does not even change the last bit
    return None if None in values else math.fsum(value for value in values if value is not None)


def _union(values: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(sorted({item for value in values for item in value}))


def _union_or_any(values: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return () if any(not value for value in values) else _union(values)


def _either(values: Sequence[str]) -> str:
    patterns = sorted(set(values))
    if "" in patterns:
        return ""
    return patterns[0] if len(patterns) == 1 else "|".join(f"(?:{pattern})" for pattern in patterns)


def _merged(values: Sequence[Sequence[Profile]]) -> tuple[Profile, ...]:
    named: dict[str, Profile] = {}
    for profile in (profile for value in values for profile in value):
        known = named.get(profile.name, profile)
        named[profile.name] = max(known, profile, key=_by_size)
    return tuple(sorted(named.values(), key=_by_size))


def _by_size(profile: Profile) -> tuple[int, float, str, str]:
    return profile.memory, profile.cpus, profile.name, profile.label


LARGEST = Rule(name="largest", sentence="The largest; no limit is larger than any number.", combine=_largest)
SMALLEST = Rule(name="smallest", sentence="The smallest.", combine=min)
ANY = Rule(name="any", sentence="True if it is true for one of them.", combine=any)
UNION = Rule(name="union", sentence="All of them together.", combine=_union)
UNION_OR_ANY = Rule(
    name="union or any",
    sentence="All of them together; an empty list allows any, and wins.",
    combine=_union_or_any,
)
EITHER = Rule(
    name="either", sentence="A match with one of them is enough; none at all allows any.", combine=_either
)
MERGED = Rule(name="merged", sentence="All of them; of two with one name, the larger.", combine=_merged)
SUM = Rule(
    name="sum", sentence="All added up: each group brings its own. No limit stays no limit.", combine=_sum
)
RULES: Mapping[str, Rule] = {
    rule.name: rule for rule in (LARGEST, SMALLEST, ANY, UNION, UNION_OR_ANY, EITHER, MERGED, SUM)
}

"""A policy in words: each value, what of it is in use now, and the rule it came from. Page, API and command print the same rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from versatilehub.policy_keys import KEYS, TOPICS
from versatilehub.policy_types import Profile
from versatilehub.spec_values import UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from versatilehub.policy_groups import Entitlement


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What of a limit is in use: *amount* in the unit of the limit, *names* of what uses it; *size*: the amount is bytes."""

    amount: float
    names: tuple[str, ...] = ()
    size: bool = False

    def __str__(self) -> str:
        count = f"{self.amount:.1f}".removesuffix(".0")
        if self.size:
            count = f"{self.amount / UNITS['M']:.0f}M"
        return f"{count}: {', '.join(self.names)}" if self.names else count


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One row: *value* in words, *setting* as JSON has it, *use* in words ("" = nothing to count), *origin* the rule it came from."""

    key: str
    label: str
    topic: str
    value: str
    setting: object
    use: str = ""
    used: float | None = None
    origin: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the row for the API."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All rows of one person, and which of their groups said something."""

    user: str
    groups: tuple[str, ...] = ()
    rows: tuple[Limit, ...] = field(default=())

    @property
    def topics(self) -> list[tuple[str, list[Limit]]]:
        """Return the rows below their headings."""
        return [(topic, [row for row in self.rows if row.topic == topic]) for topic in TOPICS]

    def to_json(self) -> dict[str, object]:
        """Return the answer of the API."""
        return {
            "user": self.user,
            "groups": list(self.groups),
            "limits": [row.to_json() for row in self.rows],
        }


def explain(user: str, found: Entitlement, uses: Mapping[str, Use] | None = None) -> Limits:
    """Return every value *user* is held to, *uses* by key beside it."""
    return Limits(
        user=user, groups=found.groups, rows=tuple(_row(key, found, (uses or {}).get(key)) for key in KEYS)
    )


def _row(name: str, found: Entitlement, use: Use | None) -> Limit:
    key = KEYS[name]
    value = value_of(found, name)
    return Limit(
        key=name,
        label=key.label,
        topic=key.topic,
        value=key.show(value),
        setting=_plain(value),
        use=str(use) if use else "",
        used=use.amount if use else None,
        origin=found.origins[name],
    )


def value_of(found: Entitlement, name: str) -> Any:
    """Return the value of key *name* in the policy that is enforced."""
    rules = found.policy.sources
    if name == "source_hosts":
        return (*rules.hosts, *rules.extra) if rules.hosts else ()
    return rules.ports if name == "source_ports" else getattr(found.policy, name)


def _plain(value: Any) -> object:
    if isinstance(value, Profile):
        return {part: getattr(value, part) for part in ("name", "label", "memory", "cpus")}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value

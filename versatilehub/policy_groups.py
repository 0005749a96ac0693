"""The policies of one hub: a site's, and what single groups have instead. Pure: group names in, a policy and its reasons out.

- A key that none of a person's groups names has the site's value.
- A key that one of them names has that group's value, also when it allows less.
- A key that several name is combined by the key's rule (`policy_keys`), which is symmetric: the order never matters.
- What no longer fits then is made to fit, never beyond what was allowed (`policy_clashes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, NoReturn

from versatilehub.errors import InvalidInput
from versatilehub.policy_clashes import clashes, fitted
from versatilehub.policy_keys import KEYS
from versatilehub.policy_types import Policy
from versatilehub.source_types import SourceRules
from versatilehub.text import nearest, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: Where a value comes from that nobody wrote.
BUILT_IN = "versatilehub's default"
_SOURCE_KEYS = ("source_hosts", "source_ports")
_SIZE_KEYS = (
    "memory_min",
    "memory_max",
    "memory_default",
    "cpus_min",
    "cpus_max",
    "cpus_default",
    "profiles",
    "idle_timeout",
    "idle_timeout_max",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one place says: *values* by key, read; *origin* as people are told, *lines* of the file it stands in (0 = none)."""

    origin: str
    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)

    def refuse(self, key: str, reason: str, hint: str = "") -> NoReturn:
        """Raise `InvalidInput` of code ``invalid_policy`` that names file, line, key and reason."""
        line = self.lines.get(key, 0)
        place = f"{self.origin}, line {line}" if line else self.origin
        raise InvalidInput(f"{place}: {key}: {reason}", hint=hint, field=key, code="invalid_policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """What one person may: the *policy*, which of their *groups* said something, and where each key's value comes from.

    *stated* are the keys whose value a group decided.
    """

    policy: Policy
    groups: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    stated: frozenset[str] = frozenset()

    def with_limits(self, *, memory: int, cpus: float, origin: str) -> Entitlement:
        """Return this with the limits an administrator set on the spawner, 0 for none, in the place of the site's.

        They are what a server gets and the most a person may choose. A lower limit that a group has stays. *origin* has a place for
        the spawner's word, ``{name}``.
        """
        changed: dict[str, Any] = {}
        for kind, limit in (("memory", memory), ("cpus", cpus)):
            if limit:
                changed |= self._limited(kind, limit)
        if not changed:
            return self
        held = replace(self.policy, **changed)
        held = replace(held, **fitted({key: getattr(held, key) for key in _SIZE_KEYS}))
        moved = [key for key in _SIZE_KEYS if getattr(held, key) != getattr(self.policy, key)]
        words = {key: origin.format(name="cpu_limit" if "cpu" in key else "mem_limit") for key in moved}
        return replace(self, policy=held, origins={**self.origins, **words})

    def _limited(self, kind: str, limit: float) -> dict[str, Any]:
        key = f"{kind}_max"
        most = min(limit, getattr(self.policy, key)) if key in self.stated else limit
        return {key: most, f"{kind}_default": most}

    def with_images(self, images: tuple[str, ...], origin: str) -> Entitlement:
        """Return this with *images* in the place of the policy's."""
        return replace(
            self, policy=replace(self.policy, images=images), origins={**self.origins, "images": origin}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """*site* layers, later ones win; *groups* by name; *extra_sources* are URL prefixes allowed beside the public forges."""

    site: tuple[Layer, ...] = ()
    groups: Mapping[str, Layer] = field(default_factory=dict)
    extra_sources: tuple[str, ...] = ()

    def of(self, groups: Collection[str]) -> Entitlement:
        """Return what a member of *groups* may; names no policy speaks of do not matter."""
        stated = sorted(name for name in set(groups) if name in self.groups)
        values, origins = self._site()
        for key in KEYS:
            named = [name for name in stated if key in self.groups[name].values]
            if named:
                given = [self.groups[name].values[key] for name in named]
                values[key] = given[0] if len(given) == 1 else KEYS[key].rule.combine(given)
                origins[key] = self._origin(key, named)
        for key, value in fitted(values).items():
            values[key] = value
            origins[key] = f"{origins[key]}, held within the limits beside it"
        return Entitlement(
            policy=policy_of(values, self.extra_sources),
            groups=tuple(stated),
            origins=origins,
            stated=frozenset(key for name in stated for key in self.groups[name].values),
        )

    def _site(self) -> tuple[dict[str, Any], dict[str, str]]:
        values, origins = defaults(), dict.fromkeys(KEYS, BUILT_IN)
        for layer in self.site:
            values |= layer.values
            origins |= dict.fromkeys(layer.values, layer.origin)
        return values, origins

    def _origin(self, key: str, named: list[str]) -> str:
        if len(named) == 1:
            return f"group {named[0]}"
        return f"groups {', '.join(named)}: {KEYS[key].rule.name}"

    def check(self) -> None:
        """Return if every value can hold; raise `InvalidInput` with place and reason for a contradiction.

        A group that lowers a limit need not repeat the sizes below it: those fit themselves. A value the group itself names
        must hold.
        """
        values, _ = self._site()
        for clash in clashes(values):
            writer = next((layer for layer in reversed(self.site) if clash.key in layer.values), None)
            (writer or Layer(origin="policy")).refuse(clash.key, clash.reason)
        for layer in self.groups.values():
            for clash in clashes({**values, **layer.values}):
                if clash.key in layer.values:
                    layer.refuse(clash.key, clash.reason)


def defaults() -> dict[str, Any]:
    """Return the value of every key nobody wrote."""
    plain = {name.name: getattr(Policy(), name.name) for name in fields(Policy) if name.name != "sources"}
    return plain | {"source_hosts": SourceRules().hosts, "source_ports": SourceRules().ports}


def policy_of(values: Mapping[str, Any], extra_sources: tuple[str, ...] = ()) -> Policy:
    """Return the policy of *values*, which are read and fit together."""
    plain = {key: value for key, value in values.items() if key not in _SOURCE_KEYS}
    rules = SourceRules(hosts=values["source_hosts"], ports=values["source_ports"], extra=extra_sources)
    return Policy(sources=rules, **plain)


def read_layer(keys: Mapping[Any, object], origin: str, lines: Mapping[str, int] | None = None) -> Layer:
    """Return what *keys* say; raise `InvalidInput` with place, key and reason for the first that is wrong."""
    place = Layer(origin=origin, lines=lines or {})
    values = {}
    for key, value in keys.items():
        known = KEYS.get(key) if isinstance(key, str) else None
        if known is None:
            near = nearest(str(key), KEYS)
            hint = f"Did you mean {near}?" if near else f"The keys are {', '.join(KEYS)}."
            place.refuse(str(key), f"unknown key {quoted(key)}.", hint)
        try:
            values[known.name] = known.read(value)
        except ValueError as error:
            place.refuse(known.name, str(error))
    return Layer(origin=origin, values=values, lines=lines or {})

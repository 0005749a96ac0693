"""Values of a policy that contradict each other: found at start where an administrator wrote both, made to fit where they only met.

`clashes` and `fitted` look at the same pairs: a policy that went through `fitted` has no clash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from versatilehub.policy_keys import format_memory, format_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """*key* cannot hold beside the others; *reason* says why, *fit* is the nearest value that can."""

    key: str
    reason: str
    fit: Any


def clashes(values: Mapping[str, Any]) -> list[Clash]:
    """Return what contradicts in *values*, which have every key of a policy; [] for a policy that holds together."""
    found = [*_range(values, "memory"), *_range(values, "cpus"), *_profiles(values), *_idle(values)]
    return [clash for clash in found if clash.fit != values[clash.key]]


def fitted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of *values* that have to change, with values that fit: never larger than what an administrator allowed."""
    changed: dict[str, Any] = {}
    # a least that was lowered may move a default; nothing moves further
    for _ in range(2):
        changed |= {clash.key: clash.fit for clash in clashes({**values, **changed})}
    return changed


def _figure(kind: str, value: float) -> str:
    return format_memory(int(value)) if kind == "memory" else f"{value:g}"


def _say(kind: str, value: float) -> str:
    return f"{_figure(kind, value)} {'of memory is' if kind == 'memory' else 'CPUs are'}"


def _range(values: Mapping[str, Any], kind: str) -> list[Clash]:
    low, high, usual = (values[f"{kind}_{end}"] for end in ("min", "max", "default"))
    span = _span(values, kind)
    return [
        Clash(
            key=f"{kind}_min",
            reason=f"{_say(kind, low)} more than {kind}_max, {_figure(kind, high)}.",
            fit=min(low, high),
        ),
        Clash(
            key=f"{kind}_default",
            reason=f"{_say(kind, usual)} outside {span}.",
            fit=max(min(usual, high), min(low, high)),
        ),
    ]


def _span(values: Mapping[str, Any], kind: str) -> str:
    low, high = values[f"{kind}_min"], values[f"{kind}_max"]
    return f"{kind}_min to {kind}_max, {_figure(kind, low)} to {_figure(kind, high)}"


def _profiles(values: Mapping[str, Any]) -> list[Clash]:
    def outside(profile: Any) -> str:
        for kind, size in (("memory", profile.memory), ("cpus", profile.cpus)):
            if not values[f"{kind}_min"] <= size <= values[f"{kind}_max"]:
                return f"profile {profile.name}: {_say(kind, size)} outside {_span(values, kind)}."
        return ""

    profiles = values["profiles"]
    fit = tuple(profile for profile in profiles if not outside(profile))
    reason = next((outside(profile) for profile in profiles if outside(profile)), "")
    return [Clash(key="profiles", reason=reason, fit=fit)]


def _idle(values: Mapping[str, Any]) -> list[Clash]:
    usual, most = values["idle_timeout"], values["idle_timeout_max"]
    if most is None or (usual is not None and usual <= most):
        return []
    said = "no limit" if usual is None else format_seconds(usual)
    reason = f"{said} is more than idle_timeout_max, {format_seconds(most)}."
    return [Clash(key="idle_timeout", reason=reason, fit=most)]

"""A policy as an administrator writes it: TOML text or override values in, a `Policy` that holds together out.

Whatever is wrong is said at start, with the key and the reason: `InvalidInput` of code ``invalid_policy``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import resources
from typing import Any, NoReturn

from versatilehub.errors import InvalidInput, InvalidSource, InvalidSpec
from versatilehub.naming import DISPLAY_NAME_MAX, SERVER_NAME_MAX
from versatilehub.policy import OFFERS, Policy, Profile, format_memory
from versatilehub.source_address import split_url
from versatilehub.sources import SourceRules
from versatilehub.spec_values import check_image, parse_cpus, parse_key, parse_memory
from versatilehub.text import nearest, quoted

PRESETS = ("versatile", "ska", "conjuring", "kooplex", "binder")
#: Spelling of "no limit" for a count, because TOML has no null.
UNLIMITED = "unlimited"

_HOST = re.compile(r"\.?[a-z0-9]+(?:[.-][a-z0-9]+)*")
_PREFIX = re.compile(
    r"[a-zA-Z0-9]+(?:[.-][a-zA-Z0-9]+)*(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*/\*"
)


def load(
    name: str, overrides: Mapping[str, object] | None = None, *, extra_sources: tuple[str, ...] = ()
) -> Policy:
    """Return the policy of preset *name*, each key in *overrides* put in place of the preset's.

    *extra_sources* are URL prefixes allowed beside the public forges; plain http is allowed for these only.
    """
    if name not in PRESETS:
        near = nearest(name, PRESETS)
        hint = f"Did you mean {near}?" if near else f"The presets are {', '.join(PRESETS)}."
        raise InvalidInput(
            f"There is no preset {quoted(name)}.", hint=hint, field="preset", code="invalid_policy"
        )
    keys = {**_read_toml(preset_text(name), name), **(overrides or {})}
    policy = policy_from(keys, f"preset {name}")
    _check_prefixes(extra_sources)
    return replace(policy, sources=replace(policy.sources, extra=extra_sources))


def preset_text(name: str) -> str:
    """Return the TOML text of one of `PRESETS`, as it is in the package."""
    return (resources.files("versatilehub") / "presets" / f"{name}.toml").read_text(encoding="utf-8")


def parse_policy(text: str, origin: str = "policy") -> Policy:
    """Return the policy that TOML *text* describes; *origin* is what messages call it."""
    return policy_from(_read_toml(text, origin), origin)


def policy_from(keys: Mapping[str, object], origin: str = "policy") -> Policy:
    """Return the policy of *keys*; a key that is absent has the safe default of `Policy`."""
    values: dict[str, Any] = {}
    for key, value in keys.items():
        if key not in _READERS:
            near = nearest(str(key), _READERS)
            hint = f"Did you mean {near}?" if near else f"The keys are {', '.join(_READERS)}."
            raise InvalidInput(
                f"{origin} has an unknown key {quoted(key)}.",
                hint=hint,
                field=str(key),
                code="invalid_policy",
            )
        try:
            values[key] = _READERS[key](value)
        except (InvalidSpec, ValueError) as error:
            reason = error.message if isinstance(error, InvalidSpec) else str(error)
            raise InvalidInput(f"{origin}: {key}: {reason}", field=key, code="invalid_policy") from error
    rules = SourceRules(
        hosts=values.pop("source_hosts", ()), ports=values.pop("source_ports", SourceRules().ports)
    )
    policy = Policy(sources=rules, **values)
    _check_together(policy, origin)
    return policy


def _read_toml(text: str, origin: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(f"{origin} is not TOML: {error}.", code="invalid_policy") from error


def _wrong(value: object, wanted: str) -> NoReturn:
    raise ValueError(f"must be {wanted}, and is {quoted(value)}.")


def _read_flag(value: object) -> bool:
    return value if isinstance(value, bool) else _wrong(value, "true or false")


def _read_count(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        _wrong(value, f"a whole number from {low} to {high}")

    return read


def _read_limit(value: object) -> int | None:
    return None if value == UNLIMITED or value is None else _read_count(0, 10_000)(value)


def _read_list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else _wrong(value, "a list")


def _read_ports(value: object) -> tuple[int, ...]:
    return tuple(_read_count(1, 65535)(port) for port in _read_list(value))


def _read_hosts(value: object) -> tuple[str, ...]:
    return tuple(
        host
        if isinstance(host, str) and _HOST.fullmatch(host)
        else _wrong(host, "a host name, or .suffix of some")
        for host in _read_list(value)
    )


def _read_images(value: object) -> tuple[str, ...]:
    return tuple(_read_image(image) for image in _read_list(value))


def _read_image(value: object) -> str:
    if isinstance(value, str) and value.endswith("*"):
        return value if _PREFIX.fullmatch(value) else _wrong(value, "registry/prefix/*")
    return check_image(value)  # type: ignore[arg-type]  # it takes anything, and refuses what is no text


def _read_offers(value: object) -> tuple[str, ...]:
    return tuple(
        offer if isinstance(offer, str) and offer in OFFERS else _wrong(offer, f"one of {', '.join(OFFERS)}")
        for offer in _read_list(value)
    )


def _read_profiles(value: object) -> tuple[Profile, ...]:
    return tuple(_read_profile(item) for item in _read_list(value))


def _read_profile(value: object) -> Profile:
    if not isinstance(value, Mapping) or set(value) != {"name", "label", "memory", "cpus"}:
        _wrong(value, "a table with name, label, memory and cpus, and no other key")
    label = value["label"]
    if not isinstance(label, str) or not label.strip():
        _wrong(label, "a label for people")
    return Profile(
        name=parse_key(value["name"], "profile"),
        label=label,
        memory=parse_memory(value["memory"]),
        cpus=parse_cpus(value["cpus"]),
    )


_READERS: Mapping[str, Callable[[object], object]] = {
    "allow_sources": _read_flag,
    "source_hosts": _read_hosts,
    "source_ports": _read_ports,
    "images": _read_images,
    "memory_min": parse_memory,
    "memory_max": parse_memory,
    "memory_default": parse_memory,
    "cpus_min": parse_cpus,
    "cpus_max": parse_cpus,
    "cpus_default": parse_cpus,
    "profiles": _read_profiles,
    "name_max": _read_count(1, SERVER_NAME_MAX),
    "display_name_max": _read_count(1, DISPLAY_NAME_MAX),
    "named_servers": _read_limit,
    "offers": _read_offers,
}
#: Every key of a preset file.
KEYS = tuple(_READERS)


def _check_together(policy: Policy, origin: str) -> None:
    """Refuse values that contradict each other: a default or a profile outside the range it is for."""
    sizes: list[tuple[str, int, float]] = [
        ("memory_default and cpus_default", policy.memory_default, policy.cpus_default)
    ]
    sizes += [(f"profile {profile.name}", profile.memory, profile.cpus) for profile in policy.profiles]
    for key, memory, cpus in sizes:
        if not policy.memory_min <= memory <= policy.memory_max:
            span = f"{format_memory(policy.memory_min)} to {format_memory(policy.memory_max)}"
            message = f"{origin}: {key}: {format_memory(memory)} of memory is outside memory_min to memory_max, {span}."
            raise InvalidInput(message, field="memory_default", code="invalid_policy")
        if not policy.cpus_min <= cpus <= policy.cpus_max:
            span = f"{policy.cpus_min:g} to {policy.cpus_max:g}"
            message = f"{origin}: {key}: {cpus:g} CPUs are outside cpus_min to cpus_max, {span}."
            raise InvalidInput(message, field="cpus_default", code="invalid_policy")
    names = [profile.name for profile in policy.profiles]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise InvalidInput(
            f"{origin}: two profiles are called {twice}.", field="profiles", code="invalid_policy"
        )


def _check_prefixes(prefixes: tuple[str, ...]) -> None:
    for prefix in prefixes:
        try:
            split_url(prefix)
        except InvalidSource as error:
            message = f"extra_sources: {quoted(prefix)} is no URL prefix: {error.message}"
            hint = "For example http://forge.lan:3000/."
            raise InvalidInput(message, hint=hint, field="extra_sources", code="invalid_policy") from error

"""The form of each value an administrator writes into a policy: TOML or Python in, value out, `ValueError` with the reason else.

What a value means, and how it combines, is in `policy_keys`; readers of memory and CPUs are the spec's own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, TypeVar

from versatilehub.errors import InvalidSpec
from versatilehub.policy_types import Profile
from versatilehub.spec_values import UNITS, check_image, parse_cpus, parse_key, parse_memory
from versatilehub.text import quoted

#: Spelling of "no limit", because TOML has no null.
UNLIMITED = "unlimited"
#: A volume cap below this holds no file system.
VOLUME_LEAST = 16 * UNITS["M"]
#: Ten years: the longest time a policy may name.
SECONDS_MOST = 10 * 366 * 24 * 3600
COUNT_MOST = 10_000
PATTERN_MOST = 200

_HOST = re.compile(r"\.?[a-z0-9]+(?:[.-][a-z0-9]+)*")
_PREFIX = re.compile(
    r"[a-zA-Z0-9]+(?:[.-][a-zA-Z0-9]+)*(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*/\*"
)
_TIME = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_TIME_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
_ORIGIN = re.compile(r"https?://[^\s@?#{}]+")

Reader = Callable[[object], object]
_Value = TypeVar("_Value")


def wrong(value: object, wanted: str) -> NoReturn:
    """Raise ValueError: what was *wanted*, and what stands there."""
    raise ValueError(f"must be {wanted}, and is {quoted(value)}.")


def read_flag(value: object) -> bool:
    """Return true or false."""
    return value if isinstance(value, bool) else wrong(value, "true or false")


def read_count(low: int, high: int) -> Callable[[object], int]:
    """Return a reader of whole numbers from *low* to *high*."""

    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        wrong(value, f"a whole number from {low} to {high}")

    return read


def or_unlimited(read: Reader) -> Reader:
    """Return a reader that takes ``"unlimited"`` (None in Python) beside what *read* takes."""

    def read_either(value: object) -> object:
        if value == UNLIMITED or value is None:
            return None
        try:
            return read(value)
        except ValueError as error:
            raise ValueError(f'{str(error).rstrip(".")}; "{UNLIMITED}" is no limit.') from error

    return read_either


def read_memory(value: object) -> int:
    """Return bytes, as in a launch spec."""
    return _as_value_error(parse_memory, value)


def read_cpus(value: object) -> float:
    """Return CPUs, as in a launch spec."""
    return _as_value_error(parse_cpus, value)


def read_volume_cap(value: object) -> int:
    """Return the bytes a volume may hold."""
    size = read_memory(value)
    return size if size >= VOLUME_LEAST else wrong(value, f"at least {VOLUME_LEAST // UNITS['M']}M")


def read_seconds(value: object) -> int:
    """Return seconds from a whole number of them, or a text with one unit: ``"90s"``, ``"45m"``, ``"2h"``, ``"7d"``."""
    seconds = -1
    if isinstance(value, int) and not isinstance(value, bool):
        seconds = value
    elif isinstance(value, str) and (found := _TIME.fullmatch(value)):
        seconds = int(found[1]) * _TIME_UNITS[found[2]]
    if 0 < seconds <= SECONDS_MOST:
        return seconds
    wrong(value, 'a time of at least one second and at most ten years, as in 7200 or "2h"')


def read_seconds_or_none(value: object) -> int:
    """Return seconds, 0 included."""
    return 0 if value == 0 and not isinstance(value, bool) else read_seconds(value)


def read_hours(value: object) -> float:
    """Return hours, 0 or more."""
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= 0
    ):
        return float(value)
    wrong(value, "a number of hours, 0 or more")


def read_list(value: object) -> Sequence[object]:
    """Return a list's items."""
    return list(value) if isinstance(value, (list, tuple)) else wrong(value, "a list")


def read_ports(value: object) -> tuple[int, ...]:
    """Return port numbers."""
    return tuple(read_count(1, 65535)(port) for port in read_list(value))


def read_hosts(value: object) -> tuple[str, ...]:
    """Return host names; one that begins with "." covers all hosts below it."""
    return tuple(
        host
        if isinstance(host, str) and _HOST.fullmatch(host)
        else wrong(host, "a host name, or .suffix of some")
        for host in read_list(value)
    )


def read_images(value: object) -> tuple[str, ...]:
    """Return exact image names, and prefixes that end in ``/*``."""
    return tuple(_read_image(image) for image in read_list(value))


def _read_image(value: object) -> str:
    if isinstance(value, str) and value.endswith("*"):
        return value if _PREFIX.fullmatch(value) else wrong(value, "registry/prefix/*")
    return _as_value_error(check_image, value)


def read_some_of(choices: Sequence[str]) -> Callable[[object], tuple[str, ...]]:
    """Return a reader of lists whose items are all among *choices*."""

    def read(value: object) -> tuple[str, ...]:
        return tuple(
            item if isinstance(item, str) and item in choices else wrong(item, f"one of {', '.join(choices)}")
            for item in read_list(value)
        )

    return read


def read_trust(value: object) -> tuple[str, ...]:
    """Return URL prefixes and host names."""
    return tuple(
        item
        if isinstance(item, str) and (_ORIGIN.fullmatch(item) or _HOST.fullmatch(item))
        else wrong(item, "a host name, .suffix of some, or a URL prefix as in https://lms.example.org/")
        for item in read_list(value)
    )


def read_pattern(value: object) -> str:
    """Return a regular expression."""
    if not isinstance(value, str) or len(value) > PATTERN_MOST:
        wrong(value, f"a regular expression of at most {PATTERN_MOST} characters")
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"must be a regular expression, and {quoted(value)} is none: {error}.") from error
    return value


def read_profiles(value: object) -> tuple[Profile, ...]:
    """Return sizes to choose from, each name once."""
    profiles = tuple(_read_profile(item) for item in read_list(value))
    names = [profile.name for profile in profiles]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise ValueError(f"two profiles are called {twice}.")
    return profiles


def _read_profile(value: object) -> Profile:
    if not isinstance(value, Mapping) or set(value) != {"name", "label", "memory", "cpus"}:
        wrong(value, "a table with name, label, memory and cpus, and no other key")
    label = value["label"]
    if not isinstance(label, str) or not label.strip():
        wrong(label, "a label for people")
    return Profile(
        name=_as_value_error(lambda name: parse_key(name, "profile"), value["name"]),
        label=label,
        memory=read_memory(value["memory"]),
        cpus=read_cpus(value["cpus"]),
    )


def _as_value_error(read: Callable[..., _Value], value: object) -> _Value:
    try:
        return read(value)
    except InvalidSpec as error:
        raise ValueError(error.message) from error

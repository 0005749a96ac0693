"""The one table of policy keys: how each is read, how the values of several groups combine, and what people call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from versatilehub import policy_rules as rules
from versatilehub import policy_values as values
from versatilehub.naming import DISPLAY_NAME_MAX, SERVER_NAME_MAX
from versatilehub.policy_types import CREDENTIALS, HOUR, MOUNT_KINDS, OFFERS, Profile
from versatilehub.spec_values import UNITS

#: Docker's own floor for a container's process limit is lower; Jupyter with one kernel needs about 30.
PIDS_LEAST = 32
PIDS_MOST = 4_000_000
TRASH_DAYS_MOST = 3650


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a policy file.

    *read* turns what an administrator wrote into the value, *rule* combines those of several groups, *show* says a value in words.
    """

    name: str
    label: str
    topic: str
    read: values.Reader
    rule: rules.Rule
    show: Callable[[Any], str]


def format_memory(size: int) -> str:
    """Return bytes in the largest binary unit that is exact: ``2G``, ``1536M``."""
    unit = next((unit for unit in reversed(UNITS) if size and size % UNITS[unit] == 0), "")
    return f"{size // UNITS[unit]}{unit}" if unit else str(size)


def format_seconds(seconds: int) -> str:
    """Return a time in the largest unit that is exact: ``2 hours``, ``90 minutes``, ``1 day``."""
    for size, unit in ((24 * HOUR, "day"), (HOUR, "hour"), (60, "minute")):
        if seconds and seconds % size == 0:
            return _counted(seconds // size, unit)
    return _counted(seconds, "second")


def _counted(count: float, unit: str) -> str:
    return f"{count:g} {unit}" if count == 1 else f"{count:g} {unit}s"


def _unlimited(show: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "no limit" if value is None else show(value)


def _listed(empty: str) -> Callable[[Any], str]:
    return lambda value: ", ".join(str(item) for item in value) or empty


def _flag(value: object) -> str:
    return "yes" if value else "no"


def _profiles(profiles: tuple[Profile, ...]) -> str:
    return ", ".join(f"{p.label} ({format_memory(p.memory)}, {p.cpus:g} CPUs)" for p in profiles) or "none"


def _number(value: float) -> str:
    return f"{value:g}"


def _seconds_or_none(value: int) -> str:
    return format_seconds(value) if value else "none"


_COUNT = values.or_unlimited(values.read_count(0, values.COUNT_MOST))
_COUNT_FROM_1 = values.or_unlimited(values.read_count(1, values.COUNT_MOST))
_CAP = values.or_unlimited(values.read_volume_cap)
_TIME = values.or_unlimited(values.read_seconds)
_HOURS = values.or_unlimited(values.read_hours)

# name, what people call it, reader, rule, words
_Row = tuple[str, str, values.Reader, rules.Rule, Callable[[Any], str]]

_NAMES: tuple[_Row, ...] = (
    ("name_max", "Characters in a server's name", values.read_count(1, SERVER_NAME_MAX), rules.LARGEST, str),
    ("name_pattern", "Pattern of a server's name", values.read_pattern, rules.EITHER, lambda v: v or "any"),
    (
        "display_name_max",
        "Characters in a display name",
        values.read_count(1, DISPLAY_NAME_MAX),
        rules.LARGEST,
        str,
    ),
)
_COUNTS: tuple[_Row, ...] = (
    ("named_servers", "Named servers beside the default one", _COUNT, rules.LARGEST, _unlimited(str)),
    ("running_max", "Servers running at the same time", _COUNT_FROM_1, rules.LARGEST, _unlimited(str)),
    ("admin_may_exceed", "Administrators may pass these two", values.read_flag, rules.ANY, _flag),
)
_SIZE: tuple[_Row, ...] = (
    ("memory_min", "Least memory of a server", values.read_memory, rules.SMALLEST, format_memory),
    ("memory_max", "Most memory of a server", values.read_memory, rules.LARGEST, format_memory),
    (
        "memory_default",
        "Memory of a server that asks for none",
        values.read_memory,
        rules.LARGEST,
        format_memory,
    ),
    ("cpus_min", "Least CPUs of a server", values.read_cpus, rules.SMALLEST, _number),
    ("cpus_max", "Most CPUs of a server", values.read_cpus, rules.LARGEST, _number),
    ("cpus_default", "CPUs of a server that asks for none", values.read_cpus, rules.LARGEST, _number),
    ("profiles", "Sizes to choose from", values.read_profiles, rules.MERGED, _profiles),
    (
        "pids_max",
        "Processes and threads of a server",
        values.read_count(PIDS_LEAST, PIDS_MOST),
        rules.LARGEST,
        str,
    ),
    ("gpus_max", "Graphics cards of a server", values.read_count(0, 64), rules.LARGEST, str),
)
_STORAGE: tuple[_Row, ...] = (
    ("server_volume_max", "Storage of one server", _CAP, rules.LARGEST, _unlimited(format_memory)),
    ("home_max", "Storage of your home", _CAP, rules.LARGEST, _unlimited(format_memory)),
    ("workspace_volume_max", "Storage of one workspace volume", _CAP, rules.LARGEST, _unlimited(format_memory)),
    ("mount_kinds", "Kinds of storage a server may have", values.read_some_of(MOUNT_KINDS), rules.UNION, _listed("none")),
    ("scratch", "Scratch space", values.read_flag, rules.ANY, _flag),
    ("trash_days", "Days a deleted server's storage can be restored", values.read_count(0, TRASH_DAYS_MOST), rules.LARGEST, str),
)  # fmt: skip
_TIMES: tuple[_Row, ...] = (
    (
        "idle_timeout",
        "A server nobody uses is stopped after",
        _TIME,
        rules.LARGEST,
        _unlimited(format_seconds),
    ),
    (
        "idle_timeout_max",
        "The longest such time you may choose",
        _TIME,
        rules.LARGEST,
        _unlimited(format_seconds),
    ),
    ("max_age", "Any server is stopped after", _TIME, rules.LARGEST, _unlimited(format_seconds)),
    (
        "extension_max",
        "You may put a stop off by up to",
        values.read_seconds_or_none,
        rules.LARGEST,
        _seconds_or_none,
    ),
)
_BUILDS: tuple[_Row, ...] = (
    ("builds_at_once", "Builds at the same time", _COUNT_FROM_1, rules.LARGEST, _unlimited(str)),
    ("builds_per_day", "Builds a day", _COUNT, rules.LARGEST, _unlimited(str)),
)
_SOURCES: tuple[_Row, ...] = (
    ("allow_sources", "Repositories are built", values.read_flag, rules.ANY, _flag),
    (
        "source_hosts",
        "Hosts of repositories",
        values.read_hosts,
        rules.UNION_OR_ANY,
        _listed("any public host"),
    ),
    ("source_ports", "Ports of repository hosts", values.read_ports, rules.UNION, _listed("none")),
    ("trust", "Links that start without a question", values.read_trust, rules.UNION, _listed("none")),
    ("images", "Images", values.read_images, rules.UNION, _listed("none")),
    (
        "offers",
        "What a launch may ask for",
        values.read_some_of(OFFERS),
        rules.UNION,
        _listed("nothing more"),
    ),
    (
        "credentials",
        "Credentials in a server",
        values.read_some_of(CREDENTIALS),
        rules.UNION,
        _listed("none"),
    ),
)
_BUDGETS: tuple[_Row, ...] = (
    ("budget_server_hours", "Server-hours a month", _HOURS, rules.SUM, _unlimited(_number)),
    ("budget_cpu_hours", "CPU-hours a month", _HOURS, rules.SUM, _unlimited(_number)),
    ("budget_gb_hours", "GB-hours of memory a month", _HOURS, rules.SUM, _unlimited(_number)),
)
#: Headings of the page, and what stands below each.
TOPICS: Mapping[str, tuple[_Row, ...]] = {
    "Servers": _COUNTS,
    "Names": _NAMES,
    "Size of a server": _SIZE,
    "Storage": _STORAGE,
    "Time": _TIMES,
    "Sources and images": _SOURCES,
    "Builds": _BUILDS,
    "Budget": _BUDGETS,
}
#: Every key of a policy file, in the order people read them.
KEYS: Mapping[str, Key] = {
    row[0]: Key(name=row[0], label=row[1], topic=topic, read=row[2], rule=row[3], show=row[4])
    for topic, rows in TOPICS.items()
    for row in rows
}

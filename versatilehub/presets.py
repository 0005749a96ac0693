"""Policies as administrators write them: presets, a site's file, values in the hub's configuration; `PolicySet` out.

Whatever is wrong is said at start, with file, line, key and reason: `InvalidInput` of code ``invalid_policy``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

from versatilehub.errors import InvalidInput, InvalidSource
from versatilehub.policy_groups import Layer, PolicySet, read_layer
from versatilehub.policy_keys import KEYS
from versatilehub.source_address import split_url
from versatilehub.text import nearest, quoted

if TYPE_CHECKING:
    from pathlib import Path

    from versatilehub.policy_types import Policy

__all__ = ["GROUPS", "KEYS", "PRESETS", "load", "load_all", "parse_policy", "preset_text"]

PRESETS = ("versatile", "ska", "conjuring", "kooplex", "binder")
#: The table of a policy file that holds one table for each group.
GROUPS = "groups"
#: How people are told of what stands in ``policy_overrides`` and ``policy_groups``.
SITE = "this hub's configuration"

_KEY = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')\s*=")


def load(
    name: str, overrides: Mapping[str, object] | None = None, *, extra_sources: tuple[str, ...] = ()
) -> Policy:
    """Return the policy of preset *name* for somebody in no group, each key in *overrides* put in place of the preset's.

    *extra_sources* are URL prefixes allowed beside the public forges; plain http is allowed for these only.
    """
    return load_all(name, overrides=overrides, extra_sources=extra_sources).of(()).policy


def load_all(
    name: str,
    *,
    file: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    groups: Mapping[str, object] | None = None,
    extra_sources: tuple[str, ...] = (),
) -> PolicySet:
    """Return the policies of a hub: preset, then the site's *file*, then *overrides*; what *groups* have instead on top.

    A file may have a table ``[groups.<name>]`` for each group; *groups* is the same from the hub's configuration, and wins.
    """
    if name not in PRESETS:
        near = nearest(name, PRESETS)
        hint = f"Did you mean {near}?" if near else f"The presets are {', '.join(PRESETS)}."
        raise InvalidInput(
            f"There is no preset {quoted(name)}.", hint=hint, field="preset", code="invalid_policy"
        )
    layers = [_parse(preset_text(name), f"preset {name}")]
    if file is not None:
        layers.append(_parse(_read(file), file.name))
    layers.append(_layers({**(overrides or {}), **({GROUPS: groups} if groups else {})}, SITE, {}))
    _check_prefixes(extra_sources)
    return _policies(layers, extra_sources)


def preset_text(name: str) -> str:
    """Return the TOML text of one of `PRESETS`, as it is in the package."""
    return (resources.files("versatilehub") / "presets" / f"{name}.toml").read_text(encoding="utf-8")


def parse_policy(text: str, origin: str = "policy") -> Policy:
    """Return the policy that TOML *text* describes for somebody in no group; *origin* is what messages call it."""
    return _policies([_parse(text, origin)]).of(()).policy


_Layers = tuple[Layer, Mapping[str, Layer]]
_Lines = Mapping[tuple[str, ...], int]


def _policies(layers: list[_Layers], extra_sources: tuple[str, ...] = ()) -> PolicySet:
    groups: dict[str, Layer] = {}
    for _, named in layers:
        for name, layer in named.items():
            known = groups.get(name, Layer(origin=layer.origin))
            groups[name] = Layer(
                origin=layer.origin,
                values={**known.values, **layer.values},
                lines={**known.lines, **layer.lines},
            )
    found = PolicySet(site=tuple(site for site, _ in layers), groups=groups, extra_sources=extra_sources)
    found.check()
    return found


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"The policy file {file.name} cannot be read: {error}."
        raise InvalidInput(message, field="policy_file", code="invalid_policy") from error


def _parse(text: str, origin: str) -> _Layers:
    try:
        keys = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(f"{origin} is not TOML: {error}.", code="invalid_policy") from error
    return _layers(keys, origin, _lines(text))


def _layers(keys: Mapping[Any, object], origin: str, lines: _Lines) -> _Layers:
    site = {key: value for key, value in keys.items() if key != GROUPS}
    tables = keys.get(GROUPS, {})
    if not isinstance(tables, Mapping):
        Layer(origin=origin).refuse(GROUPS, "must be a table with one table for each group.")
    groups = {}
    for name, table in tables.items():
        if not isinstance(name, str) or not name or not isinstance(table, Mapping):
            Layer(origin=origin).refuse(GROUPS, f"{quoted(name)} must be a table of policy keys.")
        within = _lines_below(lines, (GROUPS, name))
        groups[name] = read_layer(table, f"{origin}, group {name}", within)
    return read_layer(site, origin, _lines_below(lines, ())), groups


def _lines_below(lines: _Lines, table: tuple[str, ...]) -> Mapping[str, int]:
    return {path[-1]: line for path, line in lines.items() if path[:-1] == table}


def _lines(text: str) -> _Lines:
    """Return the line of each key and table header, which no TOML reader of ours tells; a key of an odd spelling has none."""
    table: tuple[str, ...] = ()
    found: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            table = _header(line) or table
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, key[1].strip("\"'")), number)
    return found


def _header(line: str) -> tuple[str, ...]:
    try:
        level: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()  # a line within a list
    path = []
    while level:
        (name, level), *_ = (level[0] if isinstance(level, list) else level).items()
        path.append(name)
        if level == [{}]:
            break
    return tuple(path)


def _check_prefixes(prefixes: tuple[str, ...]) -> None:
    for prefix in prefixes:
        try:
            split_url(prefix)
        except InvalidSource as error:
            message = f"extra_sources: {quoted(prefix)} is no URL prefix: {error.message}"
            hint = "For example http://forge.example.org:3000/."
            raise InvalidInput(message, hint=hint, field="extra_sources", code="invalid_policy") from error

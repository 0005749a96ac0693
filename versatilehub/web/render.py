"""Renders our own fragments: escaped always, and a missing value is an error, never an empty spot.

The hub pastes an options form into its page with ``| safe``, so nothing unescaped may leave here.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from versatilehub.web.assets import TEMPLATES

_KIB = 1024
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def render(name: str, **values: object) -> str:
    """Return template *name* filled with *values*."""
    return _environment().get_template(name).render(**values)


def format_memory(count: int) -> str:
    """Return *count* bytes in the largest binary unit that keeps it above 1: ``1536 MiB`` is "1.5 GiB"."""
    amount, unit = float(count), 0
    while amount >= _KIB and unit < len(_UNITS) - 1:
        amount /= _KIB
        unit += 1
    return f"{amount:.1f} {_UNITS[unit]}".replace(".0 ", " ")


def format_cpus(count: float) -> str:
    """Return *count* processors in words: "1 CPU", "0.5 CPUs"."""
    return f"{count:g} CPU" if count == 1 else f"{count:g} CPUs"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["memory"] = format_memory
    environment.filters["cpus"] = format_cpus
    return environment

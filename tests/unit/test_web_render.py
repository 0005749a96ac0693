"""Rendering and the words for sizes."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from versatilehub.web.render import format_cpus, format_memory, render


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1536 << 20, "1.5 GiB"),
        (2 << 30, "2 GiB"),
        (1 << 40, "1 TiB"),
        (5000 << 40, "5000 TiB"),
    ],
)
def test_format_memory(count: int, text: str) -> None:
    """Bytes in the largest binary unit, with no more figures than a person wants."""
    assert text == format_memory(count)


@pytest.mark.parametrize(("count", "text"), [(1, "1 CPU"), (0.5, "0.5 CPUs"), (4.0, "4 CPUs")])
def test_format_cpus(count: float, text: str) -> None:
    """One is singular."""
    assert text == format_cpus(count)


def test_a_missing_value_is_an_error() -> None:
    """A template that lacks a value fails in a test, not as a gap on a page."""
    with pytest.raises(UndefinedError):
        render("_options_form.html")

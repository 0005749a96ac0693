"""Files that tell one container what another finished: written whole or not at all, waited for with a bound."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from versatilehub_builder.lines import Failure

if TYPE_CHECKING:
    from pathlib import Path

_EVERY = 0.005


def publish(path: Path, text: str) -> None:
    """Write *text* to *path* so that whoever sees the file sees all of it."""
    half = path.with_name(path.name + ".half")
    half.write_text(text, encoding="utf-8")
    half.replace(path)


def await_file(path: Path, seconds: float) -> str:
    """Return the text of *path* as soon as it exists; raise `Failure` (``build_timeout``) after *seconds*."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            if time.monotonic() > deadline:
                message = f"The step before did not end within {seconds:g} s."
                raise Failure("build_timeout", message, hint="Start again.") from None
        time.sleep(_EVERY)

"""The permanent corpus of hostile and easily mistaken input, as parameters for pytest.

``tests/data/bad_inputs.json`` is a list of ``{kind, input, expect, why}``; *expect* is "accept" or "reject". A test
takes the whole case: ``@pytest.mark.parametrize("case", cases("ref"))`` and compares its verdict to ``case.accepted``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

CORPUS = Path(__file__).parent / "data" / "bad_inputs.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One input, whether it is to be accepted, and why. *value* is text, a list or an object, as its kind has it."""

    kind: str
    value: Any
    accepted: bool
    why: str


def load(*kinds: str) -> list[Case]:
    """Return the cases of *kinds*, in the order of the file; a kind without a case is an error."""
    rows = json.loads(CORPUS.read_text(encoding="utf-8"))
    missing = set(kinds) - {row["kind"] for row in rows}
    if missing:
        msg = f"{CORPUS.name} has no case of kind {', '.join(sorted(missing))}"
        raise LookupError(msg)
    return [
        Case(kind=row["kind"], value=row["input"], accepted=row["expect"] == "accept", why=row["why"])
        for row in rows
        if row["kind"] in kinds
    ]


def cases(*kinds: str) -> list[ParameterSet]:
    """Return the cases of *kinds* as parameters; the id says the kind, the place within it, and why it is there."""
    counted: dict[str, int] = dict.fromkeys(kinds, 0)
    parameters = []
    for case in load(*kinds):
        counted[case.kind] += 1
        parameters.append(pytest.param(case, id=f"{case.kind}-{counted[case.kind]:03d}-{case.why[:60]}"))
    return parameters

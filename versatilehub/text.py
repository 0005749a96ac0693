"""What a character may be, in anything a person typed, and how such text is shown back.

Every rule on names and paths refuses the same characters: those that cannot be seen, or that change how others are
seen (controls, line breaks, zero-width and right-to-left marks, halves of a pair, private and unassigned code points).
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Unicode categories of characters nobody can see: control, format, surrogate, private, unassigned, line, paragraph.
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# Letters and marks that draw nothing (Unicode's Default_Ignorable_Code_Point outside category C)
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def draws_nothing(character: str) -> bool:
    """Tell whether *character* is a letter or mark that leaves its place empty."""
    return bool(_BLANK.fullmatch(character))


def unseen(text: str) -> str:
    """Return the first character of *text* that cannot be seen, spelled like ``U+202E``; "" when all can."""
    found = next((c for c in text if unicodedata.category(c) in UNSEEN or draws_nothing(c)), "")
    return f"U+{ord(found):04X}" if found else ""


def quoted(value: object, limit: int = 60) -> str:
    """Return *value* as it may stand in a message: a text quoted, escaped and cut to *limit*, or what else it is."""
    if isinstance(value, str) and "://" in value:
        return "(an address, not repeated: it may hold a password)"
    if isinstance(value, str):
        return repr(value) if len(value) <= limit else repr(value[:limit])[:-1] + "…'"
    if value is None or isinstance(value, (bool, float)):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**limit else "a number of too many digits"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else type(value).__name__


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the entry of *known* a person most likely meant by *word*, "" when none is near."""
    return next(iter(difflib.get_close_matches(word.lower()[:60], list(known), n=1, cutoff=0.6)), "")

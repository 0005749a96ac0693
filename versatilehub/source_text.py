"""The character rules every part of a pasted source obeys: refs, folders and files of a repository.

A rule names what is allowed, never what is forbidden: letters, marks and digits of any script and a few signs.
Invisible, control and direction-changing characters are therefore never part of a name that two people compare by eye.
"""

from __future__ import annotations

import re
import unicodedata

from versatilehub.errors import InvalidSource
from versatilehub.text import draws_nothing

MAX_TEXT = 2048  # characters of a pasted text or URL
MAX_REF = 255  # bytes: a loose ref is a file below .git/refs, and file systems stop there
MAX_PATH = 1024  # bytes of a path inside a repository
MAX_PART = 255  # bytes of one part of it

EXAMPLE = "Paste for example https://github.com/owner/repository, or a DOI such as 10.5281/zenodo.3242074."

_REF_SIGNS = frozenset("._/+-")
_PATH_SIGNS = frozenset(" !#$&'()+,-./=@[]_~")
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")


def refused(message: str, hint: str = EXAMPLE, *, field: str = "source", code: str = "") -> InvalidSource:
    """Return the error for *message*; it always carries a hint, because a person has to know what to type instead."""
    return InvalidSource(message, hint=hint, field=field, code=code)


def shown(text: str) -> str:
    """Return *text* fit for a message: ASCII, at most 60 characters, and hidden if it may hold credentials."""
    if "@" in text or "://" in text:
        return "(not shown)"
    return ascii(text if len(text) <= 60 else text[:57] + "...")


def is_name_character(character: str, signs: frozenset[str]) -> bool:
    """Tell whether *character* is a visible letter, mark or decimal digit of any script, or one of *signs*."""
    if character in signs:
        return True
    category = unicodedata.category(character)
    return (category[0] in "LM" or category == "Nd") and not draws_nothing(character)


def check_text(text: str) -> None:
    """Refuse what no address of a repository can hold: nothing, too much, spaces, controls, hidden characters."""
    if not text:
        raise refused("No repository is given.")
    if len(text) > MAX_TEXT:
        raise refused(f"An address may have {MAX_TEXT} characters; this one has {len(text)}.")
    for character in text:
        if unicodedata.category(character)[0] in "CZ" or draws_nothing(character):
            message = (
                f"The address holds the character U+{ord(character):04X}, which is a space or cannot be seen."
            )
            raise refused(message, "Remove spaces and line ends, also before and after the address.")
    if "\\" in text:
        raise refused("The address holds a backslash.", "Write the address with / only.")


def check_ref(ref: str) -> str:
    """Return *ref* if it may be a branch, tag, full ref or commit; "" stands for the default branch.

    The rule is git-check-ref-format's, narrowed to letters, marks and digits of any script and ``. _ / + -``, at most
    255 bytes, and never a leading "-", which git reads as an option. A commit comes back in lower case.
    """
    if not ref:
        return ""
    if _OBJECT_ID.fullmatch(ref):
        return ref.lower()
    reason = _wrong_ref(ref)
    if reason:
        message = f"{shown(ref)} cannot be a branch, tag or commit: {reason}."
        hint = "Give a name such as main or v1.2, a full ref such as refs/pull/12/head, or a commit of 40 digits."
        raise refused(message, hint, field="ref", code="invalid_ref")
    return ref


def _wrong_ref(ref: str) -> str:
    """Return why *ref* is none, "" if it may be one."""
    if len(ref.encode("utf-8", "surrogatepass")) > MAX_REF:
        return f"it is longer than {MAX_REF} bytes"
    for character in ref:
        if not is_name_character(character, _REF_SIGNS):
            return f"it holds the character U+{ord(character):04X}"
    if ref.startswith("-"):
        return 'it starts with "-"'
    if ".." in ref or ref.endswith("."):
        return 'it ends with "." or holds ".."'
    for part in ref.split("/"):
        if not part or part.startswith(".") or part.endswith(".lock"):
            return 'a part between "/" is empty, starts with "." or ends with ".lock"'
    return ""


def check_subdir(subdir: str) -> str:
    """Return *subdir*, a folder inside the repository, without a "/" at its end; "" stands for the repository itself."""
    trimmed = subdir.removesuffix("/")
    if not subdir:
        return ""
    reason = _wrong_path(trimmed)
    if reason:
        message = f"{shown(subdir)} cannot be a folder of a repository: {reason}."
        hint = "Give a folder inside the repository, such as docs/examples."
        raise refused(message, hint, field="subdir", code="invalid_subdir")
    return trimmed


def _wrong_path(path: str) -> str:
    """Return why *path* is not a relative path inside a repository, "" if it is one."""
    if len(path.encode("utf-8", "surrogatepass")) > MAX_PATH:
        return f"it is longer than {MAX_PATH} bytes"
    for character in path:
        if not is_name_character(character, _PATH_SIGNS):
            return f"it holds the character U+{ord(character):04X}"
    for part in path.split("/"):
        if reason := _wrong_part(part):
            return reason
    return ""


def _wrong_part(part: str) -> str:
    """Return why *part* cannot stand between two "/" of a path, "" if it can."""
    reasons = {
        'a part between "/" is empty': not part,
        "it leaves its folder": part in {".", ".."},
        "it is inside git's own folder": part.casefold() == ".git",
        'a part starts with "-"': part.startswith("-"),
        "a part starts or ends with a space": part != part.strip(" "),
        f"a part is longer than {MAX_PART} bytes": len(part.encode("utf-8")) > MAX_PART,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")

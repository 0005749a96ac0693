"""One row of the table of causes, and the files that rows are about. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PIP: Final = "requirements.txt"
APT: Final = "apt.txt"
CONDA: Final = "environment.yml"
DOCKER: Final = "Dockerfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row: what the log says, what that means, what to do.

    *pattern* is looked for in the last lines of the log, joined. Its groups `what` and `other` (a number may follow the name, for
    alternatives) go into the sentence at ``{}`` and ``{other}``; `file` and `line` say where the fault is. *message* may have a second
    form, after "|", for when a name is missing.
    """

    code: str
    pattern: str
    message: str
    hint: str
    file: str = ""

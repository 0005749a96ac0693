"""``apt.txt``: one Debian package a line, "#" begins a comment; everything else is refused.

repo2docker checks only the beginning of a line and then runs it as root, so the whole line is checked here first.
"""

from __future__ import annotations

import re

from versatilehub_builder.lines import Failure

# Debian policy 5.6.1 for the name; an architecture and an exact version are apt-get's own additions.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,127}(?::[a-z0-9]{1,16})?(?:=[A-Za-z0-9.+:~-]{1,127})?")


def read_apt(text: str, file: str = "apt.txt") -> tuple[str, ...]:
    """Return the packages in the file's order, each once; raise `Failure` (``apt_package_name``) on any other line."""
    packages: dict[str, None] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        name = line.partition("#")[0].strip()
        if not name:
            continue
        if not _PACKAGE.fullmatch(name) or (name.endswith(("-", "+")) and not name.endswith("++")):
            raise Failure(
                "apt_package_name",
                f"Line {number} of {file}, {name[:80]!r}, is not the name of a Debian package.",
                hint="Write one package name a line, for example: graphviz",
                file=file,
            )
        packages[name] = None
    return tuple(packages)

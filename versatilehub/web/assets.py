"""Where templates and static files are, and the URL under which the latter are served.

The URL holds a digest of the files, so browsers may keep them for ever and still see a change at once; it is part of
the path and not a query, because ES modules import one another by relative path.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

from versatilehub import __version__

PACKAGE = Path(__file__).parent.parent
TEMPLATES = PACKAGE / "templates"
STATIC = PACKAGE / "static"


@cache
def static_version() -> str:
    """Return the package version and eight hex digits of the content of every static file."""
    digest = sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{__version__}-{digest.hexdigest()[:8]}"


def static_path() -> str:
    """Return the path of the static files relative to the hub's base URL, ending in "/"."""
    return f"versatilehub/static/{static_version()}/"

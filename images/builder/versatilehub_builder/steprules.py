"""What BuildKit says it does, held against the rules: a base image's ONBUILD brings steps no check of the text sees.

The engine has begun the step when its line is read, so this keeps what it brings from the person, no more. Of images only
those built for others are refused: the rest was checked in the text, or is what a base's author may read anyway.
"""

from __future__ import annotations

import re

from versatilehub_builder.images import parse_image
from versatilehub_builder.lines import Failure
from versatilehub_builder.lint import LintRules, check_dockerfile

_READS = re.compile(r"#\d+ (?:\[[^\]]*\] )?(?:load metadata for|FROM) (\S+)(?: .*)?")
_ADDS = re.compile(r"#\d+ \[[^\]]*\] (ADD .*)")
_BUILT = ("vh-build/", "vh-try/")


def check_step(line: str) -> None:
    """Raise `Failure` when *line* of BuildKit's plain log says that it reads what no Dockerfile may."""
    reads = _READS.fullmatch(line)
    image = parse_image(reads[1]) if reads else None
    if image is not None and not image.host and image.path.startswith(_BUILT):
        raise _refused("from", f"the image {image.path!r} was built for somebody")
    adds = _ADDS.fullmatch(line)
    if adds:
        try:
            check_dockerfile(f"FROM scratch\n{adds[1]}", LintRules(images=()))
        except Failure as failure:
            if failure.code == "dockerfile_add_refused":
                raise _refused("add", f"{adds[1][:120]!r} is fetched by the engine itself") from failure


def _refused(kind: str, reason: str) -> Failure:
    return Failure(
        f"dockerfile_{kind}_refused",
        f"A step is refused that the image in FROM adds by itself (ONBUILD): {reason}.",
        hint="Build from another image.",
    )

"""The ``uv`` pack: a short Dockerfile from the singleuser image, its slow steps before the content so that they cache.

Nothing of the repository's text gets into the Dockerfile but checked package names and the names of its build files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from versatilehub_builder.packs import Choice

REPO = "/srv/repo"
OWNER = "1000:100"  # the user and group of the singleuser image
_CACHE = "/home/jovyan/.cache/uv"
_LOCAL = re.compile(
    r"(?:\s*(?:-e\b|--editable\b|-r\b|--requirement\b|-c\b|--constraint\b|-f\b|--find-links\b|\.{0,2}/|\.(?:\s|\[|$)|file:)"
    r"|.*@\s*(?:file:|\.{0,2}/)|[^#]*\.(?:whl|zip|tar\.gz)\s*(?:$|;|#)).*",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A Dockerfile, and which repository file each of its steps comes from: (part of the step's text, file)."""

    text: str
    causes: tuple[tuple[str, str], ...]


def render_uv(choice: Choice, *, base: str, cache: str) -> Rendered:
    """Return the Dockerfile of *choice* from *base*, with the package cache *cache* of this repository alone."""
    folder = choice.folder
    requirements = folder + "requirements.txt"
    early = choice.has("requirements.txt") and not needs_content(choice.requirements)
    parts = [f"FROM {base}"]
    if choice.apt:
        parts += ["USER root", _apt(choice.apt)]
    parts += ["USER root", f"RUN install -d -o 1000 -g 100 {REPO}", f"WORKDIR {REPO}", f"USER {OWNER}"]
    if early:
        parts += [
            f"COPY --chown={OWNER} {requirements} {REPO}/{requirements}",
            _uv(cache, f"-r {requirements}"),
        ]
    parts.append(f"COPY --chown={OWNER} . {REPO}/")
    if choice.has("requirements.txt") and not early:
        parts.append(_uv(cache, f"-r {requirements}"))
    if choice.package:
        parts.append(_uv(cache, "."))
    if choice.has("postBuild"):
        parts.append(_script(folder + "postBuild"))
    if choice.has("start"):
        parts.append(f"ENV R2D_ENTRYPOINT={REPO}/{folder}start")
    parts.append(f"ENV REPO_DIR={REPO}")
    return Rendered(text="\n".join(parts) + "\n", causes=_causes(folder))


def needs_content(requirements: str) -> bool:
    """Whether *requirements* names files of the repository, so that it can only be installed after the content."""
    return any(_LOCAL.fullmatch(line) for line in requirements.replace("\\\n", " ").splitlines())


def _apt(packages: tuple[str, ...]) -> str:
    names = " ".join(packages)
    return (
        "RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -- "
        f"{names} && apt-get clean && rm -rf /var/lib/apt/lists/*"
    )


def _uv(cache: str, what: str) -> str:
    mount = f"--mount=type=cache,id={cache},target={_CACHE},uid=1000,gid=100"
    return (
        f"RUN {mount} UV_CACHE_DIR={_CACHE} UV_LINK_MODE=copy UV_NO_PROGRESS=1 "
        f'uv pip install --python "$(command -v python3)" {what}'
    )


def _script(path: str) -> str:
    """Run a script as repo2docker does, but leave its mode as it is, for the content stays as git has it."""
    return f"RUN if [ -x {path} ]; then ./{path}; else cp {path} /tmp/script && chmod +x /tmp/script && /tmp/script; fi"


def _causes(folder: str) -> tuple[tuple[str, str], ...]:
    return (
        (f"-r {folder}requirements.txt", folder + "requirements.txt"),
        ('"$(command -v python3)" .', "pyproject.toml"),
        ("apt-get install", folder + "apt.txt"),
        (f"{folder}postBuild", folder + "postBuild"),
    )

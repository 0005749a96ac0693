"""``python -m versatilehub_builder.render``: choose the pack, write ``/work/Dockerfile``, check it.

Started while fetch still runs, and waits for it. It has no network unless a pack must look versions up, no socket and
no environment; ``/work/rendered`` says what was written and appears last.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from versatilehub_builder.dockerfile import Reading, readings
from versatilehub_builder.engine import BUILD_ARGS, capture
from versatilehub_builder.fastpack import REPO, render_uv
from versatilehub_builder.jobs import WORK, RenderJob, render_job
from versatilehub_builder.lines import JSON, Failure, Lines, main
from versatilehub_builder.lint import LintRules, check_dockerfile
from versatilehub_builder.packs import DOCKERFILE, REPO2DOCKER, UV, Choice, choose
from versatilehub_builder.tree import read_build_file
from versatilehub_builder.waiting import await_file, publish

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_R2D_BASE = "docker.io/library/buildpack-deps:24.04"
_NETWORK_ERRORS = (
    "ConnectionError",
    "URLError",
    "gaierror",
    "MaxRetryError",
    "NameResolutionError",
    "Timeout",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the build container is given: the text to write, the context's folder, and what a failing step means."""

    text: str
    context: Path
    file: str = ""  # the author's Dockerfile, "" when it is rendered
    build_args: Mapping[str, str] = field(default_factory=dict)
    causes: tuple[tuple[str, str], ...] = ()
    ignore: str = ""


def command(values: Mapping[str, JSON], lines: Lines) -> Mapping[str, JSON]:
    """Wait for the tree, then choose and render."""
    job = render_job(values)
    await_file(WORK / "fetched", job.seconds)
    return render(job, lines, WORK)


def render(job: RenderJob, lines: Lines, work: Path) -> Mapping[str, JSON]:
    """Do the job in *work*; return the result, or that the network is needed."""
    for old in ("context", "Dockerfile", "Dockerfile.dockerignore", "rendered"):
        path = work / old
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    tree = work / "tree" / job.subdir
    choice = choose(tree, job.python)
    lines.phase(f"Pack: {choice.pack}, because {choice.why}.")
    try:
        plan = _plan(job, choice, tree, work)
    except _NeedsNetwork as need:
        if job.network:
            message = f"The versions this repository asks for cannot be looked up: {need}."
            hint = "Try again later; on a closed site, ask an administrator, or write a Dockerfile."
            raise Failure("render_needs_network", message, hint=hint, file=_named(choice)) from need
        lines.log("This pack looks versions up on the network.")
        return {"needs_network": True, "pack": choice.pack, "why": choice.why}
    cache = job.cache_id(work / "tree") if choice.pack == UV else ""
    check_dockerfile(plan.text, _rules(job, plan, cache))
    (work / "Dockerfile").write_text(plan.text, encoding="utf-8")
    if plan.ignore:
        (work / "Dockerfile.dockerignore").write_text(plan.ignore, encoding="utf-8")
    result: dict[str, JSON] = {
        "pack": choice.pack,
        "why": choice.why,
        "dockerfile": plan.file,
        "steps": count_steps(plan.text),
    }
    more: dict[str, JSON] = {
        "context": str(plan.context.relative_to(work)),
        "build_args": dict(plan.build_args),
        "causes": [[part, file] for part, file in plan.causes],
    }
    publish(work / "rendered", json.dumps(result | more))
    return result


def _rules(job: RenderJob, plan: Plan, cache: str) -> LintRules:
    return LintRules(
        images=(*job.images, _R2D_BASE),
        local=job.local,
        file=plan.file or "the rendered Dockerfile",
        cache=cache,
        args=plan.build_args,
    )


def count_steps(text: str) -> int:
    """Return how many steps BuildKit will count in *text*: what makes a layer, and each FROM."""
    names = ("FROM", "RUN", "COPY", "ADD", "WORKDIR")
    return sum(one.name in names for one in readings(text)[0].instructions)


class _NeedsNetwork(Exception):
    """A pack could not look something up."""


def _plan(job: RenderJob, choice: Choice, tree: Path, work: Path) -> Plan:
    if choice.pack == UV:
        rendered = render_uv(choice, base=job.base, cache=job.cache_id(work / "tree"))
        return Plan(text=rendered.text, context=tree, causes=rendered.causes)
    if choice.pack == DOCKERFILE:
        return _author(choice, tree)
    return _repo2docker(job, choice, tree, work)


def _author(choice: Choice, tree: Path) -> Plan:
    """Do as repo2docker's Docker pack does, whose import alone would cost a new repository 0.3 s."""
    name = choice.files[0]
    ignore = tree / f"{name}.dockerignore"
    return Plan(
        text=with_content(read_build_file(tree / name, name)),
        context=tree,
        file=name,
        build_args=BUILD_ARGS,
        ignore=read_build_file(ignore, ignore.name) if ignore.is_file() else "",
    )


def with_content(text: str) -> str:
    """Return *text* with a last step that puts the content where placing looks for it, unless it is there already."""
    if not text.strip():
        hint = "Write at least the image to start from, such as FROM versatilehub/singleuser."
        raise Failure("dockerfile_syntax_refused", "The Dockerfile is empty.", hint=hint, file="Dockerfile")
    found = readings(text)
    if any(reading.open for reading in found):
        message = "The Dockerfile ends within an instruction."
        raise Failure("dockerfile_syntax_refused", message, hint="Complete its last line.", file="Dockerfile")
    if _copies_all(found[0]):
        return text
    return text + ("" if text.endswith("\n") else "\n") + f"\nCOPY --chown=1000:1000 . {REPO}/\n"


def _copies_all(reading: Reading) -> bool:
    copied = False
    for one in reading.instructions:
        if one.name == "FROM":
            copied = False
        elif one.name in {"COPY", "ADD"} and not one.flag("from"):
            *sources, target = one.words or ("",)
            copied = copied or (target.rstrip("/") == REPO and any(each in {".", "./"} for each in sources))
    return copied


def _repo2docker(job: RenderJob, choice: Choice, tree: Path, work: Path) -> Plan:
    try:
        captured = capture(
            tree, work / "context", labels={"repo2docker.repo": job.url, "repo2docker.ref": job.commit}
        )
    except Failure:
        raise
    except Exception as error:  # whatever repo2docker's packs raise is about the repository's files
        names = {type(each).__name__ for each in _chain(error)}
        if any(name.endswith(wanted) for name in names for wanted in _NETWORK_ERRORS):
            host = re.search(r"host='([^']{1,253})'", str(error))
            raise _NeedsNetwork(f"{host[1]} cannot be reached" if host else _one_line(error)) from error
        name = _named(choice)
        message = f"repo2docker cannot read {name or 'a build file'}: {_one_line(error)}"
        raise Failure("render_failed", message, hint="Correct that file.", file=name) from error
    causes = tuple((part, choice.folder + file) for part, file in _R2D_CAUSES)
    return Plan(
        text=captured.dockerfile, context=captured.context, build_args=captured.build_args, causes=causes
    )


_R2D_CAUSES = (
    ("requirements.txt", "requirements.txt"),
    ("environment.yml", "environment.yml"),
    ("environment.yaml", "environment.yaml"),
    ("Pipfile", "Pipfile"),
    ("install.R", "install.R"),
    ("Project.toml", "Project.toml"),
    ("postBuild", "postBuild"),
    ("pip install --no-cache-dir .", "setup.py"),
    ("apt-get install --yes --no-install-recommends", "apt.txt"),
)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:400] or type(error).__name__


def _named(choice: Choice) -> str:
    first = choice.why.split()[0]
    return first if "." in first and choice.pack == REPO2DOCKER else ""


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    here: BaseException | None = error
    while here is not None and here not in found:
        found.append(here)
        here = here.__cause__ or here.__context__
    return found


if __name__ == "__main__":
    os.environ.setdefault("HOME", "/tmp")
    sys.exit(main(command))

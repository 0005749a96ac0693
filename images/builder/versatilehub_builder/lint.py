"""The rules a Dockerfile must keep before BuildKit sees it; each refusal has a stable code and its line.

Why each rule is there: reference security review, findings 4 and 8 and table T7/T8. BuildKit here belongs to the
engine that runs everybody's servers: it reads local images, and its own downloads leave from the host.
"""

from __future__ import annotations

import csv
import platform
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from versatilehub_builder.dockerfile import (
    MAX_INSTRUCTIONS,
    Instruction,
    Reading,
    bare,
    directives,
    odd_line,
    readings,
    split_words,
)
from versatilehub_builder.hosts import public_url
from versatilehub_builder.images import image_allowed
from versatilehub_builder.lines import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

_FRONTEND = re.compile(
    r"(?:docker\.io/)?docker/dockerfile(?::[A-Za-z0-9_.-]{1,64})?(?:@sha256:[0-9a-f]{64})?"
)
_REFERENCE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+])([^${}]*))?\})")
_WORDED = frozenset({"FROM", "ARG", "COPY", "ADD", "ONBUILD"})
_SCHEMES = ("http:", "https:", "git:", "git@", "ssh:", "ftp:", "file:")
# The engine itself follows redirects from these, with the host's network: they are hosts whose redirects stay with them.
DOWNLOAD_HOSTS = (
    "github.com",
    "raw.githubusercontent.com",
    "gitlab.com",
    "codeberg.org",
    "bitbucket.org",
    "zenodo.org",
    "files.pythonhosted.org",
    "deb.debian.org",
    "archive.ubuntu.com",
    "cran.r-project.org",
    "repo.anaconda.com",
    "conda.anaconda.org",
    "julialang-s3.julialang.org",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LintRules:
    """*images*: local names allowed; *local*: those of other images of this machine, refused; *cache*: the one cache id allowed ("" none); *args*: build arguments given."""

    images: tuple[str, ...]
    local: tuple[str, ...] = ()
    file: str = "Dockerfile"
    cache: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = DOWNLOAD_HOSTS


def check_dockerfile(text: str, rules: LintRules) -> None:
    """Raise `Failure` when *text*, in any way an engine may read it, breaks a rule."""
    for name, value, line in directives(text):
        if name == "syntax" and not _FRONTEND.fullmatch(value):
            raise _refused("syntax", rules, line, f"the syntax {value[:80]!r} is another program that builds")
        if name == "escape" and value != "\\":
            raise _refused("syntax", rules, line, "the escape directive changes what a line means")
    if text.removeprefix("\ufeff").lstrip().startswith("{"):
        raise _refused("syntax", rules, 1, "a file in JSON is not a Dockerfile")
    if odd := odd_line(text):
        raise _refused(
            "syntax", rules, odd, "the line has a control character or begins with odd white space"
        )
    for reading in readings(text):
        _Check(rules).run(reading)


class _Check:
    """One pass over one reading, with what it has seen so far."""

    def __init__(self, rules: LintRules) -> None:
        self._rules = rules
        self._stages: list[str] = []
        self._args = _platform()

    def run(self, reading: Reading) -> None:
        if reading.open or len(reading.instructions) > MAX_INSTRUCTIONS:
            line = reading.instructions[-1].line if reading.instructions else 1
            reason = "the file ends within an instruction, is too long, or has a here-document of an odd name"
            raise _refused("syntax", self._rules, line, reason)
        for instruction in reading.instructions:
            self._instruction(instruction)

    def _instruction(self, one: Instruction) -> None:
        if one.name in _WORDED and not one.rest.isascii() and re.search(r"[^\S ]", one.rest):
            raise _refused("syntax", self._rules, one.line, "its words are parted by odd white space")
        match one.name:
            case "FROM":
                self._from(one)
            case "ARG" if not self._stages:
                self._arg(one)
            case "COPY" | "ADD":
                for image in one.flag("from"):
                    self._stage_or_image(image, one.line)
                if one.name == "ADD":
                    self._add(one)
            case "RUN":
                self._run(one)
            case "ONBUILD":
                name, _, rest = one.rest.partition(" ")
                inner = readings(f"{name} {rest}")[0].instructions
                for each in inner:
                    self._instruction(
                        Instruction(name=each.name, flags=each.flags, rest=each.rest, line=one.line)
                    )
            case _:
                return  # an instruction that reaches nothing outside, or none: BuildKit says so itself

    def _arg(self, one: Instruction) -> None:
        for pair in split_words(one.rest):
            key, has, value = pair.partition("=")
            if bare(key) != key or "$" in key:
                raise _refused("from", self._rules, one.line, f"{key[:120]!r} is not a plain name")
            plain = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
            resolved = self._rules.args.get(key) or (self._resolve(plain) if has else "")
            self._args[key] = "\0" if resolved is None else resolved

    def _from(self, one: Instruction) -> None:
        words = one.rest.split()
        if len(words) not in {1, 3} or (len(words) == 3 and words[1].upper() != "AS"):
            if one.rest.strip():
                self._stages.append("")
            return  # the engine ends here with a syntax error
        name = self._resolve(words[0])
        if name is None or not name:
            raise _refused(
                "from", self._rules, one.line, f"the image {words[0][:120]!r} cannot be told before the build"
            )
        self._stage_or_image(name, one.line)
        self._stages.append(words[2].lower() if len(words) == 3 else "")

    def _stage_or_image(self, name: str, line: int) -> None:
        stages = self._stages
        if name.lower() in {stage for stage in stages if stage} or name == "scratch":
            return
        if name.isdecimal() and int(name) < len(stages):
            return
        if name.isdecimal() or not image_allowed(name, self._rules.images, self._rules.local):
            raise _refused(
                "from", self._rules, line, f"the image {name[:120]!r} is not one you may build from"
            )

    def _add(self, one: Instruction) -> None:
        for source in one.words[:-1]:
            if not self._source_allowed(source):
                raise _refused(
                    "add", self._rules, one.line, f"{source[:120]!r} is fetched by the engine itself"
                )

    def _source_allowed(self, source: str) -> bool:
        """A path always; an address of a known host; nothing whose scheme or host a variable decides."""
        plain, variable, _ = source.partition("$")
        low = plain.lower()
        if low.startswith(_SCHEMES) or "://" in low:
            named = low.count("/") >= (3 if variable else 2) and public_url(low)
            return named and urlsplit(low).hostname in self._rules.hosts
        if re.fullmatch(r"[\w.-]+@[\w.-]+:.*", low) or re.fullmatch(r"[\w-]+\.[\w.-]+/.+\.git(?:#.*)?", low):
            return False  # a git repository the engine would clone
        return not (variable and any(scheme.startswith(low) for scheme in _SCHEMES))

    def _run(self, one: Instruction) -> None:
        for value in one.flag("network"):
            if value.lower() not in {"default", "none"}:
                raise _refused(
                    "security", self._rules, one.line, f"--network={value[:40]} leaves the build's network"
                )
        for value in one.flag("security"):
            if value.lower() != "sandbox":
                raise _refused(
                    "security", self._rules, one.line, f"--security={value[:40]} leaves the sandbox"
                )
        for value in one.flag("mount"):
            self._mount(value, one.line)

    def _mount(self, value: str, line: int) -> None:
        fields = next(csv.reader([value]), [])
        options = {
            key.strip().lower(): text.strip() for key, _, text in (field.partition("=") for field in fields)
        }
        kind = options.get("type", "bind").lower()
        if "$" in kind + options.get("from", "") + options.get("id", ""):
            raise _refused("mount", self._rules, line, "a variable decides what is mounted")
        if kind not in {"bind", "cache", "tmpfs"}:
            raise _refused("mount", self._rules, line, f"a mount of type {kind[:20]!r} is not available here")
        if kind == "cache" and (not self._rules.cache or options.get("id") != self._rules.cache):
            raise _refused("mount", self._rules, line, "a cache mount is shared with other people's builds")
        if options.get("from"):
            self._stage_or_image(options["from"], line)

    def _resolve(self, text: str) -> str | None:
        """Return *text* with its variables replaced, None when one is unknown or the text has quotes."""
        unknown = False

        def value(match: re.Match[str]) -> str:
            nonlocal unknown
            name, operator, word = match[1] or match[2], match[3] or "", match[4] or ""
            known = self._args.get(name)
            # Engines differ in the names they know by themselves, and in whether one without a value is set.
            if known is None or "\0" in known or (known == "" and operator in {"-", "+"}):
                unknown = True
            if operator.endswith("-"):
                return known or word
            if operator.endswith("+"):
                return word if known else ""
            return known or ""

        result = _REFERENCE.sub(value, text)
        return None if unknown or re.search(r"[$\"'\\\0\s]", result) else result


def _platform() -> dict[str, str]:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    values = {"OS": "linux", "ARCH": machine, "VARIANT": "", "PLATFORM": f"linux/{machine}"}
    return {side + name: value for side in ("TARGET", "BUILD") for name, value in values.items()}


_HINTS = {
    "from": "Build FROM versatilehub/singleuser, from an earlier stage, or from an image of a public registry.",
    "add": "Put the file into the repository, or fetch it in a RUN step, for example: RUN curl -fLO https://…",
    "mount": "Remove the mount; what a step downloads can be deleted in the same step.",
    "security": "Remove the flag: steps run without extra rights and in the build's own network.",
    "syntax": "Remove the line, or use: # syntax=docker/dockerfile:1",
}


def _refused(kind: str, rules: LintRules, line: int, reason: str) -> Failure:
    return Failure(
        f"dockerfile_{kind}_refused",
        f"Line {line} of {rules.file} is refused: {reason}.",
        hint=_HINTS[kind],
        file=f"{rules.file}:{line}",
    )

"""The form of each value in a launch spec: text or JSON in, value out, `InvalidSpec` for anything else.

Form only: whether a value is allowed here (range of memory, list of images) is the policy's to say. Every function is
total: it returns or raises `InvalidSpec`, whatever it is given.
"""

from __future__ import annotations

import math
import re
from typing import NoReturn

from versatilehub.errors import InvalidName, InvalidSpec
from versatilehub.naming import BUILT, canonical_user
from versatilehub.text import quoted, unseen

#: JupyterHub's ByteSpecification: binary units.
UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
#: Docker counts memory in a signed 64-bit number.
MEMORY_LIMIT = 2**63
CPUS_LIMIT = 4096.0
GPUS_LIMIT = 64
#: Smallest volume, in bytes: a file system needs room for itself.
SIZE_MIN = 16 * UNITS["M"]
#: Seconds; a year.
IDLE_LIMIT = 366 * 24 * 3600

_MEMORY = re.compile(r"(0|[1-9][0-9]{0,18})(?:\.([0-9]{1,3}))?([KMGT]?)")
_CPUS = re.compile(r"(?:0|[1-9][0-9]{0,3})(?:\.[0-9]{1,3})?")
_CARDS = re.compile(r"0|[1-9][0-9]?")
_SECONDS = re.compile(r"[1-9][0-9]{0,8}")
_PROFILE = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_VOLUME = re.compile(r"(?!vh-)[a-z0-9]+(?:-[a-z0-9]+)*")

# Docker's reference grammar (github.com/distribution/reference, regexp.go)
_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_IMAGE = re.compile(
    rf"(?P<name>(?:{_HOST}(?:\.{_HOST})*(?::[0-9]{{1,5}})?/)?{_PART}(?:/{_PART})*)"
    rf"(?::(?P<tag>{_TAG}))?(?:@(?P<digest>sha256:[0-9a-f]{{64}}|sha512:[0-9a-f]{{128}}))?"
)
IMAGE_MAX = 255  # of the name without tag and digest, same grammar


def refuse(field: str, message: str, hint: str) -> NoReturn:
    """Raise `InvalidSpec` for *field*."""
    raise InvalidSpec(message, hint=hint, field=field)


def parse_text(value: object, field: str, limit: int = 2048) -> str:
    """Return *value* if it is a text of at most *limit* characters without white space at the edges."""
    if not isinstance(value, str):
        refuse(
            field, f"{field} is a text; this one is {quoted(value)}.", f"Give {field} as a text in quotes."
        )
    if len(value) > limit:
        refuse(
            field, f"{field} has at most {limit} characters; this one has {len(value)}.", "Make it shorter."
        )
    if value != value.strip():
        refuse(field, f"{field} has white space at an edge: {quoted(value)}.", "Remove it.")
    return value


def parse_memory(value: object) -> int:
    """Return bytes from a number of bytes, or a text with JupyterHub's binary units K, M, G, T: ``"1.5G"``."""
    hint = "Give a number and one of the units K, M, G, T, for example 2G or 1.5G; or whole bytes."
    size = -1
    if isinstance(value, bool):
        pass
    elif isinstance(value, int):
        size = value
    elif isinstance(value, float):
        size = int(value) if math.isfinite(value) and value.is_integer() else -1
    elif isinstance(value, str) and (found := _MEMORY.fullmatch(value)) and (found[3] or not found[2]):
        # integers only: a float would lose bytes of large sizes
        thousandths = int(found[1]) * 1000 + int((found[2] or "0").ljust(3, "0"))
        size = thousandths * UNITS.get(found[3], 1) // 1000
    if size < 0:
        refuse("memory", f"This is no amount of memory: {quoted(value)}.", hint)
    if not 0 < size < MEMORY_LIMIT:
        refuse(
            "memory",
            f"Memory is more than 0 and less than {MEMORY_LIMIT} bytes; this is {quoted(value)}.",
            hint,
        )
    return size


def parse_size(value: object, *, low: int = SIZE_MIN, high: int | None = None) -> int:
    """Return the bytes of a volume from a number of bytes or a text such as ``"500M"``; *low* to *high* bytes."""
    hint = f"Give a number and one of the units K, M, G, T, at least {readable_size(low)}."
    try:
        size = parse_memory(value)
    except InvalidSpec as error:
        raise InvalidSpec(
            f"This is no size of a volume: {quoted(value)}.", hint=hint, field="size"
        ) from error
    if size < low or (high is not None and size > high):
        span = (
            f"{readable_size(low)} to {readable_size(high)}"
            if high is not None
            else f"at least {readable_size(low)}"
        )
        message = f"A volume has {span}; this one would have {readable_size(size)}."
        raise InvalidSpec(message, hint=f"Ask for {span}.", field="size")
    return size


def readable_size(size: int) -> str:
    """Return bytes in the largest binary unit that is exact: ``2G``, ``1536M``."""
    unit = next((unit for unit in reversed(UNITS) if size and size % UNITS[unit] == 0), "")
    return f"{size // UNITS[unit]}{unit}" if unit else str(size)


def parse_cpus(value: object) -> float:
    """Return a number of CPUs above 0, in steps of 0.001, from a number or a text with a decimal point: ``"0.5"``."""
    hint = "Give a number with a decimal point, for example 1 or 0.5."
    cpus = 0.0
    if isinstance(value, bool):
        pass
    elif isinstance(value, (int, float)):
        # compared before it is converted: an integer may be too large for a float
        cpus = round(float(value), 3) if 0 < value <= CPUS_LIMIT else 0.0
    elif isinstance(value, str) and _CPUS.fullmatch(value):
        cpus = float(value)
    if not 0 < cpus <= CPUS_LIMIT:
        refuse(
            "cpus", f"This is no number of CPUs between 0.001 and {CPUS_LIMIT:.0f}: {quoted(value)}.", hint
        )
    return cpus


def parse_gpus(value: object) -> int:
    """Return a whole number of graphics cards, 0 to 64, from a number or a text of digits."""
    count = -1
    if isinstance(value, int) and not isinstance(value, bool):
        count = value
    elif isinstance(value, str) and _CARDS.fullmatch(value):
        count = int(value)
    if not 0 <= count <= GPUS_LIMIT:
        message = f"gpus is a whole number from 0 to {GPUS_LIMIT}; this is {quoted(value)}."
        refuse("gpus", message, "For example 1.")
    return count


def parse_idle_timeout(value: object) -> int:
    """Return whole seconds, from a number or a text of digits."""
    seconds = 0
    if isinstance(value, int) and not isinstance(value, bool):
        seconds = value
    elif isinstance(value, str) and _SECONDS.fullmatch(value):
        seconds = int(value)
    if not 0 < seconds <= IDLE_LIMIT:
        message = (
            f"idle_timeout is a whole number of seconds from 1 to {IDLE_LIMIT}; this is {quoted(value)}."
        )
        refuse("idle_timeout", message, "For example 7200, which is two hours.")
    return seconds


def parse_choice(value: object, field: str, choices: tuple[str, ...]) -> str:
    """Return *value* if it is one of *choices*."""
    if not isinstance(value, str) or value not in choices:
        refuse(
            field,
            f"{field} is one of {', '.join(choices)}; this is {quoted(value)}.",
            f"For example {choices[0]}.",
        )
    return value


def parse_key(value: object, field: str) -> str:
    """Return the name of a profile or workspace: 1 to 63 of a-z, 0-9 and single ``-`` or ``_`` within."""
    text = parse_text(value, field, 63)
    if not _PROFILE.fullmatch(text):
        refuse(
            field, f"There is no {field} called {quoted(text)}.", "Such names have only a-z, 0-9, - and _."
        )
    return text


def parse_collaborators(value: object) -> tuple[str, ...]:
    """Return user names, each once, sorted; whether they exist is the hub's to say."""
    if not isinstance(value, (list, tuple)):
        refuse(
            "collaborators",
            f"collaborators is a list of user names; this is {quoted(value)}.",
            'For example ["bob"].',
        )
    names = set()
    for name in value:
        try:
            names.add(canonical_user(parse_text(name, "collaborators", 255)))
        except InvalidName as error:
            raise InvalidSpec(error.message, hint=error.hint, field="collaborators") from error
    return tuple(sorted(names))


def check_image(text: str) -> str:
    """Return *text* if it names an image exactly: Docker's grammar, with a tag or a digest, and no built image of ours.

    A bare name would mean "whatever latest is today"; an image id or a ``vh-build/…`` name would run what another
    person built. Which registries are allowed is the policy's to say.
    """
    hint = "Give registry, name and tag, for example quay.io/jupyter/base-notebook:2026-01-05."
    text = parse_text(text, "image", 640)
    found = _IMAGE.fullmatch(text)
    if not found:
        refuse("image", f"Docker takes no image name like {quoted(text)}.", hint)
    if not found["tag"] and not found["digest"]:
        refuse("image", f"The image {quoted(text)} has neither a tag nor a digest.", hint)
    if len(found["name"]) > IMAGE_MAX:
        actual = len(found["name"])
        refuse("image", f"An image name has at most {IMAGE_MAX} characters; this one has {actual}.", hint)
    if image_path(text).startswith(f"{BUILT}/") or found["name"] in {"sha256", "sha512"}:
        message = f"The image {quoted(text)} is one that was built here for a repository, or an image id."
        refuse("image", message, "Ask for its repository instead: the same commit is built once.")
    return text


def image_path(image: str) -> str:
    """Return *image* as Docker keeps it: ``docker.io/`` and ``docker.io/library/`` are not part of a local name."""
    first, slash, rest = image.partition("/")
    if slash and first.lower() in {"docker.io", "index.docker.io"}:
        return rest.removeprefix("library/")
    return image


def check_at(value: object) -> str:
    """Return the normal form of an absolute path inside a container, or raise `InvalidSpec`."""
    path = parse_text(value, "mounts", 1024)
    hint = "Give an absolute path, for example /home/jovyan/course."
    parts = path.split("/")[1:]
    if not path.startswith("/") or ".." in parts or "\\" in path or unseen(path):
        refuse("mounts", f"This is no path a volume can appear at: {quoted(path)}.", hint)
    if any(c in path for c in "{},:"):
        refuse("mounts", f"The path {quoted(path)} has one of the characters {{ }} , : in it.", hint)
    return "/" + "/".join(part for part in parts if part not in {"", "."})


def check_volume(value: object) -> str:
    """Return a volume's name if it can be one: 2 to 30 of a-z, 0-9 and single hyphens (Docker needs 2)."""
    hint = "Use 2 to 30 of a-z, 0-9 and single hyphens, for example course-data."
    if not isinstance(value, str) or not 2 <= len(value) <= 30 or not _VOLUME.fullmatch(value):
        refuse("mounts", f"This is no name of a volume: {quoted(value)}.", hint)
    return value

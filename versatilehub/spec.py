"""User options ↔ `LaunchSpec`: the form, a launch link, a REST body and the database are spellings of one value.

- Reading is total: `from_json` and `from_form` return a spec or raise `InvalidSpec` or `InvalidSource`, nothing else.
- Writing is canonical: `to_json` has no empty and no default values, ``from_json(to_json(s)) == s``, and specs that mean
  the same have the same `digest`.
- Nothing here says what is allowed: that is `policy.check`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, cast

from versatilehub.errors import InvalidSpec
from versatilehub.landing import check_filepath, check_open, check_urlpath, open_url
from versatilehub.sources import Source, SourceRules, check_subdir, parse_source
from versatilehub.spec_values import (
    check_at,
    check_image,
    check_volume,
    parse_choice,
    parse_collaborators,
    parse_cpus,
    parse_gpus,
    parse_idle_timeout,
    parse_key,
    parse_memory,
    parse_text,
    refuse,
)
from versatilehub.text import nearest, quoted

__all__ = [
    "KEYS",
    "LaunchSpec",
    "Mount",
    "check_filepath",
    "check_image",
    "check_open",
    "check_urlpath",
    "open_url",
    "parse_cpus",
    "parse_memory",
]

Mode = Literal["rw", "ro"]
Credentials = Literal["none", "env", "file"]
Placement = Literal["home", "image"]

#: Every key of the JSON form.
KEYS = (
    "source",
    "ref",
    "subdir",
    "image",
    "workspace",
    "open",
    "profile",
    "memory",
    "cpus",
    "gpus",
    "idle_timeout",
    "mounts",
    "collaborators",
    "credentials",
    "placement",
)
#: Fields of the HTML form.
FORM_FIELDS = ("source", "ref", "subdir", "open", "image", "profile", "memory", "cpus", "placement", "mounts")
#: What JupyterHub's own page sends along.
HUB_FIELDS = ("_xsrf", "display_name")
STARTS_FROM = ("source", "image", "workspace")
MOUNTS_MAX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volume the person asks for, by its name in versatilehub (never Docker's), and where it is to appear."""

    volume: str
    at: str
    mode: Mode = "rw"

    @classmethod
    def from_json(cls, obj: object) -> Self:
        """Read ``{"volume", "at", "mode"}``; raise `InvalidSpec`."""
        if not isinstance(obj, Mapping):
            refuse(
                "mounts",
                f"A mount is an object; this is {quoted(obj)}.",
                '{"volume": "data", "at": "/home/jovyan/data"}',
            )
        _known_keys(obj, ("volume", "at", "mode"), "mounts")
        mode = cast("Mode", parse_choice(obj.get("mode", "rw"), "mounts", ("rw", "ro")))
        return cls(volume=check_volume(obj.get("volume")), at=check_at(obj.get("at")), mode=mode)

    @classmethod
    def from_text(cls, text: object) -> Self:
        """Read ``volume:/path`` or ``volume:/path:ro``, the spelling of form, command line and links; raise `InvalidSpec`.

        Nothing else of Docker's own spelling is taken: no host path, no propagation, no other option.
        """
        hint = "Write volume:/path, or volume:/path:ro to only read, for example data:/home/jovyan/data:ro."
        if not isinstance(text, str) or text.count(":") not in {1, 2}:
            refuse("mounts", f"This is no mount: {quoted(text)}.", hint)
        volume, at, *mode = text.split(":")
        return cls.from_json({"volume": volume, "at": at, "mode": mode[0] if mode else "rw"})

    def to_json(self) -> dict[str, object]:
        """Return the three keys."""
        return {"volume": self.volume, "at": self.at, "mode": self.mode}


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSpec:
    """What a person asked to run. Exactly one of *source*, *image* and *workspace* is set.

    *memory* is in bytes, *cpus* in CPUs, *gpus* in graphics cards, *idle_timeout* in seconds; None leaves them to profile and policy. *open* is a
    file of the repository or a page (see `landing`). A source's own *open* is moved here.
    """

    source: Source | None = None
    image: str = ""
    workspace: str = ""
    open: str = ""
    profile: str = ""
    memory: int | None = None
    cpus: float | None = None
    gpus: int = 0
    idle_timeout: int | None = None
    mounts: tuple[Mount, ...] = ()
    collaborators: tuple[str, ...] = ()
    credentials: Credentials = "none"
    placement: Placement = "home"

    @classmethod
    def from_json(
        cls, obj: object, rules: SourceRules | None = None, images: Mapping[str, str] | None = None
    ) -> Self:
        """Read any JSON value; raise `InvalidSpec` or `InvalidSource`. A null, "" or [] is an absent key.

        *images* are names an administrator gave to images: each stands for its image, which need not be named exactly.
        """
        if not isinstance(obj, Mapping):
            refuse(
                "", f"A launch spec is an object; this is {quoted(obj)}.", f"Its keys are {', '.join(KEYS)}."
            )
        _known_keys(obj, KEYS, "")
        # an empty number stays, to be refused: it may be a slip, and the default would be a surprise
        given = {key: value for key, value in obj.items() if not _absent(key, value)}
        start = [key for key in STARTS_FROM if key in given]
        if len(start) != 1:
            found = " and ".join(start) or "none"
            refuse(
                start[-1] if start else "source",
                f"A launch spec has exactly one of source, image and workspace; this one has {found}.",
                "Give a repository link as source, or the name of an image.",
            )
        source = _read_source(given, rules or SourceRules())
        opened = given.get("open", source.open if source else "")
        return cls(
            source=replace(source, open="") if source else None,
            image=_read_image(given, images or {}),
            workspace=parse_key(given["workspace"], "workspace") if "workspace" in given else "",
            open=check_open(cast("str", opened)),
            profile=parse_key(given["profile"], "profile") if "profile" in given else "",
            memory=parse_memory(given["memory"]) if "memory" in given else None,
            cpus=parse_cpus(given["cpus"]) if "cpus" in given else None,
            gpus=parse_gpus(given["gpus"]) if "gpus" in given else 0,
            idle_timeout=parse_idle_timeout(given["idle_timeout"]) if "idle_timeout" in given else None,
            mounts=_read_mounts(given.get("mounts", ())),
            collaborators=parse_collaborators(given.get("collaborators", ())),
            credentials=cast(
                "Credentials",
                parse_choice(given.get("credentials", "none"), "credentials", ("none", "env", "file")),
            ),
            placement=cast(
                "Placement", parse_choice(given.get("placement", "home"), "placement", ("home", "image"))
            ),
        )

    @classmethod
    def from_form(
        cls,
        form: Mapping[str, Sequence[object]],
        rules: SourceRules | None = None,
        images: Mapping[str, str] | None = None,
    ) -> Self:
        """Read what an HTML form sent: lists of texts, edges trimmed, "" for a field nobody filled in."""
        fields = {name: values for name, values in form.items() if name not in HUB_FIELDS}
        _known_keys(fields, FORM_FIELDS, "")
        given: dict[str, object] = {}
        for name, values in fields.items():
            if not all(isinstance(value, str) for value in values):
                refuse(name, f"The form's field {name} is a text, no file.", "Type or paste it.")
            # spaces come along when a person pastes; any other white space is no slip
            texts = {cast("str", value).strip(" \t") for value in values} - {""}
            if name == "mounts":
                given[name] = [Mount.from_text(text).to_json() for text in sorted(texts)]
                continue
            if len(texts) > 1:
                refuse(name, f"The form has {len(texts)} different values for {name}.", "Give one.")
            given.update(dict.fromkeys([name], *texts) if texts else {})
        return cls.from_json(given, rules, images)

    def to_json(self) -> dict[str, object]:
        """Return the canonical JSON object: keys in order of their names, no empty and no default value."""
        source = self.source
        found: dict[str, object] = {
            "source": source.url if source else "",
            "ref": source.ref if source else "",
            "subdir": source.subdir if source else "",
            "image": self.image,
            "workspace": self.workspace,
            "open": self.open,
            "profile": self.profile,
            "memory": self.memory,
            "cpus": self.cpus,
            "gpus": self.gpus or None,
            "idle_timeout": self.idle_timeout,
            "mounts": [mount.to_json() for mount in self.mounts],
            "collaborators": list(self.collaborators),
            "credentials": "" if self.credentials == "none" else self.credentials,
            "placement": "" if self.placement == "home" else self.placement,
        }
        return {key: found[key] for key in sorted(found) if found[key] not in ("", None, [])}

    @property
    def digest(self) -> str:
        """SHA-256, 64 hex, of the canonical JSON: the same for every spelling of one wish."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def _absent(key: str, value: object) -> bool:
    if isinstance(value, str):
        return not value and key not in {"memory", "cpus", "gpus", "idle_timeout"}
    return value is None or (isinstance(value, (list, tuple)) and not value)


def _known_keys(
    obj: Mapping[object, object] | Mapping[str, object], known: Sequence[str], field: str
) -> None:
    unknown = next((key for key in obj if key not in known), None)
    if unknown is None:
        return
    near = nearest(unknown, known) if isinstance(unknown, str) else ""
    hint = f"Did you mean {near}?" if near else f"The keys are {', '.join(known)}."
    name = unknown if not field and isinstance(unknown, str) and len(unknown) <= 60 else field
    raise InvalidSpec(f"There is no key {quoted(unknown)}.", hint=hint, field=name, code="unknown_key")


def _read_image(given: Mapping[str, object], images: Mapping[str, str]) -> str:
    if "image" not in given:
        return ""
    name = given["image"]
    return images[name] if isinstance(name, str) and name in images else check_image(cast("str", name))


def _read_source(given: Mapping[str, object], rules: SourceRules) -> Source | None:
    if "source" not in given:
        stray = next((key for key in ("ref", "subdir") if key in given), "")
        if stray:
            refuse(stray, f"{stray} belongs to a source, and there is none.", "Give source, or leave it out.")
        return None
    text = given["source"]
    if not isinstance(text, str):
        refuse("source", f"source is a text; this is {quoted(text)}.", "Give a repository link.")
    ref = parse_text(given["ref"], "ref") if "ref" in given else None
    source = parse_source(text, ref, rules=rules)
    if source.ref == "HEAD":  # git's word for the default branch, as is no ref at all
        source = replace(source, ref="")
    if "subdir" in given:
        source = replace(source, subdir=check_subdir(parse_text(given["subdir"], "subdir")))
    return source


def _read_mounts(value: object) -> tuple[Mount, ...]:
    if not isinstance(value, (list, tuple)):
        refuse(
            "mounts",
            f"mounts is a list; this is {quoted(value)}.",
            'For example [{"volume": "data", "at": "/data"}].',
        )
    if len(value) > MOUNTS_MAX:
        refuse(
            "mounts",
            f"A server has at most {MOUNTS_MAX} mounts; this one has {len(value)}.",
            "Leave some out.",
        )
    return tuple(
        sorted((Mount.from_json(item) for item in value), key=lambda mount: (mount.at, mount.volume))
    )

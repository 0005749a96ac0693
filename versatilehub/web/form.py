"""The options form: what it shows, what was typed into it, and its HTML.

The form asks for a launch spec in a person's words; `pick_fields` turns what the browser sent into the fields of one
spec. It checks nothing: parsing and policy meet form, link and REST in one place behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from versatilehub.web.assets import static_path
from versatilehub.web.render import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from versatilehub.errors import VersatileHubError
    from versatilehub.policy import Profile
    from versatilehub.volume_grants import MountGrant

#: The field that says which of the two ways is meant; the only one that is no key of a spec.
KIND = "kind"
#: The name of a new server; it goes into the address of the start, not into its spec.
NAME = "server_name"
#: Fields of one volume that may be mounted, followed by its name: how ("", ro or rw), and at which path.
MOUNT, AT = "mount-", "at-"
#: Which fields belong to one way only. The others belong to both.
KIND_FIELDS: Mapping[str, tuple[str, ...]] = {
    "source": ("source", "ref", "subdir", "placement"),
    "image": ("image",),
}
FIELDS = ("source", "ref", "subdir", "image", "open", "profile", "placement")
ADVANCED = ("subdir", "placement")
LABELS: Mapping[str, str] = {
    NAME: "Server name",
    "source": "Repository link",
    "ref": "Branch, tag or commit",
    "subdir": "Folder",
    "image": "Image",
    "open": "File to open",
    "profile": "Size",
    "placement": "Where the files go",
    "mounts": "Volumes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One thing to put right. *field* is a name of `FIELDS`, or anything else when the form has no such field."""

    code: str
    message: str
    hint: str = ""
    field: str = ""

    @classmethod
    def of(cls, error: VersatileHubError) -> Self:
        """Return *error* as the form shows it."""
        return cls(code=error.code, message=error.message, hint=error.hint, field=error.field)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormState:
    """All that the form depends on.

    *values* is what was typed so far, *defaults* what stands in a field nobody touched (both by field name, and
    `KIND` as "source" or "image"). *images* are names to choose from, *missing* those of them that cannot be had; *any_image* lets
    others be typed as well.
    *base_url* is the hub's, ending in "/". *mounts* are volumes to choose from. *named* adds the field for a new server's name.
    """

    base_url: str
    values: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[FieldError, ...] = ()
    profiles: tuple[Profile, ...] = ()
    sources_allowed: bool = True
    images: tuple[str, ...] = ()
    any_image: bool = False
    missing: tuple[str, ...] = ()
    named: bool = False
    mounts: tuple[MountGrant, ...] = ()

    def rejected(self, form: Mapping[str, Sequence[Any]], error: VersatileHubError) -> FormState:
        """Return this state with what *form* held and what was wrong with it."""
        return replace(self, values=typed(form), errors=(FieldError.of(error),))

    def value(self, name: str) -> str:
        """Return what field *name* shows."""
        return self.values.get(name, self.defaults.get(name, ""))

    def error(self, name: str) -> FieldError | None:
        """Return the first error of field *name*."""
        return next((error for error in self.errors if error.field == name), None)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The ways a person may choose from; the form shows no choice when there is one."""
        image = bool(self.images) or self.any_image
        return (("source",) if self.sources_allowed else ()) + (("image",) if image else ())

    @property
    def kind(self) -> str:
        """The way that is chosen: as typed, else the one something was typed for, else the first."""
        only_image = self.values.get("image") and not self.values.get("source")
        chosen = self.value(KIND) or ("image" if only_image else "")
        return chosen if chosen in self.kinds else next(iter(self.kinds), "")

    @property
    def mounts_open(self) -> bool:
        """Whether a volume is chosen, or something is wrong with one."""
        return bool(self.error("mounts")) or any(self.value(f"{MOUNT}{one.name}") for one in self.mounts)

    @property
    def advanced_open(self) -> bool:
        """Whether a field of the folded part has an unusual value or an error, and so must be seen."""
        usual = {"", "home"}  # placement is a choice, and is sent whether somebody chose or not
        return any(self.value(name) not in usual or self.error(name) for name in ADVANCED)


def render_options_form(state: FormState) -> str:
    """Return the inside of the hub's own form element, with its style sheet and module."""
    return render("_options_form.html", state=state, labels=LABELS, static=state.base_url + static_path())


def typed(form: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """Return the first text of each of our fields in *form*, as the hub passes it to ``options_from_form``."""
    found = {}
    volumes = [name for name in form if name.startswith((MOUNT, AT))]
    for name in (NAME, KIND, *FIELDS, *volumes):
        first = next(iter(form.get(name, ())), None)
        if isinstance(first, str):
            found[name] = first
    return found


def pick_fields(form: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Return *form* without `KIND`, `NAME`, blank fields, and the fields of the way that was not chosen.

    Without JavaScript the browser sends both ways, and the radio button says which is meant. Unknown fields and
    repeated values stay, for the parser to refuse by name.
    """
    chosen = typed(form).get(KIND)
    others = [names for kind, names in KIND_FIELDS.items() if chosen in KIND_FIELDS and kind != chosen]
    dropped = {KIND, NAME, *(name for names in others for name in names)}
    kept: dict[str, list[Any]] = {}
    for name, values in form.items():
        if name.startswith((MOUNT, AT)):
            continue
        filled = [value for value in values if not isinstance(value, str) or value.strip()]
        if filled and name not in dropped:
            kept[name] = filled
    mounts = _mounts(typed(form))
    return {**kept, "mounts": [*kept.get("mounts", ()), *mounts]} if mounts else kept


def _mounts(values: Mapping[str, str]) -> list[str]:
    """Return the mounts that were chosen, each in the spec's short spelling, for the parser to check."""
    chosen = {
        name.removeprefix(MOUNT): mode for name, mode in values.items() if name.startswith(MOUNT) and mode
    }
    return [f"{name}:{values.get(AT + name, '').strip()}:{mode}" for name, mode in chosen.items()]

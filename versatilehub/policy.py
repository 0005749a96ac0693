"""What may this person run? Pure answers: a spec, a policy and a count in, consent or a `Refusal` out.

Everything is denied that the policy does not name. Every refusal has a stable code, the limit, the actual figure and what
is allowed instead; it is the same for form, link, REST and command line, for all of them end here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from versatilehub.errors import InvalidSource, Refusal
from versatilehub.naming import DISPLAY_NAME_MAX, SERVER_NAME_MAX, check_display_name, check_server_name
from versatilehub.source_types import PUBLIC, SourceRules
from versatilehub.sources import parse_source
from versatilehub.spec_values import UNITS, image_path
from versatilehub.text import nearest, quoted

if TYPE_CHECKING:
    from versatilehub.spec import LaunchSpec

#: Parts of a spec a site switches on by name in `Policy.offers`; what a deployment cannot do yet is never asked for in vain.
OFFERS = ("workspace", "mounts", "collaborators", "credentials", "idle_timeout")
#: The project's own images: a wildcard never covers them, because the hub's and the builder's are among them.
OWN_IMAGES = "versatilehub/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A size to choose by name. *memory* in bytes, *cpus* in CPUs."""

    name: str
    label: str
    memory: int
    cpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the owner of a server may run. The defaults are the safe ones; presets say more.

    *images* are exact names, or ``registry/prefix/*`` for every image below a prefix. *named_servers* counts servers
    beside the default one, stopped ones included; None is no limit.
    """

    sources: SourceRules = PUBLIC
    allow_sources: bool = False
    images: tuple[str, ...] = ()
    memory_min: int = 128 * UNITS["M"]
    memory_max: int = 2 * UNITS["G"]
    memory_default: int = 1 * UNITS["G"]
    cpus_min: float = 0.05
    cpus_max: float = 1.0
    cpus_default: float = 1.0
    profiles: tuple[Profile, ...] = ()
    name_max: int = SERVER_NAME_MAX
    display_name_max: int = DISPLAY_NAME_MAX
    named_servers: int | None = 0
    offers: tuple[str, ...] = ()

    @property
    def default_profile(self) -> str:
        """Name of the profile a form shows as chosen: the one of the default size, else the first, "" without any."""
        usual = (self.memory_default, self.cpus_default)
        names = [one.name for one in self.profiles if (one.memory, one.cpus) == usual]
        return next(iter([*names, *(one.name for one in self.profiles)]), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the owner has now: names of the named servers, stopped ones too, and how many other servers run."""

    named_servers: tuple[str, ...] = ()
    running: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The limits a container gets: bytes, CPUs."""

    memory: int
    cpus: float


def check(spec: LaunchSpec, policy: Policy, usage: Usage) -> None:
    """Return if *spec* may start, raise `Refusal` if not. More servers in *usage* never turn a refusal into consent."""
    _check_offers(spec, policy)
    if spec.source is not None:
        _check_source(spec, policy)
    if spec.image:
        _check_image(spec.image, policy)
    _check_size(spec, policy)
    _check_count(policy, usage, len(usage.named_servers))


def check_new_server(name: str, display_name: str, policy: Policy, usage: Usage) -> None:
    """Return if a server *name* may be made or renamed to; raise `InvalidName` or `Refusal`.

    *display_name* "" is none. A server that exists already is within the count, however many there are.
    """
    check_server_name(name, policy.name_max)
    if display_name:
        check_display_name(display_name, policy.display_name_max)
    if name not in usage.named_servers:
        _check_count(policy, usage, len(usage.named_servers) + 1)


def grant(spec: LaunchSpec | None, policy: Policy) -> Grant:
    """Return the limits of a spec that passed `check`; None is a start that asked for nothing."""
    if spec is None:
        return Grant(memory=policy.memory_default, cpus=policy.cpus_default)
    profile = _profile(spec.profile, policy)
    return Grant(
        memory=spec.memory or (profile.memory if profile else policy.memory_default),
        cpus=spec.cpus or (profile.cpus if profile else policy.cpus_default),
    )


def allows_image(image: str, policy: Policy) -> bool:
    """Tell whether *image* is on the policy's list, by its exact name or below a ``…/*`` entry."""
    if image in policy.images:
        return True
    if image_path(image).startswith(OWN_IMAGES):
        return False
    # the entry keeps its last "/": quay.io/a/* covers neither quay.io/ab nor quay.io.example/a
    return any(image.startswith(entry[:-1]) for entry in policy.images if entry.endswith("/*"))


def format_memory(size: int) -> str:
    """Return bytes in the largest binary unit that is exact: ``2G``, ``1536M``."""
    unit = next((unit for unit in reversed(UNITS) if size and size % UNITS[unit] == 0), "")
    return f"{size // UNITS[unit]}{unit}" if unit else str(size)


def _refuse(
    code: str, field: str, message: str, hint: str, *, limit: object = "", actual: object = ""
) -> NoReturn:
    raise Refusal(message, hint=hint, field=field, code=code, limit=str(limit), actual=str(actual))


def _check_offers(spec: LaunchSpec, policy: Policy) -> None:
    wanted = {
        "workspace": spec.workspace,
        "mounts": spec.mounts,
        "collaborators": spec.collaborators,
        "credentials": spec.credentials if spec.credentials != "none" else "",
        "idle_timeout": spec.idle_timeout,
    }
    for field in OFFERS:
        if wanted[field] and field not in policy.offers:
            _refuse(
                "not_offered", field, f"This hub does not offer {field}.", f"Leave {field} out.", limit="none"
            )


def _check_source(spec: LaunchSpec, policy: Policy) -> None:
    if spec.source is None:
        return
    if not policy.allow_sources:
        hint = (
            f"Choose one of the images: {', '.join(policy.images)}."
            if policy.images
            else "Ask an administrator."
        )
        _refuse("sources_not_allowed", "source", "This hub builds no repositories.", hint, limit="none")
    try:
        # read again by the policy's own rules: whoever read the spec may have had none at hand
        parse_source(spec.source.url, rules=policy.sources)
    except InvalidSource as error:
        allowed = ", ".join((*policy.sources.hosts, *policy.sources.extra)) or "any public host"
        raise Refusal(
            error.message,
            hint=f"Allowed are repositories of {allowed}.",
            field="source",
            code="source_not_allowed",
            limit=allowed,
            actual=spec.source.url,
        ) from error


def _check_image(image: str, policy: Policy) -> None:
    if allows_image(image, policy):
        return
    allowed = ", ".join(policy.images) or "none"
    _refuse(
        "image_not_allowed",
        "image",
        f"The image {quoted(image, 120)} is not one this hub runs.",
        f"Allowed are: {allowed}.",
        limit=allowed,
        actual=image,
    )


def _check_size(spec: LaunchSpec, policy: Policy) -> None:
    profile = _profile(spec.profile, policy)
    if spec.profile and profile is None:
        known = ", ".join(p.name for p in policy.profiles) or "none"
        near = nearest(spec.profile, [p.name for p in policy.profiles])
        hint = f"Did you mean {near}?" if near else f"The profiles are: {known}."
        message = f"There is no profile {quoted(spec.profile)}."
        _refuse("unknown_profile", "profile", message, hint, limit=known, actual=spec.profile)
    granted = grant(spec, policy)
    if not policy.memory_min <= granted.memory <= policy.memory_max:
        limit = f"{format_memory(policy.memory_min)} to {format_memory(policy.memory_max)}"
        actual = format_memory(granted.memory)
        message = f"A server has {limit} of memory; this one asks for {actual}."
        _refuse("memory_out_of_range", "memory", message, f"Ask for {limit}.", limit=limit, actual=actual)
    if not policy.cpus_min <= granted.cpus <= policy.cpus_max:
        limit = f"{policy.cpus_min:g} to {policy.cpus_max:g}"
        message = f"A server has {limit} CPUs; this one asks for {granted.cpus:g}."
        _refuse(
            "cpus_out_of_range", "cpus", message, f"Ask for {limit}.", limit=limit, actual=f"{granted.cpus:g}"
        )


def _check_count(policy: Policy, usage: Usage, count: int) -> None:
    limit = policy.named_servers
    if limit is None or count <= limit:
        return
    names = ", ".join(usage.named_servers) or "none"
    message = f"You may have {limit} named servers beside the default one; this would be {count}: {names}."
    hint = (
        "Delete one you no longer need; stopping it is not enough."
        if usage.named_servers
        else "Use the default server."
    )
    _refuse("too_many_servers", "server_name", message, hint, limit=limit, actual=count)


def _profile(name: str, policy: Policy) -> Profile | None:
    return next((profile for profile in policy.profiles if profile.name == name), None)

"""What may this person run? Pure answers: a spec, a policy and a count in, consent or a `Refusal` out.

Everything is denied that the policy does not name. Every refusal has a stable code, the limit, the actual figure and what
is allowed instead; it is the same for form, link, REST and command line, for all of them end here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from versatilehub.errors import InvalidName, InvalidSource, Refusal
from versatilehub.naming import check_display_name, check_server_name
from versatilehub.policy_groups import Entitlement, PolicySet
from versatilehub.policy_keys import KEYS, format_memory, format_seconds
from versatilehub.policy_types import CREDENTIALS, MOUNT_KINDS, OFFERS, Grant, Policy, Profile, Usage
from versatilehub.sources import parse_source
from versatilehub.spec_values import image_path
from versatilehub.text import nearest, quoted

if TYPE_CHECKING:
    from versatilehub.spec import LaunchSpec

__all__ = [
    "CREDENTIALS",
    "KEYS",
    "MOUNT_KINDS",
    "OFFERS",
    "OWN_IMAGES",
    "Entitlement",
    "Grant",
    "Policy",
    "PolicySet",
    "Profile",
    "Usage",
    "allows_image",
    "check",
    "check_names",
    "check_new_server",
    "check_running",
    "check_spec",
    "format_memory",
    "format_seconds",
    "grant",
]

#: The project's own images: a wildcard never covers them, because the hub's and the builder's are among them.
OWN_IMAGES = "versatilehub/"


def check(spec: LaunchSpec, policy: Policy, usage: Usage) -> None:
    """Return if *spec* may start, raise `Refusal` if not. More servers in *usage* never turn a refusal into consent."""
    check_spec(spec, policy)
    check_running(policy, usage)
    _check_count(policy, usage, len(usage.named_servers))


def check_spec(spec: LaunchSpec, policy: Policy) -> None:
    """Return if *spec* asks for nothing beyond *policy*, whatever else its owner has; raise `Refusal`."""
    _check_offers(spec, policy)
    if spec.source is not None:
        _check_source(spec, policy)
    if spec.image:
        _check_image(spec.image, policy)
    _check_size(spec, policy)


def check_running(policy: Policy, usage: Usage) -> None:
    """Return if one more server may run beside those of *usage*; raise `Refusal`."""
    limit = policy.running_max
    if limit is None or usage.running < limit:
        return
    names = ", ".join(name or "the default server" for name in usage.running_names)
    message = f"You have {usage.running} of {limit} running servers{': ' if names else ''}{names}."
    _refuse(
        "too_many_running", "server_name", message, "Stop one first.", limit=limit, actual=usage.running + 1
    )


def check_names(name: str, display_name: str, policy: Policy) -> None:
    """Return if a server may have this *name* and, unless it is "", *display_name*; raise `InvalidName`."""
    check_server_name(name, policy.name_max)
    if policy.name_pattern and not re.fullmatch(policy.name_pattern, name):
        raise InvalidName(
            f"The server name {quoted(name)} does not match this hub's pattern, {policy.name_pattern}.",
            hint="Choose a name of that form.",
            field="server_name",
            code="name_pattern",
        )
    if display_name and display_name != name:
        check_display_name(display_name, policy.display_name_max)


def check_new_server(name: str, display_name: str, policy: Policy, usage: Usage) -> None:
    """Return if a server *name* may be made; raise `InvalidName` or `Refusal`.

    *display_name* "" is none. A server that exists already is within the count, however many there are.
    """
    check_names(name, display_name, policy)
    if name not in usage.named_servers:
        _check_count(policy, usage, len(usage.named_servers) + 1)


def grant(spec: LaunchSpec | None, policy: Policy) -> Grant:
    """Return the limits of a spec that passed `check`; None is a start that asked for nothing."""
    profile = _profile(spec.profile, policy) if spec is not None else None
    return Grant(
        memory=(spec and spec.memory) or (profile.memory if profile else policy.memory_default),
        cpus=(spec and spec.cpus) or (profile.cpus if profile else policy.cpus_default),
        pids=policy.pids_max,
        gpus=spec.gpus if spec is not None else 0,
    )


def allows_image(image: str, policy: Policy) -> bool:
    """Tell whether *image* is on the policy's list, by its exact name or below a ``…/*`` entry."""
    if image in policy.images:
        return True
    if image_path(image).startswith(OWN_IMAGES):
        return False
    # the entry keeps its last "/": quay.io/a/* covers neither quay.io/ab nor quay.io.example/a
    return any(image.startswith(entry[:-1]) for entry in policy.images if entry.endswith("/*"))


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
    if spec.credentials not in {"none", *policy.credentials}:
        allowed = ", ".join(policy.credentials)
        message = f"Credentials come as {allowed} here; this launch asks for {spec.credentials}."
        _refuse(
            "credentials_not_allowed",
            "credentials",
            message,
            f"Choose one of {allowed}.",
            limit=allowed,
            actual=spec.credentials,
        )
    most = policy.idle_timeout_max
    if spec.idle_timeout is not None and most is not None and spec.idle_timeout > most:
        limit, actual = format_seconds(most), format_seconds(spec.idle_timeout)
        message = f"A server nobody uses may stay for {limit} at most; this one asks for {actual}."
        _refuse(
            "idle_timeout_out_of_range",
            "idle_timeout",
            message,
            f"Ask for {most} seconds or less.",
            limit=limit,
            actual=actual,
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
    if granted.gpus > policy.gpus_max:
        limit = str(policy.gpus_max) if policy.gpus_max else "no"
        message = f"A server has {limit} graphics cards here; this one asks for {granted.gpus}."
        hint = f"Ask for {limit} or fewer." if policy.gpus_max else "Leave gpus out."
        _refuse("gpus_out_of_range", "gpus", message, hint, limit=policy.gpus_max, actual=granted.gpus)


def _check_count(policy: Policy, usage: Usage, count: int) -> None:
    limit = policy.named_servers
    if limit is None or count <= limit:
        return
    if not limit:
        message, hint = "You may have no named servers.", "Use the default server."
    else:
        names = ", ".join(usage.named_servers) or "none"
        message = f"You have {len(usage.named_servers)} of {limit} named servers: {names}."
        hint = "Delete one you no longer need; stopping it is not enough."
    _refuse("too_many_servers", "server_name", message, hint, limit=limit, actual=count)


def _profile(name: str, policy: Policy) -> Profile | None:
    return next((profile for profile in policy.profiles if profile.name == name), None)

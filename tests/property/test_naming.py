"""Properties of names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from jupyterhub import slugs

from tests.property.spec_strategies import any_text
from versatilehub.errors import InvalidName
from versatilehub.naming import (
    RESERVED_SERVER_NAMES,
    canonical_user,
    check_display_name,
    check_server_name,
    container_name,
    identity,
    image_name,
    network_name,
    volume_name,
)
from versatilehub.sources import ResolvedSource

if TYPE_CHECKING:
    from collections.abc import Callable

JUPYTERHUB: Any = slugs  # it has no types
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
# letters that separators and escapes are made of, so that shifted boundaries are found
tricky = st.text("a-_.\xff\x00{}2d", max_size=6) | any_text
resolved = st.builds(
    ResolvedSource,
    provider=st.just("git"),
    url=st.builds("https://example.org/{}".format, tricky),
    commit=st.text("0123456789abcdef", min_size=40, max_size=40),
    subdir=tricky,
)


@given(hub=tricky, user=tricky, server=tricky, unique=tricky)
def test_generated_names_are_labels(hub: str, user: str, server: str, unique: str) -> None:
    """Any text makes a name Docker and DNS take."""
    names = (container_name(hub, user, server), volume_name(hub, user, server, unique), network_name(hub))

    assert all(LABEL.fullmatch(name) for name in names)
    assert 3 == len(set(names))


@given(first=st.tuples(tricky, tricky, tricky), second=st.tuples(tricky, tricky, tricky))
def test_generated_names_never_collide(first: tuple[str, str, str], second: tuple[str, str, str]) -> None:
    """Two different inputs have two names, wherever a separator moves."""
    assert (first == second) == (container_name(*first) == container_name(*second))
    assert (first == second) == (volume_name(*first, "") == volume_name(*second, ""))


@given(resolved=resolved, builder=tricky, base=tricky, args=st.dictionaries(tricky, tricky, max_size=3))
def test_image_names_are_references(
    resolved: ResolvedSource, builder: str, base: str, args: dict[str, str]
) -> None:
    """Any repository makes an image name within Docker's grammar, never longer than it takes."""
    name = image_name(resolved, identity(resolved, builder=builder, base=base, args=args))

    assert REPOSITORY.fullmatch(name.repository)
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]{8}", name.tag)
    assert len(name.repository) <= 255


@given(
    first=st.tuples(tricky, tricky, st.dictionaries(tricky, tricky, max_size=2)),
    second=st.tuples(tricky, tricky, st.dictionaries(tricky, tricky, max_size=2)),
)
def test_identities_differ_with_their_parts(
    first: tuple[str, str, dict[str, str]], second: tuple[str, str, dict[str, str]]
) -> None:
    """No builder, base or argument can imitate another set of them."""
    source = ResolvedSource(provider="git", url="https://example.org/a", commit="0" * 40)
    identities = [identity(source, builder=b, base=base, args=args) for b, base, args in (first, second)]

    assert (first == second) == (identities[0] == identities[1])


def passes(check: Callable[[str], str], name: str) -> bool:
    """Tell whether *check* returns; any error but `InvalidName` fails the test."""
    try:
        check(name)
    except InvalidName:
        return False
    return True


@given(st.from_regex(r"[a-z0-9A-Z-]{0,33}", fullmatch=True) | any_text)
def test_server_names_are_jupyterhubs(name: str) -> None:
    """Our rule is JupyterHub's, less the names of pages and less what its `$` lets through at the end."""
    ours = passes(check_server_name, name)
    theirs = (
        bool(JUPYTERHUB.is_valid_safe_slug(name))
        and name not in RESERVED_SERVER_NAMES
        and not name.endswith("\n")
    )

    assert theirs == ours


@given(any_text)
def test_display_names_are_within_jupyterhubs(name: str) -> None:
    """What passes here is a display name there, and passing again changes nothing."""
    try:
        shown = check_display_name(name)
    except InvalidName:
        return
    assert JUPYTERHUB.is_valid_display_name(shown)
    assert shown == check_display_name(shown)


@given(any_text)
def test_canonical_users_stay_so(name: str) -> None:
    """A canonical name is its own canonical form, and JupyterHub's lower case of what was given."""
    try:
        canonical = canonical_user(name)
    except InvalidName:
        return
    assert canonical == canonical_user(canonical) == name.lower()

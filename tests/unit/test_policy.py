"""What a policy lets a person run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.bad_inputs import Case, cases
from versatilehub.errors import InvalidInput, InvalidName, Refusal
from versatilehub.policy import (
    Grant,
    Policy,
    Profile,
    Usage,
    allows_image,
    check,
    check_new_server,
    format_memory,
    grant,
)
from versatilehub.sources import SourceRules
from versatilehub.spec import LaunchSpec

MIB = 1024**2
GIB = 1024**3
REPO = "https://github.com/owner/repo"
IMAGE = "quay.io/jupyter/base-notebook:2026-01-05"
NOBODY = Usage()
# The values tests/data/bad_inputs.json was written for
POLICY = Policy(
    allow_sources=True,
    images=("quay.io/*", "docker.io/*", "ghcr.io/*", "versatilehub/singleuser:latest"),
    memory_min=128 * MIB,
    memory_max=8 * GIB,
    memory_default=2 * GIB,
    cpus_min=0.05,
    cpus_max=2.0,
    cpus_default=1.0,
    profiles=(Profile(name="small", label="Small", memory=GIB, cpus=0.5),),
    named_servers=5,
)


def verdict(given: dict[str, Any], policy: Policy = POLICY) -> bool:
    """Tell whether a spec is read and allowed; anything but a refusal to do so fails the test."""
    try:
        check(LaunchSpec.from_json(given), policy, NOBODY)
    except (InvalidInput, Refusal):
        return False
    return True


def refusal(given: dict[str, Any], policy: Policy = POLICY, usage: Usage = NOBODY) -> Refusal:
    """Return the refusal of a spec that is read."""
    with pytest.raises(Refusal) as refused:
        check(LaunchSpec.from_json(given), policy, usage)
    return refused.value


@pytest.mark.req("V13")
@pytest.mark.parametrize("case", cases("memory"))
def test_memory_of_the_corpus(case: Case) -> None:
    """Every hostile amount of memory gets its expected verdict, by its form or by the range."""
    assert case.accepted == verdict({"source": REPO, "memory": case.value})


@pytest.mark.req("V13")
@pytest.mark.parametrize("case", cases("cpu"))
def test_cpus_of_the_corpus(case: Case) -> None:
    """Every hostile number of CPUs gets its expected verdict, by its form or by the range."""
    assert case.accepted == verdict({"source": REPO, "cpus": case.value})


@pytest.mark.parametrize("case", cases("image"))
def test_images_of_the_corpus(case: Case) -> None:
    """Every hostile image name gets its expected verdict, by its form or by the list."""
    assert case.accepted == verdict({"image": case.value})


@pytest.mark.req("V13")
@pytest.mark.parametrize(
    ("given", "policy", "code", "limit", "actual"),
    [
        pytest.param({"memory": "9G"}, {}, "memory_out_of_range", "128M to 8G", "9G", id="too much memory"),
        pytest.param(
            {"memory": "127M"}, {}, "memory_out_of_range", "128M to 8G", "127M", id="too little memory"
        ),
        pytest.param({"cpus": 2.5}, {}, "cpus_out_of_range", "0.05 to 2", "2.5", id="too many CPUs"),
        pytest.param({"cpus": 0.04}, {}, "cpus_out_of_range", "0.05 to 2", "0.04", id="too few CPUs"),
        pytest.param({"profile": "small1"}, {}, "unknown_profile", "small", "small1", id="profile"),
        pytest.param({}, {"allow_sources": False}, "sources_not_allowed", "none", "", id="no repositories"),
        pytest.param(
            {},
            {"sources": SourceRules(hosts=("gitlab.com",))},
            "source_not_allowed",
            "gitlab.com",
            REPO,
            id="another host",
        ),
        pytest.param({"credentials": "env"}, {}, "not_offered", "none", "", id="credentials"),
        pytest.param({"idle_timeout": 60}, {}, "not_offered", "none", "", id="idle_timeout"),
        pytest.param({"collaborators": ["bob"]}, {}, "not_offered", "none", "", id="collaborators"),
        pytest.param(
            {"mounts": [{"volume": "data", "at": "/data"}]}, {}, "not_offered", "none", "", id="mounts"
        ),
    ],
)
def test_a_refusal_has_code_limit_actual_and_what_is_allowed(
    given: dict[str, Any], policy: dict[str, Any], code: str, limit: str, actual: str
) -> None:
    """Scripts match the code; people get both figures and the next step."""
    refused = refusal({"source": REPO, **given}, replace(POLICY, **policy))

    assert (code, limit, actual) == (refused.code, refused.limit, refused.actual)
    assert refused.hint
    assert refused.field in {*given, "source"}
    assert 403 == refused.status


def test_a_workspace_is_offered_only_by_name() -> None:
    """A feature this deployment has not is refused; with its name among the offers it is not."""
    assert "not_offered" == refusal({"workspace": "course"}).code
    check(LaunchSpec.from_json({"workspace": "course"}), replace(POLICY, offers=("workspace",)), NOBODY)


def test_an_image_off_the_list_is_answered_with_the_list() -> None:
    """The refusal names the image and every entry."""
    refused = refusal(
        {"image": "registry.example.org/a/b:1"}, replace(POLICY, images=("quay.io/jupyter/*", "a/b:1"))
    )

    assert ("image_not_allowed", "quay.io/jupyter/*, a/b:1") == (refused.code, refused.limit)
    assert "registry.example.org/a/b:1" in refused.message


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param("quay.io/jupyter/a:1", True, id="below a prefix"),
        pytest.param("quay.io/jupyterx/a:1", False, id="another name that begins alike"),
        pytest.param("quay.io.evil.example/jupyter/a:1", False, id="another registry that begins alike"),
        pytest.param("evil.example/quay.io/jupyter/a:1", False, id="the prefix in the middle"),
        pytest.param("quay.io:443/jupyter/a:1", False, id="another port"),
        pytest.param("docker.io/library/debian:12", True, id="registry spelled out"),
        pytest.param("debian:12", False, id="registry not spelled out"),
        pytest.param("docker.io/versatilehub/hub:latest", False, id="own image behind a wildcard"),
        pytest.param("versatilehub/hub:latest", False, id="own image that is not listed"),
        pytest.param("versatilehub/singleuser:latest", True, id="exact name"),
        pytest.param("versatilehub/singleuser:2026-11-21", False, id="another tag"),
    ],
)
def test_image_entries(image: str, expected: bool) -> None:
    """An entry is an exact name, or every image below a prefix except the project's own."""
    policy = replace(POLICY, images=("quay.io/jupyter/*", "docker.io/*", "versatilehub/singleuser:latest"))

    assert expected == allows_image(image, policy)


def test_by_default_everything_is_denied() -> None:
    """A policy that says nothing runs neither repositories nor images."""
    assert not verdict({"source": REPO}, Policy())
    assert not verdict({"image": IMAGE}, Policy())


def test_the_policys_rules_hold_whoever_read_the_spec() -> None:
    """A spec read with wider rules is still refused by the policy's."""
    spec = LaunchSpec.from_json(
        {"source": "http://forge.lan:3000/a/b"}, SourceRules(extra=("http://forge.lan:3000/",))
    )

    with pytest.raises(Refusal, match="http") as refused:
        check(spec, POLICY, NOBODY)
    assert "source_not_allowed" == refused.value.code
    check(spec, replace(POLICY, sources=SourceRules(extra=("http://forge.lan:3000/",))), NOBODY)


@pytest.mark.req("P17")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, Grant(memory=2 * GIB, cpus=1.0), id="default"),
        pytest.param({"profile": "small"}, Grant(memory=GIB, cpus=0.5), id="profile"),
        pytest.param(
            {"profile": "small", "memory": "2G"},
            Grant(memory=2 * GIB, cpus=0.5),
            id="own memory beside a profile",
        ),
        pytest.param({"memory": "512M", "cpus": 2}, Grant(memory=512 * MIB, cpus=2.0), id="own figures"),
    ],
)
def test_what_is_granted(given: dict[str, Any], expected: Grant) -> None:
    """A figure of one's own comes before the profile's, the profile's before the default."""
    assert expected == grant(LaunchSpec.from_json({"image": IMAGE, **given}), POLICY)


def test_a_start_that_asks_for_nothing_gets_the_default() -> None:
    """No options are no error."""
    assert Grant(memory=2 * GIB, cpus=1.0) == grant(None, POLICY)


@pytest.mark.req("P3")
@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        pytest.param([(GIB, 0.5), (2 * GIB, 1.0)], "size1", id="of the default size"),
        pytest.param([(GIB, 0.5), (2 * GIB, 0.5)], "size0", id="none is: the first"),
        pytest.param([], "", id="no profiles"),
    ],
)
def test_the_profile_a_form_shows_as_chosen(sizes: list[tuple[int, float]], chosen: str) -> None:
    """A person who touches nothing gets the size the policy calls the default, if a profile has it."""
    profiles = tuple(
        Profile(name=f"size{number}", label="S", memory=memory, cpus=cpus)
        for number, (memory, cpus) in enumerate(sizes)
    )

    assert chosen == Policy(memory_default=2 * GIB, cpus_default=1.0, profiles=profiles).default_profile


def test_the_sixth_named_server_is_refused_naming_the_five() -> None:
    """Five are within a limit of five; the refusal of the sixth names them; deleting one makes room."""
    names = ("a1", "a2", "a3", "a4", "a5")
    check_new_server("a5", "", POLICY, Usage(named_servers=names[:4]))

    with pytest.raises(Refusal, match="5 of 5 named servers: a1, a2, a3, a4, a5") as refused:
        check_new_server("a6", "", POLICY, Usage(named_servers=names))
    assert ("too_many_servers", "5", "6") == (refused.value.code, refused.value.limit, refused.value.actual)


@pytest.mark.req("P3")
def test_a_start_beyond_the_limit_is_refused_too() -> None:
    """A record that got past the limit (by a rename, say) still does not start; one within it does."""
    names = ("a1", "a2", "a3", "a4", "a5")
    check(LaunchSpec.from_json({"image": IMAGE}), POLICY, Usage(named_servers=names))

    assert "too_many_servers" == refusal({"image": IMAGE}, usage=Usage(named_servers=(*names, "a6"))).code


def test_an_existing_server_is_within_the_count() -> None:
    """A request for a server one has is no request for a new one; without a limit nothing is counted."""
    names = tuple(f"a{n}" for n in range(9))
    check_new_server("a1", "", POLICY, Usage(named_servers=names))
    check_new_server("new", "", replace(POLICY, named_servers=None), Usage(named_servers=names))


@pytest.mark.req("P1", "P2")
def test_the_policys_length_holds_for_both_names() -> None:
    """The server's name and the name people see have each their limit."""
    policy = replace(POLICY, name_max=20, display_name_max=20)
    check_new_server("a" * 20, "Ü" * 20, policy, NOBODY)

    with pytest.raises(InvalidName, match="at most 20 characters; this one has 21"):
        check_new_server("a" * 21, "", policy, NOBODY)
    with pytest.raises(InvalidName, match="at most 20 characters; this one has 21"):
        check_new_server("a", "Ü" * 21, policy, NOBODY)


@pytest.mark.parametrize(
    ("size", "expected"), [(GIB, "1G"), (1536 * MIB, "1536M"), (1024, "1K"), (1000, "1000"), (0, "0")]
)
def test_bytes_are_shown_as_they_are_typed(size: int, expected: str) -> None:
    """The largest unit that is exact."""
    assert expected == format_memory(size)

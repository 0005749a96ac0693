"""Names people choose, and names made for Docker."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from tests.bad_inputs import Case, cases
from versatilehub.errors import InvalidName
from versatilehub.naming import (
    ImageName,
    bridge_name,
    canonical_user,
    check_display_name,
    check_server_name,
    container_name,
    count_characters,
    date_tags,
    identity,
    image_name,
    network_name,
    volume_name,
)
from versatilehub.sources import ResolvedSource

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = "physics"


def resolved(
    url: str = "https://github.com/owner/repo", commit: str = COMMIT, subdir: str = ""
) -> ResolvedSource:
    """Return a resolved source with the given parts."""
    return ResolvedSource(provider="git", url=url, commit=commit, subdir=subdir)


def accepted(check: Any, value: Any) -> bool:
    """Tell whether *check* takes *value*; any error but `InvalidName` fails the test."""
    try:
        check(value)
    except InvalidName:
        return False
    return True


@pytest.mark.req("P2")
@pytest.mark.parametrize("case", cases("server_name"))
def test_server_names_of_the_corpus(case: Case) -> None:
    """Every hostile server name gets its expected verdict."""
    assert case.accepted == accepted(check_server_name, case.value)


@pytest.mark.req("P2")
@pytest.mark.parametrize("case", cases("display_name"))
def test_display_names_of_the_corpus(case: Case) -> None:
    """Every hostile display name gets its expected verdict."""
    assert case.accepted == accepted(check_display_name, case.value)


def generated_names(pair: Any) -> set[str]:
    """Return every name made for a user, or for [user, server]."""
    user, server = (pair, "") if isinstance(pair, str) else pair
    user = canonical_user(user)
    return {container_name(HUB, user, server), volume_name(HUB, user, server, "1")}


@pytest.mark.req("K1")
@pytest.mark.parametrize("case", cases("name_pair"))
def test_name_pairs_of_the_corpus(case: Case) -> None:
    """Two that may both exist share no derived name; twins of one identity cannot both exist."""
    first, second = case.value
    try:
        distinct = generated_names(first).isdisjoint(generated_names(second))
    except InvalidName:
        distinct = False

    assert case.accepted == distinct


@pytest.mark.parametrize(
    ("name", "part"),
    [
        pytest.param("", "0 characters", id="empty"),
        pytest.param("a" * 31, "at most 30 characters; this one has 31", id="limit and actual length"),
        pytest.param("aB", "'B'", id="the wrong character"),
        pytest.param("a--b", "two hyphens", id="separator"),
        pytest.param("a-", "hyphen at its end", id="end"),
        pytest.param("1a", "letter must be first", id="digit first"),
        pytest.param("lab", "reserved", id="page of the default server"),
        pytest.param("é", "'é'", id="non-ASCII"),
    ],
)
def test_a_refused_server_name_says_why_and_what_is_allowed(name: str, part: str) -> None:
    """The message names the fault, the hint an example."""
    with pytest.raises(InvalidName, match=re.escape(part)) as refused:
        check_server_name(name)

    assert "lab" in refused.value.hint
    assert "server_name" == refused.value.field


@pytest.mark.req("P1")
def test_a_site_may_set_a_lower_limit_for_server_names() -> None:
    """20 characters pass where 20 is the limit, 21 do not, and the message says both figures."""
    assert "a" * 20 == check_server_name("a" * 20, 20)
    with pytest.raises(InvalidName, match="at most 20 characters; this one has 21"):
        check_server_name("a" * 21, 20)


@pytest.mark.parametrize(
    ("name", "limit", "expected"),
    [
        pytest.param(
            "Übung 1: <b>Zahlen</b>", 255, "Übung 1: <b>Zahlen</b>", id="punctuation is escaped, not refused"
        ),
        pytest.param("e\u0301", 255, "é", id="composed, as JupyterHub stores it"),
        pytest.param("x" * 255, 255, "x" * 255, id="JupyterHub's limit"),
        pytest.param("🇮🇹" * 20, 20, "🇮🇹" * 20, id="a flag is one character of two"),
        pytest.param("👍🏽" * 20, 20, "👍🏽" * 20, id="a skin tone belongs to its hand"),
        pytest.param("☀️", 20, "☀️", id="emoji style"),
    ],
)
def test_display_names_are_free(name: str, limit: int, expected: str) -> None:
    """Any visible text within the limit is a display name, counted as a person counts."""
    assert expected == check_display_name(name, limit)


@pytest.mark.parametrize(
    ("name", "limit", "message"),
    [
        pytest.param("x" * 21, 20, "at most 20 characters; this one has 21", id="site's limit"),
        pytest.param("x" * 256, 255, "at most 255 characters; this one has 256", id="JupyterHub's limit"),
        pytest.param("a\u3164b", 255, "U+3164", id="a letter that draws nothing"),
        pytest.param("a\u00a0b", 255, "U+00A0", id="a space that is none"),
    ],
)
def test_refused_display_names_say_why(name: str, limit: int, message: str) -> None:
    """Length and hidden characters are named with their figures."""
    with pytest.raises(InvalidName, match=re.escape(message)):
        check_display_name(name, limit)


def test_characters_are_counted_as_seen() -> None:
    """An accent typed after its letter adds nothing."""
    assert 4 == count_characters("cafe\u0301")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="blank"),
        pytest.param("alice ", id="space at the end"),
        pytest.param("alice\n", id="newline at the end"),
        pytest.param("al\tice", id="tab"),
        pytest.param("ad\u200bmin", id="zero-width twin"),
        pytest.param("\u202enimda", id="bidi"),
        pytest.param("e\u0301", id="decomposed twin of é"),
        pytest.param("ａlice", id="full-width twin"),
        pytest.param("\u0430lice", id="Cyrillic letter in a Latin name"),
        pytest.param("\u0130", id="grows in lower case"),
        pytest.param("u" * 256, id="too long"),
    ],
)
def test_twins_of_a_user_name_are_refused(name: str) -> None:
    """What looks like another name, or holds what nobody sees, is no user name."""
    assert not accepted(canonical_user, name)


def test_user_names_have_one_case() -> None:
    """The canonical form is lower case, as JupyterHub stores it; scripts other than Latin have names too."""
    assert "alice@example.org" == canonical_user("Alice@example.org")
    assert "γιώργος" == canonical_user("γιώργος")


@pytest.mark.parametrize("user", ["alice", "testuser<'&\">", "u" * 300, "\ud800", "", "日本", "a--b"])
@pytest.mark.parametrize("server", ["", "lab1", "s" * 300, "\n"])
def test_generated_names_fit_docker_and_dns(user: str, server: str) -> None:
    """Whatever the user and the server are called, the names are DNS labels."""
    label = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

    for name in (container_name(HUB, user, server), volume_name(HUB, user, server, "1"), network_name(user)):
        assert label.fullmatch(name)


def test_the_readable_part_shows_user_and_server() -> None:
    """A person who runs `docker ps` sees whose server it is."""
    assert container_name(HUB, "Alice", "lab1").startswith("vh-alice-lab1-")


@pytest.mark.req("P15")
def test_a_volume_made_anew_has_a_new_name() -> None:
    """The same server made twice never meets its old volume; another hub's is another too."""
    names = {volume_name(hub, "alice", "lab1", unique) for hub in ("a", "b") for unique in ("1", "2")}

    assert 4 == len(names)


def test_network_names_leave_room() -> None:
    """A suffix of ten characters still fits a label; the interface's name fits Linux."""
    assert len(network_name("h" * 100)) <= 53
    assert re.fullmatch(r"vhs[0-9a-f]{12}", bridge_name("physics", "s"))
    assert re.fullmatch(r"vhb[0-9a-f]{12}", bridge_name("physics", "b"))


@pytest.mark.req("V26")
@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"resolved": resolved(url="https://example.org/owner/repo")}, id="url"),
        pytest.param({"resolved": resolved(commit="f" * 40)}, id="commit"),
        pytest.param({"resolved": resolved(subdir="docs")}, id="subdir"),
        pytest.param({"builder": "2"}, id="builder"),
        pytest.param({"base": "sha256:b"}, id="base image"),
        pytest.param({"args": {"A": "1"}}, id="build arguments"),
    ],
)
def test_identity_covers_what_a_build_depends_on(other: dict[str, Any]) -> None:
    """Each of the six parts alone makes another environment."""
    parts: dict[str, Any] = {"resolved": resolved(), "builder": "1", "base": "sha256:a", "args": {}}
    first, second = parts, parts | other
    digests = [
        identity(p["resolved"], builder=p["builder"], base=p["base"], args=p["args"]) for p in (first, second)
    ]

    assert digests[0] != digests[1]
    assert re.fullmatch(r"[0-9a-f]{64}", digests[0])


def test_identity_ignores_the_ref_and_the_order_of_arguments() -> None:
    """Two branches on one commit are one environment, and arguments have no order."""
    one = identity(resolved(), builder="1", base="b", args={"A": "1", "B": "2"})
    branch = ResolvedSource(provider="git", url=resolved().url, commit=COMMIT, ref="main", open="a.ipynb")

    assert one == identity(branch, builder="1", base="b", args={"B": "2", "A": "1"})


def test_arguments_cannot_imitate_each_other() -> None:
    """A value that looks like the next pair is still another set of arguments."""
    first = identity(resolved(), builder="1", base="b", args={"A": "1", "B": "2"})

    assert first != identity(resolved(), builder="1", base="b", args={"A": "1B2"})


@pytest.mark.req("S1")
@pytest.mark.parametrize(
    ("url", "subdir", "slug"),
    [
        pytest.param("https://github.com/owner/repo", "", "owner-repo", id="owner and name"),
        pytest.param(
            "https://gitlab.com/Group/Sub/My.Repo_1.git", "", "sub-my-repo-1", id="nested, upper case, signs"
        ),
        pytest.param("https://example.org/%C3%BC", "docs/a", "c3-bc-docs-a", id="escapes and a folder"),
        pytest.param("https://example.org/" + "x" * 300, "", "x" * 60, id="long"),
    ],
)
def test_image_names_are_readable_and_valid(url: str, subdir: str, slug: str) -> None:
    """An image's name shows the repository, its tag the commit and the identity."""
    name = image_name(resolved(url, subdir=subdir), "a" * 64)

    assert re.fullmatch(rf"vh-build/{re.escape(slug)}-[0-9a-f]{{10}}", name.repository)
    assert f"{COMMIT[:12]}-aaaaaaaa" == name.tag
    assert str(name) == f"{name.repository}:{name.tag}"


def test_same_path_on_two_hosts_is_two_repositories() -> None:
    """A name made from the path alone would hand one site's image to the other."""
    first, second = (
        image_name(resolved(f"https://{host}/a/b"), "0" * 64) for host in ("github.com", "evil.example")
    )

    assert first.repository != second.repository


@pytest.mark.req("S1", "S2")
def test_date_tags() -> None:
    """A day's first build is tagged with day and commit, the next ones with a number as well, `latest` beside it."""
    day = date(2026, 11, 21)
    tag = "2026-11-21-0123456"

    assert (tag, "latest") == date_tags("versatilehub/singleuser", day, COMMIT)
    assert (f"{tag}-3", "latest") == date_tags("versatilehub/singleuser", day, COMMIT, {tag, f"{tag}-2"})


@pytest.mark.parametrize(
    ("name", "commit"), [("Upper/case", COMMIT), ("a//b", COMMIT), ("a/b", "abc1234"), ("a/b\n", COMMIT)]
)
def test_date_tags_refuse_what_docker_would(name: str, commit: str) -> None:
    """A repository outside Docker's grammar and a shortened commit are refused."""
    with pytest.raises(InvalidName):
        date_tags(name, date(2026, 1, 2), commit)


def test_an_image_name_is_its_two_parts() -> None:
    """Docker takes repository and tag joined by a colon."""
    assert "a/b:c" == str(ImageName(repository="a/b", tag="c"))

"""Pages of git forges, as copied from a browser, read into repository, ref and file.

One table says for each forge which word in a path means what. Whatever is no page of a repository's files (settings,
actions, a user's page) is refused with a sentence, because guessing would build something nobody asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from versatilehub.source_text import refused
from versatilehub.source_types import Source

if TYPE_CHECKING:
    from versatilehub.source_address import Address

Place = tuple[str, str]  # ref, file to open
Reader = Callable[
    [tuple[str, ...]], Place | None
]  # what stands after the word, decoded once -> place, None if no such page

_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_GIST = re.compile(r"[0-9a-f]{20,40}|[0-9]{4,12}", re.ASCII)
_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})")  # "_" stands in names of enterprise accounts
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]{1,100}")
_PART = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,254}")
_DOTS = re.compile(r"\.+|(?:\.git)+", re.IGNORECASE)

# What a browser's address bar holds after "?" and "#" and says nothing about what to run. Anything else is refused and not
# dropped: "#main" names a branch for some tools, and "?token=" is a secret.
_IDLE_QUERY = frozenset(
    (
        *("at", "diff", "display", "expanded", "files", "fileviewer", "mode", "plain", "raw", "ref_type"),
        *("short_path", "show_all", "source", "tab", "viewer", "w"),
        *("utm_campaign", "utm_content", "utm_medium", "utm_source", "utm_term"),
    ),
)
_IDLE_FRAGMENT = re.compile(
    r"readme(?:-ov-file|-1-ov-file)?|L[0-9C-]+(?:-L[0-9C]+)?|lines-[0-9:]+|(?:user-content|diff|file|issuecomment)-[\w.-]+"
    r"|(?:note_|discussion_r|pullrequestreview-)[0-9]+",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forge:
    """One kind of forge: *pages* maps the word after the repository to its reader, *reserved* are no owners."""

    provider: str
    pages: Mapping[str, Reader]
    reserved: frozenset[str] = frozenset()
    nested: bool = False  # groups inside groups; the pages then start after "-"
    example: str = "https://github.com/owner/repository/tree/main"


def _ref_and_file(rest: tuple[str, ...]) -> Place | None:
    """``<ref>/<path>``: a ref with "/" cannot be told from a path without asking the host, so the first part is the ref."""
    if not rest:
        return None
    long = 3 if rest[0] == "refs" else 1  # refs/heads/main
    return "/".join(rest[:long]), "/".join(rest[long:])


def _kind_ref_and_file(rest: tuple[str, ...]) -> Place | None:
    """``branch/<ref>/<path>``, the way of Gitea and Forgejo."""
    return _ref_and_file(rest[1:]) if rest and rest[0] in {"branch", "tag", "commit"} else None


def _history(rest: tuple[str, ...]) -> Place | None:
    return _ref_and_file(rest) if rest else ("", "")


def _commit(rest: tuple[str, ...]) -> Place | None:
    return (rest[0], "") if rest and _COMMIT.fullmatch(rest[0]) else None


def _whole_ref(rest: tuple[str, ...]) -> Place | None:
    return ("/".join(rest), "") if rest else None


def _release(rest: tuple[str, ...]) -> Place | None:
    return _whole_ref(rest[1:]) if rest[0:1] == ("tag",) else None


def _pull_request(rest: tuple[str, ...]) -> Place | None:
    """``N``, ``N/files`` or ``N/commits/<commit>``."""
    if not rest or not _NUMBER.fullmatch(rest[0]):
        return None
    return _commit(rest[2:]) if rest[1:2] == ("commits",) and rest[2:] else (f"refs/pull/{rest[0]}/head", "")


def _merge_request(rest: tuple[str, ...]) -> Place | None:
    return (f"refs/merge-requests/{rest[0]}/head", "") if rest and _NUMBER.fullmatch(rest[0]) else None


GITHUB = Forge(
    provider="github",
    pages={
        **dict.fromkeys(("tree", "blob", "raw", "edit", "blame"), _ref_and_file),
        "commits": _history,
        "commit": _commit,
        "pull": _pull_request,
        "releases": _release,
    },
    reserved=frozenset(
        (
            *(
                "about",
                "account",
                "apps",
                "codespaces",
                "collections",
                "contact",
                "dashboard",
                "enterprise",
                "events",
            ),
            *(
                "explore",
                "features",
                "issues",
                "join",
                "login",
                "marketplace",
                "notifications",
                "organizations",
                "orgs",
            ),
            *(
                "pricing",
                "pulls",
                "search",
                "security",
                "sessions",
                "settings",
                "site",
                "sponsors",
                "stars",
                "topics",
            ),
            *("trending", "users"),
        ),
    ),
)
GITLAB = Forge(
    provider="gitlab",
    pages={
        **dict.fromkeys(("tree", "blob", "raw", "blame", "edit"), _ref_and_file),
        **dict.fromkeys(("tags", "releases"), _whole_ref),
        "commits": _history,
        "commit": _commit,
        "merge_requests": _merge_request,
    },
    reserved=frozenset(
        ("-", "admin", "api", "dashboard", "explore", "groups", "help", "projects", "search", "users")
    ),
    nested=True,
    example="https://gitlab.com/group/project/-/tree/main",
)
GITEA = Forge(
    provider="codeberg",
    pages={
        **dict.fromkeys(("src", "raw", "media", "blame", "commits"), _kind_ref_and_file),
        "commit": _commit,
        "pulls": _pull_request,
        "releases": _release,
    },
    reserved=frozenset(
        ("admin", "api", "explore", "issues", "notifications", "org", "pulls", "repo", "user")
    ),
    example="https://codeberg.org/owner/repository/src/branch/main",
)
BITBUCKET = Forge(
    provider="bitbucket",
    pages={
        **dict.fromkeys(("src", "raw"), _history),
        **dict.fromkeys(("commit", "commits"), _commit),
        "branch": _whole_ref,
    },
    reserved=frozenset(("account", "dashboard", "product", "repo", "workspaces")),
    example="https://bitbucket.org/owner/repository/src/main",
)
FORGES = {"github.com": GITHUB, "gitlab.com": GITLAB, "codeberg.org": GITEA, "bitbucket.org": BITBUCKET}


def read_forge(address: Address) -> Source:
    """Read a page of one of the public forges of `FORGES`."""
    forge = FORGES[address.forge]
    repository, page = _split_page(forge, address)
    if len(repository) < 2 or repository[0].lower() in forge.reserved:
        raise refused(
            f"This is a page of {address.host} and not of one repository there.",
            f"Paste the address of a repository, such as {address.origin}/owner/repository.",
        )
    for part, rule in zip(
        repository, (_OWNER if forge is GITHUB else _PART, *[_REPOSITORY] * 20), strict=False
    ):
        if not rule.fullmatch(part) or _DOTS.fullmatch(part):
            raise refused(
                f"{address.host} has no owner or repository of such a name.",
                f"Paste the address of a repository, such as {address.origin}/owner/repository.",
            )
    return _source(forge, address, repository, page)


def _split_page(forge: Forge, address: Address) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the parts of the path that name the repository, and those of the page in it."""
    parts = address.parts
    if not forge.nested:
        return parts[:2], parts[2:]
    if "-" in parts[1:]:
        at = parts.index("-", 1)
        return parts[:at], parts[at + 1 :]
    # GitLab's pages had no "-" until 2019; it lets no project have the name of a page.
    at = next((place for place in range(2, len(parts)) if parts[place] in forge.pages), len(parts))
    return parts[:at], parts[at:]


def _source(forge: Forge, address: Address, repository: tuple[str, ...], page: tuple[str, ...]) -> Source:
    """Return the source for *page* of *repository*; no page is the repository itself."""
    idle = address if page or not repository[-1].lower().endswith(".git") else None
    check_idle(address, idle=idle is not None)
    url = address.origin + "".join(f"/{part}" for part in repository)
    if not page:
        return Source(provider=forge.provider, url=url)
    reader = forge.pages.get(page[0])
    place = reader(decoded(page[1:])) if reader else None
    if place is None:
        raise refused(
            "This is a page about a repository and not one of its files, branches, tags, commits or pull requests.",
            f"Paste the repository's own address, or one such as {forge.example}.",
        )
    return Source(provider=forge.provider, url=url, ref=place[0], open=place[1])


def read_gist(address: Address) -> Source:
    """Read ``gist.github.com/[user/]<id>[/<revision>]``; the id alone is the gist's identity."""
    check_idle(address, idle=True)
    parts = address.parts
    first = parts[0].removesuffix(".git") if parts else ""
    at = 0 if _GIST.fullmatch(first) else 1
    if len(parts) <= at or not _GIST.fullmatch(gist := parts[at].removesuffix(".git")):
        raise refused(
            "This is a page of gist.github.com and not one gist.",
            "Paste the address of a gist, such as https://gist.github.com/owner/<32 digits>.",
        )
    rest = tuple(part for part in parts[at + 1 :] if part not in {"raw", "revisions"})
    return Source(provider="gist", url=f"https://gist.github.com/{gist}.git", ref=rest[0] if rest else "")


def read_git(address: Address) -> Source:
    """Read an address on any other host: a page in the way of GitLab, Gitea or GitHub, or a clone URL as it is.

    There, ".git" may be a part of the only address that works, so it stays.
    """
    parts = address.parts
    if "-" in parts[2:]:
        repository, page = _split_page(GITLAB, address)
        return replace(_source(GITLAB, address, repository, page), provider="git")
    for forge in (GITEA, GITHUB):
        if (
            len(parts) > 3
            and not parts[-1].endswith(".git")
            and parts[2] in forge.pages
            and forge.pages[parts[2]](decoded(parts[3:]))
        ):
            return replace(_source(forge, address, parts[:2], parts[2:]), provider="git")
    if address.query or address.fragment:
        raise refused(
            'The address of a repository has no "?" and no "#".', 'Remove everything from the "?" or "#" on.'
        )
    return Source(provider="git", url=address.origin + address.path)


def decoded(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Percent-decode *parts* exactly once."""
    try:
        return tuple(unquote_to_bytes(part).decode("utf-8") for part in parts)
    except ValueError as error:
        raise refused("A percent-encoded part of the address is not UTF-8.") from error


def check_idle(address: Address, *, idle: bool) -> None:
    """Refuse what stands after "?" or "#", except, if *idle*, what browsers add and no repository depends on."""
    names = {pair.partition("=")[0] for pair in address.query.split("&")} if address.query else set()
    known = names <= _IDLE_QUERY and (
        not address.fragment or bool(_IDLE_FRAGMENT.fullmatch(address.fragment))
    )
    if (address.query or address.fragment) and not (idle and known):
        message = (
            'The address goes on after "?" or "#" with something that is no part of a repository\'s address.'
        )
        raise refused(
            message, 'Remove everything from the "?" or "#" on; a branch goes into the field of its own.'
        )

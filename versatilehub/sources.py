"""Pasted text to repository, and the rules every clone URL, ref and folder passes.

Pure and total: on any text `parse_source` returns a `Source` or raises `InvalidSource`, and nothing else. What it returns
parses to itself again. The rules are narrower than git's, so that nothing a person types is ever read as an option.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from versatilehub.errors import InvalidSource, InvalidSpec
from versatilehub.landing import check_filepath, check_urlpath
from versatilehub.source_address import ALIASES, Address, split_url
from versatilehub.source_forges import FORGES, read_forge, read_gist, read_git
from versatilehub.source_links import query_values, read_link
from versatilehub.source_records import (
    ARCHIVES,
    DOI_HOSTS,
    HYDROSHARE_HOSTS,
    SWHID_HOST,
    ZENODO_HOSTS,
    check_version,
    is_ckan,
    is_dataverse,
    is_figshare,
    read_ckan,
    read_dataverse,
    read_doi,
    read_doi_page,
    read_figshare,
    read_hydroshare,
    read_swhid,
    read_swhid_page,
    read_zenodo,
)
from versatilehub.source_rules import check_allowed, check_origin, check_url
from versatilehub.source_text import EXAMPLE, check_ref, check_subdir, check_text, refused
from versatilehub.source_types import PUBLIC, ResolvedSource, Source, SourceRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "PROVIDERS",
    "Provider",
    "ResolvedSource",
    "Source",
    "SourceRules",
    "check_ref",
    "check_subdir",
    "check_url",
    "longer_refs",
    "parse_source",
]

_SCP = re.compile(r"git@([^/:@]+):(?!/)(.+)")
_DOI_TEXT = re.compile(r"(?:doi:)?(10\.[0-9]{4,9}(?:\.[0-9]+)*/.+)", re.IGNORECASE)
_BARE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,38})/([A-Za-z0-9._-]{1,100})/?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One kind of address: *claims* tells whether it is one, by host or form, and *read* reads it or refuses."""

    name: str
    claims: Callable[[Address], bool]
    read: Callable[[Address], Source]


def _on(*hosts: str) -> Callable[[Address], bool]:
    return lambda address: address.forge in hosts


def _record_on(*hosts: str) -> Callable[[Address], bool]:
    """As `_on`, and over http too: a record's URL is made from its number, so the pasted address is never asked."""
    return lambda address: address.host in hosts and not address.port


# The first that claims an address reads it. To add a provider, add its reader to source_forges or source_records and a
# row here; what holds on any host by the form of its path stands below the known hosts, and git takes what is left.
PROVIDERS = (
    *(Provider(name=forge.provider, claims=_on(host), read=read_forge) for host, forge in FORGES.items()),
    Provider(name="gist", claims=_on("gist.github.com"), read=read_gist),
    Provider(name="doi", claims=_record_on(*DOI_HOSTS), read=read_doi_page),
    Provider(name="zenodo", claims=_record_on(*ZENODO_HOSTS), read=read_zenodo),
    Provider(name="figshare", claims=is_figshare, read=read_figshare),
    Provider(name="hydroshare", claims=_record_on(*HYDROSHARE_HOSTS), read=read_hydroshare),
    Provider(name="swhid", claims=_record_on(SWHID_HOST), read=read_swhid_page),
    Provider(name="dataverse", claims=is_dataverse, read=read_dataverse),
    Provider(name="ckan", claims=is_ckan, read=read_ckan),
    Provider(name="git", claims=lambda _: True, read=read_git),
)
_KNOWN_HOSTS = frozenset(
    (
        *FORGES,
        *ALIASES,
        *DOI_HOSTS,
        *ZENODO_HOSTS,
        *HYDROSHARE_HOSTS,
        SWHID_HOST,
        "gist.github.com",
        "figshare.com",
        "mybinder.org",
    ),
)


def parse_source(text: str, ref: str | None = None, *, rules: SourceRules = PUBLIC) -> Source:
    """Read anything a person pastes into a `Source`, or raise `InvalidSource` with an example of what is right.

    *ref*, if not empty, wins over the one in *text* ("HEAD" asks for the default branch). Where *text* names a branch
    with "/" in it, which cannot be told from a path, the first part is the ref and the rest `Source.open`, unless *ref*
    says where the branch ends; `git.resolve`, which can ask, tries longer ones. Records of archives take a version as
    ref, or none.
    """
    check_text(text)
    source = _read_any(text)
    chosen = check_ref(ref or "")
    if not source.is_git and chosen == "HEAD":
        chosen = ""
    source = _checked(_with_ref(source, chosen) if chosen else source, rules)
    again = _checked(_read_any(source.url), rules)
    if (again.provider, again.url) != (source.provider, source.url):
        # a URL that is itself a page of something else would be another repository the next time it is read
        raise refused("The address can be read as two different repositories.")
    return source


def longer_refs(source: Source) -> Iterator[Source]:
    """Yield *source* with one part more of `open` taken for the ref each time: ``tree/feature/x`` may mean either.

    For whoever can ask the git host and did not find `Source.ref` there.
    """
    parts = source.open.split("/") if source.open and not source.open.startswith("/") else []
    for taken in range(1, len(parts) + 1):
        try:
            ref = check_ref("/".join((source.ref, *parts[:taken])))
        except InvalidSource:
            return
        yield replace(source, ref=ref, open="/".join(parts[taken:]))


def _with_ref(source: Source, ref: str) -> Source:
    """Return *source* at *ref*, less what of *ref* had been taken for a file."""
    whole = f"{source.ref}/{source.open}/"
    opened = whole[len(ref) + 1 :].rstrip("/") if source.ref and whole.startswith(ref + "/") else source.open
    return replace(source, ref=ref, open=opened)


def _read_any(text: str) -> Source:
    """Read *text*, which may be a link that another launcher made, one deep."""
    whole = _with_scheme(text)
    link = read_link(split_url(whole)) if whole.lower().startswith(("https://", "http://")) else None
    if not link:
        return _read_repository(text)
    check_text(link.text)
    source = _read_repository(link.text)
    if link.ref and not (link.ref == "HEAD" and source.ref):
        source = _with_ref(source, link.ref)
    return replace(source, open=link.open or source.open)


def _read_repository(text: str) -> Source:
    """Read *text*, which is to be no link of another launcher: one link is unwrapped, and not a second within it."""
    if doi := _DOI_TEXT.fullmatch(text):
        return read_doi(doi[1])
    if text.lower().startswith("swh:"):
        return read_swhid(text)
    address = split_url(_as_url(text))
    if read_link(address):
        raise refused("The link holds another launcher's link.", "Paste the inner link alone.")
    provider = next(provider for provider in PROVIDERS if provider.claims(address))
    return provider.read(address)


def _as_url(text: str) -> str:
    """Return the URL that ``git@host:path``, ``host/path`` of a known host, or ``owner/repository`` stands for."""
    if scp := _SCP.fullmatch(text):
        return f"https://{scp[1]}/{scp[2]}"
    if bare := _BARE.fullmatch(text):
        return f"https://github.com/{bare[1]}/{bare[2]}"
    whole = _with_scheme(text)
    if "://" not in whole:
        raise refused("This is neither the address of a repository nor a DOI.", EXAMPLE)
    return whole


def _with_scheme(text: str) -> str:
    """Return *text* with https:// before it if it starts with the bare name of a host we know."""
    host, slash, _ = text.partition("/")
    return f"https://{text}" if slash and host.lower() in _KNOWN_HOSTS else text


def _checked(source: Source, rules: SourceRules) -> Source:
    """Return *source* in canonical form, every part of it having passed its rule."""
    opened = _checked_open(source.open, rules)
    if source.is_git:
        return replace(source, url=check_url(source.url, rules), ref=check_ref(source.ref), open=opened)
    host = ARCHIVES[source.provider].host
    if host:
        check_allowed(host, rules)
    else:
        check_origin(split_url(source.url), rules)
    return replace(check_version(source), open=opened)


def _checked_open(place: str, rules: SourceRules) -> str:
    """Return *place* if it can be opened: a file of the repository, or "/" and a page of the server.

    What Jupyter hides it does not open either, so a link to such a file opens the repository. What nbgitpuller's page
    would pull has to be an allowed repository itself.
    """
    page = place.startswith("/")
    if not place or (place.startswith(".") and not place.startswith("..")):
        return ""
    try:
        opened = check_urlpath(place) if page else check_filepath(place)
    except InvalidSpec as error:
        # a query, and what stands before "@", may hold a secret that the message would repeat
        message = (
            "What the link opens is no page to land on." if "?" in place or "@" in place else error.message
        )
        raise refused(message, error.hint, field="open", code="invalid_open") from error
    path, _, query = opened.partition("?")
    if page and path.rstrip("/") == "git-pull":
        check_url(query_values(query).get("repo", ""), rules)
    return f"/{opened}" if page else opened

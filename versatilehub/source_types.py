"""The three values of a source: what was asked for, the one commit it stands for, and where it may come from.

Different certainty, different type: only a `ResolvedSource` carries a commit, so nothing unresolved reaches a builder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from versatilehub.errors import InvalidInput, InvalidSource
from versatilehub.source_address import split_url

if TYPE_CHECKING:
    from versatilehub.record_plan import RecordPlan

GIT_PROVIDERS = frozenset(("bitbucket", "codeberg", "gist", "git", "github", "gitlab"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRules:
    """Which hosts may be fetched from. The default is every public host over https.

    *ports* are those an https URL may name. *extra* are URL prefixes a site adds, such as ``http://forge.lan:3000/``:
    exactly under these, private names, loopback, other ports and plain http are allowed. *hosts* narrows the public
    hosts to exact names and ``.suffixes``; () allows any.
    """

    ports: tuple[int, ...] = (443, 8443)
    extra: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for prefix in self.extra:
            try:
                split_url(prefix)
            except InvalidSource as error:
                message = f"An allowed source prefix is no URL: {error.message}"
                raise InvalidInput(
                    message, hint="Write it like http://forge.lan:3000/.", field="sources"
                ) from error


PUBLIC: Final = SourceRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a person asked to run, as typed: *ref* "" is the default branch, *subdir* "" the whole repository.

    *url* is canonical: two spellings of one repository have one URL. *open* is a file or folder of the repository, or,
    if it starts with "/", a page of the running server ("/rstudio").
    """

    provider: str
    url: str
    ref: str = ""
    subdir: str = ""
    open: str = ""

    @property
    def is_git(self) -> bool:
        """Whether git fetches it; the others are records of an archive, such as a DOI."""
        return self.provider in GIT_PROVIDERS

    @property
    def name(self) -> str:
        """The folder its content gets in the home directory."""
        return folder_name(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSource:
    """A source whose ref was resolved, once, to *commit* (40 or 64 hex digits); *ref* stays as typed, for people.

    For a record of an archive *record* says how to get that version of it, and *commit* is its digest.
    *private*: its host showed it to a login only. It is what was seen this time, and no part of what the source is.
    """

    provider: str
    url: str
    commit: str
    ref: str = ""
    subdir: str = ""
    open: str = ""
    record: RecordPlan | None = None
    private: bool = False

    @property
    def name(self) -> str:
        """The folder its content gets in the home directory."""
        return folder_name(self.url)

    @property
    def version(self) -> str:
        """What people call it: "commit …", or an archive's own name of the version."""
        return self.record.version if self.record else f"commit {self.commit}"


def folder_name(url: str) -> str:
    """Return a visible, safe folder name from the last path part of *url* without ".git".

    A repository called ``.ssh`` or ``-rf`` must not become that folder of somebody's home, so leading signs go.
    """
    last = url.rstrip("/").rpartition("/")[2].removesuffix(".git")
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", re.sub(r"%[0-9A-Fa-f]{2}", "-", last)).strip("-.")
    return safe[:100].rstrip("-.") or "repository"

"""Links that other launchers made: Binder's ``/v2/…`` and nbgitpuller's ``/git-pull?…``, decoded exactly once.

A link names a repository in a grammar of its own; here it becomes the text a person would have pasted, with its ref and
what to open. The host that the link points to is never contacted, so it need not be an allowed one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from versatilehub.source_forges import FORGES, decoded
from versatilehub.source_text import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from versatilehub.source_address import Address

_BINDER = re.compile(r"(?:/[A-Za-z0-9._~-]+)*?/v2/([a-z]+)/(.+)")
_LEGACY = re.compile(r"/repo/([^/]+)/([^/]+)/?")
_PULL = re.compile(r"(?:/[A-Za-z0-9._~@%+-]+)*/git-pull/?")
_FILE_PAGES = re.compile(
    r"(?:(?:lab|doc)(?:/workspaces/[^/]+)?/tree|retro/(?:tree|notebooks)|tree|notebooks|edit)/(.+)"
)
_HEX32 = re.compile(r"[0-9a-f]{32}")
_EXAMPLE = "A Binder link looks like https://mybinder.org/v2/gh/owner/repository/HEAD?urlpath=lab."


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a link says: *text* as a person would paste the repository, *ref*, and the `Source.open` of it."""

    text: str
    ref: str = ""
    open: str = ""


def read_link(address: Address) -> Link | None:
    """Return what a Binder or nbgitpuller link says, None if *address* is neither."""
    found = _BINDER.fullmatch(address.path)
    if found and found[1] in BINDER_PROVIDERS and address.host not in FORGES:
        text, ref = BINDER_PROVIDERS[found[1]](tuple(found[2].rstrip("/").split("/")))
        return Link(text=text, ref=ref, open=_binder_open(query_values(address.query)))
    if address.host == "mybinder.org":
        if legacy := _LEGACY.fullmatch(address.path):
            return Link(
                text=f"https://github.com/{legacy[1]}/{legacy[2]}",
                open=_binder_open(query_values(address.query)),
            )
        raise refused("This page of mybinder.org launches no repository.", _EXAMPLE)
    if _PULL.fullmatch(address.path) and "repo=" in address.query:
        return read_pull(address.query)
    return None


def _github(spec: tuple[str, ...]) -> tuple[str, str]:
    if len(spec) < 3:
        raise refused("A Binder link to GitHub names an owner, a repository and a ref.", _EXAMPLE)
    return f"https://github.com/{spec[0]}/{spec[1]}", "/".join(decoded(spec[2:]))


def _gist(spec: tuple[str, ...]) -> tuple[str, str]:
    """A gist has one branch, called master or main by its age, so both words mean the newest revision."""
    ref = decoded(spec[2:3])[0] if spec[2:3] else ""
    return "https://gist.github.com/" + "/".join(spec[:2]), "" if ref in {"HEAD", "master", "main"} else ref


def _quoted(start: str) -> Callable[[tuple[str, ...]], tuple[str, str]]:
    """Return the reader of ``<percent-encoded repository>/<ref>``."""

    def read(spec: tuple[str, ...]) -> tuple[str, str]:
        if len(spec) < 2:
            raise refused("The Binder link names a repository and no ref.", _EXAMPLE)
        return start + decoded(spec[:1])[0], "/".join(decoded(spec[1:]))

    return read


def _record(spec: tuple[str, ...]) -> tuple[str, str]:
    return "/".join(decoded(spec)), ""


def _hydroshare(spec: tuple[str, ...]) -> tuple[str, str]:
    found = _HEX32.search("/".join(decoded(spec)))
    return (f"https://www.hydroshare.org/resource/{found[0]}", "") if found else _record(spec)


BINDER_PROVIDERS: dict[str, Callable[[tuple[str, ...]], tuple[str, str]]] = {
    "gh": _github,
    "gist": _gist,
    "git": _quoted(""),
    "gl": _quoted("https://gitlab.com/"),
    "zenodo": _record,
    "figshare": _record,
    "dataverse": _record,
    "hydroshare": _hydroshare,
    "ckan": _record,
}


def read_pull(query: str) -> Link:
    """Read the query of an nbgitpuller link: repo, branch, and urlpath or subPath below the repository's folder."""
    values = query_values(query)
    if not values.get("repo"):
        raise refused(
            "The nbgitpuller link names no repository (repo=…).",
            "Such a link looks like …/git-pull?repo=https://github.com/owner/repository&branch=main.",
        )
    folder = (
        values.get("targetPath") or values.get("targetpath") or values["repo"].rstrip("/").rpartition("/")[2]
    )
    place = values.get("subPath", "") or open_of(values.get("urlpath", ""))
    inside = (
        place.removeprefix(folder.removesuffix(".git")).removeprefix("/")
        if _is_inside(place, folder)
        else place
    )
    return Link(text=values["repo"], ref=values.get("branch", ""), open=inside)


def _is_inside(place: str, folder: str) -> bool:
    """Tell whether the relative *place* is the folder an nbgitpuller link clones into, or something in it."""
    return (place + "/").startswith(folder.removesuffix(".git") + "/")


def _binder_open(values: dict[str, str]) -> str:
    """Return what a Binder link opens, by Binder's own precedence: labpath, filepath, urlpath."""
    for name in ("labpath", "filepath"):
        if values.get(name):
            return values[name].removeprefix("/").removesuffix("/")
    return open_of(values.get("urlpath", ""))


def open_of(urlpath: str) -> str:
    """Return the `Source.open` of a server path: a file of the repository, or "/" and the page.

    In the servers such links were made for, the repository is the whole home; in ours it is one folder of it. So
    ``lab/tree/a.ipynb`` names the file a.ipynb, while ``rstudio`` stays a page.
    """
    path = urlpath.removeprefix("/").removesuffix("/")  # one each: a second "/" would begin a host
    if not path:
        return ""
    found = _FILE_PAGES.fullmatch(path)
    if not found or "?" in path:
        return "/" + path
    return "/".join(decoded(tuple(found[1].split("/"))))


def query_values(query: str) -> dict[str, str]:
    """Return the first value of each name of *query*, decoded exactly once."""
    values: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        try:
            values.setdefault(name, unquote_plus(value, errors="strict"))
        except ValueError as error:
            raise refused("A percent-encoded part of the link is not UTF-8.", _EXAMPLE) from error
    return values

"""Records of research archives: DOIs, Zenodo, Figshare, Dataverse, HydroShare, Software Heritage and CKAN.

A record has one identity however it was pasted. Where an archive keeps versions of a record, the version is the ref.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from versatilehub.source_forges import decoded
from versatilehub.source_text import refused
from versatilehub.source_types import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from versatilehub.errors import InvalidSource
    from versatilehub.source_address import Address

DOI_HOSTS = frozenset(("doi.org", "dx.doi.org", "www.doi.org"))
ZENODO_HOSTS = frozenset(("zenodo.org", "www.zenodo.org"))
HYDROSHARE_HOSTS = frozenset(("hydroshare.org", "www.hydroshare.org"))
SWHID_HOST = "archive.softwareheritage.org"

_DOI = re.compile(r"10\.[0-9]{4,9}(?:\.[0-9]+)*/[A-Za-z0-9](?:[A-Za-z0-9_-]|[./](?![./]|$))*")
_ZENODO = re.compile(r"10\.5281/zenodo\.([0-9]{1,12})")
_FIGSHARE = re.compile(r"10\.6084/m9\.figshare\.([0-9]{1,12})(?:\.v([0-9]{1,4}))?")
_HYDROSHARE = re.compile(r"10\.4211/hs\.([0-9a-f]{32})")
_ZENODO_PAGE = re.compile(r"/records?/([0-9]{1,12})(?:/.*)?")
_FIGSHARE_PAGE = re.compile(r"/articles(?:/[^/]+){0,2}?/([0-9]{4,12})(?:/([0-9]{1,4}))?")
_HYDROSHARE_PAGE = re.compile(r"/resource/([0-9a-f]{32})(?:/.*)?")
_CKAN_PAGE = re.compile(
    r"((?:/[A-Za-z0-9_.-]+)*/dataset/([a-z0-9_-]{2,100}))(?:/(?:resource/[\w-]+|history/([0-9a-f-]{36})))?"
)
_SWHID = re.compile(r"swh:1:(dir|rev):[0-9a-f]{40}")
_ACTIVITY = re.compile(r"[0-9a-f-]{36}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What an archive calls a version: *versions* is what a ref may be ("" always is the newest), and *example* shows one."""

    host: str = ""  # what SourceRules.hosts is asked about; "" is the host of the URL
    versions: re.Pattern[str] | None = None
    example: str = ""


ARCHIVES = {
    "zenodo": Archive(host="zenodo.org"),
    "figshare": Archive(versions=re.compile(r"v[1-9][0-9]{0,3}"), example="v2"),
    "dataverse": Archive(),
    "hydroshare": Archive(),
    "swhid": Archive(host=SWHID_HOST),
    "ckan": Archive(versions=_ACTIVITY, example="an activity id of 36 characters"),
}


def read_doi(doi: str) -> Source:
    """Read a DOI; one of no archive known by its number is taken for Dataverse's, whose installations each have their own."""
    lower = doi.lower()
    for pattern, build in _BY_DOI:
        if found := pattern.fullmatch(lower):
            return build(*found.groups(""))
    if lower.startswith(("10.5281/", "10.6084/", "10.4211/")) or not _DOI.fullmatch(doi):
        raise refused(
            "This is not the DOI of a Zenodo, Figshare, HydroShare or Dataverse record.",
            "Paste a DOI such as 10.5281/zenodo.3242074 or 10.7910/DVN/TJCLKP.",
        )
    return Source(provider="dataverse", url=f"https://doi.org/{doi}")


def _zenodo(record: str) -> Source:
    return Source(provider="zenodo", url=f"https://doi.org/10.5281/zenodo.{record}")


def _figshare(article: str, version: str) -> Source:
    url = f"https://doi.org/10.6084/m9.figshare.{article}"
    return Source(provider="figshare", url=url, ref=f"v{version}" if version else "")


def _hydroshare(resource: str) -> Source:
    return Source(provider="hydroshare", url=f"https://www.hydroshare.org/resource/{resource}")


_BY_DOI: tuple[tuple[re.Pattern[str], Callable[..., Source]], ...] = (
    (_ZENODO, _zenodo),
    (_FIGSHARE, _figshare),
    (_HYDROSHARE, _hydroshare),
)


def read_doi_page(address: Address) -> Source:
    """Read ``https://doi.org/<DOI>``."""
    return read_doi("/".join(decoded(address.parts)))


def read_zenodo(address: Address) -> Source:
    """Read ``zenodo.org/records/<number>`` and ``zenodo.org/doi/<DOI>``."""
    if address.path.startswith("/doi/"):
        return read_doi("/".join(decoded(address.parts[1:])))
    if found := _ZENODO_PAGE.fullmatch(address.path):
        return _zenodo(found[1])
    raise _no_record(address, "https://zenodo.org/records/3242074")


def is_figshare(address: Address) -> bool:
    """Tell whether the address is on figshare.com or on an institution's portal below it."""
    return f".{address.host}".endswith(".figshare.com") and not address.port


def read_figshare(address: Address) -> Source:
    """Read an article of figshare.com, or of an institution's portal below it, whose DOI has a number of its own."""
    found = _FIGSHARE_PAGE.fullmatch(address.path.removesuffix("/"))
    if not found:
        raise _no_record(address, "https://figshare.com/articles/dataset/title/9782777/3")
    if address.host in {"figshare.com", "www.figshare.com"}:
        return _figshare(found[1], found[2] or "")
    url = f"https://{address.host}/articles/{found[1]}"
    return Source(provider="figshare", url=url, ref=f"v{found[2]}" if found[2] else "")


def read_hydroshare(address: Address) -> Source:
    """Read ``www.hydroshare.org/resource/<32 digits>``."""
    if found := _HYDROSHARE_PAGE.fullmatch(address.path):
        return _hydroshare(found[1])
    raise _no_record(address, "https://www.hydroshare.org/resource/142c59757ed54de1816777828c9716e7")


def is_dataverse(address: Address) -> bool:
    """Tell whether the address names a dataset by Dataverse's persistent id, on whichever installation."""
    return address.path.endswith(("/dataset.xhtml", "/citation")) and "persistentId=doi" in address.query


def read_dataverse(address: Address) -> Source:
    """Read ``…/dataset.xhtml?persistentId=doi:<DOI>``."""
    for pair in address.query.split("&"):
        name, _, value = pair.partition("=")
        if name == "persistentId":
            (doi,) = decoded((value,))
            return read_doi(doi.removeprefix("doi:"))
    raise _no_record(
        address, "https://dataverse.harvard.edu/dataset.xhtml?persistentId=doi:10.7910/DVN/TJCLKP"
    )


def read_swhid(text: str) -> Source:
    """Read a SWHID of a directory or revision; the qualifiers after ";" say where it was seen and change nothing."""
    core = text.partition(";")[0].rstrip("/")
    if not _SWHID.fullmatch(core):
        raise refused(
            "Only directories (dir) and revisions (rev) of Software Heritage can be run.",
            "Paste a SWHID such as swh:1:dir: or swh:1:rev: with 40 digits behind it.",
        )
    return Source(provider="swhid", url=core)


def read_swhid_page(address: Address) -> Source:
    """Read ``archive.softwareheritage.org/swh:1:…``."""
    return read_swhid(decoded(address.parts[:1] or ("",))[0])


def is_ckan(address: Address) -> bool:
    """Tell whether the address looks like a dataset of a CKAN site, on whichever host."""
    return bool(_CKAN_PAGE.fullmatch(address.path.removesuffix("/")))


def read_ckan(address: Address) -> Source:
    """Read ``…/dataset/<name>``, with the activity that stands for one version of it, if there is one."""
    found = _CKAN_PAGE.fullmatch(address.path.removesuffix("/"))
    if not found:
        raise _no_record(address, "https://demo.ckan.org/dataset/my-sample-dataset-001")
    activity = found[3] or ""
    for pair in address.query.split("&"):
        name, _, value = pair.partition("=")
        if name == "activity_id":
            activity = value
    return Source(provider="ckan", url=address.origin + found[1], ref=activity)


def check_version(source: Source) -> Source:
    """Return *source* if its ref is a version its archive can have."""
    archive = ARCHIVES[source.provider]
    if not source.ref or (archive.versions and archive.versions.fullmatch(source.ref)):
        return source
    message = f"A record of {source.provider} has no branch, tag or commit."
    hint = (
        f"Leave the ref empty, or give a version such as {archive.example}."
        if archive.example
        else "Leave the ref empty."
    )
    raise refused(message, hint, field="ref", code="invalid_ref")


def _no_record(address: Address, example: str) -> InvalidSource:
    message = f"This is a page of {address.host} and not one record."
    return refused(message, f"Paste the address of a record, such as {example}.")

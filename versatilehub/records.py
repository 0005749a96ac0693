"""Which version of a record is meant: asks an archive once, and returns the plan by which that version is fetched.

One function for each archive, named in `_ARCHIVES`; how they are asked is `records_http`, what they answer `record_answers`.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, quote, urlsplit

from versatilehub import record_answers as answers
from versatilehub.errors import ArchiveUnknown, InvalidSource, RefNotFound, Refusal
from versatilehub.record_plan import ANY_HOST, ArchiveHosts, RecordPlan
from versatilehub.records_http import Door, RecordLimits, too_slow
from versatilehub.source_address import split_url
from versatilehub.source_records import is_dataverse
from versatilehub.source_rules import check_allowed, check_origin
from versatilehub.sources import ResolvedSource, Source, parse_source
from versatilehub.text import quoted

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from versatilehub.sources import SourceRules

_DOI: Final = "https://doi.org/"
_ZENODO_PAGE: Final = re.compile(r".*/records?/([0-9]{1,12})(?:[/?#].*)?")
_KNOWN: Final = "Zenodo, Figshare, Dataverse, HydroShare, Software Heritage and CKAN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One record that is asked for: through which door, where the archives are, and what this site allows."""

    door: Door
    hosts: ArchiveHosts
    rules: SourceRules
    source: Source

    @property
    def number(self) -> str:
        """The last run of letters and digits of the record's address: the number of a record or resource, a hash."""
        return re.split(r"[^0-9A-Za-z]", self.source.url)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an archive says the record is: its provider's name, its own name for it, and the plan."""

    provider: str
    record: str
    plan: RecordPlan
    commit: str = field(default="")


async def resolve(
    source: Source,
    rules: SourceRules,
    limits: RecordLimits = RecordLimits(),  # noqa: B008  # frozen
    *,
    hosts: ArchiveHosts = ArchiveHosts(),  # noqa: B008  # frozen
    tls: ssl.SSLContext | None = None,
) -> ResolvedSource:
    """Ask the archive of *source* once which version of the record its ref, or none, stands for.

    *tls* has the certificates to trust in place of the machine's. The result keeps the address that was asked for; its
    `record` is the plan for that one version, its commit the plan's digest (of Software Heritage: the hash itself). Raises
    SourceFailure and its kinds, InvalidSource, and Refusal for a host that is not public.
    """
    # That this archive is allowed was asked when the source was read; its parts have names of their own (api.figshare.com).
    async with Door(replace(rules, hosts=()), limits, tls) as door:
        question = Question(door=door, hosts=hosts, rules=rules, source=source)
        try:
            async with asyncio.timeout(limits.total):
                found = await _ARCHIVES[source.provider](question)
        except TimeoutError as error:
            raise too_slow(source.provider, limits.total) from error
    plan = replace(found.plan, hosts=_redirects(found.plan.hosts, rules))
    _check_files(plan, replace(rules, hosts=()))
    return ResolvedSource(
        provider=found.provider,
        url=source.url,
        commit=found.commit or plan.commit(found.provider, found.record),
        ref=source.ref,
        subdir=source.subdir,
        open=source.open,
        record=plan,
    )


def _redirects(hosts: tuple[str, ...], rules: SourceRules) -> tuple[str, ...]:
    """Return where a download may lead: "any host" means any that this site allows."""
    return rules.hosts if ANY_HOST in hosts and rules.hosts else hosts


def _check_files(plan: RecordPlan, rules: SourceRules) -> None:
    """Refuse a record one file of which is where nothing may be fetched from; the fetch looks at each again."""
    for file in plan.files:
        try:
            check_origin(split_url(file.url), rules)
        except InvalidSource as error:
            raise Refusal(
                f"The record's file {quoted(file.path)} is at an address that is not allowed: {error.message}",
                hint="Paste the link of a record that holds the files themselves.",
                field="source",
                code="record_source_refused",
            ) from error


async def _zenodo(question: Question) -> Found:
    base, number = question.hosts.zenodo, question.number
    record = await question.door.ask(f"{base}api/records/{number}")
    if record is None:
        # The number of all versions: the API knows it no more, the page leads to the newest.
        newest = _ZENODO_PAGE.fullmatch(await question.door.location(f"{base}records/{number}"))
        if newest and newest[1] != number:
            record = await question.door.ask(f"{base}api/records/{newest[1]}")
    if record is None:
        raise answers.absent("Zenodo")
    number = answers.zenodo_number(record)
    files = await question.door.ask(f"{base}api/records/{number}/files")
    return Found(provider="zenodo", record=number, plan=answers.zenodo(record, files))


async def _figshare(question: Question) -> Found:
    article = f"{question.hosts.figshare}articles/{question.number}"
    version = answers.figshare_version(await question.door.ask(f"{article}/versions"), question.source.ref)
    told = await question.door.ask(f"{article}/versions/{version}")
    if told is None:
        raise answers.absent("Figshare")
    return Found(provider="figshare", record=question.number, plan=answers.figshare(told))


async def _hydroshare(question: Question) -> Found:
    base, resource = question.hosts.hydroshare, question.number
    asked = f"{base}hsapi/resource/{resource}/scimeta/elements"
    elements = await question.door.ask(asked)
    if elements is None:
        raise answers.absent("HydroShare")
    plan = answers.hydroshare(elements, resource, base, asked)
    return Found(provider="hydroshare", record=resource, plan=plan)


async def _swhid(question: Question) -> Found:
    base, digits = question.hosts.swhid, question.number
    if ":rev:" in question.source.url:
        folder = answers.swhid_folder(await question.door.ask(f"{base}api/1/revision/{digits}/"))
    else:
        folder = digits
        if await question.door.ask(f"{base}api/1/directory/{digits}/") is None:
            raise answers.absent("Software Heritage")
    plan = answers.swhid(folder, base)
    return Found(provider="swhid", record=digits, plan=plan, commit=digits)


async def _ckan(question: Question) -> Found:
    site, _, name = question.source.url.rpartition("/dataset/")
    action = f"{site}/api/3/action"
    if activity := question.source.ref:
        shown = await question.door.ask(f"{action}/activity_data_show?id={activity}&object_type=package")
    else:
        shown = await question.door.ask(f"{action}/package_show?id={name}")
    if shown is None and activity:
        message = f"The dataset has no activity {activity}."
        raise RefNotFound(message, hint="Leave the ref empty for the dataset as it is now.", field="ref")
    if shown is None:
        raise answers.absent("The CKAN site")
    plan = answers.ckan(shown, question.door.over_tls)
    return Found(provider="ckan", record=question.source.url, plan=plan)


async def _by_doi(question: Question) -> Found:
    """Read a DOI that says nothing about its archive: where it leads does."""
    doi = question.source.url.removeprefix(_DOI)
    asked = f"{question.hosts.doi}api/handles/{quote(doi, safe='/')}"
    url = question.door.over_tls(answers.doi_target(await question.door.ask(asked), doi))
    try:
        target = parse_source(url, rules=question.rules)
    except InvalidSource as error:
        if error.code == "source_not_allowed":
            raise
        target = None
    if target is not None and not target.is_git and target.provider != "dataverse":
        return await _ARCHIVES[target.provider](
            replace(question, source=replace(target, ref=question.source.ref or target.ref))
        )
    return await _dataverse(question, url, doi)


async def _dataverse(question: Question, url: str, doi: str) -> Found:
    """Ask the installation that *url* is a page of: of a dataset, of one of its files, or of either ("citation")."""
    address, parts = split_url(url), urlsplit(url)
    base, _, page = f"{address.origin}{parts.path}".rpartition("/")
    persistent = parse_qs(parts.query).get("persistentId", [""])[0]
    file = page == "file.xhtml"
    if not persistent or not (file or is_dataverse(address) or page in {"dataset.xhtml", "citation"}):
        raise ArchiveUnknown(
            f"The DOI {doi} leads to {address.host}, which is none of the archives that can be read: {_KNOWN}.",
            hint="Paste the DOI of the data or the code, not that of an article.",
            field="source",
        )
    check_allowed(address.host, question.rules)
    base += "/"
    dataset = None if file else await question.door.ask(_of_dataset(base, persistent))
    if dataset is None:
        told = await question.door.ask(
            f"{base}api/files/:persistentId?persistentId={quote(persistent, safe=':/')}&returnDatasetVersion=true"
        )
        dataset = await question.door.ask(_of_dataset(base, answers.dataset_of_file(told)))
    if dataset is None:
        raise answers.absent("The Dataverse installation")
    plan = answers.dataverse(dataset, base)
    return Found(provider="dataverse", record=persistent, plan=plan)


def _of_dataset(base: str, persistent: str) -> str:
    return f"{base}api/datasets/:persistentId?persistentId={quote(persistent, safe=':/')}"


_ARCHIVES: Final[dict[str, Callable[[Question], Awaitable[Found]]]] = {
    "zenodo": _zenodo,
    "figshare": _figshare,
    "hydroshare": _hydroshare,
    "swhid": _swhid,
    "ckan": _ckan,
    "dataverse": _by_doi,
}

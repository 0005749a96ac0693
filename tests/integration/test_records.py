"""Records of archives, resolved: each archive asked once, over a real socket, for the one version that is meant."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.archives import Archives, Reply, zip_of
from versatilehub.errors import (
    ArchiveUnknown,
    InvalidSource,
    RecordNotFound,
    RecordNotReadable,
    RefNotFound,
    Refusal,
    SourceFailure,
    SourceMoved,
    SourceNotReadable,
    SourceTooSlow,
    SourceUnreachable,
    VersatileHubError,
)
from versatilehub.record_plan import ArchiveHosts
from versatilehub.records import resolve
from versatilehub.records_http import RecordLimits
from versatilehub.resolver import Asking
from versatilehub.resolver import resolve as resolve_any
from versatilehub.sources import ResolvedSource, SourceRules, parse_source

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = {"requirements.txt": b"six\n", "data/a.csv": b"1,2\n"}
SHA = "0123456789abcdef0123456789abcdef01234567"
OTHER = "fedcba9876543210fedcba9876543210fedcba98"


@pytest.fixture
def archives() -> Iterator[Archives]:
    """All archives, on a port of this machine."""
    with Archives() as opened:
        yield opened


async def _resolve(
    archives: Archives, text: str, ref: str = "", limits: RecordLimits | None = None
) -> ResolvedSource:
    rules = SourceRules(extra=(archives.url,))
    source = parse_source(text, ref, rules=rules)
    return await resolve(source, rules, limits or RecordLimits(), hosts=archives.archive_hosts)


def _shown(resolved: ResolvedSource) -> list[str]:
    assert resolved.record
    return [file.path for file in resolved.record.files]


@pytest.mark.req("V2")
async def test_a_zenodo_record_is_its_files(archives: Archives) -> None:
    """A version is asked for by its number; the commit stands for what is in it and is the same every time."""
    doi = archives.zenodo(100, FILES)
    found = await _resolve(archives, doi)
    again = await _resolve(archives, f"https://zenodo.org/records/{doi.rpartition('.')[2]}")

    assert ["requirements.txt", "data/a.csv"] == _shown(found)
    assert ("zenodo", "record 100", "zenodo.100") == (found.provider, found.version, found.name)
    assert found == again
    archives.zenodo(100, {**FILES, "requirements.txt": b"seven\n"})
    assert found.commit != (await _resolve(archives, doi)).commit


@pytest.mark.req("V2")
@pytest.mark.parametrize("api_knows", [True, False])
async def test_a_zenodo_concept_is_its_newest_version(archives: Archives, *, api_knows: bool) -> None:
    """The number of all versions leads to the newest, whether the API or only the page redirects."""
    archives.zenodo(102, FILES, concept=101)
    if api_knows:
        archives.say("zenodo/api/records/101", Reply(status=301, location="/zenodo/api/records/102"))
    found = await _resolve(archives, "10.5281/zenodo.101")

    assert "record 102" == found.version
    assert found.commit == (await _resolve(archives, "10.5281/zenodo.102")).commit


@pytest.mark.req("V2")
async def test_a_figshare_article_has_versions(archives: Archives) -> None:
    """Without a version the newest is taken; a version in the DOI or the ref is that one, and one that is not there is said so."""
    doi = archives.figshare(7001, {"a.txt": b"1"}, {"a.txt": b"2"}, {"a.txt": b"3"})

    assert "version 3" == (await _resolve(archives, doi)).version
    assert "version 2" == (await _resolve(archives, f"{doi}.v2")).version
    old = await _resolve(archives, doi, "v1")
    assert "version 1" == old.version
    assert ["a.txt"] == _shown(old)  # what is only linked is left out
    with pytest.raises(RecordNotFound, match="no version v9; its newest is v3"):
        await _resolve(archives, doi, "v9")


@pytest.mark.req("V2")
@pytest.mark.parametrize("page", ["citation", "dataset.xhtml"])
async def test_a_dataverse_dataset_is_found_by_its_doi(archives: Archives, page: str) -> None:
    """doi.org says which installation has it; files keep their folders."""
    doi = archives.dataverse("10.7910/DVN/ABCDEF", FILES, page=page)
    found = await _resolve(archives, doi)

    assert ("dataverse", "version 2.1", "ABCDEF") == (found.provider, found.version, found.name)
    assert list(FILES) == _shown(found)
    assert found.record
    assert found.record.files[0].checksum.startswith("sha1:")


async def test_a_file_of_a_dataverse_dataset_stands_for_the_dataset(archives: Archives) -> None:
    """The DOI of one file gives the whole dataset, whatever page it leads to."""
    whole = archives.dataverse("10.7910/DVN/ABCDEF", FILES)
    for page in ("file.xhtml", "citation"):
        doi = f"{whole}/{page[:4].upper()}"
        archives.doi(doi, f"{archives.url}dataverse/{page}?persistentId=doi:{doi}")
        archives.say(
            f"dataverse/api/files/:persistentId?persistentId=doi:{doi}&returnDatasetVersion=true",
            {"data": {"datasetVersion": {"datasetPersistentId": f"doi:{whole}"}}},
        )
        assert list(FILES) == _shown(await _resolve(archives, doi))


async def test_a_table_is_taken_as_it_was_uploaded(archives: Archives) -> None:
    """Dataverse turns tables into its own form; name and size are those of the original."""
    doi = archives.doi(
        "10.7910/DVN/TABLE", f"{archives.url}dataverse/citation?persistentId=doi:10.7910/DVN/TABLE"
    )
    file = {"id": 5, "originalFileName": "t.xlsx", "originalFileSize": 11, "filesize": 99, "md5": "a" * 32}
    version = {"versionNumber": 1, "versionMinorNumber": 0, "files": [{"label": "t.tab", "dataFile": file}]}
    archives.say(
        "dataverse/api/datasets/:persistentId?persistentId=doi:10.7910/DVN/TABLE",
        {"data": {"latestVersion": version}},
    )
    found = await _resolve(archives, doi)

    assert found.record
    assert ("t.xlsx", 11, f"md5:{'a' * 32}") == (
        found.record.files[0].path,
        found.record.files[0].size,
        found.record.files[0].checksum,
    )


@pytest.mark.req("V2")
async def test_a_doi_leads_to_whichever_archive_has_it(archives: Archives) -> None:
    """A DOI with a prefix of an institution's own is read where doi.org says it leads."""
    archives.zenodo(100, FILES)
    archives.figshare(7001, FILES, FILES)
    mine = archives.doi("10.12345/mine", "http://zenodo.org/record/100")
    fig = archives.doi("10.12345/fig", "https://su.figshare.com/articles/dataset/Title/7001/1")

    assert ("zenodo", "https://doi.org/10.12345/mine") == (
        (found := await _resolve(archives, mine)).provider,
        found.url,
    )
    assert "version 1" == (await _resolve(archives, fig)).version


@pytest.mark.req("V2")
async def test_a_hydroshare_resource_is_a_bag(archives: Archives) -> None:
    """Its version is the moment it was last modified."""
    page = archives.hydroshare("ab" * 16, {"a.txt": "1"})
    found = await _resolve(archives, page)
    archives.hydroshare("ab" * 16, {"a.txt": "1"}, modified="2026-03-02T10:00:00Z")
    later = await _resolve(archives, page)

    assert "as modified 2026-03-01T10:00:00.5Z" == found.version
    assert found.commit != later.commit


@pytest.mark.req("V2")
async def test_a_swhid_is_its_own_commit(archives: Archives) -> None:
    """The hash of a directory or revision of Software Heritage is the commit."""
    folder = archives.swhid(SHA, {"a.txt": "1"})
    revision = archives.swhid(SHA, {"a.txt": "1"}, revision=OTHER)

    assert SHA == (await _resolve(archives, folder)).commit
    found = await _resolve(archives, revision)
    assert (OTHER, f"directory {SHA}") == (found.commit, found.version)


@pytest.mark.req("V2")
async def test_a_ckan_dataset_may_be_of_an_activity(archives: Archives) -> None:
    """A dataset is its resources as they are now, or as they were at the activity the link names."""
    page = archives.ckan("rivers", {"a.csv": b"1", "b.csv": b"2"})
    activity = "7b0ee5a0-7b0e-4b0e-8b0e-7b0ee5a07b0e"
    archives.ckan("rivers", {"a.csv": b"0"}, activity=activity)

    assert ["a.csv", "b.csv"] == _shown(await _resolve(archives, page))
    assert ["a.csv"] == _shown(await _resolve(archives, f"{page}?activity_id={activity}"))
    with pytest.raises(RefNotFound):
        await _resolve(archives, page, activity.replace("7", "8"))


ONE = "10.5281/zenodo.1"


def _answers(*replies: object) -> Callable[[Archives], str]:
    """Return what has Zenodo answer so for its record 1."""

    def publish(archives: Archives) -> str:
        archives.say("zenodo/api/records/1", *replies)
        return ONE

    return publish


def _file_at(link: str) -> Callable[[Archives], str]:
    """Return what publishes a record whose file is said to be at *link*."""

    def publish(archives: Archives) -> str:
        doi = archives.zenodo(1, {"a": b"1"})
        archives.say("zenodo/api/records/1/files", {"entries": [{"key": "a", "links": {"content": link}}]})
        return doi

    return publish


Publish = Callable[[Archives], str]
WRONG: list[tuple[str, type[VersatileHubError], str, Publish]] = [
    ("no record", RecordNotFound, "record_not_found", lambda _: "10.5281/zenodo.404"),
    ("no article", RecordNotFound, "record_not_found", lambda _: "10.6084/m9.figshare.4040"),
    ("no doi", RecordNotFound, "record_not_found", lambda _: "10.7910/DVN/NONE"),
    (
        "no resource",
        RecordNotFound,
        "record_not_found",
        lambda _: "https://www.hydroshare.org/resource/" + "0" * 32,
    ),
    ("no directory", RecordNotFound, "record_not_found", lambda _: f"swh:1:dir:{SHA}"),
    ("no revision", RecordNotFound, "record_not_found", lambda _: f"swh:1:rev:{SHA}"),
    ("no dataset", RecordNotFound, "record_not_found", lambda a: f"{a.url}ckan/dataset/none"),
    ("empty", RecordNotFound, "record_empty", lambda a: a.zenodo(1, {})),
    ("restricted", RecordNotReadable, "record_restricted", lambda a: a.zenodo(1, FILES, access="restricted")),
    ("embargoed", RecordNotReadable, "record_restricted", lambda a: a.zenodo(1, FILES, access="embargoed")),
    (
        "restricted file",
        RecordNotReadable,
        "record_restricted",
        lambda a: a.dataverse("10.7910/DVN/SECRET", FILES, restricted=1),
    ),
    (
        "private dataset",
        RecordNotReadable,
        "record_restricted",
        lambda a: a.ckan("secret", FILES, private=True),
    ),
    ("locked", RecordNotReadable, "record_restricted", _answers(Reply(status=403))),
    (
        "article",
        ArchiveUnknown,
        "archive_unknown",
        lambda a: a.doi("10.12345/article", "https://journal.example.org/articles/1"),
    ),
    (
        "archive of nobody",
        ArchiveUnknown,
        "archive_unknown",
        lambda a: a.doi("10.12345/elsewhere", "https://repository.example.edu/item/12"),
    ),
    (
        "doi of a doi",
        ArchiveUnknown,
        "archive_unknown",
        lambda a: a.doi("10.12345/ring", "https://doi.org/10.12345/ring"),
    ),
    (
        "doi to the inside",
        InvalidSource,
        "source_not_allowed",
        lambda a: a.doi("10.12345/inside", "http://127.0.0.1:1/citation?persistentId=doi:10.7910/DVN/X"),
    ),
    (
        "redirect away",
        SourceMoved,
        "source_moved",
        _answers(Reply(status=302, location="http://127.0.0.1:1/")),
    ),
    (
        "redirect in a ring",
        SourceMoved,
        "source_moved",
        _answers(Reply(status=302, location="/zenodo/api/records/1")),
    ),
    ("broken", SourceUnreachable, "source_unreachable", _answers(Reply(status=500))),
    ("too often", SourceUnreachable, "source_rate_limited", _answers(Reply(status=429))),
    ("no json", SourceFailure, "archive_unclear", _answers(Reply(body=b"<html>"))),
    ("other json", SourceFailure, "archive_unclear", _answers(["what"])),
    ("deep json", SourceFailure, "archive_unclear", _answers(Reply(body=b"[" * 100_000))),
    ("far too long", SourceFailure, "source_too_large", _answers(Reply(body=b" " * (1 << 18)))),
    (
        "many files",
        SourceFailure,
        "record_too_many_files",
        lambda a: a.dataverse("10.7910/DVN/MANY", {f"f{n}": b"" for n in range(1001)}),
    ),
    ("file inside", Refusal, "record_source_refused", _file_at("http://169.254.169.254/latest")),
    ("file of the machine", Refusal, "record_source_refused", _file_at("file:///etc/passwd")),
]


@pytest.mark.parametrize(("error", "code", "publish"), [pytest.param(*row[1:], id=row[0]) for row in WRONG])
@pytest.mark.req("V2")
async def test_what_cannot_be_had_is_said(
    archives: Archives, error: type[VersatileHubError], code: str, publish: Publish
) -> None:
    """Each way a record cannot be had has a code, a sentence, and what to do."""
    limits = RecordLimits(answer=1 << 17 if code == "source_too_large" else 1 << 24)
    with pytest.raises(error) as raised:
        await _resolve(archives, publish(archives), limits=limits)

    assert code == raised.value.code
    assert raised.value.message.endswith(".")
    assert raised.value.hint
    assert 400 <= raised.value.status < 500


async def test_a_silent_archive_is_given_up(archives: Archives) -> None:
    """An archive that does not answer costs the limit and no more, and a start that is cancelled waits for nothing."""
    archives.say("zenodo/api/records/1", Reply(delay=3))
    began = time.monotonic()
    with pytest.raises(SourceTooSlow, match=r"within 0\.2 s"):
        await _resolve(archives, "10.5281/zenodo.1", limits=RecordLimits(total=0.2))
    asking = asyncio.create_task(_resolve(archives, "10.5281/zenodo.1"))
    await asyncio.sleep(0.05)
    asking.cancel()
    await asyncio.wait([asking])

    assert asking.cancelled()
    assert time.monotonic() - began < 2.5


async def test_nobody_there_is_unreachable() -> None:
    """A port that nothing listens on is said to be out of reach."""
    rules = SourceRules(extra=("http://127.0.0.1:9/",))
    with pytest.raises(SourceUnreachable):
        await resolve(
            parse_source("10.5281/zenodo.1"), rules, hosts=ArchiveHosts.of({"zenodo": "http://127.0.0.1:9/"})
        )


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/", "https://localhost/", "https://10.0.0.1/"])
async def test_a_private_mirror_needs_the_sites_leave(address: str) -> None:
    """A mirror on a private address or over http is asked only if it is among the extra sources as well."""
    with pytest.raises(InvalidSource) as raised:
        await resolve(
            parse_source("10.5281/zenodo.1"), SourceRules(), hosts=ArchiveHosts.of({"zenodo": address})
        )
    assert "source_not_allowed" == raised.value.code


async def test_a_public_name_of_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the name server says is looked at where the connection is made."""
    loop = asyncio.get_running_loop()

    async def inside(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", ("10.0.0.1", 443))]

    monkeypatch.setattr(loop, "getaddrinfo", inside)
    with pytest.raises(Refusal) as raised:
        await resolve(parse_source("10.5281/zenodo.1"), SourceRules())
    assert "host_not_public" == raised.value.code


async def test_a_site_may_allow_few_hosts(archives: Archives) -> None:
    """Where an administrator narrowed the hosts, a DOI does not lead past them, and downloads follow the same list."""
    archives.dataverse("10.7910/DVN/ABCDEF", FILES)
    archives.doi(
        "10.7910/DVN/AWAY", "https://dataverse.example.edu/citation?persistentId=doi:10.7910/DVN/AWAY"
    )
    narrow = SourceRules(extra=(archives.url,), hosts=("doi.org", "127.0.0.1"))

    def asked(doi: str) -> asyncio.Future[ResolvedSource]:
        return asyncio.ensure_future(
            resolve(parse_source(doi, rules=narrow), narrow, hosts=archives.archive_hosts)
        )

    found = await asked("10.7910/DVN/ABCDEF")
    assert found.record
    assert narrow.hosts == found.record.hosts
    with pytest.raises(InvalidSource, match=r"does not fetch from dataverse\.example\.edu"):
        await asked("10.7910/DVN/AWAY")


async def test_one_door_for_git_and_archives(archives: Archives) -> None:
    """The spawner's one call asks an archive for a record, with the site's own certificates."""
    rules = SourceRules(extra=(archives.url,))
    asking = Asking(archives=archives.archive_hosts, ca_bundle="/etc/ssl/certs/ca-certificates.crt")
    found = await resolve_any(parse_source(archives.zenodo(100, {"a.zip": zip_of(FILES)})), rules, asking)

    assert "zenodo" == found.provider
    with pytest.raises(SourceNotReadable):
        await resolve_any(
            parse_source(f"{archives.url}{secrets.token_hex(4)}.git", rules=rules), rules, asking
        )

"""What archives answer, read: JSON to the plan of one version of a record. Pure; whatever an archive sends, one of our errors.

The fields are those repo2docker's content providers read, and the checksums beside them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from versatilehub.errors import RecordNotFound, RecordNotReadable, SourceFailure
from versatilehub.record_plan import ANY_HOST, RecordFile, RecordPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MOST_FILES: Final = 1000
"""Files of a record that is not one zip: the whole list goes to a container as one variable of 128 KiB."""
_PACKED: Final = 120_000
_DIGITS: Final = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One JSON value of an archive at *host*; what is asked of it and not there, or of another kind, is a SourceFailure."""

    value: object
    host: str

    def get(self, key: str) -> Answer:
        """Return the value at *key*, one of None where there is none."""
        return Answer(self.value.get(key) if isinstance(self.value, dict) else None, self.host)

    def text(self, key: str, default: str | None = None) -> str:
        """Return the text at *key*; a whole number counts as one."""
        value = self.get(key).value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str):
            return value
        if default is None:
            raise self.unclear(key)
        return default

    def size(self, key: str) -> int:
        """Return the number of bytes at *key*, -1 where none is given."""
        value = self.get(key).value
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else -1

    def true(self, key: str) -> bool:
        """Tell whether *key* is true."""
        return self.get(key).value is True

    def all(self, key: str = "") -> Iterator[Answer]:
        """Yield the values of the list at *key*, of the answer itself without one."""
        value = self.get(key).value if key else self.value
        if not isinstance(value, list):
            raise self.unclear(key)
        for item in value:
            yield Answer(item, self.host)

    def unclear(self, key: str) -> SourceFailure:
        """Return the failure of an answer without a usable *key*."""
        return SourceFailure(
            f"{self.host} answered in a form that is not known: there is no {key!r}.",
            hint="Check that the link leads to a record that has files.",
            field="source",
            code="archive_unclear",
        )


def doi_target(answer: Answer | None, doi: str) -> str:
    """Return where the DOI leads, of doi.org's answer; raises RecordNotFound."""
    for value in answer.all("values") if answer else ():
        if value.text("type", "") == "URL":
            return value.get("data").text("value")
    raise RecordNotFound(
        f"There is no DOI {doi}.",
        hint="Check the number; a DOI of a draft does not exist yet.",
        field="source",
    )


def zenodo(record: Answer, files: Answer | None) -> RecordPlan:
    """Return the plan of one version of a Zenodo record, of the record and of the list of its files."""
    access = record.get("metadata").text("access_right", "open")
    embargo = record.get("metadata").text("embargo_date", "")
    if access != "open" or record.get("access").text("files", "public") != "public":
        until = f" until {embargo}" if access == "embargoed" and re.fullmatch(r"[0-9-]{10}", embargo) else ""
        kind = access if access != "open" else "restricted"
        raise restricted(record.host, f"its files are {kind[:20]}{until}")
    found = [
        RecordFile(
            path=entry.text("key"),
            url=entry.get("links").text("content"),
            size=entry.size("size"),
            checksum=_checksum(entry.text("checksum", "")),
        )
        for entry in (files.all("entries") if files else ())
    ]
    return _plan(f"record {_number(record, 'id')}", found, record.host, unpack=True)


def zenodo_number(record: Answer) -> str:
    """Return the number of the version that was answered for."""
    return _number(record, "id")


def figshare_version(versions: Answer | None, wanted: str) -> str:
    """Return the version to take: *wanted* ("v3"), or the newest when it is empty; raises RecordNotFound."""
    known = [int(_number(one, "version")) for one in (versions.all() if versions else ())]
    if not known:
        raise absent("Figshare")
    if not wanted:
        return str(max(known))
    if int(wanted[1:]) in known:
        return wanted[1:]
    message = f"The article has no version {wanted}; its newest is v{max(known)}."
    raise RecordNotFound(message, hint=f"Leave the ref empty, or give v{max(known)}.", field="ref")


def figshare(article: Answer) -> RecordPlan:
    """Return the plan of one version of a Figshare article; files that are only links elsewhere are left out."""
    if article.true("is_confidential") or (
        article.true("is_embargoed") and article.text("embargo_type", "") == "article"
    ):
        raise restricted(article.host, "it is confidential or under embargo")
    if article.true("is_embargoed"):
        day = article.text("embargo_date", "")[:10]
        raise restricted(article.host, f"its files are under embargo until {day or 'a later day'}")
    found = [
        RecordFile(
            path=file.text("name"),
            url=file.text("download_url"),
            size=file.size("size"),
            checksum=_checksum(file.text("computed_md5", "") or file.text("supplied_md5", "")),
        )
        for file in article.all("files")
        if not file.true("is_link_only")
    ]
    zipped = len(found) == 1 and found[0].path.lower().endswith(".zip")
    hosts = (".figshare.com", ".amazonaws.com")
    return _plan(f"version {_number(article, 'version')}", found, article.host, unpack=zipped, hosts=hosts)


def dataverse(dataset: Answer, base: str) -> RecordPlan:
    """Return the plan of the published version of a Dataverse dataset at *base*: files as they were uploaded, in their folders."""
    version = dataset.get("data").get("latestVersion")
    state = version.text("versionState", "")
    if state in {"DRAFT", "DEACCESSIONED"}:
        raise restricted(dataset.host, f"its newest version is {state.lower()}")
    files = list(version.all("files"))
    if closed := sum(one.true("restricted") or one.get("dataFile").true("restricted") for one in files):
        raise restricted(dataset.host, f"{closed} of its {len(files)} files are restricted")
    name = f"version {_number(version, 'versionNumber')}.{_number(version, 'versionMinorNumber')}"
    found = [_dataverse_file(one, base) for one in files]
    return _plan(name, found, dataset.host, hosts=(ANY_HOST,))


def _dataverse_file(entry: Answer, base: str) -> RecordFile:
    file = entry.get("dataFile")
    original = file.text("originalFileName", "")
    folder = entry.text("directoryLabel", "").strip("/")
    name = original or entry.text("label")
    given = file.get("checksum")
    digits = given.text("value", "") or file.text("md5", "")
    return RecordFile(
        path=f"{folder}/{name}" if folder else name,
        # "original": a table as it was uploaded, and not in the archive's own form; its checksum is of that, too
        url=f"{base}api/access/datafile/{_number(file, 'id')}?format=original",
        size=file.size("originalFileSize") if original else file.size("filesize"),
        checksum=_checksum(digits),
    )


def dataset_of_file(answer: Answer | None) -> str:
    """Return the persistent id of the dataset that a file belongs to; raises RecordNotFound."""
    if answer is None:
        raise absent("The Dataverse installation")
    return answer.get("data").get("datasetVersion").text("datasetPersistentId")


def hydroshare(elements: Answer, resource: str, base: str, asked: str) -> RecordPlan:
    """Return the plan of a HydroShare resource, whose one version is the day and second it was last modified."""
    stamps = [one.text("start_date") for one in elements.all("dates") if one.text("type", "") == "modified"]
    if not stamps:
        raise elements.unclear("modified")
    bag = RecordFile(path=f"{resource}.zip", url=f"{base}django_s3/download/bags/{resource}.zip")
    return RecordPlan(
        version=f"as modified {stamps[0][:40]}",
        kind="bag",
        files=(bag,),
        inside=f"{resource}/data/contents",
        hosts=(".hydroshare.org",),
        asked=asked,
        stamp=stamps[0],
    )


def swhid(folder: str, base: str) -> RecordPlan:
    """Return the plan of a directory of Software Heritage, which is packed when it is asked for."""
    tar = RecordFile(path=f"{folder}.tar.gz", url=f"{base}api/1/vault/flat/swh:1:dir:{folder}/")
    hosts = (".softwareheritage.org", ".blob.core.windows.net")
    return RecordPlan(version=f"directory {folder}", kind="vault", files=(tar,), hosts=hosts)


def swhid_folder(revision: Answer | None) -> str:
    """Return the directory of a revision; raises RecordNotFound."""
    if revision is None:
        raise absent("Software Heritage")
    folder = revision.text("directory")
    if not re.fullmatch(r"[0-9a-f]{40}", folder):
        raise revision.unclear("directory")
    return folder


def ckan(shown: Answer, over_tls: Callable[[str], str]) -> RecordPlan:
    """Return the plan of a CKAN dataset as it is, or was at an activity: the file of each resource, by its own name."""
    package = shown.get("result")
    package = package.get("package") if package.get("package").value else package
    if package.true("private"):
        raise restricted(shown.host, "it is private")
    found: list[RecordFile] = []
    stamps = [package.text("metadata_modified", "")]
    for resource in package.all("resources"):
        url = over_tls(resource.text("url", ""))
        if not url:
            continue
        name = unquote(url.partition("?")[0].rpartition("/")[2]) or resource.text("id")
        if any(name == file.path for file in found):
            name = f"{resource.text('id')}/{name}"
        # its size is what somebody typed once
        found.append(RecordFile(path=name, url=url, checksum=_checksum(resource.text("hash", ""))))
        stamps.append(resource.text("last_modified", "") or resource.text("created", ""))
    return _plan(f"as modified {max(stamps)[:40]}", found, shown.host, hosts=(ANY_HOST,))


def absent(archive: str) -> RecordNotFound:
    """Return the failure of a record the archive does not know."""
    return RecordNotFound(
        f"{archive} has no such record.",
        hint="Check the number in the link; a draft is not there before it is published.",
        field="source",
    )


def restricted(host: str, reason: str) -> RecordNotReadable:
    """Return the failure of a record that is there and not open."""
    return RecordNotReadable(
        f"The record at {host} cannot be read: {reason}.",
        hint="Only records whose files are open to everyone can be run.",
        field="source",
    )


def _plan(
    version: str, files: Sequence[RecordFile], host: str, *, unpack: bool = False, hosts: tuple[str, ...] = ()
) -> RecordPlan:
    """Return the plan of *files*, which are some and not too many."""
    if not files:
        raise RecordNotFound(
            f"The record at {host} has no files.",
            hint="Paste the link of a record that holds the files themselves.",
            field="source",
            code="record_empty",
        )
    plan = RecordPlan(version=version, files=tuple(files), unpack=unpack and len(files) == 1, hosts=hosts)
    if len(files) > MOST_FILES or len(plan.packed()) > _PACKED:
        raise SourceFailure(
            f"The record has {len(files)} files; the limit is {MOST_FILES}.",
            hint="Put the files into one zip, and publish that.",
            field="source",
            code="record_too_many_files",
        )
    return plan


def _checksum(text: str) -> str:
    """Return *text* as "algorithm:digits"; "" when it is none, or of no algorithm we know."""
    digits = text.rpartition(":")[2].strip().lower()
    algorithm = _DIGITS.get(len(digits), "")
    return f"{algorithm}:{digits}" if algorithm and re.fullmatch(r"[0-9a-f]+", digits) else ""


def _number(answer: Answer, key: str) -> str:
    """Return the whole number at *key* as digits."""
    text = answer.text(key)
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise answer.unclear(key)
    return text

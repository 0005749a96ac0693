"""One version of a record of an archive, with all that fetching it takes: files, checksums, and where they may come from.

The hub asks the archive once and makes the plan; the fetch container follows it and asks for nothing else. Its digest is
the record's commit: another file, another size or another checksum is another version.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from versatilehub.errors import InvalidInput, InvalidSource
from versatilehub.source_address import split_url

if TYPE_CHECKING:
    from collections.abc import Mapping

ANY_HOST: Final = "*"
"""In `RecordPlan.hosts`: every public host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFile:
    """One file: where it goes in the folder, where it is, its bytes (-1 unknown), and its checksum ("md5:…", "" unknown)."""

    path: str
    url: str
    size: int = -1
    checksum: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlan:
    """How to get one version of a record.

    *version* is what people call it. *kind*: "files" are downloaded one by one; a "bag" is one zip that is prepared when
    asked for, whose folder *inside* is the content; a "vault" is asked to pack a folder of Software Heritage. With *unpack*,
    a zip that is the only file is taken for the folder, as repo2docker does. *hosts* are where a download may be redirected
    to, beside its own: names, ".suffixes", or "*". *stamp* is what the address *asked* must still say when all is here.
    """

    version: str
    kind: Literal["files", "bag", "vault"] = "files"
    files: tuple[RecordFile, ...] = ()
    unpack: bool = False
    inside: str = ""
    hosts: tuple[str, ...] = ()
    asked: str = ""
    stamp: str = ""

    def commit(self, provider: str, record: str) -> str:
        """Return the 40 digits that stand for this version of *record*; addresses do not count, only what is there."""
        content = [[file.path, file.size, file.checksum] for file in self.files]
        whole = json.dumps([provider, record, self.version, content], separators=(",", ":"))
        return hashlib.sha256(whole.encode()).hexdigest()[:40]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; `from_json` reads it back."""
        names = ("version", "kind", "unpack", "inside", "asked", "stamp")
        files = [[file.path, file.url, file.size, file.checksum] for file in self.files]
        return {**{name: getattr(self, name) for name in names}, "hosts": list(self.hosts), "files": files}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> RecordPlan:
        """Read what `to_json` wrote."""
        files = tuple(
            RecordFile(path=path, url=url, size=size, checksum=checksum)
            for path, url, size, checksum in raw["files"]
        )
        return cls(**{**raw, "hosts": tuple(raw["hosts"]), "files": files})

    def packed(self) -> str:
        """Return it as one short word: an environment variable of a container has room for 128 KiB."""
        text = json.dumps(self.to_json(), separators=(",", ":"))
        return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveHosts:
    """Where each archive is asked; a site may have a mirror or a test server of one. Every address ends with "/".

    Dataverse and CKAN are not here: their installations are many, and the DOI or the link says which.
    """

    doi: str = "https://doi.org/"
    zenodo: str = "https://zenodo.org/"
    figshare: str = "https://api.figshare.com/v2/"
    hydroshare: str = "https://www.hydroshare.org/"
    swhid: str = "https://archive.softwareheritage.org/"

    @classmethod
    def of(cls, changed: Mapping[str, object]) -> ArchiveHosts:
        """Return the public ones with those of *changed* in their place; raises InvalidInput for another key or no URL."""
        hosts = cls()
        for name, url in changed.items():
            if name not in cls.__slots__:
                message = f"archive_hosts has the key {name!r}; it may have {', '.join(cls.__slots__)}."
                raise InvalidInput(
                    message, hint="Dataverse and CKAN are asked where a link leads.", field="archive_hosts"
                )
            hosts = replace(hosts, **{name: _address(name, url)})
        return hosts


def _address(name: str, url: object) -> str:
    try:
        address = split_url(url if isinstance(url, str) else "")
    except InvalidSource as error:
        message = f"archive_hosts: the address of {name} is no URL: {error.message}"
        raise InvalidInput(
            message, hint="Write it like https://zenodo.org/.", field="archive_hosts"
        ) from error
    return address.origin + address.path.rstrip("/") + "/"

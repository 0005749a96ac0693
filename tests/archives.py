"""Research archives on a real socket, for tests: doi.org, Zenodo, Figshare, Dataverse, HydroShare, Software Heritage, CKAN.

Each method publishes a record in the form its archive answers in; `say` puts any answer at any path, for what goes wrong.
A path may have several answers, given one after the other; the last stays.
"""

from __future__ import annotations

import hashlib
import io
import json
import ssl
import tarfile
import threading
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self, cast
from urllib.parse import quote

from versatilehub.record_plan import ArchiveHosts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

__all__ = ["Archives", "Reply", "tar_of", "zip_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of a server."""

    body: bytes = b""
    status: int = 200
    location: str = ""
    delay: float = 0.0


def zip_of(files: Mapping[str, str | bytes], *, links: Mapping[str, str] | None = None) -> bytes:
    """Return a zip of *files* and symbolic *links*, spelled exactly as given."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16
            archive.writestr(info, target)
    return packed.getvalue()


def tar_of(files: Mapping[str, str], *, more: Iterable[tarfile.TarInfo] = ()) -> bytes:
    """Return a gzipped tar of *files* and of *more* members without content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
        for info in more:
            archive.addfile(info)
    return packed.getvalue()


@dataclass(slots=True, kw_only=True)
class Archives:
    """All archives on one port; use it as a context manager. *name* is the host in its addresses."""

    bind: str = "127.0.0.1"
    name: str = ""
    certificate: str = ""  # path of a PEM file (chain, key): https in place of http
    asked: list[str] = field(default_factory=list)
    _answers: dict[str, list[Reply]] = field(default_factory=dict)
    _http: _Server | None = None

    def __enter__(self) -> Self:
        self._http = _Server((self.bind, 0), _Handler)
        self._http.archives = self
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        threading.Thread(target=self._http.serve_forever, args=(0.02,), name="archives").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._http
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """The address all of them are below, with "/" at its end."""
        assert self._http
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://{self.name or self.bind}:{self._http.server_address[1]}/"

    @property
    def hosts(self) -> dict[str, str]:
        """The value of `VersatileHub.archive_hosts`."""
        return {name: f"{self.url}{name}/" for name in ("doi", "zenodo", "figshare", "hydroshare", "swhid")}

    @property
    def archive_hosts(self) -> ArchiveHosts:
        """The same, read."""
        return ArchiveHosts.of(self.hosts)

    def say(self, path: str, *replies: Reply | object) -> str:
        """Answer at *path* (and query) with each of *replies*, anything but a `Reply` as JSON; return the whole address."""
        self._answers[path] = [
            one if isinstance(one, Reply) else Reply(body=json.dumps(one).encode()) for one in replies
        ]
        return self.url + path

    def answer(self, path: str) -> Reply:
        """Return the next answer at *path*."""
        self.asked.append(path)
        replies = self._answers.get(path, [Reply(status=404, body=b"{}")])
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def doi(self, doi: str, url: str) -> str:
        """Register a DOI."""
        rows = [{"type": "HS_ADMIN", "data": {}}, {"type": "URL", "data": {"value": url}}]
        self.say(f"doi/api/handles/{doi}", {"responseCode": 1, "values": rows})
        return doi

    def zenodo(
        self, number: int, files: Mapping[str, bytes], *, access: str = "open", concept: int = 0
    ) -> str:
        """Publish a record, the newest of *concept*; return its DOI."""
        base = f"zenodo/api/records/{number}"
        entries = []
        for key, content in files.items():
            link = self.say(f"{base}/files/{quote(key)}/content", Reply(body=content))
            checksum = "md5:" + _md5(content)
            entries.append(
                {"key": key, "size": len(content), "checksum": checksum, "links": {"content": link}}
            )
        self.say(base, {"id": number, "conceptrecid": str(concept), "metadata": {"access_right": access}})
        self.say(f"{base}/files", {"enabled": True, "entries": entries})
        if concept:
            self.say(f"zenodo/records/{concept}", Reply(status=302, location=f"/zenodo/records/{number}"))
        return f"10.5281/zenodo.{number}"

    def figshare(self, number: int, *versions: Mapping[str, bytes]) -> str:
        """Publish an article with all its versions; return its DOI. Files come by a redirect, as from figshare's store."""
        base = f"figshare/articles/{number}/versions"
        self.say(base, [{"version": count, "url": ""} for count in range(1, len(versions) + 1)])
        for count, files in enumerate(versions, start=1):
            rows: list[dict[str, object]] = [
                {"name": "elsewhere", "is_link_only": True, "download_url": "https://example.com/x"}
            ]
            for name, content in files.items():
                stored = self.say(f"store/{number}/{count}/{quote(name)}", Reply(body=content))
                link = self.say(
                    f"figshare/files/{number}/{count}/{quote(name)}", Reply(status=302, location=stored)
                )
                digits = _md5(content)
                rows.append(
                    {
                        "name": name,
                        "size": len(content),
                        "is_link_only": False,
                        "download_url": link,
                        "computed_md5": digits,
                    }
                )
            self.say(f"{base}/{count}", {"id": number, "version": count, "files": rows})
        return f"10.6084/m9.figshare.{number}"

    def dataverse(
        self, doi: str, files: Mapping[str, bytes], *, restricted: int = 0, page: str = "citation"
    ) -> str:
        """Publish a dataset whose files lie in folders, under a DOI that leads to *page*; return the DOI."""
        rows = []
        for count, (path, content) in enumerate(files.items(), start=1):
            folder, _, name = path.rpartition("/")
            digits = hashlib.sha1(content).hexdigest()  # noqa: S324
            self.say(f"dataverse/api/access/datafile/{count}?format=original", Reply(body=content))
            data = {"id": count, "filesize": len(content), "checksum": {"type": "SHA-1", "value": digits}}
            rows.append(
                {"label": name, "directoryLabel": folder, "restricted": count <= restricted, "dataFile": data}
            )
        version = {"versionNumber": 2, "versionMinorNumber": 1, "versionState": "RELEASED", "files": rows}
        self.say(
            f"dataverse/api/datasets/:persistentId?persistentId=doi:{doi}",
            {"status": "OK", "data": {"latestVersion": version}},
        )
        return self.doi(doi, f"{self.url}dataverse/{page}?persistentId=doi:{doi}")

    def hydroshare(
        self,
        resource: str,
        files: Mapping[str, str],
        *,
        waits: int = 1,
        modified: str = "2026-03-01T10:00:00.5Z",
    ) -> str:
        """Publish a resource whose bag is packed after it was asked for *waits* times; return its page."""
        packed = {f"{resource}/data/contents/{name}": content for name, content in files.items()}
        sums = [f"{_md5(text.encode())}   data/contents/{name}" for name, text in files.items()]
        packed |= {
            f"{resource}/manifest-md5.txt": "\n".join(sums),
            f"{resource}/bagit.txt": "BagIt-Version: 0.97",
        }
        stored = self.say(f"s3/bags/{resource}.zip", Reply(body=zip_of(packed)))
        preparing = [{"bag_status": "Not ready"}] * waits
        self.say(
            f"hydroshare/django_s3/download/bags/{resource}.zip",
            *preparing,
            Reply(status=302, location=stored),
        )
        dates = [{"type": "created", "start_date": "x"}, {"type": "modified", "start_date": modified}]
        self.say(f"hydroshare/hsapi/resource/{resource}/scimeta/elements", {"dates": dates})
        return f"https://www.hydroshare.org/resource/{resource}"

    def swhid(
        self, folder: str, files: Mapping[str, str], *, revision: str = "", status: str = "done"
    ) -> str:
        """Archive a directory, which the vault packs at the third look; return its SWHID, or that of the revision."""
        self.say(f"swhid/api/1/directory/{folder}/", [{"name": "a"}])
        if revision:
            self.say(f"swhid/api/1/revision/{revision}/", {"id": revision, "directory": folder})
        vault = f"swhid/api/1/vault/flat/swh:1:dir:{folder}/"
        raw = self.say(f"{vault}raw/", Reply(status=302, location=self.url + "store/vault.tar.gz"))
        self.say(
            "store/vault.tar.gz",
            Reply(body=tar_of({f"swh:1:dir:{folder}/{name}": text for name, text in files.items()})),
        )
        self.say(vault, {"status": "new"}, {"status": "pending"}, {"status": status, "fetch_url": raw})
        return f"swh:1:rev:{revision}" if revision else f"swh:1:dir:{folder}"

    def ckan(
        self, name: str, files: Mapping[str, bytes], *, activity: str = "", private: bool = False
    ) -> str:
        """Publish a dataset, or its state at an *activity*; return its address."""
        resources = [
            {
                "id": f"r{count}",
                "url": self.say(f"ckan/files/{count}/{quote(path)}", Reply(body=content)),
                "hash": "",
                "size": 1,
            }
            for count, (path, content) in enumerate(files.items())
        ]
        package = {
            "name": name,
            "private": private,
            "metadata_modified": "2026-02-03T04:05:06.789",
            "resources": [*resources, {"id": "e", "url": ""}],
        }
        if activity:
            self.say(
                f"ckan/api/3/action/activity_data_show?id={activity}&object_type=package",
                {"success": True, "result": package},
            )
        else:
            self.say(f"ckan/api/3/action/package_show?id={name}", {"success": True, "result": package})
        return f"{self.url}ckan/dataset/{name}"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    archives: Archives


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        reply = cast("_Server", self.server).archives.answer(self.path.removeprefix("/"))
        if reply.delay:
            time.sleep(reply.delay)
        with suppress(OSError):  # who asked may have heard enough
            self.send_response(reply.status)
            if reply.location:
                self.send_header("Location", reply.location)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """Say nothing."""

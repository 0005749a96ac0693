"""Records of archives, fetched by the builder's own code: every archive, and what hostile ones try."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import ssl
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from versatilehub_builder.download import Downloads, is_public
from versatilehub_builder.fetch import fetch
from versatilehub_builder.jobs import FetchJob, FetchLimits
from versatilehub_builder.lines import Failure, Lines
from versatilehub_builder.record import read_record

from tests.archives import Archives, Reply, tar_of, zip_of
from tests.certificates import make_certificate
from versatilehub.errors import SourceUnreachable
from versatilehub.record_plan import RecordFile, RecordPlan
from versatilehub.records import resolve
from versatilehub.sources import ResolvedSource, SourceRules, parse_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILES = {"requirements.txt": b"six\n", "data/a.csv": b"1,2\n"}
TEXTS = {name: content.decode() for name, content in FILES.items()}
SHA = "0123456789abcdef0123456789abcdef01234567"
LIMITS = FetchLimits(seconds=20, bytes=2_000_000, files=50, free=0)


@pytest.fixture
def archives() -> Iterator[Archives]:
    """All archives, on a port of this machine."""
    with Archives() as opened:
        yield opened


def _resolved(archives: Archives, text: str, ref: str = "") -> ResolvedSource:
    rules = SourceRules(extra=(archives.url,))
    asking = resolve(parse_source(text, ref, rules=rules), rules, hosts=archives.archive_hosts)
    return asyncio.run(asking)


def _fetch(
    archives: Archives, resolved: ResolvedSource, work: Path, limits: FetchLimits = LIMITS
) -> list[dict[str, object]]:
    """Fetch into *work* as the container does; return the lines it says."""
    assert resolved.record
    said = io.StringIO()
    job = FetchJob(
        url=resolved.url,
        commit=resolved.commit,
        record=resolved.record.packed(),
        prefixes=(archives.url,),
        limits=limits,
    )
    fetch(job, Lines(said), work)
    return [json.loads(line) for line in said.getvalue().splitlines()]


def _tree(work: Path) -> dict[str, bytes]:
    top = work / "tree"
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


GOOD: list[tuple[str, Callable[[Archives], str]]] = [
    ("zenodo files", lambda a: a.zenodo(1, FILES)),
    ("zenodo zip", lambda a: a.zenodo(1, {"pack/code.zip": zip_of(FILES)})),
    (
        "zenodo zip with one folder",
        lambda a: a.zenodo(1, {"c.zip": zip_of({f"top-1/{n}": c for n, c in FILES.items()})}),
    ),
    ("zenodo tar", lambda a: a.zenodo(1, {"code.tar.gz": tar_of(TEXTS)})),
    ("figshare files", lambda a: a.figshare(2, FILES)),
    ("figshare zip", lambda a: a.figshare(2, {"code.zip": zip_of(FILES)})),
    ("dataverse", lambda a: a.dataverse("10.7910/DVN/ABCDEF", FILES)),
    ("hydroshare", lambda a: a.hydroshare("ab" * 16, TEXTS)),
    ("swhid dir", lambda a: a.swhid(SHA, TEXTS)),
    ("swhid rev", lambda a: a.swhid(SHA, TEXTS, revision=SHA[::-1])),
]


@pytest.mark.parametrize("publish", [pytest.param(row[1], id=row[0]) for row in GOOD])
@pytest.mark.req("V2")
def test_each_archive_gives_its_files(
    archives: Archives, tmp_path: Path, publish: Callable[[Archives], str]
) -> None:
    """The tree is what was published, nothing else stays in the work folder, and it is marked done last."""
    resolved = _resolved(archives, publish(archives))
    lines = _fetch(archives, resolved, tmp_path)

    assert FILES == _tree(tmp_path)
    assert {"tree", "fetched"} == {path.name for path in tmp_path.iterdir()}
    assert {"commit": resolved.commit} == json.loads((tmp_path / "fetched").read_text())
    assert "phase" == lines[0]["t"]


@pytest.mark.req("V2")
def test_a_ckan_dataset_gives_its_resources(archives: Archives, tmp_path: Path) -> None:
    """Resources have no folders; a zip among them stays one, as repo2docker leaves it."""
    page = archives.ckan("rivers", {"a.csv": b"1", "b c.zip": zip_of(FILES)})
    _fetch(archives, _resolved(archives, page), tmp_path)

    assert {"a.csv": b"1", "b c.zip": zip_of(FILES)}.keys() == _tree(tmp_path).keys()


def test_a_figshare_version_is_that_one(archives: Archives, tmp_path: Path) -> None:
    """What the ref asks for is what comes, also when a newer version is there."""
    doi = archives.figshare(2, {"a.txt": b"old"}, {"a.txt": b"new"})
    _fetch(archives, _resolved(archives, doi, "v1"), tmp_path)

    assert {"a.txt": b"old"} == _tree(tmp_path)


def test_a_file_alone_that_is_no_archive_is_just_there(archives: Archives, tmp_path: Path) -> None:
    """A record of one notebook is a folder with a notebook."""
    _fetch(archives, _resolved(archives, archives.zenodo(1, {"a.ipynb": b"{}"})), tmp_path)

    assert {"a.ipynb": b"{}"} == _tree(tmp_path)


def test_a_build_folder_alone_is_no_wrapper(archives: Archives, tmp_path: Path) -> None:
    """A zip that holds nothing but `binder/` keeps it: what is in it is what builds the rest."""
    doi = archives.zenodo(1, {"a.zip": zip_of({"binder/requirements.txt": "six"})})
    _fetch(archives, _resolved(archives, doi), tmp_path)

    assert {"binder/requirements.txt": b"six"} == _tree(tmp_path)


def _zenodo_then(*replies: Reply, content: bytes = b"1234") -> Callable[[Archives], str]:
    """Return what publishes a record whose one file is then answered with *replies*."""

    def publish(archives: Archives) -> str:
        doi = archives.zenodo(1, {"a.bin": content})
        archives.say("zenodo/api/records/1/files/a.bin/content", *replies)
        return doi

    return publish


def _changed_bag(archives: Archives) -> str:
    page = archives.hydroshare("ab" * 16, TEXTS)
    path = f"hydroshare/hsapi/resource/{'ab' * 16}/scimeta/elements"
    dates = [{"type": "modified", "start_date": "2026-03-01T10:00:00.5Z"}]
    archives.say(path, {"dates": dates}, {"dates": [{"type": "modified", "start_date": "2026-09-09"}]})
    return page


def _torn_bag(archives: Archives) -> str:
    page = archives.hydroshare("ab" * 16, TEXTS)
    top = "ab" * 16
    packed = {
        f"{top}/data/contents/requirements.txt": "evil",
        f"{top}/manifest-md5.txt": f"{'0' * 32}  data/contents/requirements.txt",
    }
    archives.say(f"s3/bags/{top}.zip", Reply(body=zip_of(packed)))
    return page


def _short_bag(archives: Archives) -> str:
    page = archives.hydroshare("ab" * 16, TEXTS)
    top = "ab" * 16
    archives.say(
        f"s3/bags/{top}.zip", Reply(body=zip_of({f"{top}/manifest-md5.txt": f"{'0' * 32}  data/contents/a"}))
    )
    return page


def _bent(packed: bytes) -> bytes:
    return packed[:100] + bytes([packed[100] ^ 255]) + packed[101:]


def _zipped(packed: bytes) -> Callable[[Archives], str]:
    return lambda archives: archives.zenodo(1, {"a.zip": packed})


BAD: list[tuple[str, Callable[[Archives], str], str]] = [
    ("path out of a zip", _zipped(zip_of({"../../x": "x"})), "archive_path_refused"),
    ("link out of a zip", _zipped(zip_of({"a": "x"}, links={"b": "/etc/passwd"})), "link_leaves_tree"),
    ("file over a link", _zipped(zip_of({"a/b": "x"}, links={"a": "/tmp"})), "record_file_name"),
    ("bomb", _zipped(zip_of({"b": b"\0" * 3_000_000})), "tree_too_large"),
    ("many files in a zip", _zipped(zip_of({f"{n}": "" for n in range(60)})), "too_many_files"),
    ("broken zip", _zipped(_bent(zip_of({"a": os.urandom(500)}))), "source_damaged"),
    ("many files", lambda a: a.zenodo(1, {f"f{n}": b"" for n in range(51)}), "too_many_files"),
    ("too large", lambda a: a.zenodo(1, {"a": b"\0" * 2_000_001}), "tree_too_large"),
    ("larger than it says", _zenodo_then(Reply(body=b"\0" * 2_100_000)), "tree_too_large"),
    ("wrong content", _zenodo_then(Reply(body=b"4321")), "source_damaged"),
    ("wrong size", _zenodo_then(Reply(body=b"12345")), "source_damaged"),
    ("gone", _zenodo_then(Reply(status=404)), "commit_not_found"),
    ("locked", _zenodo_then(Reply(status=403)), "source_not_readable"),
    ("broken host", _zenodo_then(Reply(status=500)), "source_unreachable"),
    ("redirect inside", _zenodo_then(Reply(status=302, location="http://127.0.0.1:1/x")), "source_refused"),
    (
        "redirect to metadata",
        _zenodo_then(Reply(status=302, location="http://169.254.169.254/x")),
        "source_moved",
    ),
    (
        "redirect elsewhere",
        _zenodo_then(Reply(status=302, location="https://evil.example.com/x")),
        "source_moved",
    ),
    ("redirect to a file", _zenodo_then(Reply(status=302, location="file:///etc/passwd")), "source_moved"),
    (
        "ring",
        _zenodo_then(Reply(status=302, location="/zenodo/api/records/1/files/a.bin/content")),
        "source_moved",
    ),
    ("name out of the tree", lambda a: a.zenodo(1, {"../../x": b"1", "b": b"2"}), "record_file_name"),
    (
        "two of one name",
        lambda a: a.dataverse("10.7910/DVN/TWO", {"a/b": b"1", "a//b": b"2"}),
        "record_file_name",
    ),
    ("file and folder", lambda a: a.zenodo(1, {"a": b"1", "a/b": b"2"}), "record_file_name"),
    ("long name", lambda a: a.zenodo(1, {"n" * 300: b"1", "b": b""}), "record_file_name"),
    ("git settings", lambda a: a.zenodo(1, {".git/config": b"1", "b": b""}), "record_file_name"),
    ("changed meanwhile", _changed_bag, "record_changed"),
    ("other than its manifest", _torn_bag, "source_damaged"),
    ("less than its manifest", _short_bag, "source_damaged"),
    ("vault fails", lambda a: a.swhid(SHA, TEXTS, status="failed"), "source_failed"),
    ("build file is a link", _zipped(zip_of({"a": "x"}, links={"Dockerfile": "a"})), "build_file_is_link"),
]


@pytest.mark.parametrize(("publish", "code"), [pytest.param(*row[1:], id=row[0]) for row in BAD])
@pytest.mark.req("V2")
def test_what_is_wrong_ends_the_fetch(
    archives: Archives, tmp_path: Path, publish: Callable[[Archives], str], code: str
) -> None:
    """Each attack and each accident has its code and a sentence; the tree is never marked as done."""
    resolved = _resolved(archives, publish(archives))
    outside = set(tmp_path.parent.iterdir())
    with pytest.raises(Failure) as raised:
        _fetch(archives, resolved, tmp_path)

    assert code == raised.value.code
    assert raised.value.message.endswith(".")
    assert not (tmp_path / "fetched").exists()
    assert outside == set(tmp_path.parent.iterdir())


@pytest.mark.parametrize(
    "publish",
    [
        pytest.param(_zenodo_then(Reply(body=b"1234", delay=3)), id="silent"),
        pytest.param(lambda a: a.hydroshare("ab" * 16, TEXTS, waits=50), id="never packed"),
    ],
)
def test_a_slow_archive_is_given_up(
    archives: Archives, tmp_path: Path, publish: Callable[[Archives], str]
) -> None:
    """The limit holds wherever the fetch waits."""
    resolved = _resolved(archives, publish(archives))
    began = time.monotonic()
    with pytest.raises(Failure) as raised:
        _fetch(archives, resolved, tmp_path, replace(LIMITS, seconds=0.4))

    assert "source_too_slow" == raised.value.code
    assert time.monotonic() - began < 2.5


@pytest.mark.parametrize(
    ("name", "code"), [("archive.example.org", ""), ("other.example.org", "source_unreachable")]
)
def test_the_certificate_is_that_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str
) -> None:
    """The connection goes to the address that was looked up, and the certificate has to be the name's, for hub and fetch."""
    pem = make_certificate(tmp_path, "archive.example.org")
    monkeypatch.setenv("SSL_CERT_FILE", pem)
    found = socket.getaddrinfo
    monkeypatch.setattr("socket.getaddrinfo", lambda _, *more, **named: found("127.0.0.1", *more, **named))
    work = tmp_path / "work"
    with Archives(name=name, certificate=pem) as archives:
        doi = archives.zenodo(1, FILES)
        rules = SourceRules(extra=(archives.url,))
        tls = ssl.create_default_context(cafile=pem)
        asking = resolve(parse_source(doi), rules, hosts=archives.archive_hosts, tls=tls)
        if code:
            with pytest.raises(SourceUnreachable, match="certificate"):
                asyncio.run(asking)
            plan = RecordPlan(version="1", files=(RecordFile(path="a", url=f"{archives.url}a"),))
            source = ResolvedSource(
                provider="zenodo", url=f"https://doi.org/{doi}", commit="0" * 40, record=plan
            )
            with pytest.raises(Failure) as raised:
                _fetch(archives, source, work)
            assert code == raised.value.code
        else:
            _fetch(archives, asyncio.run(asking), work)
            assert FILES == _tree(work)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://[::1]/x",
        "https://user:pass@example.com/x",
        "https://example.com:22/x",
        "ftp://example.com/x",
        "https://example.com/a b",
    ],
)
def test_only_public_https_is_fetched(url: str) -> None:
    """The container looks at every address itself, whatever the plan says."""
    downloads = Downloads(prefixes=(), hosts=("*",), bytes=1, free=0, log=print)
    with pytest.raises(Failure) as raised, downloads.open(url):
        pass
    assert "source_refused" == raised.value.code


def test_a_public_name_of_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up once, and every address of it has to be public."""
    rows = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("192.168.0.1", 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: rows)
    downloads = Downloads(prefixes=(), hosts=(), bytes=1, free=0, log=print)
    with pytest.raises(Failure, match="not on the public internet"), downloads.open("https://example.com/x"):
        pass


@pytest.mark.parametrize(
    ("address", "public"),
    [("93.184.216.34", True), ("2606:2800:220:1::1", True), ("10.0.0.1", False), ("::ffff:10.0.0.1", False)]
    + [
        (one, False)
        for one in (
            "64:ff9b::7f00:1",
            "169.254.169.254",
            "2002:7f00:1::",
            "192.0.0.8",
            "fec0::1",
            "::",
            "224.0.0.1",
        )
    ],
)
def test_which_addresses_are_public(address: str, *, public: bool) -> None:
    """The same rule as the hub's, also for addresses that carry another inside."""
    assert public is is_public(address)


@pytest.mark.parametrize("packed", ["", "e30=", "not base64", "eJyrrgUAAXUA+Q=="])
def test_a_plan_that_is_none_is_a_bad_job(packed: str) -> None:
    """Hub and builder are ours; a plan that cannot be read is said to be a bug."""
    with pytest.raises(Failure) as raised:
        read_record(packed)
    assert "bad_job" == raised.value.code


def test_hub_and_builder_agree_on_a_plan() -> None:
    """What the hub writes the builder reads."""
    file = RecordFile(path="a", url="https://a.example.org/", size=2, checksum="md5:x")
    plan = RecordPlan(version="1", kind="bag", files=(file,), inside="b", hosts=("*",), asked="c", stamp="d")
    read = read_record(plan.packed())

    assert ("bag", ("*",), "b", "c", "d") == (read.kind, read.hosts, read.inside, read.asked, read.stamp)
    assert ("a", file.url, 2, "md5:x") == (
        read.files[0].path,
        read.files[0].url,
        read.files[0].size,
        read.files[0].checksum,
    )

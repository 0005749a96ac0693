"""Records of research archives become servers, by the same door as git repositories."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.archives import Reply, zip_of
from tests.dockerevents import ContainersMade
from tests.hub.test_launch import inspect, read
from tests.hub.test_options import CODE
from tests.hubprocess import wait_for

if TYPE_CHECKING:
    from tests.archives import Archives
    from tests.hubprocess import HubProcess

DOCKERFILE = "FROM versatilehub/test-server:latest\nCOPY . /srv/repo/\n"


def _files(which: str) -> dict[str, str]:
    return {
        "Dockerfile": DOCKERFILE,
        "which.txt": which,
        "notes/first.ipynb": "{}",
        "unique": secrets.token_hex(4),
    }


def _number() -> int:
    return secrets.randbelow(10**8) + 10**6


@pytest.mark.req("V2")
def test_a_zenodo_record_becomes_a_server_and_its_next_version_comes(
    hub: HubProcess, archives: Archives, user: str
) -> None:
    """The DOI of all versions starts the newest one's zip; a later version brings what the person did not change."""
    concept = _number()
    archives.zenodo(
        concept + 1,
        {"code-1.zip": zip_of({f"code-1/{n}": t for n, t in _files("one").items()})},
        concept=concept,
    )
    doi = f"10.5281/zenodo.{concept}"
    hub.run(user, source=doi, open="notes/first.ipynb")
    labels = inspect(hub.container(user))["Config"]["Labels"]

    assert "one" == read(hub, user, f"files/zenodo.{concept}/which.txt")
    assert f"/lab/tree/zenodo.{concept}/notes/first.ipynb" in read(hub, user, "env/JUPYTERHUB_DEFAULT_URL")
    assert (f"https://doi.org/{doi}", 40) == (
        labels["versatilehub.source"],
        len(labels["versatilehub.commit"]),
    )

    hub.exec(user, f"echo mine > ~/zenodo.{concept}/notes/first.ipynb")
    hub.halt(user)
    archives.zenodo(
        concept + 2,
        {"code-2.zip": zip_of({f"code-2/{n}": t for n, t in _files("two").items()})},
        concept=concept,
    )
    hub.run(user, source=doi)

    assert "two" == read(hub, user, f"files/zenodo.{concept}/which.txt")
    assert "mine\n" == read(hub, user, f"files/zenodo.{concept}/notes/first.ipynb")


@pytest.mark.parametrize("archive", ["dataverse", "swhid"])
@pytest.mark.req("V2")
def test_other_archives_become_servers(hub: HubProcess, archives: Archives, user: str, archive: str) -> None:
    """A dataset of a Dataverse installation and a revision of Software Heritage start like any repository."""
    files = _files(archive)
    if archive == "dataverse":
        doi = f"10.7910/DVN/{secrets.token_hex(4).upper()}"
        source = archives.dataverse(doi, {name: text.encode() for name, text in files.items()})
        folder = doi.rpartition("/")[2]
    else:
        revision = secrets.token_hex(20)
        source = archives.swhid(secrets.token_hex(20), files, revision=revision)
        folder = f"swh-1-rev-{revision}"
    hub.run(user, source=source)

    assert archive == read(hub, user, f"files/{folder}/which.txt")


REFUSED = [
    ("missing", 404, "record_not_found", "Zenodo has no such record."),
    ("restricted", 403, "record_restricted", "its files are restricted"),
    ("article", 404, "archive_unknown", "leads to journal.example.org, which is none of the archives"),
    ("broken", 424, "source_unreachable", "answered with status 502"),
    ("ref", 400, "invalid_ref", "has no branch, tag or commit"),
]


@pytest.mark.parametrize(
    ("kind", "status", "code", "words"), [pytest.param(*row, id=row[0]) for row in REFUSED]
)
@pytest.mark.req("V2", "V13")
def test_a_record_that_cannot_be_had_makes_nothing(
    hub: HubProcess, archives: Archives, user: str, kind: str, status: int, code: str, words: str
) -> None:
    """The start is refused with a code and a sentence, and no container, volume or build was made."""
    number = _number()
    doi = f"10.5281/zenodo.{number}"
    if kind == "restricted":
        archives.zenodo(number, {"a": b"1"}, access="restricted")
    if kind == "article":
        doi = archives.doi(f"10.1234/{number}", "https://journal.example.org/articles/1")
    if kind == "broken":
        archives.say(f"zenodo/api/records/{number}", Reply(status=502))
    with ContainersMade(hub) as made:
        answer = hub.launch(user, source=doi, **({"ref": "main"} if kind == "ref" else {}))

    assert (status, code) == (answer.status_code, answer.headers[CODE])
    assert words in answer.json()["message"]
    assert [] == made.labels


@pytest.mark.req("V2", "V13")
def test_a_hostile_archive_ends_as_a_failed_build(hub: HubProcess, archives: Archives, user: str) -> None:
    """A zip that climbs out of its folder ends the fetch with its own words; no server is there."""
    doi = archives.zenodo(_number(), {"a.zip": zip_of({"../../../etc/evil": "x", "Dockerfile": DOCKERFILE})})
    hub.launch(user, source=doi)
    wait_for(lambda: not hub.model(user).get("pending"), "the end of the start", seconds=60)

    last = hub.events(user)[-1]
    assert last["failed"]
    assert "leads out of its folder" in last["message"]
    assert [] == hub.containers(user)

"""What a person may ask for: refused in words wherever it is asked, never stored, and never started by a link."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.bad_inputs import load
from tests.buildsite import BASE, GOOD
from tests.dockerevents import ContainersMade
from tests.gitserver import Behaviour
from tests.hub.people import Person, field_values
from tests.hubprocess import docker, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess

CODE = "VersatileHub-Error"
SOURCE = "https://github.com/jupyter/docker-stacks"

#: options, status, code, words of message and hint
REFUSED: dict[str, tuple[dict[str, Any], int, str, list[str]]] = {
    "unknown-key": ({"sauce": SOURCE}, 400, "unknown_key", ["'sauce'", "Did you mean source?"]),
    "source-no-text": ({"source": 5}, 400, "invalid_spec", ["source is a text"]),
    "source-scheme": ({"source": "ftp://example.org/a"}, 400, "invalid_source", ["https"]),
    "ref": ({"source": SOURCE, "ref": "--upload-pack=x"}, 400, "invalid_ref", ["--upload-pack"]),
    "subdir": ({"source": SOURCE, "subdir": "../x"}, 400, "invalid_subdir", [".."]),
    "source-and-image": ({"source": SOURCE, "image": BASE}, 400, "invalid_spec", ["source and image"]),
    "neither": ({"open": "a.ipynb"}, 400, "invalid_spec", ["exactly one of source, image"]),
    "ref-alone": ({"image": BASE, "ref": "main"}, 400, "invalid_spec", ["ref belongs to a source"]),
    "image-without-tag": ({"image": "evil/image"}, 400, "invalid_spec", ["neither a tag"]),
    "image-not-listed": ({"image": "evil/image:1"}, 403, "image_not_allowed", ["evil/image:1", BASE]),
    "image-of-a-build": ({"image": "vh-build/a:1"}, 400, "invalid_spec", ["vh-build"]),
    "memory": ({"image": BASE, "memory": "64G"}, 403, "memory_out_of_range", ["64G", "8G"]),
    "memory-words": ({"image": BASE, "memory": "lots"}, 400, "invalid_spec", ["lots"]),
    "cpus": ({"image": BASE, "cpus": 99}, 403, "cpus_out_of_range", ["99", "2"]),
    "cpus-negative": ({"image": BASE, "cpus": -1}, 400, "invalid_spec", ["-1"]),
    "profile": ({"image": BASE, "profile": "smal"}, 403, "unknown_profile", ["Did you mean small?"]),
    "open": ({"image": BASE, "open": "../../etc/passwd"}, 400, "invalid_spec", [".."]),
    "placement": ({"image": BASE, "placement": "moon"}, 400, "invalid_spec", ["moon", "home"]),
    "credentials": ({"image": BASE, "credentials": "ssh"}, 400, "invalid_spec", ["ssh", "none"]),
    "credentials-off": ({"image": BASE, "credentials": "env"}, 403, "not_offered", ["credentials"]),
    "idle-timeout-too-long": (
        {"image": BASE, "idle_timeout": 86401},
        403,
        "idle_timeout_out_of_range",
        ["may stay for"],
    ),
    "workspace-off": ({"workspace": "course"}, 403, "not_offered", ["workspace"]),
    "collaborators-off": ({"image": BASE, "collaborators": ["bob"]}, 403, "not_offered", ["collaborators"]),
    "mounts-off": (
        {"image": BASE, "mounts": [{"volume": "data", "at": "/data"}]},
        403,
        "volume_not_granted",
        ["data"],
    ),
}


def start_again(hub: HubProcess, user: str, server: str = "") -> requests.Response:
    """Start a server without saying what."""
    return hub.api("POST", hub.server_path(user, server))


def image_of(hub: HubProcess, user: str, server: str = "") -> str:
    """Return the image a server runs."""
    return docker("inspect", "-f", "{{.Config.Image}}", hub.container(user, server))


@pytest.fixture(scope="module")
def demo(hub: HubProcess, forge: GitServer) -> str:
    """The link of a repository with branch `main`."""
    del hub
    forge.repo("options", dict(GOOD))
    return forge.url("options")


@pytest.fixture
def ada(hub: HubProcess) -> Iterator[Person]:
    """Ada, logged in, with no server."""
    person = Person(hub, "ada", "ada-password-1")
    hub.halt("ada")
    yield person
    hub.halt("ada")
    person.session.close()


@pytest.mark.parametrize(("options", "status", "code", "words"), REFUSED.values(), ids=REFUSED)
@pytest.mark.req("V13")
def test_bad_options_are_refused(
    hub: HubProcess, user: str, options: dict[str, Any], status: int, code: str, words: list[str]
) -> None:
    """REST answers with a status below 500, a stable code, and one message that names value, limit and what to do."""
    answer = hub.launch(user, **options)
    message = answer.json()["message"]

    assert (status, code) == (answer.status_code, answer.headers[CODE])
    assert [] == [word for word in words if word not in message], message
    assert [] == hub.containers(user)


@pytest.mark.req("V2", "V13")
def test_no_bad_link_of_the_corpus_gets_in(hub: HubProcess, user: str) -> None:
    """Every repository link the corpus rejects is refused over REST before anything is asked or made."""
    bad = [case.value for case in load("repo_url") if not case.accepted]
    bad = [value for value in bad if not value.startswith("git@github.com:")]  # read as https
    with ContainersMade(hub) as made:
        answers = {value: hub.launch(user, source=value) for value in bad}

    assert len(bad) > 40
    assert {} == {v: a.status_code for v, a in answers.items() if a.status_code not in {400, 403}}
    assert {} == {v: a.text for v, a in answers.items() if CODE not in a.headers}
    assert [] == made.labels


@pytest.mark.req("V13")
def test_the_next_start_is_not_poisoned(hub: HubProcess, user: str) -> None:
    """After a refused start, one that names nothing runs what ran last."""
    hub.run(user, image=BASE, open="/lab")
    hub.halt(user)

    refused = hub.launch(user, image="evil/image:1")
    again = start_again(hub, user)

    assert (403, 201) == (refused.status_code, again.status_code)
    assert BASE == image_of(hub, user)
    assert {"image": BASE, "open": "/lab"} == hub.model(user)["user_options"]


@pytest.mark.req("V13")
def test_a_first_start_is_not_poisoned(hub: HubProcess, user: str) -> None:
    """When the very first options are refused, a start that names nothing runs the configured image."""
    refused = hub.launch(user, sauce="x")
    start_again(hub, user)
    hub.wait_ready(user)

    assert 400 == refused.status_code
    assert not hub.model(user)["user_options"]


@pytest.mark.parametrize(
    "bad", [{"sauce": "x"}, {"image": "evil/image:1"}], ids=["unreadable", "not-allowed"]
)
@pytest.mark.req("V13")
def test_edited_options_are_checked_at_the_start(hub: HubProcess, user: str, bad: dict[str, str]) -> None:
    """Options put on record by PATCH pass the same check at the next start, which is refused once and then forgotten."""
    hub.run(user, "lab1", image=BASE)
    hub.halt(user, "lab1")

    patched = hub.api("PATCH", hub.server_path(user, "lab1"), json={"user_options": bad})
    first, second = (start_again(hub, user, "lab1") for _ in range(2))

    assert (200, 201) == (patched.status_code, second.status_code)
    assert first.status_code in {400, 403}
    assert first.headers[CODE] in {"unknown_key", "image_not_allowed"}
    assert BASE == image_of(hub, user, "lab1")


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.req("V13")
def test_a_server_with_bad_options_is_not_made(hub: HubProcess, user: str, method: str) -> None:
    """What a new server is to run is checked before there is a record of it."""
    made = hub.api(method, hub.server_path(user, "lab1"), json={"user_options": {"image": "evil/image:1"}})

    assert (403, "image_not_allowed") == (made.status_code, made.headers[CODE])
    assert {} == hub.model(user, "lab1")
    assert [] == hub.containers(user)


@pytest.mark.parametrize(
    "content", ["[]", '"text"', '{"user_options": [1]}', "{"], ids=["list", "text", "options-list", "no-json"]
)
def test_a_body_of_another_form_is_refused(hub: HubProcess, user: str, content: str) -> None:
    """What is no object of options is an error of the one who sent it."""
    answer = hub.api("POST", hub.server_path(user), data=content)

    # JupyterHub takes an empty list for no body at all: a start of nothing in particular
    assert answer.status_code == 400 or (content == "[]" and answer.ok)


@pytest.mark.req("V13")
def test_a_wrong_branch_names_the_right_one(hub: HubProcess, user: str, demo: str) -> None:
    """A ref that does not exist is refused with the one that was probably meant, and nothing is built."""
    with ContainersMade(hub) as made:
        answer = hub.launch(user, source=demo, ref="mian")

    assert (404, "ref_not_found") == (answer.status_code, answer.headers[CODE])
    assert "`mian`" in answer.text
    assert "`main`" in answer.text
    assert [] == made.labels


@pytest.mark.parametrize("login", [("ada", "secret"), None], ids=["private", "missing"])
@pytest.mark.req("P20")
def test_a_private_repository_is_not_readable(
    hub: HubProcess, forge: GitServer, user: str, login: tuple[str, str] | None
) -> None:
    """Private and missing repositories look alike and are both called not readable; no stack trace anywhere."""
    name = f"hidden-{secrets.token_hex(3)}"
    if login is not None:
        forge.repo(name, dict(GOOD), behaviour=Behaviour(login=login))
    before = hub.log.stat().st_size
    answer = hub.launch(user, source=forge.url(name))

    assert (403, "source_not_readable") == (answer.status_code, answer.headers[CODE])
    assert "private or does not exist" in answer.json()["message"]
    assert "Traceback" not in answer.text
    assert "Traceback" not in hub.log.read_text(errors="replace")[before:]


@pytest.mark.req("P4")
def test_parallel_creation_stays_within_the_limit(hub: HubProcess, user: str) -> None:
    """Of twenty named servers asked for at the same moment, as many are made as the policy allows: ten."""
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: hub.api("PUT", hub.server_path(user, f"lab-{n}")), range(20)))
    model = hub.api("GET", f"users/{user}", params={"include_stopped_servers": "1"}).json()

    assert {201: 10, 403: 10} == {
        status: sum(answer.status_code == status for answer in answers) for status in (201, 403)
    }
    assert 10 == len([name for name in model["servers"] if name])
    assert 201 == hub.launch(user, image=BASE).status_code


# -- the form ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "source", "source": "not a repository", "ref": "main"}, ["cannot be seen"]),
        (
            {"kind": "source", "source": SOURCE, "ref": '"><script>alert(1)</script>'},
            ["Branch, tag or commit"],
        ),
        ({"kind": "source", "source": SOURCE, "subdir": "../up"}, [".."]),
        ({"kind": "image", "image": "evil/image:1"}, ["evil/image:1", "Allowed are"]),
        ({"kind": "source", "source": ""}, ["exactly one of source"]),
    ],
    ids=["source", "markup-in-ref", "subdir", "image", "empty"],
)
@pytest.mark.req("V13", "V2")
def test_a_refused_form_comes_back_as_it_was(
    hub: HubProcess, ada: Person, fields: dict[str, str], words: list[str]
) -> None:
    """The form is shown again with every typed value and the reason, escaped, and nothing was made."""
    ada.get("spawn/ada")
    with ContainersMade(hub) as made:
        page = ada.post("spawn/ada", **fields)

    shown = field_values(page.text)
    typed = {name: value for name, value in fields.items() if name not in {"kind", "image"}}
    assert typed.items() <= shown.items()
    assert [] == [word for word in words if word not in page.text]
    assert "<script>alert(1)" not in page.text
    assert [] == made.labels


@pytest.mark.req("V18", "V19", "V21")
def test_the_form_starts_a_server_and_a_second_visit_finds_it(hub: HubProcess, ada: Person) -> None:
    """Sent with good values the form starts one server; the same page then leads to it; after a stop it starts again."""
    ada.get("spawn/ada")
    sent = ada.post("spawn/ada", kind="image", image=BASE)
    hub.wait_ready("ada")
    container = hub.container("ada")
    again = ada.get("spawn/ada")

    assert (302, 302) == (sent.status_code, again.status_code)
    assert "/user/ada/" in again.headers["Location"]
    assert container == hub.container("ada")
    hub.halt("ada")
    assert BASE in ada.get("spawn/ada").text
    ada.post("spawn/ada", kind="image", image=BASE)
    hub.wait_ready("ada")
    assert container != hub.container("ada")


def test_a_form_without_its_token_starts_nothing(hub: HubProcess, ada: Person) -> None:
    """A POST another site sends, without the form's XSRF token, is refused."""
    with ContainersMade(hub) as made:
        answer = ada.post("spawn/ada", _xsrf="", kind="image", image=BASE)

    assert 403 == answer.status_code
    assert [] == made.labels


# -- no GET starts anything --------------------------------------------------------------------

CLICKED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
IMAGE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
FRAME = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
OWN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.req("V31")
def test_no_get_starts_or_builds(hub: HubProcess, ada: Person, demo: str) -> None:
    """Whatever page, query and kind of request: a GET starts no server and no build."""
    queries = [
        {},
        {"source": demo},
        {"opt-source": demo, "opt-ref": "main"},
        {"opt-image": BASE},
        {"image": BASE, "next": "/hub/home"},
        {"kind": "image", "image": BASE, "_xsrf": ada.xsrf},
    ]
    pages = ["spawn", "spawn/ada", "spawn/ada/lab", "user/ada/", "user/ada/lab/tree", "user-redirect/lab"]
    pages += ["spawn-pending/ada"]
    with ContainersMade(hub) as made:
        answers = [
            ada.get(page, params=query, headers=headers).status_code
            for page in pages
            for query in queries
            for headers in (CLICKED, IMAGE, FRAME, OWN)
        ]
        model = hub.model("ada")

    assert [] == made.labels
    assert not model.get("pending")
    assert not model.get("ready")
    assert not [status for status in answers if status >= 500]


@pytest.mark.req("V31")
def test_a_link_shows_the_form_and_says_so(ada: Person, demo: str) -> None:
    """A link with options ends at the form, with a sentence that a link does not start a server."""
    answer = ada.get("spawn/ada", params={"opt-source": demo})

    assert 403 == answer.status_code
    assert "A link does not start a server" in answer.text
    assert "data-vh-form" in answer.text


@pytest.mark.req("V31")
def test_an_admins_click_starts_nothing_for_others(hub: HubProcess, user: str, demo: str) -> None:
    """A link an admin follows starts no server of the person it names."""
    admin = Person(hub, "admin", "admin-password-1")
    with ContainersMade(hub) as made:
        admin.get(f"spawn/{user}", params={"source": demo}, headers=CLICKED)
        wait_for(lambda: not hub.model(user).get("pending"), "no start")
    admin.session.close()

    assert [] == made.labels

"""The product as people use it: a real hub on real Docker, repositories from a git host, and a browser."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from playwright.async_api import expect

from tests.browser.gate import STEP, Gate
from tests.browser.lab import Lab, notebook
from tests.browser.looks import every_look, photograph, too_wide
from tests.hubprocess import docker, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.async_api import Page

    from tests.browser.conftest import Browse
    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Milliseconds a build and a start may take on a busy machine.
START = 90_000
STUB = "FROM versatilehub/test-server:latest\n"

LESSON = notebook(
    "import numpy as np\n"
    "import matplotlib.pyplot as plt\n\n"
    "x = np.linspace(0, 12, 400)\n"
    "plt.figure(figsize=(8, 2.5))\n"
    "plt.plot(x, np.sin(2 * x) * np.exp(-x / 6))\n"
    "print(len(x), 'points')",
    "from pathlib import Path\n"
    "Path('answers.txt').write_text('forty-two')\n"
    "Path('notes.txt').write_text('my notes')\n"
    "print('written')",
    "from pathlib import Path\n"
    "print(*(path.read_text() for path in sorted(Path('.').glob('*.txt'))), sep=' | ')",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A signed-in person at the real hub, and where pictures of what they see are kept."""

    page: Page
    hub: HubProcess
    pictures: Path

    async def open(self, path: str) -> None:
        """Open a page below /hub/ and wait for its scripts, which the hub's own buttons need."""
        await self.page.goto(f"{self.hub.url}/hub/{path}", wait_until="networkidle")

    async def ask_for(self, source: str, **fields: str) -> None:
        """Fill the form that is open; *fields* are "ref" and "open"."""
        labels = {"ref": "Branch, tag or commit", "open": "File to open"}
        await self.page.get_by_label("Repository link").fill(source)
        for name, value in fields.items():
            await self.page.get_by_label(labels[name]).fill(value)

    async def press_start(self) -> None:
        """Send the form."""
        await self.page.get_by_role("button", name="Start", exact=True).click()

    async def stop_from_home(self) -> None:
        """Stop the default server where people do, and come to the form of its next start."""
        await self.open("home")
        await self.page.get_by_role("button", name="Stop My Server").click()
        again = self.page.get_by_role("button", name="Start My Server")
        await expect(again).to_be_visible(timeout=START)
        await again.click()
        await expect(self.page.get_by_role("heading", name="Start a server")).to_be_visible()

    async def sees_phase(self, name: str, words: str) -> None:
        """See *words* in a phase of the start that is under way."""
        phase = self.page.locator(f"[data-vh-phase={name}]")
        await expect(phase).to_contain_text(words, timeout=START)

    async def keep_pictures(self, name: str) -> None:
        """Keep a picture of this page of ours in every look, and see that it fits its window."""
        wrong = []
        async for look in every_look(self.page):
            wrong += await too_wide(self.page)
            await photograph(self.page, self.pictures / f"{name}-{look}.png", whole="360" in look)
        assert [] == wrong


Meet = Callable[[str], Awaitable[Person]]


@pytest.fixture
def meet(browse: Browse, hub: HubProcess, artifacts: Path) -> Meet:
    """Sign a person of the users.csv in."""

    async def sign_in(name: str) -> Person:
        page = await browse(hub, name, password=f"{name}-password-1")
        return Person(page=page, hub=hub, pictures=artifacts / "journey")

    return sign_in


@pytest.fixture
def gate(bridge: str) -> Iterator[Gate]:
    """A closed gate for a build to wait at."""
    with Gate(bridge) as gate:
        yield gate


@pytest.mark.timeout(300)
@pytest.mark.req("P4", "V2", "V13", "V18", "V23")
async def test_a_link_becomes_a_server_that_keeps_files(meet: Meet, forge: GitServer, gate: Gate) -> None:
    """Link, phases and log, notebook, a file written; stop, start: there; push, start: the new comes, the edited stays."""
    course = {
        "Dockerfile": f"FROM versatilehub/singleuser\nRUN echo tools are prepared\n{STEP}",
        "prepare.py": gate.script,
        "lesson.ipynb": LESSON,
        "notes.txt": "notes of the course",
        "data.txt": "one",
    }
    repo = forge.repo("summer-school", course)
    grace = await meet("grace")
    await grace.open("home")
    await grace.page.get_by_role("button", name="Start My Server").click()
    await grace.ask_for(forge.url("summer-school"), open="lesson.ipynb")
    await grace.keep_pictures("form")
    await grace.press_start()

    await grace.sees_phase("build", "Step 4 of")
    await grace.sees_phase("resolve", "Done")
    await grace.sees_phase("fetch", "Done")
    for line in ("tools are prepared", "station 06: 1440 values"):
        await expect(grace.page.get_by_role("log")).to_contain_text(line)
    await grace.keep_pictures("building")
    gate.open()
    lab = await Lab.opened(grace.page, "summer-school/lesson.ipynb")
    await lab.run(0, "400 points")
    await lab.run(1, "written")
    await lab.run(2, "forty-two | one | my notes")
    await photograph(grace.page, grace.pictures / "lab.png", whole=False)

    await grace.stop_from_home()
    await expect(grace.page.get_by_label("Repository link")).to_have_value(forge.url("summer-school"))
    await grace.keep_pictures("form-again")
    await grace.press_start()
    lab = await Lab.opened(grace.page, "summer-school/lesson.ipynb")
    await lab.run(2, "forty-two | one | my notes")

    repo.commit({"notes.txt": "better notes of the course", "data.txt": "two", "more.txt": "more"})
    await grace.stop_from_home()
    await grace.press_start()
    lab = await Lab.opened(grace.page, "summer-school/lesson.ipynb")
    await lab.run(2, "forty-two | two | more | my notes")
    await photograph(grace.page, grace.pictures / "lab-again.png", whole=False)


@pytest.mark.req("V2", "P19")
async def test_requirements_are_installed_fast(meet: Meet, forge: GitServer) -> None:
    """A requirements.txt becomes a named server whose notebook imports the package, for a name that URLs must quote."""
    forge.repo(
        "statistics",
        {
            "requirements.txt": "iniconfig==2.1.0\n",
            "use.ipynb": notebook("import iniconfig; print(iniconfig)"),
        },
    )
    mary = await meet("mary+tests@example.org")
    await mary.open("home")
    await mary.page.get_by_label("server name").fill("Statistics <&> more")
    await mary.page.get_by_role("button", name="Add New Server").click()
    row = mary.page.get_by_role("row", name="Statistics <&> more")
    await row.get_by_role("button", name="start").click()
    await mary.ask_for(forge.url("statistics"), open="use.ipynb")
    await mary.press_start()

    await expect(mary.page.get_by_role("heading", level=1)).to_have_text("Starting Statistics <&> more")
    lab = await Lab.opened(mary.page, "statistics/use.ipynb")
    await lab.run(0, "<module 'iniconfig'")
    assert "/user/mary+tests@example.org/statistics-" in unquote(mary.page.url)
    await photograph(mary.page, mary.pictures / "lab-named.png", whole=False)


@pytest.mark.req("K10", "V23")
async def test_a_failure_is_explained_and_can_be_retried(meet: Meet, forge: GitServer) -> None:
    """A Dockerfile that fails: line and reason come first; after a push, Try again leads to the server."""
    broken = f"{STUB}RUN echo preparing\nRUN cat /data/measurements.csv\nCOPY . /srv/repo/\n"
    repo = forge.repo("survey", {"Dockerfile": broken})
    alan = await meet("alan")
    await alan.open("spawn")
    await alan.ask_for(forge.url("survey"))
    await alan.press_start()

    failure = alan.page.get_by_role("alert")
    await expect(failure).to_be_focused(timeout=START)
    await expect(failure).to_contain_text("RUN cat /data/measurements.csv")
    await expect(failure).to_contain_text(
        "“cat: /data/measurements.csv: No such file or directory”. Look at Dockerfile"
    )
    await expect(failure.get_by_role("region")).to_contain_text("No such file or directory")
    await alan.sees_phase("build", "Failed")
    await alan.keep_pictures("failed")
    await alan.page.reload()
    await expect(alan.page.get_by_role("alert")).to_contain_text("RUN cat /data/measurements.csv")
    await alan.keep_pictures("failed-later")

    repo.commit({"Dockerfile": f"{STUB}COPY . /srv/repo/\n"})
    await alan.page.get_by_role("link", name="Try again").click()
    await expect(alan.page.get_by_label("Repository link")).to_have_value(forge.url("survey"))
    await alan.press_start()
    await alan.page.wait_for_url("**/user/alan/**", timeout=START)


@pytest.mark.req("V3")
async def test_a_wrong_ref_is_said_above_the_form(meet: Meet, forge: GitServer) -> None:
    """A ref that does not exist: one sentence with the near match, and the form as it was typed."""
    forge.repo("typo", {"Dockerfile": STUB})
    alan = await meet("alan")
    await alan.open("spawn/alan/typo")
    await alan.ask_for(forge.url("typo"), ref="mian")
    await alan.press_start()

    await expect(alan.page.get_by_role("alert")).to_contain_text(re.compile("mian.*main"))
    await expect(alan.page.get_by_label("Repository link")).to_have_value(forge.url("typo"))
    await expect(alan.page.get_by_label("Branch, tag or commit")).to_have_value("mian")
    await alan.keep_pictures("wrong-ref")


@pytest.mark.req("K10", "K2")
async def test_cancel_leaves_nothing(meet: Meet, forge: GitServer, gate: Gate) -> None:
    """Cancel during the build of a named server: back at the options, and neither build nor container in Docker."""
    forge.repo("slow", {"Dockerfile": f"{STUB}{STEP}", "prepare.py": gate.script})
    alan = await meet("alan")
    await alan.open("spawn/alan/slow")
    await alan.ask_for(forge.url("slow"))
    await alan.press_start()
    await alan.sees_phase("build", "Step 3 of")

    await alan.page.get_by_role("button", name="Cancel start").click()

    await expect(alan.page.get_by_role("alert")).to_contain_text("The start was cancelled", timeout=START)
    await alan.keep_pictures("cancelled")
    assert [] == alan.hub.containers("alan", "slow")
    ours = [f"label=versatilehub.hub={alan.hub.hub_id}", f"label=versatilehub.source={forge.url('slow')}"]
    left = [part for one in ours for part in ("--filter", one)]
    wait_for(lambda: not docker("ps", "-aq", *left), "no container of the build", seconds=5)
    await alan.page.get_by_role("link", name="Back to the options").click()
    await expect(alan.page.get_by_label("Repository link")).to_have_value(forge.url("slow"))

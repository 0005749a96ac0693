"""Chromium for browser tests, and the stub hub for tests of the pages alone.

- `chromium`: one browser for the session; `browse` signs people in, each in a context of their own.
- `axe`: the source of axe-core, to be run in a page by `looks.violations`.
- `stub_hub`: one hub for the session; `own_stub_hub`: one for a test that kills it.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.browser.looks import HEIGHT, WIDE
from tests.browser.stub_hub import StubHub, state_folder

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
Browse = Callable[..., Awaitable[Page]]


class Site(Protocol):
    """A hub people reach at *url*."""

    @property
    def url(self) -> str:
        """The base URL."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser on PATH, else Playwright's own; none is an error."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which set-up puts into the state folder."""
    path = state_folder() / "node" / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `make test`, which sets it up")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def stub_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubHub]:
    """A running hub whose servers only tell a story."""
    yield from _running(tmp_path_factory.mktemp("stub-hub"))


@pytest.fixture
def own_stub_hub(tmp_path: Path) -> Iterator[StubHub]:
    """A hub of this test's own, to be killed and started again."""
    yield from _running(tmp_path)


def _running(folder: Path) -> Iterator[StubHub]:
    hub = StubHub(folder=folder)
    try:
        hub.start_proxy()
        hub.start_hub()
        yield hub
    finally:
        hub.stop()


async def sign_in(page: Page, hub: Site, user: str, password: str) -> None:
    """Log in as people do."""
    login = f"{hub.url.rstrip('/')}/hub/login"
    await page.goto(login)
    await page.get_by_label("Username").fill(user)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(lambda url: not url.startswith(login))


async def walk_in(page: Page, hub: Site, user: str) -> None:
    """Log in where any password does, without loading the page for it."""
    login = f"{hub.url.rstrip('/')}/hub/login"
    await page.context.request.get(login)
    token = next(cookie["value"] for cookie in await page.context.cookies() if cookie["name"] == "_xsrf")
    form: dict[str, str | float | bool] = {"_xsrf": token, "username": user, "password": "any"}
    answer = await page.context.request.post(login, form=form, max_redirects=0)
    assert answer.status == 302, await answer.text()


@pytest_asyncio.fixture(loop_scope="session")
async def browse(chromium: Browser) -> AsyncIterator[Browse]:
    """Make pages, each for a signed-in user in a context of its own; *options* are those of a Playwright context."""
    contexts: list[BrowserContext] = []

    async def make(
        hub: Site, user: str, *, password: str = "", javascript: bool = True, **options: Any
    ) -> Page:
        settings: dict[str, Any] = {
            "viewport": {"width": WIDE, "height": HEIGHT},
            "java_script_enabled": javascript,
            "reduced_motion": "reduce",
        }
        context = await chromium.new_context(**(settings | options))
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = await context.new_page()
        await (sign_in(page, hub, user, password) if password else walk_in(page, hub, user))
        return page

    yield make
    for context in contexts:
        await context.close()

"""The form and the pages around a start, in a real browser on a real hub whose servers only tell a story."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.looks import LOOKS, every_look, photograph, too_wide, violations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.browser.conftest import Browse
    from tests.browser.stub_hub import StubHub

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINK = "https://github.com/owner/repo"
HOSTILE = "o'brien & <b>"


async def fill_form(hub: StubHub, page: Page, where: str, ref: str) -> None:
    """Open the form of *where* ("" or "user/server") and ask for the story *ref*."""
    await page.goto(f"{hub.url}hub/spawn/{where}".rstrip("/"))
    await page.get_by_label("Repository link").fill(LINK)
    await page.get_by_label("Branch, tag or commit").fill(ref)


async def start(hub: StubHub, page: Page, where: str, ref: str) -> None:
    """Fill the form and press Start."""
    await fill_form(hub, page, where, ref)
    await page.get_by_role("button", name="Start", exact=True).click()


async def show_form(hub: StubHub, page: Page) -> None:
    """The form as it first appears, with its folded part open."""
    await page.goto(f"{hub.url}hub/spawn")
    await page.locator("summary").click()


async def show_refused_form(hub: StubHub, page: Page) -> None:
    """The form after a link that is none."""
    await page.goto(f"{hub.url}hub/spawn")
    await page.get_by_label("Repository link").fill("not a link")
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.get_by_role("alert")).to_be_focused()


async def show_failed_form(hub: StubHub, page: Page) -> None:
    """The form after a start that failed at once."""
    await start(hub, page, "", "topic-x")
    await expect(page.get_by_role("alert")).to_be_focused()


async def show_running(hub: StubHub, page: Page) -> None:
    """A start that goes on."""
    await start(hub, page, "", "hold")
    await expect(page.locator("[aria-current=step]")).to_contain_text("Step 2 of 3")


async def show_failure(hub: StubHub, page: Page) -> None:
    """A start that failed while the page was open."""
    await start(hub, page, "", "fail")
    await expect(page.get_by_role("alert")).to_be_visible()


async def show_not_running(hub: StubHub, page: Page) -> None:
    """The page of a failure, looked up later."""
    await show_failure(hub, page)
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("did not start")


async def show_stopped(hub: StubHub, page: Page) -> None:
    """The page of a server nobody has started."""
    await page.goto(f"{hub.url}hub/home")
    user = await page.evaluate("window.jhdata.user")
    await page.goto(f"{hub.url}user/{user}/lab")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("is not running")


STATES: dict[str, Callable[[StubHub, Page], Awaitable[None]]] = {
    "form": show_form,
    "form-refused": show_refused_form,
    "form-failed": show_failed_form,
    "running": show_running,
    "failed": show_failure,
    "not-running-failed": show_not_running,
    "not-running": show_stopped,
}


@pytest.mark.parametrize("state", STATES)
async def test_accessible(stub_hub: StubHub, browse: Browse, axe: str, artifacts: Path, state: str) -> None:
    """Every state of our pages passes axe in both themes and widths, fits the width, and is kept as a picture."""
    page = await browse(stub_hub, state)
    await STATES[state](stub_hub, page)

    wrong = {}
    async for name in every_look(page):
        await photograph(page, artifacts / "pages" / f"{state}-{name}.png")
        wrong[name] = await violations(page, axe)
        wrong[name] += await too_wide(page)

    assert {name: [] for name in LOOKS} == wrong


async def test_start_to_ready(stub_hub: StubHub, browse: Browse) -> None:
    """From the form through the phases to the server, with a user name that needs escaping everywhere."""
    page = await browse(stub_hub, HOSTILE)

    await start(stub_hub, page, "", "quick")

    await expect(page.locator("[data-vh-phase=ready]")).to_contain_text("Running")
    await expect(page.locator("[data-vh-phase=fetch]")).to_contain_text("Cached")
    await expect(page.locator("[data-vh-phase=queue]")).to_contain_text("Not needed")
    await expect(page.locator("[data-vh-phase=push]")).to_be_hidden()
    await expect(page.get_by_role("heading", name="Server at /base/user/")).to_be_visible()


async def test_what_exists_is_cached(stub_hub: StubHub, browse: Browse) -> None:
    """An image that exists makes waiting, fetching and building "Cached", and the status line says the last sentence."""
    page = await browse(stub_hub, "cached")

    await start(stub_hub, page, "", "cached")

    for phase in ("queue", "fetch", "build"):
        await expect(page.locator(f"[data-vh-phase={phase}]")).to_contain_text("Cached")
    await expect(page.locator("[aria-current=step]")).to_contain_text("Start the container")
    await expect(page.get_by_role("status")).to_have_text("2 files you changed were kept as before")


async def test_phase_says_what_it_does(stub_hub: StubHub, browse: Browse) -> None:
    """A later sentence within a phase takes the place of its last step."""
    page = await browse(stub_hub, "looking")

    await start(stub_hub, page, "", "looking")

    await expect(page.locator("[aria-current=step]")).to_contain_text("Looking whether a server can run")


async def test_log_is_text(stub_hub: StubHub, browse: Browse) -> None:
    """Markup, colours and overwritten lines of a log are shown as a terminal would leave them, and run nowhere."""
    page = await browse(stub_hub, "logtext")

    await show_running(stub_hub, page)

    log = page.get_by_role("log")
    await expect(log).to_contain_text("Collecting numpy <script>window.hacked = 1</script>")
    await expect(log).not_to_contain_text("(12/12)Receiving")
    assert await page.evaluate("window.hacked === undefined")


@pytest.mark.req("V4")
@pytest.mark.parametrize("server", ["", "ml-course"], ids=["default", "named"])
async def test_cancel(stub_hub: StubHub, browse: Browse, server: str) -> None:
    """Cancel ends the start of exactly this server and leads back to the form, which kept what was typed."""
    user = f"cancel-{server or 'default'}"
    page = await browse(stub_hub, user)
    await start(stub_hub, page, f"{user}/{server}", "hold")

    await page.get_by_role("button", name="Cancel start").click()

    await expect(page.get_by_role("alert")).to_contain_text("The start was cancelled")
    assert {server: False} == await pending(page, user, server)
    await page.get_by_role("link", name="Back to the options").click()
    await expect(page.get_by_label("Repository link")).to_have_value(LINK)
    await expect(page.get_by_label("Branch, tag or commit")).to_have_value("hold")


async def test_admin_cancels_for_another(stub_hub: StubHub, browse: Browse) -> None:
    """An admin who looks at another person's start cancels that one, not a server of their own."""
    owner = await browse(stub_hub, "watched")
    await start(stub_hub, owner, "watched/course", "hold")
    admin = await browse(stub_hub, "admin")
    await start(stub_hub, admin, "admin/course", "hold")

    await admin.goto(f"{stub_hub.url}hub/spawn-pending/watched/course")
    await admin.get_by_role("button", name="Cancel start").click()
    await expect(admin.get_by_role("alert")).to_contain_text("The start was cancelled")

    assert {"course": False} == await pending(admin, "watched", "course")
    assert {"course": "spawn"} == await pending(admin, "admin", "course")
    await expect(owner.get_by_role("alert")).to_contain_text("The start was cancelled")


async def pending(page: Page, user: str, server: str) -> dict[str, object]:
    """Return what the hub says *server* of *user* is waiting for, once it is no longer stopping."""
    return await page.evaluate(  # type: ignore[no-any-return]  # JSON
        """async ([user, server]) => {
          const path = `${jhdata.base_url}api/users/${user}/${server ? `servers/${server}` : "server"}`;
          for (;;) {
            const answer = await fetch(path, {headers: {"X-XSRFToken": jhdata.xsrf_token}});
            const {pending} = await answer.json();
            if (pending !== "stop") return {[server]: pending ?? false};
          }
        }""",
        [user, server],
    )


async def test_failure_comes_first(stub_hub: StubHub, browse: Browse) -> None:
    """A failed start shows reason, hint and last lines in an alert with the focus, and the phase that failed."""
    page = await browse(stub_hub, "failing")

    await show_failure(stub_hub, page)

    alert = page.get_by_role("alert")
    await expect(alert).to_be_focused()
    await expect(alert).to_contain_text("pip found no package “numpyy”.")
    await expect(alert).to_contain_text("Correct the name in requirements.txt.")
    await expect(alert).to_contain_text("No matching distribution")
    await expect(page.locator("[data-vh-phase=build]")).to_contain_text("Failed")
    await expect(page).to_have_title(re.compile("❌"))
    await alert.get_by_role("link", name="Try again").click()
    await expect(page.get_by_label("Repository link")).to_have_value(LINK)


async def test_failure_before_the_page_listens(stub_hub: StubHub, browse: Browse) -> None:
    """A page that comes too late for the log still shows reason, hint and last lines."""
    page = await browse(stub_hub, "late")
    failed = asyncio.Event()

    async def hold(route: Route) -> None:
        await failed.wait()
        await route.continue_()

    await page.route("**/progress?*", hold)
    await start(stub_hub, page, "", "fail")
    await page.wait_for_url("**/spawn-pending/**")
    while (await pending(page, "late", ""))[""] == "spawn":
        pass
    failed.set()

    await expect(page.get_by_role("heading", level=1)).to_contain_text("did not start")
    await expect(page.get_by_role("alert")).to_contain_text("Correct the name in requirements.txt.")
    await expect(page.get_by_role("region")).to_contain_text("No matching distribution")


async def test_reason_survives(stub_hub: StubHub, browse: Browse) -> None:
    """The page of a stopped server says why its last start failed, with hint and lines."""
    page = await browse(stub_hub, "reasons")

    await show_not_running(stub_hub, page)

    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("pip found no package “numpyy”.")
    await expect(alert).to_contain_text("Correct the name in requirements.txt.")
    await expect(alert.get_by_role("region")).to_contain_text("No matching distribution")


async def test_error_at_once(stub_hub: StubHub, browse: Browse) -> None:
    """A start that fails within a second shows the sentence, escaped, and its hint above the form."""
    page = await browse(stub_hub, "atonce")

    await show_failed_form(stub_hub, page)

    await expect(page.get_by_role("alert")).to_contain_text(
        "There is no branch “topic-x” & <b>never was</b>. There is “main”."
    )
    await expect(page.get_by_label("Branch, tag or commit")).to_have_value("topic-x")


@pytest.mark.parametrize("javascript", [True, False], ids=["js", "no-js"])
async def test_refused_form_keeps_values(stub_hub: StubHub, browse: Browse, javascript: bool) -> None:
    """What was typed is still there after a refusal, on a named server's form too, and the field says what is wrong."""
    user = f"keeps-{str(javascript).lower()}"
    page = await browse(stub_hub, user, javascript=javascript)
    await page.goto(f"{stub_hub.url}hub/spawn/{user}/second")
    await page.get_by_label("Repository link").fill("not a link")
    await page.get_by_label("File to open").fill("a & b.ipynb")
    await page.get_by_role("radio", name="Large").check()

    await page.get_by_role("button", name="Start", exact=True).click()

    await expect(page.get_by_role("alert")).to_contain_text("“not a link” is no repository link.")
    source = page.get_by_label("Repository link")
    await expect(source).to_have_value("not a link")
    await expect(source).to_have_attribute("aria-invalid", "true")
    await expect(source).to_have_accessible_description(re.compile("A link looks like"))
    await expect(page.get_by_label("File to open")).to_have_value("a & b.ipynb")
    await expect(page.get_by_role("radio", name="Large")).to_be_checked()


async def test_without_javascript(stub_hub: StubHub, browse: Browse) -> None:
    """With JavaScript off the form starts an image and the pending page leads to the server by itself."""
    page = await browse(stub_hub, "plain", javascript=False)
    await page.goto(f"{stub_hub.url}hub/spawn")
    await page.get_by_role("radio", name="Image").check()
    await page.get_by_label("Image", exact=True).last.select_option("local/two:2")

    await page.get_by_role("button", name="Start", exact=True).click()

    await expect(page.get_by_role("heading", name="Server at /base/user/plain/")).to_be_visible()


async def test_keyboard_only(stub_hub: StubHub, browse: Browse) -> None:
    """The form is walked and sent with the keyboard alone, in the order it is read."""
    page = await browse(stub_hub, "keys")
    await page.goto(f"{stub_hub.url}hub/spawn")
    await page.get_by_role("link", name="Skip to content").focus()
    await page.keyboard.press("Enter")

    seen = []
    for _ in range(8):
        await page.keyboard.press("Tab")
        seen.append(
            await page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        )
        if seen[-1] == "vh-source":
            await page.keyboard.type(LINK)

    expected = [
        "vh-kind-source",
        "vh-source",
        "vh-ref",
        "vh-open",
        "vh-profile-2",
        "Advanced",
        "Start",
        "Cancel",
    ]
    assert expected == seen
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/hub/spawn-pending/**")


@pytest.mark.timeout(120)
async def test_long_log(stub_hub: StubHub, browse: Browse) -> None:
    """20 000 lines arrive whole in about a hundred elements; scrolling up stops the following, the end resumes it."""
    page = await browse(stub_hub, "longlog")
    await start(stub_hub, page, "", "many")

    log = page.get_by_role("log")
    await expect(log).to_contain_text("line 19999 of", timeout=60_000)
    count, blocks = await log.evaluate("e => [e.textContent.split('\\n').length - 1, e.childElementCount]")
    assert count >= 20_000
    assert blocks == -(-count // 200)
    follow = page.get_by_role("switch", name="Follow")
    await expect(follow).to_be_checked()
    await log.evaluate("e => { e.scrollTop = 0; }")
    await expect(follow).not_to_be_checked()
    await follow.check()
    assert await log.evaluate("e => e.scrollHeight - e.scrollTop - e.clientHeight < 24")


async def test_copy_and_download(stub_hub: StubHub, browse: Browse) -> None:
    """The log is saved as it is read."""
    page = await browse(stub_hub, "saves")
    await show_running(stub_hub, page)

    async with page.expect_download() as saving:
        await page.get_by_role("button", name="Download").click()

    path = await (await saving.value).path()
    saved = await asyncio.to_thread(path.read_text, encoding="utf-8")
    assert "[2/3] RUN pip install -r requirements.txt\nCollecting numpy <script>" in saved


@pytest.mark.timeout(120)
async def test_hub_restart(own_stub_hub: StubHub, browse: Browse) -> None:
    """While the hub is away the page says so; when it is back and the start is lost, the page says that and offers more."""
    page = await browse(own_stub_hub, "patient")
    await show_running(own_stub_hub, page)

    own_stub_hub.kill_hub()
    await expect(page.get_by_role("status")).to_contain_text("does not answer", timeout=15_000)
    own_stub_hub.start_hub()

    await expect(page.get_by_role("alert")).to_contain_text("hub was restarted", timeout=30_000)
    await expect(page.get_by_role("log")).to_contain_text("Collecting numpy")


@pytest.mark.parametrize(
    ("how", "status", "code", "message", "hint"),
    [
        pytest.param("refused", 403, "refused", "Two of two servers run.", "Stop one.", id="ours"),
        pytest.param("missing", 404, "not_found", "no such build", "", id="tornado's"),
        pytest.param("wordless", 409, "conflict", "Conflict", "", id="without words"),
        pytest.param(
            "bug", 500, "internal_error", "The hub could not answer", "Try again", id="a bug tells nothing"
        ),
    ],
)
async def test_api_errors(
    stub_hub: StubHub, browse: Browse, how: str, status: int, code: str, message: str, hint: str
) -> None:
    """Our JSON API answers every error with code, message, hint and field, and the code in a header."""
    page = await browse(stub_hub, "api")
    await page.goto(f"{stub_hub.url}hub/home")

    answer: list[Any] = await page.evaluate(
        """async how => {
          const answer = await fetch(`${jhdata.base_url}api/stub/${how}`,
                                     {headers: {"X-XSRFToken": jhdata.xsrf_token}});
          return [answer.status, answer.headers.get("VersatileHub-Error"), await answer.json()];
        }""",
        how,
    )

    assert [status, code] == answer[:2]
    assert {"code", "message", "hint", "field"} <= set(answer[2])
    assert code == answer[2]["code"]
    assert answer[2]["message"].startswith(message)
    assert answer[2]["hint"].startswith(hint)
    assert "secret" not in str(answer)


async def test_axe_finds_what_is_wrong(stub_hub: StubHub, browse: Browse, axe: str) -> None:
    """The judge of the other tests is awake: a picture without a text and a field without a label are found."""
    page = await browse(stub_hub, "awake")
    await page.set_content("<html lang=en><title>t</title><main><h1>h</h1><img src=x><input></main>")

    found = {line.split(":")[0] for line in await violations(page, axe)}

    assert {"image-alt", "label"} <= found

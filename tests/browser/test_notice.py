"""The notice in JupyterLab that its server will stop, and the page that puts that off."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.lab import PATIENCE
from tests.browser.looks import every_look, photograph, too_wide, violations
from tests.hub.clocks import ours

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browser.conftest import Browse
    from tests.hubprocess import HubProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Idle for nine minutes: within the ten in which the notice shows.
LINES = """
    c.VersatileHub.policy_overrides = {
        "images": ["versatilehub/singleuser:latest"], "idle_timeout": "9m", "idle_timeout_max": "9m", "extension_max": "2h",
    }
    c.VersatileHub.cull_grace = 0
    c.VersatileHub.open_tabs_count = False
"""


@pytest.mark.timeout(240)
@pytest.mark.req("K47", "K48")
async def test_lab_says_when_its_server_stops(
    browse: Browse, make_hub: Callable[..., HubProcess], axe: str, artifacts: Path
) -> None:
    """Some minutes before, JupyterLab says so; one click and one choice later the end is an hour away, for the hub as well."""
    hub = make_hub(LINES).start()
    hub.user("ada")
    hub.run("ada", image="versatilehub/singleuser:latest")
    page = await browse(hub, "ada", password="ada-password-1")
    await page.goto(f"{hub.url}/user/ada/lab")

    notice = page.locator(".Toastify__toast, .jp-Notification-Toast").filter(has_text="This server stops at")
    await expect(notice.first).to_contain_text(
        re.compile("in [789] min: nobody has used it"), timeout=PATIENCE
    )
    await photograph(page, artifacts / "pages" / "notice-in-lab.png", whole=False)
    async with page.context.expect_page() as opened:
        await notice.get_by_role("button", name="Keep it running").click()
    keep = await opened.value
    await expect(keep.get_by_role("heading", name="When Your server stops")).to_be_visible()
    before = str(await keep.locator("time").get_attribute("datetime"))
    wrong = []
    async for look in every_look(keep):
        wrong += [*await violations(keep, axe), *await too_wide(keep)]
        await photograph(keep, artifacts / "pages" / f"keep-{look}.png")
    assert [] == wrong

    await keep.get_by_label("Keep it for longer").select_option("1 h")
    await keep.get_by_role("button", name="Keep it running").click()
    await expect(keep.locator("time")).not_to_have_attribute("datetime", before)

    after = str(await keep.locator("time").get_attribute("datetime"))
    said = ours(hub, "GET", "servers/ada/countdown").json()
    assert said["stops_at"] == after
    assert said["seconds_left"] > 3600
    assert re.match(r"20\d\d-", after)
    hub.halt("ada")

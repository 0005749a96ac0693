"""The page for one more server, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.looks import every_look, photograph, too_wide, violations

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import Browse
    from tests.hubprocess import HubProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.req("V4")
async def test_a_server_nobody_named(browse: Browse, hub: HubProcess, axe: str, artifacts: Path) -> None:
    """From the navigation to a running server with a name of its own; axe finds nothing in any look."""
    page = await browse(hub, "alan", password="alan-password-1")
    await page.goto(f"{hub.url}/hub/home", wait_until="networkidle")
    await page.get_by_role("link", name="New server").click()
    await expect(page.get_by_role("heading", name="New server")).to_be_visible()
    wrong = []
    async for look in every_look(page):
        wrong += [*await violations(page, axe), *await too_wide(page)]
        await photograph(page, artifacts / "pages" / f"new-server-{look}.png")
    assert [] == wrong

    await page.get_by_role("radio", name="Image").check()
    await page.get_by_role("combobox", name="Image").select_option("versatilehub/test-server:latest")
    await page.get_by_role("button", name="Start", exact=True).click()
    await page.wait_for_url("**/user/alan/*/**", timeout=60_000)

    name = page.url.split("/user/alan/")[1].split("/")[0]
    hub.wait_ready("alan", name)
    hub.halt("alan", name, remove=True)
    assert 2 == len(name.split("-"))

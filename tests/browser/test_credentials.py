"""The page of a person's tokens for git hosts, in a browser."""

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


@pytest.mark.req("K50")
async def test_git_access(browse: Browse, hub: HubProcess, axe: str, artifacts: Path) -> None:
    """A token is stored and deleted by labels and buttons; it is never shown, and axe finds nothing in any look."""
    page = await browse(hub, "alan", password="alan-password-1")
    await page.goto(f"{hub.url}/hub/home", wait_until="networkidle")
    await page.get_by_role("link", name="Git access").click()
    await page.get_by_label("Git host").fill("gitlab.com")
    await page.get_by_label("Access token").fill("canary-browser")
    await page.get_by_role("button", name="Store the token").click()
    await expect(page.get_by_role("status")).to_have_text("The token is stored.")
    assert "canary-browser" not in await page.content()
    wrong = []
    async for look in every_look(page):
        wrong += [*await violations(page, axe), *await too_wide(page)]
        await photograph(page, artifacts / "pages" / f"credentials-{look}.png")
    assert [] == wrong
    await page.get_by_role("button", name="Delete the token for https://gitlab.com").click()
    await expect(page.get_by_role("status")).to_have_text("The token is deleted.")

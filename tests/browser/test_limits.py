"""The page of a person's limits, in a browser."""

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


@pytest.mark.req("P25")
async def test_your_limits(browse: Browse, hub: HubProcess, axe: str, artifacts: Path) -> None:
    """From the navigation to the page; a limit is found by its name, with use and rule; axe finds nothing in any look."""
    page = await browse(hub, "grace", password="grace-password-1")
    await page.goto(f"{hub.url}/hub/home", wait_until="networkidle")
    await page.get_by_role("link", name="Your limits").click()
    await expect(page.get_by_role("heading", name="Your limits", level=1)).to_be_visible()
    row = page.get_by_role("row").filter(has_text="Named servers beside the default one")

    await expect(row.get_by_role("cell")).to_have_text(["10", "0", "preset versatile"])
    wrong = []
    async for look in every_look(page):
        wrong += [*await violations(page, axe), *await too_wide(page)]
        await photograph(page, artifacts / "pages" / f"limits-{look}.png")
    assert [] == wrong

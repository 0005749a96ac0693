"""How a page looks and reads: both themes and widths, pictures of each, and what axe-core finds.

One load serves all four looks: the pages differ by media queries alone, and the hub's theme follows the system's at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Page

#: The two widths a page must fit, in CSS pixels.
WIDE, NARROW = 1280, 360
HEIGHT = 800
LOOKS = ("light-1280", "light-360", "dark-360", "dark-1280")


async def every_look(page: Page) -> AsyncIterator[str]:
    """Put *page* into each of `LOOKS` and yield its name; leave it light and wide."""
    for look in LOOKS:
        await put(page, look)
        yield look
    await put(page, "light-1280")


async def put(page: Page, look: str) -> None:
    """Put *page* into one of `LOOKS`."""
    theme, _, width = look.partition("-")
    await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    await page.set_viewport_size({"width": int(width), "height": HEIGHT})
    await page.wait_for_function("theme => document.documentElement.dataset.bsTheme === theme", arg=theme)


async def photograph(page: Page, path: Path, *, whole: bool = True) -> None:
    """Keep a picture of the whole page, or of what is on the screen."""
    path.parent.mkdir(exist_ok=True)
    await page.screenshot(path=path, full_page=whole)


async def violations(page: Page, axe: str) -> list[str]:
    """Return what axe-core finds, one line a node: rule, element, explanation."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(axe)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    result: dict[str, Any] = await page.evaluate("tags => axe.run({runOnly: tags})", tags)
    return [
        f"{found['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for found in result["violations"]
        for node in found["nodes"]
    ]


async def too_wide(page: Page) -> list[str]:
    """Return a line when the page is wider than its window."""
    width, room = await page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    return [f"{width} px wide in a window of {room}"] if width > room else []

"""JupyterLab as a person uses it in a browser: one notebook, its cells, their output."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwright.async_api import Locator, expect

if TYPE_CHECKING:
    from playwright.async_api import Page

#: Lab loads some megabytes of JavaScript and then starts a kernel.
PATIENCE = 60_000


def notebook(*cells: str) -> str:
    """Return a notebook file with code *cells*, as nobody has run it yet."""
    rows = [
        {"id": f"cell-{number}", "cell_type": "code", "source": source, "metadata": {}, "outputs": []}
        | {"execution_count": None}
        for number, source in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps({"cells": rows, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A page that shows JupyterLab with a notebook open."""

    page: Page

    @classmethod
    async def opened(cls, page: Page, path: str) -> Lab:
        """Return once *page* has come to the notebook *path* (below the home directory) and its kernel is idle."""
        await page.wait_for_url(re.compile(rf"/lab/.*{re.escape(path)}$"), timeout=PATIENCE)
        lab = cls(page=page)
        # Lab's question on a busy machine; a person in no hurry answers it as this does.
        slow = page.get_by_role("dialog", name="Loading").get_by_role("button", name="Continue waiting")
        await page.add_locator_handler(slow, Locator.click)
        name = path.rpartition("/")[2]
        await expect(page.get_by_role("tab", name=name, exact=True)).to_be_visible(timeout=PATIENCE)
        await lab.idle()
        return lab

    async def idle(self) -> None:
        """Return when the kernel waits for work."""
        # The circle in the toolbar says so before there is a kernel; the status bar does not.
        await expect(self.page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=PATIENCE)

    def cell(self, number: int) -> Locator:
        """The cell *number*, counted from 0."""
        return self.page.locator(".jp-Notebook-cell").nth(number)

    async def run(self, number: int, expected: str) -> None:
        """Run a cell with the keyboard and see *expected* in its output."""
        cell = self.cell(number)
        await cell.locator(".cm-content").click()
        await self.page.keyboard.press("Control+Enter")
        await expect(cell.locator(".jp-Cell-outputArea")).to_contain_text(expected, timeout=PATIENCE)

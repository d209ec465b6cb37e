"""A real browser without a window, for pages that must be tried."""

import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["Visit", "visit"]

EXECUTABLE = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class Visit:
    """A page, and what the browser had to say while it was open.

    Args:
        page: To go to addresses with.
        errors: Of the console and of scripts, and every dialog that opened.
        requests: The address of each.
    """

    page: "Page"
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Begins to note."""

        def dismiss(dialog: Any) -> None:
            self.errors.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        def note(message: Any) -> None:
            if message.type == "error":
                self.errors.append(message.text)

        self.page.on("console", note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", dismiss)
        self.page.on("request", lambda request: self.requests.append(request.url))


@pytest.fixture
def visit() -> Iterator[Visit]:
    """An empty page, as wide as a desktop's; it takes downloads."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("needs the package playwright")
    if EXECUTABLE is None:
        pytest.skip("needs chromium or google-chrome")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Its sandbox cannot be had in many containers; what is visited is ours.
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
        try:
            visited = Visit(browser.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True))
            visited.listen()
            yield visited
        finally:
            browser.close()

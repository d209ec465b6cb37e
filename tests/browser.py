"""A headless browser for testing pages."""

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
    """A page, with the errors and requests that the browser reported for it.

    Args:
        page: The page, which can open addresses.
        errors: The errors of the console and of scripts, and all dialogs that opened.
        requests: The addresses of all requests.
    """

    page: "Page"
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Start recording."""

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
    """An empty page of desktop width that accepts downloads."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("needs the package playwright")
    if EXECUTABLE is None:
        pytest.skip("needs chromium or google-chrome")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # The sandbox is not available in many containers. All visited pages are our own.
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
        try:
            visited = Visit(browser.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True))
            visited.listen()
            yield visited
        finally:
            browser.close()

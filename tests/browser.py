"""A real browser for tests: headless Chromium driven by Playwright, or a skip that says why not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DESKTOP = {"width": 1280, "height": 900}  # pixels
PHONE = {"width": 390, "height": 844}


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium: the system's if there is one, else Playwright's own (`make browser`).

    Skips the test where neither is there.
    """
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pip install -e '.[dev]'"
    )
    found = os.environ.get("SEAL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with sync_api.sync_playwright() as playwright:
        try:
            # No sandbox: tests run as root in containers. No lookups: nothing here needs a name.
            opened = playwright.chromium.launch(
                executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
        except sync_api.Error as error:
            pytest.skip(f"no browser, `make browser` installs one: {str(error).splitlines()[0]}")
        try:
            yield opened
        finally:
            opened.close()


def requests_elsewhere(page: Any) -> list[str]:
    """Collects the addresses a page asks for that are not on this machine; each is refused."""
    asked: list[str] = []

    def refuse(route: Any) -> None:
        url = route.request.url
        if url.startswith(("http://127.0.0.1", "http://localhost", "data:", "blob:", "file:")):
            route.continue_()
        else:
            asked.append(url)
            route.abort()

    page.route("**/*", refuse)
    return asked


def width_overflow(page: Any) -> int:
    """Pixels by which the page is wider than its window: 0 where nothing runs off a phone."""
    told: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return max(0, told)

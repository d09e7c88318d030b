"""The built site, and a browser that reads it from the disk and reaches nothing else."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SITE = Path(__file__).parents[2] / "docs" / "_build" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 5000
BAD = {"error", "warning"}
NOT_FROM_THE_DISK = r"^(?!file:|data:)"  # a request for such an address fails

Visit = Callable[..., "Page"]


def pytest_report_header() -> str:
    return f"site: {SITE}; browser: {find_browser()}"


def find_browser() -> str | None:
    """Return the browser that the environment names, or the first one on the path."""
    found = (shutil.which(name) for name in BROWSERS)
    return os.environ.get("ANYSOFTMAX_BROWSER") or next((path for path in found if path), None)


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"there is no site in {SITE}; build it first: nox -s docs")
    return SITE


def why_no_browser() -> str | None:
    """Say what the tests lack to drive a browser, or None if they lack nothing."""
    if find_spec("playwright") is None:
        return "playwright is not installed: the dependency group docs of pyproject.toml has it"
    if find_browser() is None:
        return (
            f"found no browser: none of {', '.join(BROWSERS)} is on the path; install one"
            " (Debian: apt install chromium), or set ANYSOFTMAX_BROWSER to the path of a Chromium"
        )
    return None


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser; without one the test is skipped, or fails if it is required."""
    if reason := why_no_browser():
        if os.environ.get("ANYSOFTMAX_BROWSER_REQUIRED"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    # Chromium's sandbox refuses to run as root, which a container's user often is.
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if as_root else []
        started = playwright.chromium.launch(executable_path=find_browser(), args=options)
        yield started
        started.close()


@pytest.fixture
def visit(site: Path, browser: Browser) -> Iterator[Visit]:
    """Open a page of the site; fail if any opened page complained or asked for anything else."""
    contexts, complaints = [], []

    def visit(address: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.route(re.compile(NOT_FROM_THE_DISK), lambda route: route.abort())
        context.on(
            "console", lambda said: complaints.append(said.text) if said.type in BAD else None
        )
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("requestfailed", lambda asked: complaints.append(f"failed: {asked.url}"))
        page = context.new_page()
        page.goto(f"{site.as_uri()}/{address}")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []

"""The built site is whole: nothing comes from elsewhere, and whatever is linked to is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page as OpenPage

CLICKS = 2
MODULES = ("calibration", "distributed", "files", "testing")

# Attributes that make a browser fetch something, whatever the element; of <link>, some kinds do.
FETCHED = {"src", "srcset", "poster", "data", "background", "xlink:href"}
NOT_FETCHED_LINKS = {"index", "search", "next", "prev", "author", "copyright", "canonical"}
ELSEWHERE = re.compile(r"(?:[a-z][a-z+.-]*:)?//|(?:https?|ftp):", re.IGNORECASE)
IN_STYLE = re.compile(r"url\(\s*[\"']?([^\"')]*)|@import\s+[\"']([^\"']*)", re.IGNORECASE)


@dataclass
class Page(HTMLParser):
    """What the tests want to know of a page."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    clickable: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.in_style = self.in_article = self.folded = False
        self.feed(self.path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down what the element fetches, names and links to."""
        values = {name: value or "" for name, value in attrs}
        self.in_style |= tag == "style"
        self.in_article |= tag == "article"
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        self.resources += [value for name, value in values.items() if name in FETCHED]
        self.resources += in_style(values.get("style", ""))
        if tag == "li":
            # Of the navigation at the side, what lies deeper is folded away.
            deep = re.search(r"toctree-l[2-9]", values.get("class", ""))
            self.folded = not self.in_article and deep is not None
        if "href" not in values:
            return
        if tag == "a":
            self.links.append(values["href"])
            self.clickable += [] if self.folded else [values["href"]]
        elif not set(values.get("rel", "").split()) & NOT_FETCHED_LINKS:
            self.resources.append(values["href"])

    def handle_endtag(self, tag: str) -> None:
        """Leave a style sheet."""
        if tag == "style":
            self.in_style = False

    def handle_data(self, data: str) -> None:
        """Take down what a style sheet fetches."""
        if self.in_style:
            self.resources += in_style(data)


def in_style(text: str) -> list[str]:
    return [address or imported for address, imported in IN_STYLE.findall(text)]


@cache
def read(path: Path) -> Page:
    return Page(path)


@pytest.fixture
def paths(site: Path) -> list[Path]:
    found = sorted(site.rglob("*.html"))
    assert site / "index.html" in found
    return found


def targets(page: Page, hrefs: list[str]) -> Iterator[tuple[str, Path, str]]:
    """Yield each link into the site as written, with the file and the anchor that it means."""
    for href in hrefs:
        parts = urlsplit(href)
        if parts.scheme or parts.netloc:
            continue
        path = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
        yield href, path, unquote(parts.fragment)


def test_nothing_comes_from_elsewhere(paths: list[Path]) -> None:
    foreign = {
        (path.name, resource)
        for path in paths
        for resource in read(path).resources
        if ELSEWHERE.match(resource.strip())
    }
    assert foreign == set()


def test_no_style_comes_from_elsewhere(site: Path) -> None:
    styles = sorted(site.rglob("*.css"))
    assert styles
    foreign = {
        (path.name, resource)
        for path in styles
        for resource in in_style(path.read_text("utf-8"))
        if ELSEWHERE.match(resource.strip())
    }
    assert foreign == set()


def test_resources_are_there(paths: list[Path]) -> None:
    absent = {
        (path.name, href)
        for path in paths
        for href, file, _ in targets(read(path), read(path).resources)
        if not file.is_file()
    }
    assert absent == set()


def test_links_lead_somewhere(paths: list[Path]) -> None:
    broken = {
        (path.name, href)
        for path in paths
        for href, file, anchor in targets(read(path), read(path).links)
        if not file.is_file() or (anchor and anchor not in read(file).ids)
    }
    assert broken == set()


def test_every_public_name_is_found_in_two_clicks(site: Path) -> None:
    names = [f"anysoftmax.{name}" for name in import_module("anysoftmax").__all__]
    names.append("anysoftmax.kernels.use")
    for module in MODULES:
        inner = import_module(f"anysoftmax.{module}").__all__
        names += [f"anysoftmax.{module}.{name}" for name in inner]

    reached = {(site / "index.html").resolve()}
    for _ in range(CLICKS):
        reached |= {
            file
            for path in sorted(reached)
            for _, file, _ in targets(read(path), read(path).clickable)
            if file.suffix == ".html"
        }
    ids = set().union(*(read(path).ids for path in reached))
    assert [name for name in names if not {name, f"module-{name}"} & ids] == []


@pytest.mark.parametrize("address", ["index.html", "search.html", "reference/index.html"])
def test_a_browser_has_nothing_to_complain_of(visit: Callable[..., OpenPage], address: str) -> None:
    assert visit(address).title()  # the fixture looks at the console and at what is asked for

"""The pages: their links lead somewhere, their examples are valid, and every error has its own heading."""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from pathlib import Path

import pytest

from plughost import errors

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
ERRORS = ROOT / "docs" / "reference" / "errors.md"

every_page = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^( *)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def headings(page: Path, level: str = "#+") -> list[str]:
    return re.findall(rf"^(?:{level}) (.+)$", prose(page), re.MULTILINE)


def anchor(heading: str) -> str:
    """Source: GitHub's rule for the anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@every_page
def test_links_lead_to_a_file_and_a_heading(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"`{link}` leads nowhere"
        assert not fragment or fragment in {anchor(heading) for heading in headings(target)}, f"`{link}` has no such heading"


@every_page
def test_a_page_has_one_title_and_no_heading_twice_under_another(page):
    assert len(headings(page, "#")) == 1
    path: list[str] = []
    seen = set()
    for marks, heading in re.findall(r"^(#+) (.+)$", prose(page), re.MULTILINE):
        path = [*path[: len(marks) - 1], heading]
        assert len(path) == len(marks), f"`{heading}` skips a level"
        assert tuple(path) not in seen, f"`{heading}` is there twice"
        seen.add(tuple(path))


@every_page
def test_examples_can_be_read(page):
    readers = {"json": json.loads, "toml": tomllib.loads, "python": lambda text: compile(text, str(page), "exec")}
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        readers.get(language, str)(text)


def test_every_page_of_the_docs_is_linked_from_another():
    linked = {
        (page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", prose(page))
    }
    assert [page for page in PAGES if page.parent != ROOT and page not in linked] == []


def test_every_error_has_its_heading_under_its_class():
    classes = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, errors.PlughostError)]
    documented = {}
    for part in re.split(r"^## ", prose(ERRORS), flags=re.MULTILINE)[1:]:
        documented[part.splitlines()[0]] = set(re.findall(r"^### (.+)$", part, re.MULTILINE))
    assert documented == {cls.__name__: set(cls.references) for cls in classes}


def test_every_error_says_what_happened_why_and_what_to_do():
    for part in re.split(r"^### ", prose(ERRORS), flags=re.MULTILINE)[1:]:
        said = re.findall(r"^- \*\*(.+):\*\* \S", part, re.MULTILINE)
        assert said == ["What happened", "Why", "What to do"], part.splitlines()[0]

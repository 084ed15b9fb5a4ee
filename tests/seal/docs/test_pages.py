"""Pages: links lead somewhere, generated parts tell what the code says, nothing needs a network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from browser import DESKTOP, PHONE, browser, requests_elsewhere, width_overflow
from markdown.extensions.toc import slugify
from programs_here import ROOT
from understood import understand

from seal.cli import build_parser, subparsers
from seal.commands.programs import names
from seal.docs.configuration import fields_table, group_files
from seal.docs.field_comments import comment_of
from seal.docs.generated import filled
from seal.docs.reproduced import commands
from seal.evaluation.tables.published import TablesRun
from seal.schema import compose

PAGES = ROOT / "seal" / "docs" / "pages"
ALL = sorted(PAGES.rglob("*.md"))


def named(page: Path) -> str:
    return str(page.relative_to(PAGES))


@cache
def page_text(page: Path) -> str:
    return filled(page.read_text(encoding="utf-8"))


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.+)$", without_code_blocks(page_text(page)), re.MULTILINE)
    return {slugify(re.sub(r"[`*\\]", "", heading), "-") for heading in headings}


def without_code_blocks(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)


def links() -> Iterator[tuple[Path, str]]:
    for page in ALL:
        for address in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
            yield page, address


def test_links_inside_lead_to_a_page_and_a_heading() -> None:
    lost = []
    for page, address in links():
        if "://" in address:
            continue
        path, _, anchor = address.partition("#")
        target = (page.parent / path).resolve() if path else page
        if path.startswith("../pictures/") or path.startswith("pictures/"):
            target = PAGES.parent / "pictures" / Path(path).name
        if not target.is_file() or (anchor and anchor not in anchors(target)):
            lost.append(f"{named(page)}: {address}")
    assert not lost


def test_links_outside_are_whole_addresses() -> None:
    outside = [address for _, address in links() if "://" in address]
    assert outside
    for address in outside:
        assert re.fullmatch(r"https://[a-z0-9.-]+\.[a-z]{2,}(/[\w./%~#?=&*-]*)?", address), address


def test_the_command_line_is_told_as_its_help_tells_it() -> None:
    text = page_text(PAGES / "reference" / "command-line.md")
    for name, command in subparsers(build_parser()).items():
        assert f"## seal {name}\n" in text
        for option in command._option_string_actions:
            assert option in text, f"{name} {option}"


def test_every_program_is_told_with_its_keys() -> None:
    text = "".join(
        page_text(PAGES / "reference" / f"{name}.md") for name in ("data-builders", "train", "eval")
    )
    for name in names():
        assert text.count(f"## {name}\n") == 1
    assert "train.num_steps: int | None = None" in text


def test_fields_stand_with_type_default_and_comment() -> None:
    table = fields_table("seal.search.config.SearchConfig")
    assert "| `confidence_high` | `float` | `0.5` | stop as soon as a detection scores" in table
    assert "| `budget.nodes` | `int \\| None` | `None` |" in table
    with pytest.raises(ValueError, match=r"seal\.search\.config\.Nothing is no dataclass"):
        fields_table("seal.search.config.Nothing")


def test_a_group_stands_with_its_files() -> None:
    assert 'note "search=by_sight"' in group_files("search")
    with pytest.raises(ValueError, match="conf/nothing is no group"):
        group_files("nothing")


def test_a_part_that_nothing_makes_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing makes 'weather'; there are command-line,"):
        filled("# Page\n\n<!-- generated: weather -->\n")


def test_comments_beside_or_above_a_field_are_found(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text(
        "class A:\n    x: int  # beside\n    # above,\n    # in two lines\n    y: int\n    z: int\n"
    )
    told = [comment_of(file, line, line) for line in (2, 5, 6)]
    assert told == ["beside", "above, in two lines", ""]


def test_every_command_that_reproduces_a_number_is_understood() -> None:
    tables = compose(ROOT / "conf", "tables", TablesRun, ["table=all"]).tables
    text = page_text(PAGES / "reproduce.md")
    asked = {command for table in tables.values() for command in commands(table)}
    assert len(asked) > 20
    for command in asked:
        assert f"| `{command}` |" in text
        for part in command.split("&&"):
            understand(part.split()[1:])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as `make docs` builds them."""
    out = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-f", ROOT / "seal/docs/mkdocs.yml", "-d", out],
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr and "ERROR" not in done.stderr, done.stderr
    return out


@pytest.mark.slow
def test_it_builds_without_a_warning_and_asks_for_nothing_elsewhere(built: Path) -> None:
    for page in built.rglob("*.html"):
        fetched = re.findall(r"<(?:script|img|iframe)[^>]* src=\"?([^\" >]+)", page.read_text())
        fetched += re.findall(
            r"<link[^>]*rel=\"?stylesheet[^>]* href=\"?([^\" >]+)", page.read_text()
        )
        assert not [address for address in fetched if "://" in address], page.name


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_is_read_as_files_on_a_phone_and_a_desktop(built: Path) -> None:
    with browser() as chromium:
        for size in (PHONE, DESKTOP):
            page = chromium.new_page(viewport=size)
            asked = requests_elsewhere(page)
            for file in sorted(built.rglob("*.html")):
                page.goto(file.as_uri())
                assert width_overflow(page) == 0, f"{file.name} at {size['width']}"
            assert asked == []
            page.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_word_is_searched_for_in_pages_that_are_files(built: Path) -> None:
    with browser() as chromium:
        page = chromium.new_page(viewport=DESKTOP)
        asked = requests_elsewhere(page)
        page.goto((built / "index.html").as_uri())
        page.click("input.md-search__input")
        page.wait_for_function(  # the index is there
            "document.querySelector('.md-search-result__meta').innerText.startsWith('Type')"
        )
        page.keyboard.type("granularity")
        page.wait_for_selector(".md-search-result__item")
        assert "matching document" in page.inner_text(".md-search-result__meta")
        page.click(".md-search-result__link")
        page.wait_for_url("**/*.html*")
        assert page.url.startswith("file:") and asked == []

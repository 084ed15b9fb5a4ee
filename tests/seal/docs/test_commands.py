"""Every command of the documentation is run, or where it cannot be here, understood."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from doc_blocks import Block, blocks, lines, seal_words
from programs_here import ROOT
from understood import compose, understand, understand_python

from seal.cli import main

DOCS = ROOT / "seal" / "docs"
PAGES = sorted((DOCS / "pages").rglob("*.md"))
OTHERS = [ROOT / "README.md", ROOT / "docker" / "README.md"]
WITH_BLOCKS = [page for page in PAGES if blocks(page)]
BIN = Path(sys.executable).parent

pytestmark = pytest.mark.xdist_group("docs")


def named(page: Path) -> str:
    return str(page.relative_to(DOCS / "pages"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `first-minutes.md` leaves for the pages behind it: drawn scenes, and one as a photo."""
    folder = tmp_path_factory.mktemp("drawn")
    making = next(b for b in blocks(DOCS / "pages" / "first-minutes.md") if "scenes" in b.text)
    with pytest.MonkeyPatch.context() as patch:
        run_block(making, folder, {}, patch, apart=False)
    return folder


@pytest.fixture
def folder(drawn: Path, tmp_path: Path) -> Path:
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    return tmp_path


def run_block(
    block: Block, folder: Path, names: dict[str, Any], patch: pytest.MonkeyPatch, *, apart: bool
) -> None:
    """`apart`: every command in a process of its own, as whoever types it has it."""
    patch.chdir(folder)
    if block.language == "python":
        exec(compile(block.text, block.place, "exec"), names)
        return
    for line in lines(block.text):
        words = seal_words(line)
        if words is not None and not apart:
            patch.setattr(sys, "argv", ["seal"])
            patch.setenv("HYDRA_FULL_ERROR", "1")
            code = program(words)
        else:
            code = subprocess.run(["bash", "-c", line], env=environment(), check=False).returncode
        assert code in block.exits, f"{block.place}: {line}: exit code {code}"


def program(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as stop:  # --help, --version
        return int(stop.code or 0)


def environment() -> dict[str, str]:
    """`seal` and torchrun of this Python, on this checkout."""
    return os.environ | {
        "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def not_run() -> Iterator[Any]:
    """Blocks that the suite does not run, and all of the READMEs."""
    for page in PAGES:
        for block in blocks(page):
            if block.needs or block.slow:
                yield pytest.param(block, id=f"{named(page)}:{block.line}")
    for page in OTHERS:
        for block in blocks(page):
            yield pytest.param(block, id=f"{page.parent.name}-{page.name}:{block.line}")


def commands(block: Block) -> list[tuple[str, list[str] | None]]:
    """Each line of a block, its variables filled in, and what it tells `seal`."""
    variables = dict(re.findall(r"^([A-Z])=(\S+?);?$", block.text, re.MULTILINE))
    found = []
    for line in lines(block.text):
        line = re.sub(r"\$([A-Z])\b", lambda match: variables[match[1]], line)
        found.append((line, seal_words(line)))
    return found


@pytest.mark.parametrize("block", not_run())
def test_what_is_not_run_is_understood(block: Block) -> None:
    if block.language == "python":
        understand_python(block.text, block.place)
        return
    for line, words in commands(block):
        if words:
            understand(words)
        for target in re.findall(r"^make ([a-z-]+)", line):
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
        for extra in re.findall(r"\[([a-z,]+)\]", line) if line.startswith("pip") else ():
            known = (ROOT / "pyproject.toml").read_text()
            assert all(re.search(rf"^{one} = \[", known, re.M) for one in extra.split(",")), line


@pytest.mark.slow
@pytest.mark.parametrize("block", not_run())
def test_the_values_in_what_is_not_run_are_understood(
    block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _, words in commands(block) if block.language == "sh" else ():
        if words and "/" in words[0] and "--help" not in words:
            compose(words, monkeypatch)


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=named)
def test_the_commands_of_a_page_run(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: dict[str, Any] = {}
    for block in blocks(page):
        if not (block.needs or block.slow):
            run_block(block, folder, names, monkeypatch, apart=False)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "page", [page for page in WITH_BLOCKS if any(b.slow for b in blocks(page))], ids=named
)
def test_the_commands_of_a_page_run_as_typed_with_the_slow_ones(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: dict[str, Any] = {}
    for block in blocks(page):
        if not block.needs:
            run_block(block, folder, names, monkeypatch, apart=True)


def test_every_page_is_in_the_list_of_pages_and_the_other_way_round() -> None:
    listed: list[str] = []

    def collect(entry: Any) -> None:
        if isinstance(entry, str):
            listed.append(entry)
        else:
            for part in entry.values() if isinstance(entry, dict) else entry:
                collect(part)

    collect(yaml.safe_load((DOCS / "mkdocs.yml").read_text())["nav"])
    assert sorted(listed) == sorted(map(named, PAGES))

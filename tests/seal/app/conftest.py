"""A page on the shipped miniature, served in this process, and a browser: for all tests of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Served:
    """A page that is up."""

    address: str
    folder: Path
    parts: Any


@pytest.fixture(scope="package")
def served() -> Iterator[Served]:
    pytest.importorskip("gradio", reason="no gradio: pip install -e '.[app]'")
    from seal import Seal
    from seal.app.desk import Desk
    from seal.app.examples import drawn_examples
    from seal.app.models import Models
    from seal.app.page import build_page
    from seal.app.parts import Parts
    from seal.app.server import page_folder, served
    from seal.commands.model_options import SEARCH_WORDS
    from seal.inference.hub import MINIATURE_VQA, MINIATURE_VSM

    seal = Seal.from_pretrained(MINIATURE_VQA, MINIATURE_VSM, device="cpu")
    models = Models(seal, name=MINIATURE_VQA, search="guided")
    with page_folder() as folder, Desk(models) as desk:
        parts = Parts(
            models=models,
            desk=desk,
            examples=drawn_examples(),
            folder=folder,
            told={"answers": MINIATURE_VQA, "searches": MINIATURE_VSM},
            search_words=SEARCH_WORDS,
            only_drawn=seal.drawn_only,
        )
        with served(build_page(parts), folder, port=0) as address:
            yield Served(address, folder, parts)


@pytest.fixture(scope="module")  # while it is open, nothing else in this process runs asyncio
def chromium() -> Iterator[Any]:
    from browser import browser

    with browser() as opened:
        yield opened
